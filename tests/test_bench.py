"""The command as its user meets it: a process of its own, its words, its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench import app, main
from devices import emulator, instructions
from models.variant import REFERENCE, VARIANTS
from tests.conftest import ROOT, as_from_a_terminal

SMALL = ("--formats", "pytorch", "--quick", "--resolution", "32x32")
"""A run that converts nothing: PyTorch needs no artifact."""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "bench.py"), *map(str, arguments)]


def bench(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; it must never show a traceback."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=os.environ | environment, timeout=600
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


Told = tuple[int, str, str]
"""(exit code, stdout, stderr)"""
Here = Callable[..., Told]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """The command in this process, which has imported PyTorch once and for all; a traceback fails the test."""

    def run(*arguments: str | Path) -> Told:
        monkeypatch.setattr(sys, "argv", ["bench.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    heeded = signal.getsignal(signal.SIGINT)
    yield run
    signal.signal(signal.SIGINT, heeded)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of two variants that were never trained."""
    import torch

    from models.checkpoint import save
    from models.hourglass import Hourglass

    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    for name in ("s16-skip-plain", "s32-skip-plain"):
        network = Hourglass(REFERENCE[name])
        save(folder / f"{name}.safetensors", name, REFERENCE[name], network.state_dict(), {"note": "random"})
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four stills with masks."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for i in range(4):
        Image.fromarray(random.integers(0, 255, (48, 64, 3), np.uint8)).save(folder / "images" / f"{i}.png")
        mask = np.zeros((48, 64), np.uint8)
        mask[10:, 12 + i : 40] = 255
        Image.fromarray(mask).save(folder / "masks" / f"{i}.png")
    return folder


def rows_in(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]


def test_variants_are_listed_with_their_cost_and_options_mean_the_same_on_both_sides() -> None:
    """In this process, as PyTorch takes seconds to import."""
    after = CliRunner().invoke(app, ["variants", "--resolution", "128x256", "--json"])
    before = CliRunner().invoke(app, ["--resolution", "128x256", "--json", "variants"])
    assert before.stdout == after.stdout
    listed = json.loads(after.stdout)
    assert [v["variant"] for v in listed] == list(VARIANTS)
    assert listed[0]["resolution"] == [128, 256]
    costs = {v["variant"]: v for v in listed}
    assert costs["s4-skip-dense"]["parameters"] > costs["s16-skip-dense"]["parameters"] > 100_000
    assert costs["s16-skip-dense"]["macs"] > costs["s16-skip-plain"]["macs"] > 10_000_000
    assert "s16-skip-half" in CliRunner().invoke(app, ["variants", "--resolution", "128x256"]).stdout


@pytest.mark.slow
def test_arm_instructions_of_a_variant_are_counted_when_asked_for(
    qemu: str, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path)
    one = ("variants", "--variants", "s32-noskip-plain", "--resolution", "64x64", "--json")
    code, told, said = here(*one)
    assert code == 0
    assert set(json.loads(told)[0]["arm_instructions"].values()) == {None}
    assert said == "3 counts of ARM instructions are missing; --count makes them.\n"
    code, told, said = here(*one, "--count")
    assert code == 0
    counts = json.loads(told)[0]["arm_instructions"]
    assert counts["int8_dot_products"] < counts["int8_no_dot_products"]
    assert "are missing" not in said
    _, again, _ = here(*one)
    assert json.loads(again)[0]["arm_instructions"] == counts

    monkeypatch.setattr(emulator, "QEMU", "qemu-absent")
    code, told, said = here(*one)
    assert code == 0
    assert set(json.loads(told)[0]["arm_instructions"].values()) == {None}
    assert said.count("qemu-absent is missing; scripts/install-tools.sh installs it") == 1


@pytest.mark.slow
def test_a_missing_emulator_costs_columns_and_not_the_run(
    qemu: str, here: Here, weights: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    run = ["--variants", "s32-skip-plain", "--formats", "tflite", "--references", "none", "--quick"]
    run += ["--resolution", "32x32", "--checkpoints", str(weights), "--data", str(pictures)]

    with monkeypatch.context() as without:
        without.setattr(emulator, "QEMU", "qemu-absent")
        code, _, said = here(*run, "--out", tmp_path / "without")
    assert code == 0
    assert said.count("qemu-absent is missing; scripts/install-tools.sh installs it") == 1
    (blank,) = rows_in(tmp_path / "without")
    assert blank["status"] == "ok"
    assert "instructions" not in blank["artifact"]
    assert "M ARM instructions" not in (tmp_path / "without" / "report.html").read_text()

    code, _, said = here(*run, "--out", tmp_path / "with")
    assert code == 0, said
    assert "not counted" not in said
    assert re.search(
        r"\[2/2\] counted ARM instructions of s32-skip-plain\.tflite\.fp32\.32x32 on cortex-a(57|76)", said
    )
    (full,) = rows_in(tmp_path / "with")
    counts = full["artifact"].pop("instructions")
    assert counts["cortex-a57"] > 100_000
    assert counts["cortex-a76"] > 100_000
    assert full["artifact"] == blank["artifact"]
    assert full["timing"]["instructions_per_frame"] is None, "a count of the artifact is none of the device's"
    assert "M ARM instructions" in (tmp_path / "with" / "report.html").read_text()


def test_a_dry_run_tells_the_plan_and_touches_nothing(here: Here, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("--dry-run", "--variants", "s16-skip-plain,s4-skip-plain", "--checkpoints", weights, "--out", out)
    plan = json.loads(here(*asked, "--json")[1])
    assert len(plan["measure"]) == 14
    assert "mediapipe-selfie-landscape/tflite/fp16/144x256/desktop/cpu1" in plan["measure"]
    alone = [json.loads(here(*asked, flag, "none", "--json")[1])["measure"] for flag in ("--references", "--peers")]
    assert alone[0] == alone[1], "the former name of the flag"
    assert len(alone[0]) == 10
    assert len(plan["convert"]) == 4
    assert plan["without_checkpoint"] == ["s4-skip-plain"]
    assert plan["seconds"]["measuring"] > 0
    assert plan["seconds"]["counting"] == (0 if instructions.available() else 15), "five models on two cores"
    words = bench(*asked).stdout
    assert "s16-skip-plain/onnx/fp32/224x192/desktop/cpu1" in words
    assert re.search(r"4 artifacts to convert, about [\d.]+ min", words)
    assert not out.exists()


def test_who_names_nothing_gets_the_recommended_networks_and_an_ablation(here: Here) -> None:
    def planned(*arguments: str) -> list[str]:
        return json.loads(here("--dry-run", "--json", "--references", "none", *arguments)[1])["measure"]

    default, every = planned(), planned("--all")
    assert default[0] == "live/tflite/fp32/256x240/desktop/cpu1"
    assert len(every) == 5 * len(REFERENCE)
    assert planned("--variants", "*") == every
    for asked in (["--formats", "tflite,onnx"], ["--precisions", "fp32,int8"], ["--all"]):
        assert not any("live" in name for name in planned(*asked)), "what is asked for, and no more"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--variants", "s5-*"], "no variant matches 's5-*'"),
        (["--formats", "onnx,ncnn"], "'ncnn' is none of pytorch, onnx, tflite, openvino, coreml"),
        (["--references", "mediapipe"], "no reference model matches 'mediapipe'; there are: mediapipe-selfie"),
        (["--precisions", "fp8"], "'fp8' is none of fp32, fp16, int8"),
        (["--resolution", "250x256"], "both sides must be multiples of 16"),
        (["--resolution", "big"], "'big' is no size"),
        (["--threads", "0"], "--threads"),
        (["--shard", "3/2"], "'3/2' is no share"),
        (["--quick", "--full"], "exclude each other"),
        (["--device", "nokia3310"], "no device 'nokia3310'; there are: desktop"),
        (["--data", "no/such/folder"], "no/such/folder"),
        (["--checkpoints", "no/such/folder"], "no/such/folder"),
        (["--tread", "2"], "No such option: --tread"),
        (["varants"], "Did you mean 'variants'"),
        (["variants", "--resolution", "0x0"], "both sides must be multiples of 16"),
        (["convert", "s5", "--format", "onnx", "--out", "a.onnx"], "no variant 's5'"),
        (["convert", "s16-skip-plain", "--format", "pytorch", "--out", "a"], "'pytorch' is none of onnx"),
        (["evaluate", "no-such-model.onnx"], "no-such-model.onnx"),
        (["evaluate", "LICENSE"], "LICENSE: not an artifact"),
        (["report", "no-such-folder"], "no-such-folder"),
        (["report", "models"], "no rows there"),
        (["--threads", "2", "evaluate", "LICENSE"], "--threads belongs behind evaluate"),
        (["--unit", "gpu", "variants"], "variants takes no --unit"),
        (["gate", "--tread"], "No such option: --tread"),
        (["gate", "--max-slowdown", "300"], "'300' is no tolerance"),
        (["gate", "--seconds", "soon"], "'soon' is not a valid float"),
        (["gate", "--baseline", "no-such-ref"], "'no-such-ref' is no baseline"),
        (["gate", "self-test", "--real", "-1"], "-1 is not in the range"),
    ],
)
def test_a_mistake_is_a_sentence_on_stderr_and_exit_64(
    here: Here, arguments: list[str], words: str, tmp_path: Path
) -> None:
    place = ["--out", str(tmp_path / "out")] if arguments[0].startswith("--") and len(arguments) < 3 else []
    code, said, told = here(*place, *arguments)
    assert words in told
    assert code == 64
    assert said == ""


def test_a_phone_that_is_not_there_is_exit_3_with_what_to_do() -> None:
    done = bench("--device", "pixel2")
    assert done.returncode == 3
    assert "pixel2" in done.stderr
    assert re.search("adb|USB", done.stderr)
    assert done.stdout == ""


def test_a_gate_that_cannot_be_asked_never_looks_like_a_regression(tmp_path: Path) -> None:
    for arguments in ([], ["--baseline", str(tmp_path / "nowhere")]):
        result = CliRunner().invoke(app, ["gate", *arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code == 64
        assert result.stderr.startswith("bench.py: ")


def test_devices_are_listed_with_what_is_missing(here: Here) -> None:
    listed = {d["device"]: d for d in json.loads(here("devices", "--json")[1])}
    assert listed["desktop"]["attached"]
    assert "onnx" in listed["desktop"]["formats"]
    assert not listed["pixel2"]["attached"]
    assert listed["pixel2"]["advice"]
    plain = here("devices")[1]
    assert plain.count(listed["pixel2"]["advice"]) == 1
    assert "pixel2, " in plain[plain.index(listed["desktop"]["description"]) :]


def test_without_any_checkpoint_nothing_is_measured_and_that_is_exit_3(
    here: Here, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    code, _, told = here(
        *SMALL, "--variants", "s16-skip-plain", "--checkpoints", tmp_path / "empty", "--data", pictures, "--out", out
    )
    assert code == 3
    assert "no configuration could be measured" in told
    (row,) = rows_in(out)
    assert row["status"] == "failed"
    assert "no checkpoint" in row["reason"]


@pytest.mark.long
def test_an_interrupted_run_keeps_what_is_done_and_the_same_command_goes_on(
    weights: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = (*SMALL, "--variants", "s*-skip-plain", "--checkpoints", weights, "--data", pictures, "--out", out)
    # Three configurations of which one fails at once, having no checkpoint; the order is random, so two rows mean one
    # measured.
    running = subprocess.Popen(
        command(*asked), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **as_from_a_terminal()
    )
    ledger = out / "rows.jsonl"
    limit = time.monotonic() + 300
    while not ledger.exists() or '"ok"' not in ledger.read_text():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < limit
        time.sleep(0.05)
    # As a terminal sends it, to all processes of the command, and to an impatient user several times.
    for _ in range(3):
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.05)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command goes on from there" in stderr
    assert "Traceback" not in stderr
    first = rows_in(out)
    measured = [row for row in first if row["status"] == "ok"]
    assert len(measured) == 1

    # As if a crash had come in the middle of a line: it is set aside with a word.
    ledger.write_bytes(ledger.read_bytes() + ledger.read_bytes().splitlines()[-1][:-200])
    done = bench(*asked, "--json")
    assert done.returncode == 0
    assert "set aside" in done.stderr
    assert (out / "rows.damaged.jsonl").stat().st_size > 0
    rows = rows_in(out)
    assert rows[: len(first)] == first
    # What other work disturbed is measured again; what was measured undisturbed is not.
    done_before = set() if measured[0]["timing"]["paired"].get("disturbed") else {measured[0]["variant"]}
    again = [r["variant"] for r in rows[len(first) :] if r["status"] == "ok"]
    assert sorted(again) == sorted({"s16-skip-plain", "s32-skip-plain"} - done_before)
    assert len({row["run"] for row in rows}) == 1
    configurations = json.loads(done.stdout)["cells"]
    assert {c["variant"]: c["status"] for c in configurations} == {
        "s16-skip-plain": "ok",
        "s32-skip-plain": "ok",
        "s4-skip-plain": "failed",
    }
    assert (out / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_format_that_cannot_run_costs_only_its_own_configurations(
    weights: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "onnxruntime.py").write_text("import os\nos.abort()\n")
    out = tmp_path / "out"
    done = bench(
        *("--formats", "pytorch,onnx,openvino", "--quick", "--resolution", "32x32", "--variants", "s16-skip-plain"),
        *("--checkpoints", weights, "--data", pictures, "--out", out, "--json"),
        PYTHONPATH=str(tmp_path),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert done.returncode == 0
    configurations = {c["format"]: c for c in json.loads(done.stdout)["cells"]}
    assert {name: c["status"] for name, c in configurations.items()} == {
        "pytorch": "ok",
        "onnx": "failed",
        "openvino": "ok",
    }
    assert configurations["onnx"]["reason"]


@pytest.mark.slow
def test_an_artifact_is_written_and_judged_like_its_checkpoint(weights: Path, pictures: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "network.xml"
    asked = ("--resolution", "64x32", "--checkpoints", weights)
    done = bench("convert", "s16-skip-plain", "--format", "openvino", "--out", artifact, *asked)
    assert done.returncode == 0, done.stderr
    assert str(artifact) in done.stdout
    judged = json.loads(bench("evaluate", artifact, "--data", pictures, "--json").stdout)
    checkpoint = weights / "s16-skip-plain.safetensors"
    wanted = json.loads(bench("evaluate", checkpoint, "--data", pictures, "--resolution", "64x32", "--json").stdout)
    assert judged["images"] == wanted["images"] == 4
    assert judged["iou"] == pytest.approx(wanted["iou"], abs=1e-3)
    assert judged["dtssd"] is None
    assert re.search(r"IOU: \d+\.\d\d %", bench("evaluate", artifact, "--data", pictures).stdout)
