"""Progress in words: a verb, a counter and the remaining time."""

from __future__ import annotations

import pytest

from reports.live import Live, line, remaining
from tests.reports.made_up import failed, row


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [(1, 4, 10.0, ", about 30 s left"), (10, 40, 60.0, ", about 3 min left"), (4, 4, 10.0, ""), (0, 4, 0.0, "")],
)
def test_the_remaining_time_is_that_of_steps_like_the_first(done: int, total: int, seconds: float, words: str) -> None:
    assert remaining(done, total, seconds) == words


def test_a_finished_step_says_its_verb_and_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    made = row()
    with Live() as live:
        live.stage("measure", 2)
        live.done(line(made))
        live.done(line(failed(reason="no such operator")))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("[1/2, about ")
    assert f"] measured {made.variant}, " in first
    assert second.startswith("[2/2] failed: ")
    assert second.endswith(": no such operator")
