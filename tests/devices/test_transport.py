"""Calling a program that talks to a device, and trying again: when, how often, and that it is counted."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from devices.contract import MeasurementFailed, Result
from devices.transport import Unreachable, call, persevere

DONE = Result(np.zeros((1, 2, 2), np.float32), "measured")


def attempts(*outcomes: Result | MeasurementFailed) -> Callable[[], Result]:
    left = list(outcomes)

    def attempt() -> Result:
        outcome = left.pop(0)
        if isinstance(outcome, MeasurementFailed):
            raise outcome
        return outcome

    return attempt


def test_what_broke_off_is_tried_again_and_counted() -> None:
    waited: list[int] = []
    result = persevere(3, attempts(Unreachable("gone"), Unreachable("gone"), DONE), lambda: waited.append(1))
    assert result.retries == 2
    assert len(waited) == 2
    assert persevere(2, attempts(DONE), lambda: pytest.fail("it was there")).retries == 0


def test_what_stays_away_is_given_up_with_its_last_reason_and_its_count() -> None:
    with pytest.raises(MeasurementFailed, match=r"still gone \(tried 2 times\)") as failure:
        persevere(2, attempts(Unreachable("gone"), Unreachable("still gone")), lambda: None)
    assert failure.value.retries == 1
    with pytest.raises(MeasurementFailed, match=r"^gone$") as failure:
        persevere(1, attempts(Unreachable("gone")), lambda: None)
    assert failure.value.retries == 0


def test_what_will_be_the_same_next_time_is_not_tried_again() -> None:
    with pytest.raises(MeasurementFailed, match="full") as failure:
        persevere(3, attempts(Unreachable("gone"), MeasurementFailed("full")), lambda: None)
    assert failure.value.retries == 1
    assert not isinstance(failure.value, Unreachable)


def test_a_device_that_does_not_come_back_has_used_its_attempt() -> None:
    def come_back() -> None:
        raise Unreachable("it did not come back")

    with pytest.raises(MeasurementFailed, match="did not come back") as failure:
        persevere(2, attempts(Unreachable("gone"), DONE), come_back)
    assert failure.value.retries == 1


def test_a_program_is_believed_by_its_words_whatever_its_exit_code() -> None:
    done = call([sys.executable, "-c", "print('out'); raise SystemExit('err')"], 60, "the phone", "asking")
    assert (done.returncode, done.stdout, done.stderr) == (1, "out\n", "err\n")


def test_a_program_that_does_not_answer_may_do_so_the_next_time() -> None:
    with pytest.raises(Unreachable, match=r"^the phone did not answer within 0\.2 s \(asking\)$"):
        call(["sleep", "100"], 0.2, "the phone", "asking")


def test_a_program_that_is_not_there_will_not_be_there_the_next_time() -> None:
    with pytest.raises(MeasurementFailed, match="nowhere could not be started") as failure:
        call(["/is/nowhere"], 60, "the phone", "asking")
    assert not isinstance(failure.value, Unreachable)
