"""One configuration in several fresh processes: what changes from one process to the next, no single one can show.

Where code and data lie in memory differs from process to process, and with it the speed, for the life of a process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from devices.contract import Job, MeasurementFailed, Result


def repeated(run: Callable[[Job], Result], job: Job) -> Result:
    """`run` as often as `job.counts.repeat` says, each time a process of its own; minutes of load once.

    Returned is the median process, with all of them in `repeats`. A process that fails is told there; MeasurementFailed
    when all of them do.
    """
    done: list[Result] = []
    told: list[dict[str, Any]] = []
    last: MeasurementFailed | None = None
    for _ in range(job.counts.repeat):
        loaded = any(result.sustained for result in done)
        counts = replace(job.counts, repeat=1, sustained=0.0 if loaded else job.counts.sustained)
        try:
            result = run(replace(job, counts=counts))
        except MeasurementFailed as failure:
            last = failure
            told.append({"failed": str(failure)})
        else:
            if job.counts.repeat == 1 or not result.model_ns:  # what is not timed is the same each time
                return result
            done.append(result)
            told.append(
                {
                    "model_ns": list(result.model_ns),
                    "model_switched": result.model_switched,
                    "paired": result.paired,
                }
            )
    if not done:
        assert last
        raise last
    loaded_one = next((result for result in done if result.sustained), done[0])
    return replace(middle(done), repeats=tuple(told), sustained=loaded_one.sustained, energy=loaded_one.energy)


def middle(results: Sequence[Result]) -> Result:
    """The median process by its ratio, or by its frame time where not all have one; of two the slower.

    Disturbed ones count only where there is no other.
    """
    calm = [result for result in results if not result.paired.get("disturbed")] or list(results)
    ratios = all(result.paired.get("times_as_fast") for result in calm)

    def speed(result: Result) -> float:
        return float(result.paired["times_as_fast"]) if ratios else -median(result.model_ns or (0,))

    return sorted(calm, key=speed)[(len(calm) - 1) // 2]
