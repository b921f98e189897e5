"""What surrounds the C runner: its job, its kit, the model it is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.aarch64_runner import build, folder, pack
from devices.contract import Config, Counts, Job, MeasurementFailed
from models.reference import ReferenceModel
from tests.devices.shallow import configured

JOB = Job(
    Config("m", "tflite", "fp32", (32, 64), threads=2),
    Path("m.tflite"),
    Path("f.u8"),
    (3, 1, 2),
    Counts(30, 8.0, 128, 2.0),
)


def test_the_job_as_text() -> None:
    said = dict(line.split(" ", 1) for line in folder.text(JOB, 0xF0, measure=True).splitlines())
    assert said == {
        "model": "model.tflite",
        "height": "32",
        "width": "64",
        "threads": "2",
        "cpus": "f0",
        "measure": "1",
        "warm_up_least": "30",
        "warm_up_seconds": "8.0",
        "samples": "128",
        "seconds": "2.0",
        "sustained": "0.0",
        "sequences": "3 3 1 2",
    }


@pytest.mark.parametrize(("change", "reason"), [({"format": "onnx"}, "not onnx"), ({"unit": "npu"}, "not on the npu")])
def test_what_the_runner_cannot_do_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(MeasurementFailed, match=reason):
        folder.describe(tmp_path, configured(JOB, **change))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("layout", "NCHW"),
        ("previous_mask", "hint"),
        ("states", (("a", "b"),)),
        ("constants", (("a", 1.0),)),
        ("output", "class-ids"),
        ("output", "class-logits"),
        ("person_classes", (0,)),
    ],
)
def test_a_model_that_wants_its_frames_or_masks_otherwise_is_refused(
    somebody_elses: tuple[ReferenceModel, Path], tmp_path: Path, field: str, value: Any
) -> None:
    reference, model = replace(somebody_elses[0], **{field: value}), somebody_elses[1]
    theirs = replace(configured(JOB, resolution=reference.resolution), model=model, reference=reference)
    with pytest.raises(MeasurementFailed, match=f"other has {field} of its own"):
        folder.describe(tmp_path, theirs)  # type: ignore[arg-type]


def test_a_mask_of_other_sides_than_the_pictures_is_refused(
    somebody_elses: tuple[ReferenceModel, Path], tmp_path: Path
) -> None:
    reference, model = somebody_elses
    height, width = reference.resolution
    theirs = replace(configured(JOB, resolution=(height, width - 1)), model=model, reference=reference)
    with pytest.raises(MeasurementFailed, match=f"takes a mask of {height}x{width - 1}, its channels last"):
        folder.describe(tmp_path, theirs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7)", 1),
        ("qemu-aarch64 version 8.2.2", 1),
        ("qemu-aarch64 version 9.0.0", 2),
        ("qemu-aarch64 version 10.0.2", 2),
    ],
)
def test_the_plugin_claims_the_version_its_qemu_takes(said: str, version: int) -> None:
    assert build.plugin_version(said) == version


def test_something_else_than_qemu_is_refused() -> None:
    with pytest.raises(build.CannotBuild, match="does not look like qemu"):
        build.plugin_version("GNU bash, version unknown")


def test_a_sysroot_without_glibc_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AARCH64_SYSROOT", str(tmp_path))
    with pytest.raises(build.CannotBuild, match=f"AARCH64_SYSROOT={tmp_path} does not hold"):
        build._add_glibc(tmp_path, tmp_path)


def test_a_kit_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "runner").write_bytes(b"one")
    before = build.Kit(tmp_path).sha256
    (tmp_path / "runner").write_bytes(b"two")
    assert build.Kit(tmp_path).sha256 != before


def test_a_model_whose_weights_are_inside_is_left_as_it_is(model: Path) -> None:
    assert pack.inside(model.read_bytes()) == model.read_bytes()


def test_weights_that_lie_outside_are_brought_in(model: Path, frames: np.ndarray, tmp_path: Path) -> None:
    from converters import tflite
    from evaluation.score import predict

    whole, outside = model.read_bytes(), tmp_path / "outside.tflite"
    outside.write_bytes(_with_weights_outside(whole))
    assert len(pack.inside(outside.read_bytes())) > 100_000
    inside = tmp_path / "inside.tflite"
    inside.write_bytes(pack.inside(outside.read_bytes()))

    assert _bytes_outside(inside.read_bytes()) == 0 < _bytes_outside(outside.read_bytes())
    before, after = (predict(tflite.load(path), frames, (2, 1)) for path in (model, inside))
    assert np.array_equal(before, after)


def _bytes_outside(model: bytes) -> int:
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(model, 0)
    return sum(root.Buffers(i).Size() for i in range(root.BuffersLength()) if root.Buffers(i).Offset())


def _with_weights_outside(model: bytes) -> bytes:
    """The model with its buffers behind the flatbuffer, as the quantiser writes large ones."""
    from ai_edge_litert.tools import flatbuffer_utils
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    parsed = flatbuffer_utils.read_model_from_bytearray(model)
    contents = {i: bytes(buffer.data) for i, buffer in enumerate(parsed.buffers) if buffer.data is not None}
    for i in contents:
        # Any number but zero, so that the field exists and the flatbuffer's length is final.
        parsed.buffers[i].data, parsed.buffers[i].offset, parsed.buffers[i].size = None, 1, 1
    at = len(convert_object_to_bytearray(parsed))
    tail = bytearray()
    for i, content in contents.items():
        tail += bytes(-(at + len(tail)) % 16)
        parsed.buffers[i].offset, parsed.buffers[i].size = at + len(tail), len(content)
        tail += content
    head = convert_object_to_bytearray(parsed)
    assert len(head) == at
    return bytes(head + tail)
