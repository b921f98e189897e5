"""Signs become words: each sentence is written out by hand."""

from __future__ import annotations

import pytest

from reports.wording import loss, standing


@pytest.mark.parametrize(
    ("points", "interval", "said"),
    [
        (1.14, (0.8, 1.42), "1.1 points ahead (0.8 to 1.4)"),
        (-1.14, (-1.42, -0.8), "1.1 points behind (0.8 to 1.4)"),
        (-1.1, (-2.0, 0.3), "1.1 points behind (from 2.0 behind to 0.3 ahead)"),
        (0.6, (0.04, 1.2), "0.6 points ahead (from 0.0 to 1.2 ahead)"),
        (-0.02, (-0.3, 0.3), "level (from 0.3 behind to 0.3 ahead)"),
        (0.0, (0.0, 0.0), "level (0.0 to 0.0)"),
    ],
)
def test_who_is_ahead(points: float, interval: tuple[float, float], said: str) -> None:
    assert standing(points, interval) == said


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (0.012, "0.012 points of IOU lost"),
        (-0.012, "0.012 points of IOU gained"),
        (-0.0001, "0.000 points of IOU lost"),
    ],
)
def test_what_is_lost_or_gained(points: float, said: str) -> None:
    assert loss(points) == said
