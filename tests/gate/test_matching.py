"""Nothing stops being checked without a word: entries that are gone, sizes that grew, tolerances that were raised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devices.contract import Config
from gate import matching
from gate.config import Case, GateCase, ModelCase, SizeOf, Tolerance, here, of_sizes, parse_text
from gate.decision import Outcome
from models.variant import get

OWN = GateCase(Config("live", "tflite", resolution=(256, 240)), default_size=True)
SET = GateCase(Config("live", "tflite", resolution=(128, 128)))
MINE = ModelCase("mine.onnx")


def grown(case: GateCase, height: int, width: int) -> GateCase:
    return replace(case, config=replace(case.config, resolution=(height, width)))


@pytest.mark.parametrize(
    ("now", "before", "gone"),
    [
        ([OWN], [OWN], []),
        ([], [OWN], [OWN]),
        ([SET], [OWN], [OWN]),
        ([grown(OWN, 320, 320)], [OWN], []),
        # The network grew, and the entry was held at its former size.
        ([replace(OWN, default_size=False)], [OWN], [OWN]),
        ([replace(OWN, config=replace(OWN.config, precision="int8"))], [OWN], [OWN]),
        ([replace(OWN, config=replace(OWN.config, threads=4))], [OWN], [OWN]),
        ([replace(OWN, config=replace(OWN.config, device="pixel2"))], [OWN], [OWN]),
        ([OWN, SET], [SET], []),
        ([grown(SET, 64, 64)], [SET], [SET]),
        # An entry that names the size that is the network's own checks the same.
        ([OWN], [replace(OWN, default_size=False)], []),
        ([OWN], [MINE], [MINE]),
        ([replace(MINE, threads=2)], [MINE, OWN], [MINE, OWN]),
        ([replace(MINE, baseline="released.onnx", description={"mean": [0, 0, 0]})], [MINE], []),
    ],
)
def test_what_the_baseline_checked_and_the_candidate_does_not(
    now: list[Case], before: list[Case], gone: list[Case]
) -> None:
    assert matching.removed(now, before) == gone
    for case in gone:
        verdict = matching.verdict_on_removed(case)
        assert verdict.outcome is Outcome.FAIL
        assert "--allow-removed" in verdict.findings[0].words


def test_each_side_is_taken_at_its_own_resolution() -> None:
    larger = grown(OWN, 320, 320)
    (pair,) = matching.matched([larger], [OWN], {})
    assert (pair.case, pair.before) == (larger, OWN.config)
    (pair,) = matching.matched([larger], [], {"live": (192, 192)})
    assert pair.before == grown(OWN, 192, 192).config, "not declared by the baseline, and its network's size is known"
    (pair,) = matching.matched([SET], [], {"live": (192, 192)})
    assert pair.before == SET.config


def test_a_raised_tolerance_does_not_hold() -> None:
    raised = replace(OWN, tolerance=Tolerance(slowdown=0.5, iou_points=9.0, size=0.01))
    case, words = matching.held(raised, [OWN])
    assert case.tolerance == Tolerance(size=0.01)
    assert [("slowdown" in w, "50.0 %" in w, "3.0 %, holds" in w) for w in words[:1]] == [(True, True, True)]
    assert "iou_points to 9; the baseline's, 0.3, holds" in words[1]
    mine, words = matching.held(replace(MINE, tolerance=Tolerance(size=0.5)), [MINE])
    assert mine == MINE
    assert words[0].startswith("mine.onnx: the candidate raises its tolerance of size")
    assert matching.held(raised, []) == (raised, []), "nothing is known of the baseline's"


def test_a_file_is_read_with_the_sizes_of_its_own_networks() -> None:
    text = '[[configuration]]\nvariant = "live"\nformat = "tflite"\n'

    def parsed(text: str, sizes: SizeOf) -> GateCase:
        (found,) = parse_text(text, sizes)
        assert isinstance(found, GateCase)
        return found

    ours = parsed(text, here)
    assert (ours.config.resolution, ours.default_size) == (get("live").resolution, True)
    theirs = parsed(text, of_sizes({"live": (64, 96)}))
    assert (theirs.config.resolution, theirs.default_size) == ((64, 96), True)
    height, width = get("live").resolution
    named = parsed(text + f"resolution = [{height}, {width}]\n", here)
    assert named.default_size, "it names the network's own"
    with pytest.raises(ValueError, match="no variant 'live'"):
        parse_text(text, of_sizes({"other": (64, 96)}))
