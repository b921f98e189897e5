"""Ending in time: when a training that may take so many minutes has to stop, evaluate and save."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Budget:
    """`seconds` from now on, of which the ending takes what endings took so far, and half of that again.

    Before one was seen a tenth of all is kept for it. Without a limit nothing ends.
    """

    seconds: float | None
    slowest: float = 0.0

    def ended(self, took: float) -> None:
        """Note how long evaluating and saving took."""
        self.slowest = max(self.slowest, took)

    @property
    def working(self) -> float | None:
        """The seconds that are there for steps."""
        if self.seconds is None:
            return None
        return self.seconds - (1.5 * self.slowest + 2 if self.slowest else 0.1 * self.seconds)

    def spent(self, elapsed: float) -> float:
        """The share of `working` that is over, 0 to 1; 0 without a limit."""
        if self.working is None:
            return 0.0
        return min(1.0, max(0.0, elapsed / self.working)) if self.working > 0 else 1.0
