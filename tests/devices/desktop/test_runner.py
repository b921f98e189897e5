"""The desktop runner against a real runtime, and against workers that lie, hang or die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from devices import job as jobs
from devices import sustained
from devices.contract import Config, Counts, Job, MeasurementFailed
from devices.desktop import copies
from devices.desktop.runner import Desktop
from devices.desktop.worker import DONE, READY, get_ready
from models.hourglass import Hourglass
from models.variant import Variant
from tests.conftest import ROOT, as_from_a_terminal
from tests.devices.shallow import configured

H, W = 32, 64
SEQUENCES = (4, 3)
COUNTS = Counts(warm_up_least=3, warm_up_seconds=0.2, samples=5, seconds=0.01)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (sum(SEQUENCES), H, W, 3), np.uint8)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, frames: np.ndarray) -> Job:
    """A network of three operators, mask = 0.5 * prev_mask + 0.5 * red, so that its true answers are known."""
    from onnx import TensorProto, helper, save

    folder = tmp_path_factory.mktemp("tiny")
    half = helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])
    nodes = [
        helper.make_node("Gather", ["frame", "first"], ["red"], axis=1),
        helper.make_node("Add", ["red", "prev_mask"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["mask"]),
    ]
    first = helper.make_tensor("first", TensorProto.INT64, [1], [0])
    tensor = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, H, W])
        for name, channels in (("frame", 3), ("prev_mask", 1), ("mask", 1))
    }
    graph = helper.make_graph(nodes, "tiny", [tensor["frame"], tensor["prev_mask"]], [tensor["mask"]], [half, first])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    save(model, folder / "tiny.onnx")
    shared = jobs.write_frames(folder / "frames.u8", frames)
    return Job(Config("tiny", "onnx", resolution=(H, W)), folder / "tiny.onnx", shared, SEQUENCES, COUNTS)


def lying_worker(script: str) -> tuple[str, ...]:
    return sys.executable, "-c", f"print({READY!r}, flush=True)\n{textwrap.dedent(script)}"


def desktop(script: str = "", time_limit: float | None = None) -> Desktop:
    """A Desktop whose worker says that it is ready and runs `script`, the job folder being what `input()` gives."""
    return Desktop(time_limit, worker=lying_worker(script)) if script else Desktop(time_limit)


def test_a_configuration_is_measured(job: Job, frames: np.ndarray) -> None:
    result = desktop().run(job)
    assert result.evidence == "measured"
    assert len(result.model_ns) >= COUNTS.samples
    assert len(result.pipeline_ns) >= COUNTS.samples
    assert min(result.model_ns) > 0
    # Enlarging to 1280x720 is more work than three operators on 64x32.
    assert np.median(result.pipeline_ns) > np.median(result.model_ns)
    assert result.load_ns
    assert result.first_ns
    assert result.warm_up["iterations"] >= 3
    assert result.peak_memory_bytes
    assert 10_000_000 < result.peak_memory_bytes < 500_000_000
    assert result.placement["runtime"].startswith("ONNX Runtime 1.")
    assert result.placement["requested"] == "cpu"
    assert result.environment.facts["cores"] == os.cpu_count()
    assert 0 <= result.environment.facts["others_cores"] <= os.cpu_count()

    expected = np.zeros((len(frames), H, W), np.float32)
    for i, frame in enumerate(frames):
        # A mask fed back a frame late, or not zeroed where a sequence begins, cannot give these.
        before = expected[i - 1] if i not in (0, SEQUENCES[0]) else 0.0
        expected[i] = 0.5 * (before + frame[:, :, 0] / np.float32(255))
    assert np.allclose(result.masks, expected, atol=1e-6)


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_minutes_of_load_come_back_in_bins(job: Job) -> None:
    result = desktop().run(replace(job, counts=replace(COUNTS, sustained=0.02)))
    (only,) = sustained.from_json(result.sustained)
    assert only.frames > 100
    assert 0 < only.busy < 1.5 * sustained.BIN_SECONDS
    assert np.isfinite(result.masks).all()
    assert desktop().run(job).sustained == ()


def test_the_network_runs_in_turn_with_the_fixed_reference(job: Job) -> None:
    """Three operators are many times as fast as the reference, whatever else the machine does."""
    paired = desktop().run(job).paired
    assert paired["reference"]["name"] == "mediapipe-selfie"
    assert paired["reference"]["threads"] == 1
    assert len(paired["reference"]["sha256"]) == 64
    assert len(paired["order"]) == 4 * paired["rounds_taken"]
    assert paired["order"].startswith("ROORORRO")
    assert min(paired["reference_ns"]) > 100_000
    assert 1 < paired["copies"] <= copies.MOST
    if not paired["disturbed"]:
        assert paired["interval"][0] <= paired["times_as_fast"] <= paired["interval"][1]
        assert paired["times_as_fast"] > 10


def test_samples_that_were_switched_out_are_marked(job: Job) -> None:
    result = desktop().run(job)
    if sys.platform != "linux":
        assert result.model_switched is result.pipeline_switched is None
        return
    assert result.model_switched is not None
    assert set(result.model_switched) <= set(range(len(result.model_ns)))
    assert result.pipeline_switched is not None
    assert set(result.pipeline_switched) <= set(range(len(result.pipeline_ns)))


def test_without_the_reference_there_is_a_reason_and_no_ratio(job: Job) -> None:
    """The worker itself, in a process where nothing runs a .tflite file."""
    script = f"""
        import sys
        sys.modules["ai_edge_litert"] = None
        sys.modules["ai_edge_litert.interpreter"] = None
        from devices import job as jobs
        from devices.desktop.worker import measure
        from pathlib import Path
        folder = Path(input())
        jobs.write_result(folder, measure(jobs.read(folder)))
        print("{DONE}", flush=True)
    """
    result = desktop(script, 120).run(job)
    assert list(result.paired) == ["reason"]
    assert "mediapipe-selfie could not be opened" in result.paired["reason"]
    assert len(result.model_ns) >= len(result.masks)
    assert "disturbed" not in result.environment.facts


def test_the_timed_process_is_bound_to_as_many_processors_as_threads(job: Job) -> None:
    result = desktop().run(job)
    assert len(result.placement["cpus"]) == 1
    assert result.environment.facts["pinned"] is True


@pytest.mark.long
def test_the_baseline_is_the_checkpoint_itself(tmp_path: Path, job: Job, frames: np.ndarray) -> None:
    import torch

    from models import checkpoint

    torch.manual_seed(0)
    variant = Variant(widths=(8, 8, 16), depths=(0, 0, 1), stem=8, decoder=(8, 8, 8))
    network = Hourglass(variant).eval()
    checkpoint.save(tmp_path / "tiny.safetensors", "tiny", variant, network.state_dict(), {})
    eager = replace(configured(job, format="pytorch"), model=tmp_path / "tiny.safetensors")
    result = desktop().run(eager)
    assert result.evidence == "measured"
    assert result.placement["runtime"] == f"PyTorch {torch.__version__}"
    mask = torch.zeros(1, 1, H, W)
    with torch.inference_mode():
        for i in range(SEQUENCES[0]):
            mask = network(torch.from_numpy(frames[i] / np.float32(255)).permute(2, 0, 1)[None], mask)
            assert np.allclose(result.masks[i], mask[0, 0].numpy(), atol=1e-5)


def test_a_model_the_runtime_cannot_read_fails_its_configuration_with_the_reason(tmp_path: Path, job: Job) -> None:
    (tmp_path / "bad.onnx").write_text("this is not a model")
    with pytest.raises(
        MeasurementFailed, match=r"left no result\.json; the worker ended with code 1 after saying: .*INVALID_PROTOBUF"
    ):
        desktop().run(replace(job, model=tmp_path / "bad.onnx"))


def test_another_unit_is_refused(job: Job) -> None:
    with pytest.raises(MeasurementFailed, match="cpu only, not the unit 'gpu'"):
        desktop().run(configured(job, unit="gpu"))


def test_a_worker_killed_on_its_way_fails_its_cell(job: Job) -> None:
    script = """
        import os, sys
        sys.path.insert(0, "")
        from pathlib import Path
        folder = input()
        Path(folder, "result.json.part").write_text('{"evidence": "measured"')
        print("measuring", file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)
    """
    with pytest.raises(MeasurementFailed, match="died of SIGKILL after saying: measuring"):
        desktop(script).run(job)


PATIENT = f"""
    import json, os, sys
    from pathlib import Path
    for line in sys.stdin:
        folder = Path(line.strip())
        if "fail" in (folder / "job.json").read_text():
            sys.exit("it fails")
        (folder / "masks.f32").write_bytes(bytes({4 * sum(SEQUENCES) * H * W}))
        told = {{"evidence": "emulated", "placement": {{"pid": os.getpid()}}, "end": "done"}}
        (folder / "result.json").write_text(json.dumps(told))
        print("{DONE}", flush=True)
"""
"""A worker that takes folder after folder, and tells its process."""


def test_a_process_that_was_started_ahead_is_the_one_that_measures(job: Job) -> None:
    here = desktop(PATIENT, 60)
    before = set(psutil.Process().children())
    here.prefetch(job)
    (ahead,) = set(psutil.Process().children()) - before
    assert here.run(job).placement["pid"] == ahead.pid
    assert gone(ahead.pid)


def test_a_timed_configuration_has_a_process_of_its_own(job: Job) -> None:
    here = desktop(PATIENT, 60)
    assert here.run(job).placement["pid"] != here.run(job).placement["pid"]


def test_a_process_that_waits_in_vain_is_ended(job: Job) -> None:
    here = desktop(PATIENT, 60)
    before = set(psutil.Process().children())
    here.prefetch(job)
    (ahead,) = set(psutil.Process().children()) - before
    here.close()
    assert gone(ahead.pid)


def test_emulated_configurations_share_a_process_and_one_that_fails_costs_itself_alone(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.desktop.runner.emulated", lambda format: format == "onnx")
    here = desktop(PATIENT, 60)
    first = here.run(job).placement["pid"]
    assert here.run(job).placement["pid"] == first
    with pytest.raises(MeasurementFailed, match="ended with code 1 after saying: it fails"):
        here.run(configured(job, variant="fail"))
    second = here.run(job).placement["pid"]
    assert second != first
    here.close()
    assert gone(second)


@pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac nothing is emulated")
def test_what_is_not_timed_is_bound_to_no_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    # Several run at once, and the choice of processors is the same for each.
    monkeypatch.setattr("devices.desktop.worker.import_runtime", lambda format: None)
    monkeypatch.setattr("devices.desktop.environment.pin", lambda threads: [7])
    assert get_ready("coreml", 1) is None
    assert get_ready("onnx", 1) == [7]


def test_a_worker_that_says_all_is_well_and_leaves_nothing_is_not_believed(job: Job) -> None:
    with pytest.raises(MeasurementFailed, match=r"left no result\.json; the worker ended with code 0 without a word"):
        desktop("pass").run(job)


def test_a_worker_that_leaves_half_its_masks_is_not_believed(job: Job) -> None:
    script = """
        from pathlib import Path
        folder = input()
        Path(folder, "masks.f32").write_bytes(bytes(100))
        Path(folder, "result.json").write_text('{"evidence": "measured", "end": "done"}')
    """
    with pytest.raises(MeasurementFailed, match=r"masks\.f32 holds 100 bytes"):
        desktop(script).run(job)


def test_a_result_is_believed_whatever_the_exit_code(job: Job) -> None:
    script = """
        import os, sys
        sys.path.insert(0, "")
        from pathlib import Path
        from devices import job
        from devices.desktop import worker
        folder = Path(input())
        job.write_result(folder, worker.measure(job.read(folder)))
        os._exit(7)
    """
    assert desktop(script).run(job).evidence == "measured"


FORKING = """
    import os, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open({pids!r}, "w") as file:
        print(os.getpid(), child.pid, file=file)
    time.sleep(60)
"""


def gone(pid: int) -> bool:
    """Whether a process has ended, within the moment that killing takes."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_worker_that_hangs_is_stopped_with_its_children(tmp_path: Path, job: Job) -> None:
    pids = tmp_path / "pids"
    for limit in (1, 5, 25):  # On a busy machine the worker may not get to start its child within the first.
        with pytest.raises(MeasurementFailed, match=f"stopped after {limit} s, the time limit"):
            desktop(FORKING.format(pids=str(pids)), limit).run(job)
        if pids.exists() and (started := pids.read_text().split()):
            break
    assert len(started) == 2
    assert all(gone(int(pid)) for pid in started)


def test_ctrl_c_ends_the_worker_and_its_children(tmp_path: Path, job: Job) -> None:
    pids = tmp_path / "pids"
    jobs.describe(tmp_path, job)
    worker = lying_worker(FORKING.format(pids=str(pids)))
    code = f"""
from pathlib import Path
from devices import job as jobs
from devices.desktop.runner import Desktop
Desktop(worker={worker!r}).run(jobs.read(Path({str(tmp_path)!r})))
"""
    command = [sys.executable, "-c", code]
    parent = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **as_from_a_terminal())
    while not (pids.exists() and len(pids.read_text().split()) == 2):
        assert parent.poll() is None
        time.sleep(0.02)
    parent.send_signal(signal.SIGINT)
    _, stderr = parent.communicate(timeout=20)
    assert "KeyboardInterrupt" in stderr
    assert all(gone(int(pid)) for pid in pids.read_text().split())
