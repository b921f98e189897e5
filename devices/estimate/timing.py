"""The process that times known networks here: `python -m devices.estimate.timing FILE...`, JSON on stdout.

They are warmed up, sampled and bound to a processor as `devices.worker` does with ours, on one thread: a fresh input
each time, its copy into the runtime and the copy of what comes out in the time.
"""

from __future__ import annotations

import json
import sys
from itertools import cycle
from pathlib import Path

import numpy as np

from devices import environment, timing
from devices.contract import QUICK

INPUTS = 4


class Inference:
    """One TFLite model as a loop of `devices.timing`."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path), num_threads=1)
        self.interpreter.allocate_tensors()
        (entry,) = self.interpreter.get_input_details()
        self.entry = entry["index"]
        self.exits = [details["index"] for details in self.interpreter.get_output_details()]
        random = np.random.default_rng(0)
        self.inputs = cycle([random.random(entry["shape"], np.float32) for _ in range(INPUTS)])

    def prepare(self) -> None:
        self.input = next(self.inputs)

    def run(self) -> None:
        self.interpreter.set_tensor(self.entry, self.input)
        self.interpreter.invoke()
        self.outputs = [self.interpreter.get_tensor(index) for index in self.exits]


def median_ms(path: Path) -> float:
    loop = Inference(path)
    timing.warm_up(loop, QUICK)
    return float(np.median(timing.sample(loop, QUICK)) / 1e6)


def main(paths: list[Path]) -> None:
    watch = environment.Watch(environment.pin(1))
    milliseconds = {path.stem: median_ms(path) for path in paths}
    print(json.dumps({"milliseconds": milliseconds, "facts": watch.facts()}))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
