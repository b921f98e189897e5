"""The comparison with the runtimes' own tools, on given numbers; tests/benchmarks runs the tools themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.contract import MeasurementFailed
from devices.desktop.agreement import Visit, agree, compare, main


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # The machine slows down threefold in the last round: both sides feel it, the ratio does not.
    ours = [Visit(10.1, 9.0), Visit(10.3, 9.9), Visit(30.6, 29.0)]
    theirs = [Visit(10.0, 9.5), Visit(10.0, 9.0), Visit(30.0, 28.0)]
    found = compare(ours, theirs)
    assert found.ratio == pytest.approx(1.02)
    assert (found.low, found.high) == (pytest.approx(1.01), pytest.approx(1.03))
    assert found.fastest == pytest.approx(1.0)
    assert found.rounds == 3
    assert found.reached


@pytest.mark.parametrize("median", [9.6, 10.4])
def test_a_difference_of_four_percent_either_way_misses_the_aim(median: float) -> None:
    assert not compare([Visit(median, 9)], [Visit(10.0, 9)]).reached


def test_a_runtime_without_a_tool_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(MeasurementFailed, match="ships no benchmark tool"):
        agree(tmp_path / "model.onnx", rounds=1)


def test_the_command_says_what_is_wrong_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["agreement", "model.txt"])
    assert main() == 3
    assert capsys.readouterr().err.startswith("model.txt: not an artifact")
