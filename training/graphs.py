"""Steps of several networks as CUDA graphs: each is recorded once and then repeated, several at a time.

These networks are small: launched one by one, their kernels leave a GPU idle most of the time. A graph launches a whole
step, with its passes and optimisers, in one call; graphs on different streams fill what each leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.variant import Resolution
from training.feature_distillation import FeatureDistillation, FeatureTeacher
from training.learner import Learner, Lesson, Shown

STREAMS = 4
"""Networks at work at the same time."""
EAGER = 3
"""Steps before the recording: they choose cuDNN's algorithms and make the optimisers' memory."""


class Graphs:
    """Takes the place of `Learner.step` for all `learners`, which must be on a CUDA device."""

    def __init__(self, learners: Sequence[Learner], streams: int = STREAMS) -> None:
        self._learners = learners
        self._streams = [torch.cuda.Stream() for _ in range(min(streams, len(learners)))]
        # Graphs of one stream run one after the other, so that they may use the same memory.
        self._pools = [torch.cuda.graph_pool_handle() for _ in self._streams]
        self._boards: dict[Resolution, Shown] = {}
        self._recorded: list[tuple[torch.cuda.CUDAGraph, Tensor]] = []
        self._seen = 0

    def step(self, lesson: Lesson, rate: float, number: int) -> None:
        """One step of all learners at `rate`; `number` counts steps from the run's first.

        The GPU is still at work when this returns. Call `settle` before reading weights.
        """
        self.settle()
        for resolution in {learner.resolution for learner in self._learners}:
            self._show(resolution, lesson.at(resolution))
        for teacher, resolution in self._followed():
            teacher.keep(self._boards[resolution].frames[0], self._boards[resolution].previous)
        if self._seen == EAGER:
            for index, learner in enumerate(self._learners):
                self._recorded.append(self._record(index, learner))
        self._seen += 1
        here = torch.cuda.current_stream()
        for stream in self._streams:
            stream.wait_stream(here)
        for index, learner in enumerate(self._learners):
            with torch.cuda.stream(self._streams[index % len(self._streams)]):
                learner.set_rate(rate)
                learner.note(self._run(index, learner), number)

    def settle(self) -> None:
        """What the current stream does from now on follows the steps that are under way."""
        here = torch.cuda.current_stream()
        for stream in self._streams:
            here.wait_stream(stream)

    def _followed(self) -> set[tuple[FeatureTeacher, Resolution]]:
        """The teachers whose features learners follow: one runs once a step for all of a resolution."""
        asked = ((learner.features, learner.resolution) for learner in self._learners)
        return {(one.teacher, resolution) for one, resolution in asked if isinstance(one, FeatureDistillation)}

    def _run(self, index: int, learner: Learner) -> Tensor:
        if not self._recorded:
            return learner.update(self._boards[learner.resolution])
        graph, loss = self._recorded[index]
        graph.replay()
        return loss.clone()

    def _record(self, index: int, learner: Learner) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        at = index % len(self._streams)
        graph = torch.cuda.CUDAGraph()
        # The samples' own thread may ask CUDA for pinned memory meanwhile.
        with torch.cuda.graph(graph, self._pools[at], self._streams[at], capture_error_mode="thread_local"):
            loss = learner.update(self._boards[learner.resolution])
        return graph, loss

    def _show(self, resolution: Resolution, shown: Shown) -> None:
        """Put a batch where the graphs look for it."""
        if resolution not in self._boards:
            copies = ([one.clone() for one in many] for many in (shown.frames, shown.targets, shown.weights))
            frames, targets, weights = copies
            self._boards[resolution] = Shown(frames, targets, shown.previous.clone(), weights)
            return
        board = self._boards[resolution]
        mine = [*board.frames, *board.targets, board.previous, *board.weights]
        given = [*shown.frames, *shown.targets, shown.previous, *shown.weights]
        torch._foreach_copy_(mine, given)
