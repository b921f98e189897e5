"""Many processes publish into one cache at once, and a damaged entry is made anew."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from converters.artifact import Artifact, Spec
from converters.cache import ENTRY, Cache, sha256, size
from tests.conftest import ROOT

SPEC = Spec("live", Path("none"), "0" * 64, "tflite", "fp32", (32, 32))

PUBLISHES = """
import sys
from pathlib import Path
from converters.cache import Cache
from tests.converters.test_publish import made
cache = Cache(Path(sys.argv[1]))
for i in range(int(sys.argv[2])):
    with cache.workshop() as workshop:
        placed = cache.publish(workshop, made(workshop, f"key{i % 5}"))
    assert placed.path.read_bytes() == b"model" * 1000
    assert cache.find(f"key{i % 5}", placed.spec) is not None
"""


def made(folder: Path, key: str) -> Artifact:
    path = folder / "model.tflite"
    path.write_bytes(b"model" * 1000)
    return Artifact(SPEC, key, path, size(path), sha256(path), {}, {})


def publish(cache: Cache, key: str = "key") -> Artifact:
    with cache.workshop() as workshop:
        return cache.publish(workshop, made(workshop, key))


def at_once(root: Path, processes: int, times: int) -> None:
    command = [sys.executable, "-c", PUBLISHES, str(root), str(times)]
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(processes)]
    assert [process.communicate()[1] for process in running] == [""] * processes
    assert sorted(path.name for path in root.iterdir()) == [f"key{i}" for i in range(5)]


def test_four_processes_publish_under_the_same_keys(tmp_path):
    at_once(tmp_path / "cache", 4, 10)


@pytest.mark.slow
def test_eight_processes_publish_a_hundred_times_each(tmp_path):
    at_once(tmp_path / "cache", 8, 100)


def test_what_is_whole_is_not_moved_and_what_is_damaged_is_made_anew(tmp_path):
    cache = Cache(tmp_path)
    first = publish(cache)
    before = first.path.stat().st_ino
    assert publish(cache).path.stat().st_ino == before
    first.path.write_bytes(b"damaged")
    assert cache.find("key", SPEC) is None
    assert publish(cache).path.read_bytes() == b"model" * 1000


@pytest.mark.parametrize("entry", ["[" * 100_000, "[]", "3", "null", "{}", '{"spec": 1}', "\udce9"])
def test_an_entry_that_says_anything_else_is_none(tmp_path, entry):
    cache = Cache(tmp_path)
    publish(cache)
    (tmp_path / "key" / ENTRY).write_text(entry, errors="surrogateescape")
    assert cache.find("key", SPEC) is None


def test_an_entry_cannot_point_out_of_its_folder(tmp_path):
    cache = Cache(tmp_path / "cache")
    publish(cache)
    entry = cache.root / "key" / ENTRY
    elsewhere = made(tmp_path, "key")
    values = json.loads(entry.read_text()) | {"path": str(elsewhere.path), "sha256": elsewhere.sha256}
    entry.write_text(json.dumps(values))
    assert cache.find("key", SPEC) is None
