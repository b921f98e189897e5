import os
import subprocess
import sys
from contextlib import contextmanager

from models import scratch

STORM = """
import sys
from pathlib import Path
from models import scratch
for _ in range(150):
    scratch.sweep.cache_clear()
    with scratch.scratch("storm", Path(sys.argv[1])) as folder:
        (folder / "entry").mkdir()
        assert (folder / "entry").is_dir()
"""


def test_processes_that_begin_at_the_same_time_leave_each_others_folders_alone(tmp_path):
    words = [sys.executable, "-c", STORM, str(tmp_path)]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=120)[1] for process in running] == [""] * 4
    assert not list(tmp_path.iterdir())


def test_what_a_crash_left_goes_and_what_may_be_in_the_making_stays(tmp_path):
    crashed = tmp_path / "segmentation-bench-x-1"
    young = tmp_path / ".segmentation-bench-x-2"
    old = tmp_path / ".segmentation-bench-x-3"
    for folder in (crashed, young, old):
        folder.mkdir()
        (folder / scratch.LOCK).touch()
    os.utime(old, (0, 0))
    with scratch.scratch("y", tmp_path) as folder:
        assert sorted(tmp_path.iterdir()) == sorted([young, folder])
    assert list(tmp_path.iterdir()) == [young]


def test_a_held_folder_stays(tmp_path):
    with scratch.scratch("x", tmp_path) as folder:
        scratch.sweep.cache_clear()
        with scratch.scratch("y", tmp_path):
            assert folder.is_dir()


def test_a_sweep_between_a_lock_and_its_holding_takes_nothing(tmp_path, monkeypatch):
    hold, begun = scratch.hold, []

    @contextmanager
    def late(path):
        if not begun:
            begun.append(path)
            path.touch()
            scratch.sweep.__wrapped__(tmp_path)
        with hold(path):
            yield

    monkeypatch.setattr(scratch, "hold", late)
    with scratch.scratch("x", tmp_path) as folder:
        (folder / "entry").mkdir()
    assert begun
