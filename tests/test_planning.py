"""From options to plans, of devices that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cli.planning import Asked, counts, planned
from devices.contract import FULL, QUICK, Counts
from devices.plan import CELL_FORMATS, Weights
from devices.select import NotAttached
from models.reference import match

NOTHING = Asked(None, None, None, False, None, (), None, "cpu", 1, Counts(), (1, 1))
DESKTOP = NotAttached("desktop", "", "", CELL_FORMATS)
PHONE = NotAttached("pixel6", "", "", ("tflite",), ("cpu", "gpu"))
WEIGHTS = {name: Weights(Path(f"{name}.safetensors"), name) for name in ("live", "s16-skip-dense")}


def names(asked: Asked, *targets: NotAttached) -> list[list[str]]:
    """Variant, format and precision of each configuration, a list for each device."""
    plans = planned(asked, targets, WEIGHTS).plans
    return [["/".join(task.config.name.split("/")[:3]) for task in plan.tasks] for plan in plans]


def test_each_device_takes_of_the_formats_those_it_has() -> None:
    asked = replace(NOTHING, variants="live", formats=("onnx", "tflite"), references=())
    assert names(asked, DESKTOP, PHONE) == [["live/onnx/fp32", "live/tflite/fp32"], ["live/tflite/fp32"]]


def test_reference_models_are_beside_on_the_desktop_alone() -> None:
    desktop, phone = names(replace(NOTHING, variants="live", formats=("tflite",)), DESKTOP, PHONE)
    assert phone == ["live/tflite/fp32"]
    assert desktop[0] == phone[0]
    assert {name.split("/")[0] for name in desktop[1:]} == {reference.name for reference in match("*")}


def test_formats_or_precisions_without_variants_are_not_the_default_choice() -> None:
    (found,) = names(replace(NOTHING, formats=("onnx",), references=()), DESKTOP)
    assert {name.split("/")[0] for name in found} >= {"s16-skip-dense", "s4-noskip-plain"}
    assert "live/onnx/fp32" not in found
    (usual,) = names(replace(NOTHING, references=()), DESKTOP)
    assert usual[:2] == ["live/tflite/fp32", "live/tflite/int8"]


def test_beside_the_users_models_live_is_measured_in_one_format() -> None:
    (mine,) = match("mediapipe-selfie")
    (found,) = names(replace(NOTHING, yours=(replace(mine, name="mine"),), references=()), DESKTOP)
    assert found == ["live/tflite/fp32", f"mine/tflite/{mine.precision}"]


def test_a_model_that_no_format_of_the_device_fits_is_named() -> None:
    (mine,) = match("mediapipe-selfie")
    asked = replace(NOTHING, variants="live", formats=("onnx",), yours=(replace(mine, name="mine"),), references=())
    assert planned(asked, [DESKTOP], WEIGHTS).left_out == (
        "mine is tflite, and desktop is to run onnx; it is left out.",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"formats": ("tflite", "onnx")}, "pixel6 takes tflite, not onnx."),
        ({"unit": "npu"}, "pixel6 has cpu, gpu, not npu."),
        ({"unit": "gpu", "counts": Counts(sustained=2)}, "--sustained is not measured on pixel6's gpu: .*"),
        ({"variants": "none"}, "nothing remains to be measured."),
    ],
)
def test_what_a_device_does_not_do_is_said(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        planned(replace(NOTHING, references=(), **changes), [PHONE], WEIGHTS)  # type: ignore[arg-type]


def test_a_device_without_any_of_the_formats_is_refused_beside_others_too() -> None:
    with pytest.raises(ValueError, match=r"^pixel6 takes tflite, not onnx\.$"):
        planned(replace(NOTHING, formats=("onnx",)), [DESKTOP, PHONE], WEIGHTS)


def test_how_long() -> None:
    assert counts(True, False, 0.0, 1) == QUICK
    assert counts(False, True, 2.0, 3) == replace(FULL, sustained=2.0, repeat=3)
    with pytest.raises(ValueError, match="exclude each other"):
        counts(True, True, 0.0, 1)
    with pytest.raises(ValueError, match="at least 2 minutes"):
        counts(False, False, 1.0, 1)
