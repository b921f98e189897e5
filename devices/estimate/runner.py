"""A phone that is not here, as a device: nothing is measured on it, and nothing here is claimed of it but a range."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

import numpy as np

from devices.contract import Cell, CellFailed, Job, Result
from devices.desktop import Desktop
from devices.estimate import references
from devices.estimate.published import Published
from devices.estimate.scale import scale

TOO_FAR = 2.0
"""Known error, a factor, from which on a range says nothing."""


@dataclass(frozen=True)
class Estimator:
    """Times the known networks here, then the artifact, and scales by what was published of them on the phone.

    The masks are this machine's: those of the same artifact under the same runtime. Its times are in no figure.
    """

    published: Published
    desktop: Desktop = field(default_factory=Desktop)

    def run(self, cell: Cell, job: Job) -> Result:
        """CellFailed for what the published figures say nothing about, another precision, unit or count of threads, and
        on a machine that was disturbed while it timed."""
        if (job.precision, job.unit, job.threads) != ("fp32", "cpu", 1):
            raise CellFailed(
                f"what was published of the {self.published.phone} is float32 on one thread of its cpu, "
                f"which says nothing of {job.precision} on {job.threads} of the {job.unit}"
            )
        known = references.times(references.files(self.published.milliseconds))
        result = self.desktop.run(cell, job)
        references.check_undisturbed(result.environment.facts)
        here = float(np.median(result.model_ns) / 1e6)
        found = scale(here, known, self.published.milliseconds, self.published.faster_since)
        if found.missed > TOO_FAR:
            raise CellFailed(
                f"the known networks miss each other by a factor of {found.missed:.1f}, where {TOO_FAR:g} is the most"
                " that an estimate may rest on: this machine is too busy, or too unlike the phone"
            )
        return replace(
            Result(result.masks, "estimated", placement=result.placement, environment=result.environment),
            estimate={
                **asdict(found),
                "here_ms": here,
                "known_here_ms": known,
                "known_there_ms": dict(self.published.milliseconds),
                "faster_since": self.published.faster_since,
                "sources": [asdict(source) for source in self.published.sources],
            },
        )
