"""What the card says was not measured, counted by hand."""

from __future__ import annotations

from dataclasses import replace

from reports.page import render
from reports.summary import summaries
from reports.unmeasured import unmeasured
from tests.reports.made_up import row
from tests.reports.test_page import NOW


def test_networks_without_what_others_have_are_counted() -> None:
    everywhere = ("s4-skip-dense", "s16-skip-dense", "s32-skip-dense")
    rows = [row(variant, "tflite") for variant in everywhere]
    rows += [row("s4-skip-dense", "onnx"), row("s4-skip-dense", "openvino"), row("s4-skip-dense", "tflite", "int8")]
    rows += [row("s16-skip-dense", "tflite", "int8"), row("s4-skip-dense", "pytorch")]
    seen = summaries(rows)
    assert unmeasured(seen, seen[0].scope) == (
        "1 of 3 networks in LiteRT int8; 2 of 3 networks in ONNX Runtime fp32 and OpenVINO fp32; GPU; NPU;"
        " speed after minutes of load"
    )


def test_what_was_measured_is_not_listed() -> None:
    made = row()
    on_gpu = replace(made, unit="gpu", cell="on the gpu")
    seen = summaries([made, on_gpu])
    assert unmeasured(seen, seen[0].scope) == "NPU; speed after minutes of load"


def test_the_card_says_it() -> None:
    page = render([row()], "made up", NOW)
    card = page[page.index('class="recommended') : page.index("</section>")]
    assert "Not measured here: GPU; NPU; speed after minutes of load." in card
