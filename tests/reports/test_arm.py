"""IOU against ARM instructions: dominance by count, and a page that never passes a count for a time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from devices.instructions import DOT, PLAIN
from reports.arm import Tally, tallies
from reports.page import render
from reports.rows import Row, from_json, to_json
from reports.summary import Summary, summaries
from reports.table import figures
from tests.reports.made_up import desktop, paired, phone, row

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def counted(made: Row, plain: float, dot: float, **more: str) -> Row:
    """The row with these millions of instructions."""
    instructions = {PLAIN: round(plain * 1e6), DOT: round(dot * 1e6)} | more
    return replace(made, artifact=made.artifact | {"instructions": instructions})


def at(made: Row, iou: float, plain: float, dot: float) -> Row:
    return counted(replace(made, accuracy=made.accuracy | {"iou": iou / 100, "iou_ci": None}), plain, dot)


def names(found: list[Tally]) -> dict[str, str | None]:
    """Variant and precision to those of the dominator."""
    return {
        f"{t.summary.row.variant} {t.summary.row.precision}": t.dominator.row.variant if t.dominator else None
        for t in found
    }


def test_fewer_instructions_and_more_iou_win() -> None:
    rows = [
        at(row("s4-skip-dense"), 96.0, 80, 80),
        at(row("s16-skip-dense"), 95.0, 40, 40),
        at(row("s32-skip-dense"), 94.0, 50, 50),
        at(row("s16-skip-dense", precision="int8"), 94.5, 52, 20),
    ]
    (without,) = tallies(summaries(rows), PLAIN).values()
    assert names(without) == {
        "s4-skip-dense fp32": None,
        "s16-skip-dense fp32": None,
        "s32-skip-dense fp32": "s16-skip-dense",
        "s16-skip-dense int8": "s16-skip-dense",
    }
    (with_dots,) = tallies(summaries(rows), DOT).values()
    assert names(with_dots)["s16-skip-dense int8"] is None, "with dot products it takes the fewest"


def test_equals_stand_side_by_side_and_a_tenth_of_a_point_is_not_seen() -> None:
    rows = [at(row("s4-skip-dense"), 95.01, 40, 40), at(row("s16-skip-dense"), 94.99, 40, 40)]
    (found,) = tallies(summaries(rows), PLAIN).values()
    assert set(names(found).values()) == {None}


def test_a_reference_model_dominates_nobody() -> None:
    reference = at(
        replace(row("s16-skip-plain"), variant="theirs", network={"peer": True, "licence": "CC0"}), 99.0, 1, 1
    )
    (found,) = tallies(summaries([reference, at(row(), 90.0, 40, 40)]), PLAIN).values()
    assert set(names(found).values()) == {None}


def test_an_artifact_that_several_devices_ran_is_one_mark() -> None:
    rows = [counted(made, 40, 30) for made in [*desktop(), *phone()] if made.format == "tflite"]
    (found,) = tallies(summaries(rows), PLAIN).values()
    assert len(found) == 24


def test_without_counts_the_page_says_nothing_of_them() -> None:
    page = render(desktop(), "t", NOW)
    assert "M ARM instructions" not in page
    assert 'id="arm"' not in page


def test_the_page_shows_counts_with_their_unit_and_as_no_time() -> None:
    rows = [counted(row("s16-skip-dense"), 28.67, 27.5, changed="with TRANSPOSE_CONV for its own Magic"), row("live")]
    page = render(rows, "t", NOW)
    assert page.count("<small>M ARM instructions</small>") == 2
    assert '<td data-v="28.67">28.67</td><td class="more" data-v="27.5">27.50</td>' in page
    assert '<td data-v="">–</td><td class="more" data-v="">–</td>' in page, "what was not counted is empty"
    assert "the count is no time" in page
    assert "Counted with TRANSPOSE_CONV for its own Magic: s16-skip-dense." in page
    assert page.count("million ARM instructions an inference") == 2
    assert "s16-skip-dense, LiteRT fp32: 28.7 M instructions, IOU" in page


def test_a_speed_only_model_has_a_count_in_the_table_and_no_place_in_the_chart() -> None:
    theirs = replace(row("s16-skip-plain"), variant="theirs", network={"peer": True, "speed_only": True}, accuracy={})
    page = render([counted(theirs, 61, 61)], "t", NOW)
    assert '<td data-v="61.0">61.00</td>' in page
    assert "million ARM instructions" not in page


def test_counts_survive_the_ledger_and_reach_other_programs() -> None:
    made = counted(row("s16-skip-dense"), 28.5, 27.5)
    assert from_json(to_json(made)) == made
    (told,) = figures([made])
    assert told["arm_instructions"] == {PLAIN: 28_500_000, DOT: 27_500_000}
    (told,) = figures([row()])
    assert told["arm_instructions"] == {PLAIN: None, DOT: None}
    json.dumps(told)


def test_a_failed_cell_is_on_no_chart() -> None:
    made = replace(counted(row(), 30, 30), status="failed", reason="IOU fell")
    assert tallies([Summary(made)], PLAIN) == {}


def test_a_reference_model_is_compared_in_time_and_in_instructions() -> None:
    reference = replace(row("s16-skip-plain"), variant="theirs", network={"peer": True, "licence": "CC0"})
    page = render([paired(counted(row(), 20, 20), 2.0), paired(counted(reference, 40, 40), 1.0)], "t", NOW)
    said = "2.00 times as fast (1.97 to 2.03), with 0.50 of its ARM instructions (no dot products)."
    assert said in " ".join(page.split())
    assert "of its ARM instructions" not in render([row(), counted(reference, 40, 40)], "t", NOW)
