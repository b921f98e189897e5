"""Labels on the page and in rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from evaluation.overlay import LABEL_COLOURS
from models.labels import LABELS
from reports.labels import LEGEND, pictured, tables
from reports.page import render
from reports.rows import Row, from_json, to_json
from reports.summary import summaries
from tests.reports.made_up import row

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def told(hair: float = 0.9, **changes: Any) -> dict[str, Any]:
    figures = {
        "hair": {"iou": hair, "iou_ci": [hair - 0.05, hair + 0.05], "pixels": 900, "pictures": 12},
        "skin": {"iou": 0.8, "iou_ci": [0.7, 0.85], "pixels": 100, "pictures": 11},
    }
    confusion = {"hair": {"hair": 810, "clothes": 90}, "skin": {"skin": 100}}
    found = {"mean_iou": hair, "mean_iou_ci": [hair - 0.05, hair + 0.05], "worst": "hair", "labels": figures}
    return found | {"lacking": [], "confusion": confusion} | changes


def labelled(format: str = "tflite", labels: dict[str, Any] | None = None) -> Row:
    made = row("live-parts", format)
    accuracy = made.accuracy | ({"labels": labels} if labels else {})
    examples = tuple(example | {"labels_jpeg": example["jpeg"]} for example in made.examples)
    return replace(made, accuracy=accuracy, examples=examples)


def test_every_label_but_background_has_a_colour_of_its_own():
    assert set(LABEL_COLOURS) == set(LABELS) - {"background"}
    assert len(set(LEGEND.values())) == len(LABELS) - 1


def test_a_table_has_the_labels_in_their_order_and_nothing_where_a_figure_is_absent():
    full, less = told(), told(0.7)
    del less["labels"]["skin"]
    (table,) = tables(summaries([labelled("onnx", full), labelled("tflite", less), labelled("openvino")]))
    assert table.names == ("hair", "skin")
    assert [s.row.format for s in table.configurations] == ["onnx", "tflite"]
    assert table.figure(table.configurations[0], "skin") == full["labels"]["skin"]
    assert table.figure(table.configurations[1], "skin") is None
    assert table.found == ["hair", "clothes", "skin"]
    assert table.confusion == [("hair", [90, 10, 0]), ("skin", [0, 0, 100])]


def test_the_page_has_a_section_with_pictures_a_legend_and_the_figures():
    html = render([labelled("onnx", told()), labelled("tflite", told(0.7))], "t", NOW)
    assert '<section id="labels">' in html
    assert '<a href="#labels">' in html
    assert "IOU by label: made-up sample" in html
    assert "90.0 %" in html
    assert "85.0 to 95.0" in html
    assert all(f"background:{colour}" in html for colour in LEGEND.values())
    assert html.count('alt="labels in a frame of live-parts"') == 2


def test_without_labels_in_the_data_the_page_says_so_and_shows_no_figure():
    html = render([labelled()], "t", NOW)
    assert "The pictures of this run tell the person alone" in html
    assert "IOU by label" not in html


def test_a_frame_without_a_picture_of_labels_is_left_out():
    made = labelled()
    first, second = made.examples
    html = render([replace(made, examples=(first, {k: v for k, v in second.items() if k != "labels_jpeg"}))], "t", NOW)
    assert html.count('alt="labels in a frame of live-parts"') == 1


def test_a_page_of_masks_has_no_section_of_labels():
    html = render([row(), row("live")], "t", NOW)
    assert 'id="labels"' not in html
    assert pictured(list(summaries([row()]))) == []


def test_rows_with_and_without_labels_are_read():
    made = labelled(labels=told())
    assert from_json(to_json(made)) == made
    assert from_json(to_json(row())) == row()


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean_iou": 1.2},
        {"mean_iou_ci": [0.1, None]},
        {"worst": "moustache"},
        {"worst": []},
        {"labels": {"hair": {"iou": 0.5}}},
        {"labels": []},
        {"lacking": [1]},
        {"confusion": {"hair": {"hair": -1}}},
    ],
)
def test_a_row_whose_labels_are_no_figures_is_refused(wrong):
    values = json.loads(to_json(labelled(labels=told(**wrong))))
    with pytest.raises(ValueError, match=r"its accuracy\.labels is"):
        from_json(json.dumps(values))
