"""The progress of a run, on stderr: a line a finished step with the remaining time, and on a terminal a bar.

Nothing is drawn while a configuration is timed: the bar has no thread of its own and moves only on a call.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from converters.artifact import Failure
from converters.build import Event
from reports.rows import Row
from reports.summary import Summary


def remaining(done: int, total: int, seconds: float) -> str:
    """How long `total - done` steps still take if they go on like the first, in words; empty where there is none."""
    if not 0 < done < total:
        return ""
    left = seconds / done * (total - done)
    return f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"


class Live:
    """`stage` opens a stage with its number of steps, `step` says what is being done, `done` ends a step."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            auto_refresh=False,
            transient=True,
            speed_estimate_period=600.0,
            disable=not self.console.is_terminal,
        )
        self.task: TaskID | None = None

    def __enter__(self) -> Live:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.progress.stop()

    def stage(self, name: str, steps: int) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.name = name
        self.begun = time.monotonic()
        self.task = self.progress.add_task(name, total=steps)
        self.progress.refresh()

    def step(self, what: str) -> None:
        assert self.task is not None
        self.progress.update(self.task, description=f"{self.name} {what}", refresh=True)

    def more(self, line: str, steps: int) -> None:
        """Say something that makes this stage longer."""
        assert self.task is not None
        self.say(line)
        self.progress.update(self.task, total=(self.progress.tasks[-1].total or 0) + steps, refresh=True)

    def done(self, line: str = "") -> None:
        assert self.task is not None
        self.progress.update(self.task, advance=1)
        if line:
            task = self.progress.tasks[-1]
            done, total = round(task.completed), round(task.total or 0)
            left = remaining(done, total, time.monotonic() - self.begun)
            self.say(f"[{done}/{total}{left}] {line}")
        self.progress.refresh()

    def convert(self, event: Event) -> None:
        """The listener of `converters.build.build`."""
        if event.stage != "done":
            self.step(f"{event.spec.name} ({event.stage})")
        elif isinstance(event.outcome, Failure):
            self.done(f"not converted: {event.spec.name}: {event.outcome.reason}")
        else:
            self.done("" if event.cached else f"converted {event.spec.name}")

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)


def line(row: Row) -> str:
    """One finished configuration in one line."""
    seen = Summary(row)
    name = seen.name if row.device == "desktop" else f"{seen.name} on {row.device}"
    if not seen.ok:
        return f"failed: {name}: {row.reason}"
    speed = f"{seen.model.fps:.1f} FPS" if seen.model else "no speed"
    accuracy = f", IOU {seen.iou:.1f} %" if seen.iou is not None else ""
    verb = row.evidence if seen.model is None else "measured"
    return f"{verb} {name}: {speed}{accuracy}"
