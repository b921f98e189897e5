"""ARM instructions: exact, kept by what was counted and by what counted it, and of whatever TFLite model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices import emulator, instructions
from devices.aarch64_runner import build
from devices.instructions import (
    CORES,
    DOT,
    PLAIN,
    SPREAD,
    CannotCount,
    cached,
    count,
    count_all,
    fresh,
    known,
    runnable,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")


def changed(model: bytes, change: Callable[[Any], None]) -> bytes:
    """The TFLite model after `change` was made to it."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    change(read)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(read.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_model_is_made_ready_once(monkeypatch, shallow_tflite, tmp_path):
    made = []
    monkeypatch.setattr(instructions, "_DESCRIBED", {})
    monkeypatch.setattr(instructions, "runnable", lambda model: made.append(model) or (model, "changed"))
    keys = {instructions.content_key(shallow_tflite) for _ in range(3)}
    assert (len(keys), len(made)) == (1, 1)
    other = tmp_path / "other.tflite"
    other.write_bytes(shallow_tflite.read_bytes() + b" ")
    assert instructions.content_key(other) not in keys


def test_a_count_from_the_cache_equals_a_fresh_one(qemu: str, shallow_tflite: Path) -> None:
    assert cached(shallow_tflite) is None
    counted = count(shallow_tflite)
    assert counted > 1_000_000
    assert cached(shallow_tflite) == counted
    assert cached(shallow_tflite.read_bytes()) == counted, "a file is its content, wherever it lies"
    assert fresh(shallow_tflite, PLAIN, frames=3) == pytest.approx(counted, rel=SPREAD)
    assert cached(shallow_tflite, DOT) is None
    assert known(shallow_tflite) == {PLAIN: counted}


def test_a_count_that_was_damaged_is_made_again(qemu: str, shallow_tflite: Path) -> None:
    counted = count(shallow_tflite)
    (kept,) = (p for p in instructions._place("x", PLAIN).parent.iterdir())
    kept.write_text("28 million")
    assert cached(shallow_tflite) is None
    assert count(shallow_tflite) == pytest.approx(counted, rel=SPREAD)


def test_another_kit_or_emulator_counts_anew(qemu: str, shallow_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count(shallow_tflite)
    monkeypatch.setattr(instructions, "_made_by", lambda: "another")
    assert cached(shallow_tflite) is None


def test_dot_products_spare_instructions_in_int8_and_not_in_float32(
    qemu: str, shallow_tflite: Path, shallow_int8: Path
) -> None:
    pairs = [(path, core) for path in (shallow_tflite, shallow_int8) for core in CORES]
    found = {(path, core): n for path, core, n in count_all(pairs) if isinstance(n, int)}
    assert list(map(known, (shallow_tflite, shallow_int8))) == [
        {core: found[path, core] for core in CORES} for path in (shallow_tflite, shallow_int8)
    ]
    assert found[shallow_int8, DOT] < 0.9 * found[shallow_int8, PLAIN]
    assert found[shallow_tflite, DOT] == pytest.approx(found[shallow_tflite, PLAIN], rel=0.01)


def test_several_are_counted_and_one_that_cannot_be_costs_none_of_them(qemu: str, shallow_tflite: Path) -> None:
    told = {model: found for model, _, found in count_all([(b"nonsense", PLAIN), (shallow_tflite, PLAIN)])}
    assert told[shallow_tflite] == cached(shallow_tflite)
    assert isinstance(told[b"nonsense"], CannotCount)


def test_without_the_emulator_one_sentence_says_what_installs_it(
    qemu: str, shallow_tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(shallow_tflite)
    assert instructions.available() is None
    monkeypatch.setattr(emulator, "QEMU", "qemu-absent")
    assert instructions.available() == (
        "ARM instructions are not counted: qemu-absent is missing; scripts/install-tools.sh installs it."
    )
    assert known(shallow_tflite) == {}
    with pytest.raises(CannotCount, match=r"qemu-absent is missing; scripts/install-tools\.sh installs it$"):
        count(shallow_tflite)


def test_without_a_compiler_the_reason_is_told(
    qemu: str, shallow_tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "missing", lambda name: f"{name} is missing")
    assert cached(shallow_tflite) is None
    with pytest.raises(CannotCount, match=r"cannot be built: .*ziglang is missing"):
        count(shallow_tflite)


def test_an_unknown_core_is_told(qemu: str, shallow_tflite: Path) -> None:
    with pytest.raises(CannotCount, match=r"'cortex-z80' is none of cortex-a57, cortex-a76"):
        fresh(shallow_tflite, "cortex-z80")


def test_a_model_whose_input_has_no_size_is_refused(shallow_tflite: Path) -> None:
    def open_up(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shapeSignature = [1, -1, -1, 3]

    with pytest.raises(CannotCount, match="leaves the size of its input open"):
        runnable(changed(shallow_tflite.read_bytes(), open_up))


def test_a_model_with_an_operator_of_its_own_is_refused(shallow_tflite: Path) -> None:
    def rename(model: Any) -> None:
        model.operatorCodes[0].customCode = b"Magic"

    with pytest.raises(CannotCount, match="has an operator of its own, Magic"):
        runnable(changed(shallow_tflite.read_bytes(), rename))


def test_ours_runs_as_it_is(shallow_tflite: Path) -> None:
    assert runnable(shallow_tflite.read_bytes()) == (shallow_tflite.read_bytes(), "")


@pytest.mark.slow
def test_mediapipes_network_is_counted_with_a_builtin_operator(qemu: str) -> None:
    from converters.references import fetch
    from models.reference import read

    path = fetch(read()["mediapipe-selfie-landscape"])
    counted = count(path)
    assert 15e6 < counted < 30e6
    assert known(path) == {PLAIN: counted, "changed": "with TRANSPOSE_CONV for its own Convolution2DTransposeBias"}


def test_what_is_fetched_is_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(build.CannotBuild, match="No matching distribution"):
        build._add_litert(tmp_path, tmp_path)
    assert capsys.readouterr().err.startswith("pip fetches LiteRT for AArch64")
