"""A phone that is not here, as a device: its time is estimated from instructions, and no clock is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from devices import instructions
from devices import job as jobs
from devices.catalog import Phone
from devices.contract import Job, MeasurementFailed, Result
from devices.estimate.counts import core
from devices.estimate.phone import known


@dataclass(frozen=True)
class Estimator:
    """Counts the artifact's instructions on the phone's kind of core; the phone's published rate makes them a time.

    The masks are this machine's: those of the same artifact under the same runtime.
    """

    phone: Phone
    takes_labels: ClassVar[bool] = True

    def run(self, job: Job) -> Result:
        """MeasurementFailed for a precision, unit or number of threads without published times."""
        from devices.open_model import load
        from evaluation.score import predict

        if (job.config.unit, job.config.threads) != ("cpu", 1):
            raise MeasurementFailed(f"the published times of the {self.phone.name} are of one thread of its CPU")
        found = known(self.phone.key, job.config.precision)
        if found is None:
            raise MeasurementFailed(
                f"nobody published times of {job.config.precision} networks on the {self.phone.name}"
            )
        on = core(self.phone, job.config.precision)
        counted = _count(job.model, on)
        session = load(job.config, job.model, job.reference)
        masks = predict(session, jobs.read_frames(job), job.sequences)
        return Result(
            masks=masks,
            evidence="estimated",
            instructions_per_frame=counted,
            placement={"runtime": session.facts["runtime"], "requested": job.config.unit},
            estimate={
                **asdict(found.estimate(counted)),
                "instructions": counted,
                "core": on,
                "rates": dict(found.rates),
                "error": found.error,
                "errors": found.errors,
                "runtime": found.times.runtime.name,
                "faster_since": found.faster_since,
                "source": asdict(found.times.source),
            },
        )


def _count(model: Path, on: str) -> int:
    try:
        return instructions.count(model, on)
    except instructions.CannotCount as reason:
        raise MeasurementFailed(str(reason)) from None
