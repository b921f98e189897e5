"""Differences in words whose sign is in the word: nothing is -1 point ahead, and nothing loses -1 point."""

from __future__ import annotations


def standing(points: float, interval: tuple[float, float], digits: int = 1) -> str:
    """How far one is ahead of another, or behind, such as "1.1 points behind (0.8 to 1.4)"; `interval` is (low, high).

    An interval with both signs names the side of each end.
    """
    (low, low_side), (high, high_side) = (_sided(end, digits) for end in interval)
    found, side = _sided(points, digits)
    said = f"{found} points {side}" if side else "level"
    if low_side == high_side == side:
        nearer, farther = (low, high) if side == "ahead" else (high, low)
        return f"{said} ({nearer} to {farther})"
    return f"{said} (from {f'{low} {low_side}'.strip()} to {f'{high} {high_side}'.strip()})"


def loss(points: float, digits: int = 3) -> str:
    """Points of IOU lost, or gained where `points` is negative, such as "0.012 points of IOU gained"."""
    amount, side = _sided(-points, digits)
    return f"{amount} points of IOU {'gained' if side == 'ahead' else 'lost'}"


def _sided(value: float, digits: int) -> tuple[str, str]:
    """(how much, on which side), the side being empty for what is shown as zero."""
    amount = f"{abs(value):.{digits}f}"
    return amount, "" if float(amount) == 0 else "ahead" if value > 0 else "behind"
