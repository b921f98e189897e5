"""The cache and the workers, with real conversions to the quickest format."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from converters.artifact import Artifact, Failure
from converters.build import Event, NotConverted, build, convert_one
from converters.cache import ENTRY, Cache, code, key
from converters.wire import encode_spec
from models.variant import Resolution
from tests.converters.conftest import MakeSpec

ROOT = Path(__file__).resolve().parents[2]


def sabotaged(before_main: str) -> tuple[str, ...]:
    """A real worker to which something is done first."""
    return sys.executable, "-c", f"import os, signal\nfrom converters import worker\n{before_main}\nworker.main()"


DIES_AT_FP16 = sabotaged(
    """
make = worker.make
def deadly(spec, *rest):
    if spec.precision == "fp16":
        os.kill(os.getpid(), signal.SIGKILL)
    return make(spec, *rest)
worker.make = deadly
"""
)
DIES_AFTER_WRITING = sabotaged(
    """
def deadly(spec, *rest):
    os.abort()
worker.parity.masks = deadly
"""
)
TALKS_ON_STDOUT = sabotaged(
    """
make = worker.make
def chatty(*given):
    os.write(1, b"native library: hello\\n")
    print("python library: hello", flush=True)
    return make(*given)
worker.make = chatty
"""
)
CALIBRATES_IN_THE_DARK = sabotaged(
    """
calibration = worker.calibration
worker.calibration = lambda step, frames: calibration(step, frames // 16)
"""
)
CANNOT_START = (sys.executable, "-c", "raise SystemExit('no such runtime')")
MUST_NOT_START = ("/nonexistent/worker",)


def test_made_once_found_again(spec: MakeSpec, cache: Cache) -> None:
    wanted = spec("onnx", "fp32")
    events: list[Event] = []
    made = build([wanted, wanted], events.append, cache=cache, worker=TALKS_ON_STDOUT)[wanted]
    assert isinstance(made, Artifact)
    assert [(event.stage, event.cached) for event in events] == [
        ("converting", False),
        ("checking", False),
        ("done", False),
    ]
    assert made.parity
    assert made.parity.ok
    assert made.bytes == made.path.stat().st_size
    assert made.graph["ops"]["Sigmoid"] == 1

    again: list[Event] = []
    found = build([wanted], again.append, cache=cache, worker=MUST_NOT_START)[wanted]
    assert found == made
    assert [(event.stage, event.cached) for event in again] == [("done", True)]


def test_a_damaged_entry_is_made_again(spec: MakeSpec, cache: Cache) -> None:
    wanted = spec("onnx", "fp32")
    made = build([wanted], cache=cache)[wanted]
    assert isinstance(made, Artifact)
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert cache.find(made.key, wanted) is None
    mended = build([wanted], cache=cache)[wanted]
    assert isinstance(mended, Artifact)
    assert cache.find(made.key, wanted) == mended

    (made.path.parent / ENTRY).write_text("{")
    assert cache.find(made.key, wanted) is None


def test_a_crash_costs_one_spec(spec: MakeSpec, cache: Cache) -> None:
    wanted = [spec("onnx", precision) for precision in ("fp32", "fp16", "int8")]
    made = build(wanted, cache=cache, worker=DIES_AT_FP16)
    assert list(made) == wanted
    assert isinstance(made[wanted[0]], Artifact)
    assert isinstance(made[wanted[2]], Artifact)
    failure = made[wanted[1]]
    assert isinstance(failure, Failure)
    assert failure.reason == "onnx fp16 cannot be made of tiny: the converting process died of SIGKILL"


def test_what_a_crash_leaves_is_not_an_entry(spec: MakeSpec, cache: Cache) -> None:
    wanted = spec("onnx", "fp32")
    failure = build([wanted], cache=cache, worker=DIES_AFTER_WRITING)[wanted]
    assert isinstance(failure, Failure)
    assert failure.reason.endswith("died of SIGABRT")
    assert list(cache.root.iterdir()) == []


def test_a_worker_that_cannot_start_says_why(spec: MakeSpec, cache: Cache) -> None:
    wanted = spec("onnx", "fp32")
    failure = build([wanted], cache=cache, worker=CANNOT_START)[wanted]
    assert isinstance(failure, Failure)
    assert failure.reason.endswith("ended with code 1 after saying: no such runtime")


def test_an_exception_is_a_reason(spec: MakeSpec, cache: Cache, tmp_path: Path) -> None:
    wanted = replace(spec("onnx", "fp32"), checkpoint=tmp_path / "gone.safetensors")
    failure = build([wanted], cache=cache)[wanted]
    assert isinstance(failure, Failure)
    assert "gone.safetensors: there is no such file" in failure.reason
    assert "\n" not in failure.reason


def test_int8_that_lost_its_accuracy_fails_with_its_reason(spec: MakeSpec, cache: Cache, tmp_path: Path) -> None:
    wanted = spec("onnx", "int8")
    made = build([wanted], cache=cache, worker=CALIBRATES_IN_THE_DARK)[wanted]
    assert isinstance(made, Artifact)
    assert made.parity
    assert not made.parity.ok
    assert "strays from its checkpoint" in str(made.parity.breach)
    with pytest.raises(NotConverted, match="strays from its checkpoint"):
        convert_one(wanted, tmp_path / "out.onnx", cache=cache)
    assert not (tmp_path / "out.onnx").exists()


def test_one_artifact_to_a_path(spec: MakeSpec, cache: Cache, tmp_path: Path) -> None:
    out = tmp_path / "new" / "tiny.xml"
    made = convert_one(spec("openvino", "fp32"), out, cache=cache)
    assert made.path == out
    assert out.with_suffix(".bin").stat().st_size + out.stat().st_size == made.bytes
    with pytest.raises(ValueError, match=r"called something\.xml"):
        convert_one(spec("openvino", "fp32"), tmp_path / "tiny.onnx", cache=cache)


def test_the_key_depends_on_all_that_shapes_an_artifact(spec: MakeSpec) -> None:
    wanted = spec("onnx", "fp32")
    other_size: Resolution = (96, 64)
    keys = [
        key(wanted, {"torch": "1"}, "frames", "code"),
        key(replace(wanted, checkpoint_sha="0"), {"torch": "1"}, "frames", "code"),
        key(replace(wanted, precision="fp16"), {"torch": "1"}, "frames", "code"),
        key(replace(wanted, format="tflite"), {"torch": "1"}, "frames", "code"),
        key(replace(wanted, resolution=other_size), {"torch": "1"}, "frames", "code"),
        key(wanted, {"torch": "2"}, "frames", "code"),
        key(wanted, {"torch": "1"}, "other frames", "code"),
        key(wanted, {"torch": "1"}, "frames", "other code"),
    ]
    assert len(set(keys)) == len(keys)
    assert key(replace(wanted, checkpoint=Path("/elsewhere")), {"torch": "1"}, "frames", "code") == keys[0]
    assert len({code(format) for format in ("onnx", "tflite", "openvino", "coreml")}) == 4


HANGS = """
import os, time
print('{"stage": "converting"}', flush=True)
with open(os.environ["PID"], "w") as file:
    file.write(str(os.getpid()))
time.sleep(600)
"""

BUILDS = """
import json, os, sys
from pathlib import Path
from converters.build import build
from converters.cache import Cache
from converters.wire import spec_of
spec, cache = spec_of(json.loads(sys.argv[1])), Cache(Path(sys.argv[2]))
try:
    build([spec], lambda event: print(event.stage, flush=True), cache=cache, worker=(sys.executable, "-c", sys.argv[3]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_the_workers_and_leaves_nothing_half_made(spec: MakeSpec, cache: Cache, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDS, json.dumps(encode_spec(spec("onnx", "fp32"))), str(cache.root), HANGS],
        cwd=ROOT,
        env=os.environ | {"PID": str(pid_file)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "converting\n"
    while not pid_file.exists() or not pid_file.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert list(cache.root.iterdir()) == []
