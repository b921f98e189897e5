import pytest

from training.budget import Budget


def test_without_a_limit_nothing_ends():
    assert Budget(None).working is None
    assert Budget(None).spent(1e9) == 0


def test_time_is_kept_for_the_ending():
    budget = Budget(100.0)
    assert budget.spent(45.0) == pytest.approx(0.5)
    budget.ended(12.0)
    budget.ended(4.0)
    assert budget.working == pytest.approx(80.0)
    assert budget.spent(80.0) == 1.0


def test_an_ending_longer_than_all_leaves_no_time():
    budget = Budget(10.0)
    budget.ended(20.0)
    assert budget.spent(0.0) == 1.0
