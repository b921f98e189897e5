from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.pareto import Point, choose, dominance, fronts, overlooked, points, scopes, times_as_fast
from reports.rows import Row
from reports.summary import Summary, summaries
from tests.reports.made_up import desktop, emulated, failed, paired, phone, row


def point(fps: float, iou: float, variant: str = "s16-skip-dense") -> Point:
    return Point(Summary(row(variant)), fps, iou)


def at(row: Row, fps: float, ious: dict[str, float]) -> Row:
    """The row with this speed and these IOU in percent."""
    accuracy = row.accuracy | {
        "iou": sum(ious.values()) / len(ious) / 100,
        "per_image": [[name, iou / 100, 0.5] for name, iou in ious.items()],
    }
    return replace(row, accuracy=accuracy, timing=row.timing | {"model_ns": [int(1e9 / fps)] * 30})


figures = st.lists(st.tuples(st.integers(1, 30), st.integers(800, 830)), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(figures)
def test_dominance_is_what_it_says(drawn):
    summary = Summary(row())
    found = dominance([Point(replace(summary), float(fps), iou / 10) for fps, iou in drawn])
    front = [p for p in found if p.on_front]
    assert front, "something is always the best"
    for p in found:
        better = [q for q in found if q.fps >= p.fps and q.iou >= p.iou and (q.fps, q.iou) != (p.fps, p.iou)]
        assert p.on_front == (not better)
        if p.dominator:
            named = next(q for q in found if q.summary is p.dominator)
            assert named.on_front, "a dominator that is dominated itself would send the reader on a chase"
            assert named.fps >= p.fps
            assert named.iou >= p.iou
            assert named.iou == max(q.iou for q in better), "the most accurate that is as fast"


@settings(max_examples=30, deadline=None)
@given(figures, st.randoms())
def test_dominance_does_not_depend_on_the_order(drawn, random):
    summary = Summary(row())
    listed = [Point(summary, float(fps), iou / 10) for fps, iou in drawn]
    mixed = random.sample(listed, len(listed))
    on_front = {(p.fps, p.iou) for p in dominance(listed) if p.on_front}
    assert {(p.fps, p.iou) for p in dominance(mixed) if p.on_front} == on_front


def test_a_dominated_point_names_its_dominator():
    fast, slow = point(100, 95.0, "s16-skip-plain"), point(50, 95.0, "s4-skip-plain")
    first, second = dominance([fast, slow])
    assert first.on_front
    assert second.dominator is fast.summary


def test_a_difference_in_iou_that_is_not_significant_dominates_nothing():
    """The same network in two runtimes differs in the fifth digit; that is no reason to be on the front."""
    _, slow = dominance([point(100, 94.96), point(50, 95.04)])
    assert not slow.on_front


def test_equals_stand_side_by_side():
    assert all(p.on_front for p in dominance([point(50, 95.0), point(50, 95.0)]))


@pytest.mark.parametrize(
    "made",
    [
        emulated(),
        failed(),
        row(evidence="estimated"),
        row(accuracy={}),
        row(accuracy={"iou": None}),
        row(timing={}),
        row(timing={"pipeline_ns": [1_000_000] * 40}),
        row(status="failed", reason="it ran, and then it was wrong"),
    ],
)
def test_without_a_measured_speed_and_an_iou_of_its_own_a_row_is_not_on_it(made):
    assert points([Summary(made)]) == []


def test_groups_keep_devices_runtimes_and_precisions_apart():
    groups = fronts(points(summaries(desktop() + phone())))
    for group, members in groups.items():
        for p in members:
            assert p.summary.scope == group.scope
            assert (p.summary.runtime, p.summary.row.precision) == (group.runtime, group.precision)
            if p.dominator:
                assert p.dominator.scope == group.scope
                assert p.dominator.runtime == group.runtime
                assert p.dominator.row.precision == group.precision
    assert {(g.scope.device, g.runtime, g.precision) for g in groups} == {
        *(("desktop", r, "fp32") for r in ("PyTorch", "ONNX Runtime", "LiteRT", "OpenVINO")),
        ("desktop", "LiteRT", "int8"),
        ("pixel2", "LiteRT", "fp32"),
        ("pixel2", "LiteRT", "int8"),
    }


@pytest.mark.parametrize(
    "other",
    [
        row(device="pixel2"),
        row(unit="gpu"),
        row(threads=4),
        row(accuracy=row().accuracy | {"data": "other pictures"}),
    ],
)
def test_what_ran_otherwise_or_on_other_pictures_is_not_compared(other):
    assert len(scopes(points([Summary(row()), Summary(other)]))) == 2


def test_the_baseline_is_not_something_to_ship():
    slow = at(row("s16-skip-plain"), 10, {"a": 90, "b": 90})
    baseline = at(row("s16-skip-plain", "pytorch"), 1000, {"a": 99, "b": 99})
    ((_, members),) = scopes(points([Summary(slow), Summary(baseline)])).items()
    assert [p.summary.row.format for p in members] == ["tflite"]
    assert members[0].on_front


def chosen(*rows: Row) -> str:
    ((scope, members),) = scopes(points(map(Summary, rows))).items()
    return choose(scope, members).recommended.summary.row.variant


def test_what_to_ship_is_the_fastest_that_is_shown_to_lose_little():
    pictures = [f"p{i}" for i in range(30)]
    best = at(row("s4-skip-dense"), 50, {p: 95.0 + i % 3 for i, p in enumerate(pictures)})
    near = at(row("s16-skip-dense"), 80, {p: 94.6 + i % 3 for i, p in enumerate(pictures)})
    far = at(row("s32-skip-plain"), 300, {p: 93.0 + i % 3 for i, p in enumerate(pictures)})
    assert chosen(best, near, far) == "s16-skip-dense"
    assert chosen(best, far) == "s4-skip-dense"


def test_too_few_pictures_to_show_it_are_not_taken_for_equality():
    """On average 0.5 points lost, but on two pictures that say +4 and -5."""
    best = at(row("s4-skip-dense"), 50, {"a": 90.0, "b": 95.0})
    unsure = at(row("s16-skip-dense"), 80, {"a": 94.0, "b": 90.0})
    assert chosen(best, unsure) == "s4-skip-dense"


def test_a_loss_is_that_of_the_choice():
    pictures = {f"p{i}": 95.0 for i in range(30)}
    best = at(row("s4-skip-dense"), 50, pictures)
    near = at(row("s16-skip-dense"), 80, {p: iou - 0.5 for p, iou in pictures.items()})
    ((scope, members),) = scopes(points(map(Summary, (best, near)))).items()
    choice = choose(scope, members)
    assert choice.loss is not None
    assert choice.loss[0] == pytest.approx(-0.5)
    assert choice.most_accurate.summary.row.variant == "s4-skip-dense"
    assert choice.fastest is choice.recommended


def test_cells_that_one_run_cannot_tell_apart_are_named():
    pictures = {f"p{i}": 95.0 for i in range(30)}

    def timed(variant: str, format: str, ms: float, spread: float) -> Row:
        """Frame times that go up and down by `spread` around `ms`."""
        times = [int((ms + spread * (i % 5 - 2)) * 1e6) for i in range(60)]
        made = at(row(variant, format), 1.0, pictures)
        return replace(made, timing={"model_ns": times})

    recommended = timed("s16-skip-plain", "tflite", 10.0, 0.5)
    near = timed("s16-skip-plain", "onnx", 10.2, 0.5)
    far = timed("s16-skip-plain", "openvino", 15.0, 0.5)
    ((scope, members),) = scopes(points(map(Summary, (recommended, near, far)))).items()
    choice = choose(scope, members)
    assert choice.recommended.summary.row.format == "tflite"
    assert [p.summary.row.format for p in choice.alike] == ["onnx"]


@pytest.mark.parametrize(("iou", "usable"), [(79.0, False), (81.0, True)])
def test_a_useless_mask_is_not_recommended(iou, usable):
    ((scope, members),) = scopes(points([Summary(at(row(), 500, {"a": iou, "b": iou}))])).items()
    assert choose(scope, members).usable is usable


def test_where_nothing_is_fit_the_most_accurate_is_named():
    best = at(row("s4-skip-dense"), 50, {f"p{i}": 30.0 for i in range(30)})
    near = at(row("s16-skip-dense"), 80, {f"p{i}": 29.8 for i in range(30)})
    assert chosen(best, near) == "s4-skip-dense"


def test_who_measured_none_of_the_networks_to_ship_is_told_of_them():
    assert overlooked([]) == overlooked(["s4-skip-plain", "selfie"])
    assert "live, live-fast and live-best; python bench.py --variants 'live*'" in overlooked(["s4-skip-plain"])
    assert overlooked(["s4-skip-plain", "live-fast"]) == ""


def test_rows_of_two_processors_are_not_compared() -> None:
    first = desktop()[0]
    facts = {**first.environment, "cpu": "Another CPU", "cpu_extensions": "AVX2, AVX-512"}
    here, there = summaries([first, replace(first, environment=facts)])
    assert here.scope != there.scope
    assert str(there.scope) == "desktop, Another CPU (AVX2, AVX-512), CPU, 1 thread"


def test_speeds_of_a_run_in_turns_are_ratios_at_the_references_best_speed() -> None:
    slow_minute = paired(row("s4-skip-plain"), 2.0, reference_fps=100.0)
    quiet = paired(row("s16-skip-plain"), 1.5, reference_fps=200.0)
    found = {p.summary.row.variant: p for p in points(summaries([slow_minute, quiet]))}
    assert found["s4-skip-plain"].fps == pytest.approx(400)
    assert found["s16-skip-plain"].fps == pytest.approx(300)
    assert found["s16-skip-plain"].fps_ci == pytest.approx((297, 303))


def test_a_difference_in_speed_that_is_not_significant_dominates_nothing() -> None:
    """Both intervals reach 1 % to either side, so that of the quotient reaches 1.4 %: 1 % is not enough, 2 % are."""
    pictures = {f"p{i}": 95.0 for i in range(30)}
    slow = paired(at(row("s4-skip-plain"), 100, dict.fromkeys(pictures, 94.0)), 2.0)
    for times, on_front in ((2.02, True), (2.04, False)):
        fast = paired(at(row("s16-skip-dense"), 100, pictures), times)
        ((scope, members),) = scopes(points(summaries([slow, fast]))).items()
        assert {p.summary.row.variant: p.on_front for p in members}["s4-skip-plain"] is on_front
        assert choose(scope, members).most_accurate.summary.row.variant == "s16-skip-dense"


def test_speeds_without_a_significant_difference_are_named_as_such() -> None:
    pictures = {f"p{i}": 95.0 for i in range(30)}
    times = {"s16-skip-dense": 2.0, "s4-skip-plain": 1.99, "s32-skip-plain": 1.9}
    rows = [paired(at(row(name), 100, pictures), ratio) for name, ratio in times.items()]
    ((scope, members),) = scopes(points(summaries(rows))).items()
    choice = choose(scope, members)
    assert choice.recommended.summary.row.variant == "s16-skip-dense"
    assert [p.summary.row.variant for p in choice.alike] == ["s4-skip-plain"]


def test_what_has_no_ratio_takes_no_part_beside_those_that_have() -> None:
    rows = [paired(row("s4-skip-plain"), 2.0), row("s16-skip-dense")]
    assert [p.summary.row.variant for p in points(summaries(rows))] == ["s4-skip-plain"]
    assert len(points(summaries(rows[1:]))) == 1


def test_what_was_disturbed_is_no_point() -> None:
    assert points(summaries([paired(row(), 2.0, disturbed=True)])) == []


def test_the_reference_itself_is_not_compared_through_itself() -> None:
    ours, other = Summary(paired(row(), 3.0)), Summary(paired(row("s4-skip-plain"), 1.5))
    reference = Summary(replace(paired(row(), 1.02), variant="mediapipe-selfie"))
    assert times_as_fast(ours, reference) == ours.ratio
    found = times_as_fast(ours, other)
    assert found
    assert found.times == pytest.approx(2.0)
    assert times_as_fast(ours, Summary(row())) is None
