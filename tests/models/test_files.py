"""What is refused before it is opened or written, and what a crash leaves behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.files import BadOutput, SpecialFile, check_outputs, refuse_special
from models.scratch import PREFIX, Held, hold, scratch, sweep
from tests.conftest import ROOT


def test_pipes_sockets_and_devices_are_refused_and_files_folders_and_nothing_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    heard = socket.socket(socket.AF_UNIX)
    heard.bind("socket")
    for name, kind in (("pipe", "named pipe"), ("socket", "socket"), ("/dev/zero", "device")):
        with pytest.raises(SpecialFile, match=kind):
            refuse_special(Path(name))
    for name in (".", "nothing", "nothing\0"):
        refuse_special(Path(name))
    heard.close()


def test_an_output_is_no_input_no_folder_and_no_other_output(tmp_path):
    there = tmp_path / "there"
    there.write_text("x")
    (tmp_path / "link").symlink_to(there)
    check_outputs([there, None, tmp_path / "new"], [tmp_path / "other"])
    with pytest.raises(BadOutput, match="is an input"):
        check_outputs([tmp_path / "link"], [there])
    with pytest.raises(BadOutput, match="two results"):
        check_outputs([tmp_path / "new", tmp_path / "." / "new"])
    with pytest.raises(BadOutput, match="is a folder"):
        check_outputs([tmp_path])


DIES = """
import os, sys, time
from pathlib import Path
from models.scratch import scratch
with scratch("test", Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def test_the_folder_of_the_living_stays_and_that_of_the_dead_is_swept(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", DIES, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    left = Path(other.stdout.readline().strip())
    young = tmp_path / f"{PREFIX}young-x"
    young.mkdir()
    sweep.cache_clear()
    with scratch("test", tmp_path) as mine:
        assert left.is_dir()
        assert mine.is_dir()
    assert not mine.exists()
    other.communicate()
    assert left.is_dir()
    sweep.cache_clear()
    with scratch("test", tmp_path):
        assert not left.exists()
    assert young.is_dir()
    os.utime(young, (time.time() - 1000,) * 2)
    sweep.cache_clear()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_once(tmp_path):
    with hold(tmp_path / "lock"), pytest.raises(Held), hold(tmp_path / "lock"):
        pass
    with hold(tmp_path / "lock"):
        pass
