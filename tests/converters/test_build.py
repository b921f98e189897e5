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

from converters import processor
from converters.artifact import PRECISIONS, Artifact, Failure, Precision
from converters.build import Event, NotConverted, build, convert_one
from converters.cache import ENTRY, Cache, code, copy, key, sha256, size
from converters.processor import Processor
from converters.serialization import encode_spec
from converters.sources import sources
from models.variant import Resolution
from tests.conftest import ROOT, as_from_a_terminal
from tests.converters.conftest import MakeSpec


def sabotaged(before_main: str) -> tuple[str, ...]:
    """A real worker to which something is done first."""
    return sys.executable, "-c", f"import os, signal\nfrom converters import worker\n{before_main}\nworker.main()"


TROUBLED = sabotaged(
    """
make, masks, calibration = worker.make, worker.parity.masks, worker.calibration
at = None
def chatty(spec, *rest):
    global at
    at = spec.precision
    os.write(1, b"a native library says hello on stdout\\n")
    print("and so does Python", flush=True)
    return make(spec, *rest)
def deadly(*given):
    if at == "fp16":
        os.kill(os.getpid(), signal.SIGKILL)
    return masks(*given)
worker.make = chatty
worker.parity.masks = deadly
worker.calibration = lambda step, frames: calibration(step, frames // 16)
"""
)
"""Talks on stdout all the time, dies of fp16 when its file is already written, and calibrates int8 in the dark."""

CANNOT_START = (sys.executable, "-c", "raise SystemExit('no such runtime')")
MUST_NOT_START = ("/nonexistent/worker",)

Troubled = tuple[Cache, list[Event], dict[Precision, Artifact | Failure]]


@pytest.fixture(scope="module")
def troubled(spec: MakeSpec, tmp_path_factory: pytest.TempPathFactory) -> Troubled:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    events: list[Event] = []
    specs = [spec("onnx", precision) for precision in PRECISIONS]
    made = build([*specs, specs[0]], events.append, cache=cache, worker=TROUBLED)
    assert list(made) == specs
    return cache, events, {wanted.precision: outcome for wanted, outcome in made.items()}


def test_a_crash_costs_one_spec(troubled: Troubled) -> None:
    _, events, made = troubled
    assert isinstance(made["fp32"], Artifact)
    assert isinstance(made["int8"], Artifact)
    failure = made["fp16"]
    assert isinstance(failure, Failure)
    assert failure.reason == "onnx fp16 cannot be made of tiny: the converting process died of SIGKILL"
    stages = [(event.spec.precision, event.stage) for event in events]
    assert stages == [(precision, stage) for precision in PRECISIONS for stage in ("converting", "checking", "done")]


def test_what_a_crash_leaves_is_no_entry(troubled: Troubled) -> None:
    cache, _, made = troubled
    whole = {artifact.key for artifact in made.values() if isinstance(artifact, Artifact)}
    assert {folder.name for folder in cache.root.iterdir()} == whole


def test_an_artifact_describes_itself(troubled: Troubled) -> None:
    made = troubled[2]["fp32"]
    assert isinstance(made, Artifact)
    assert made.parity
    assert made.parity.ok
    assert made.bytes == made.path.stat().st_size
    assert made.graph["ops"]["Sigmoid"] == 1
    assert "torch" in made.versions


def test_int8_that_lost_its_accuracy_fails_with_its_reason(troubled: Troubled, tmp_path: Path) -> None:
    cache, _, made = troubled
    artifact = made["int8"]
    assert isinstance(artifact, Artifact)
    assert artifact.parity
    assert not artifact.parity.ok
    assert "exceeds the parity tolerance" in str(artifact.parity.tolerance_exceeded)
    with pytest.raises(NotConverted, match="exceeds the parity tolerance"):
        convert_one(artifact.spec, tmp_path / "out.onnx", cache=cache)
    assert not (tmp_path / "out.onnx").exists()


def test_what_is_in_the_cache_is_not_made_again(troubled: Troubled) -> None:
    cache, _, made = troubled
    artifacts = [artifact for artifact in made.values() if isinstance(artifact, Artifact)]
    events: list[Event] = []
    found = build([a.spec for a in artifacts], events.append, cache=cache, worker=MUST_NOT_START)
    assert list(found.values()) == artifacts
    assert [(event.stage, event.cached) for event in events] == [("done", True)] * 2


def test_parity_from_another_kind_of_processor_is_measured_again(troubled: Troubled, tmp_path: Path) -> None:
    made = troubled[2]["fp32"]
    assert isinstance(made, Artifact)
    assert made.parity
    assert made.parity.processor == processor.here()
    cache = Cache(tmp_path)
    believed = replace(made.parity, mean_difference=0.5, processor=Processor("another", ("AVX2", "AMX")))
    with cache.workshop() as workshop:
        copy(made.path, workshop / made.path.name)
        cache.publish(workshop, replace(made, path=workshop / made.path.name, parity=believed))
    events: list[Event] = []
    again = build([made.spec], events.append, cache=cache)[made.spec]
    assert isinstance(again, Artifact)
    assert [(event.stage, event.cached) for event in events] == [("checking", False), ("done", False)]
    assert (again.sha256, again.parity) == (made.sha256, made.parity)
    assert cache.find(made.key, made.spec) == again
    assert build([made.spec], cache=cache, worker=MUST_NOT_START)[made.spec] == again
    # What this record did not exist for is not believed either.
    cache.restate(replace(again, parity=replace(made.parity, processor=None)))
    assert isinstance(build([made.spec], cache=cache, worker=CANNOT_START)[made.spec], Failure)


def test_a_forged_parity_is_measured_again_where_it_is_not_to_be_believed(troubled: Troubled, tmp_path: Path) -> None:
    made = troubled[2]["fp32"]
    assert isinstance(made, Artifact)
    assert made.parity
    cache = Cache(tmp_path)
    with cache.workshop() as workshop:
        copy(made.path, workshop / made.path.name)
        forged = replace(made.parity, mean_difference=0.5, tolerance_exceeded=None)
        cache.publish(workshop, replace(made, path=workshop / made.path.name, parity=forged))
    assert build([made.spec], cache=cache)[made.spec].parity == forged  # type: ignore[union-attr]
    assert build([made.spec], cache=cache, believe_parity=False)[made.spec].parity == made.parity  # type: ignore[union-attr]


def test_a_damaged_entry_is_not_found_and_gives_way(troubled: Troubled, tmp_path: Path) -> None:
    made = troubled[2]["fp32"]
    assert isinstance(made, Artifact)
    cache = Cache(tmp_path)

    def publish() -> Artifact:
        with cache.workshop() as workshop:
            copy(made.path, workshop / made.path.name)
            return cache.publish(workshop, replace(made, path=workshop / made.path.name))

    published = publish()
    assert cache.find(made.key, made.spec) == published
    whole = published.path.read_bytes()
    published.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert cache.find(made.key, made.spec) is None
    assert publish().path.read_bytes() == whole
    (tmp_path / made.key / ENTRY).write_text("{")
    assert cache.find(made.key, made.spec) is None
    publish()
    published.path.unlink()
    assert cache.find(made.key, made.spec) is None
    assert [folder.name for folder in tmp_path.iterdir()] == [made.key]


def test_openvino_is_two_files_everywhere(tmp_path: Path) -> None:
    xml, weights = tmp_path / "a.xml", tmp_path / "a.bin"
    xml.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    before = sha256(xml)
    assert size(xml) == 12
    copy(xml, tmp_path / "b.xml")
    assert (tmp_path / "b.bin").read_bytes() == b"weights"
    weights.write_bytes(b"Weights")
    assert sha256(xml) != before


@pytest.mark.long
def test_a_free_processor_takes_a_format_from_its_end(
    spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five jobs of one format on two processors: two workers, each job made once, the outcomes in the order given."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    folder = tmp_path / "made"
    folder.mkdir()
    noting = sabotaged(
        f"""
make = worker.make
def noted(spec, *rest):
    with open({str(folder)!r} + f"/{{os.getpid()}}", "a") as file:
        file.write(f"{{spec.resolution[0]}}\\n")
    return make(spec, *rest)
worker.make = noted
"""
    )
    sizes = (32, 64, 96, 128, 160)
    specs = [replace(spec("onnx", "fp32"), resolution=(side, side)) for side in sizes]
    made = build(specs, cache=Cache(tmp_path / "cache"), worker=noting)
    assert list(made) == specs
    assert all(isinstance(outcome, Artifact) for outcome in made.values())
    shares = [[int(line) for line in file.read_text().split()] for file in folder.iterdir()]
    assert sorted(side for share in shares for side in share) == list(sizes)
    assert sorted(share[0] for share in shares) == [32, 160]


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


def test_one_artifact_to_a_path(troubled: Troubled, tmp_path: Path) -> None:
    cache, _, made = troubled
    artifact = made["fp32"]
    assert isinstance(artifact, Artifact)
    out = tmp_path / "new" / "tiny.onnx"
    assert convert_one(artifact.spec, out, cache=cache) == replace(artifact, path=out)
    assert out.read_bytes() == artifact.path.read_bytes()
    with pytest.raises(ValueError, match=r"called something\.onnx"):
        convert_one(artifact.spec, tmp_path / "tiny.xml", cache=cache)


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


def test_the_cache_knows_every_source_that_an_artifact_is_made_of() -> None:
    def names(format: str) -> set[str]:
        return {str(path.relative_to(ROOT)) for path in sources("converters.worker", f"converters.{format}")}

    assert names("onnx") >= {
        *(
            "converters/worker.py",
            "converters/onnx.py",
            "converters/channel_equalization.py",
            "converters/calibration_data.py",
        ),
        *("models/hourglass.py", "models/variant.py", "models/segmenter.py", "evaluation/iou.py"),
    }
    assert "converters/mil/operations.py" in names("coreml")
    assert not names("onnx") & {"converters/tflite.py", "converters/coreml.py", "bench.py"}


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
from converters.sources import sources
from converters.cache import Cache
from converters.serialization import spec_of
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
        **as_from_a_terminal(),
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
