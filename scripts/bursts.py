"""Load that comes and goes, to measure beside: python scripts/bursts.py [--processes 8] [--seed 0] [--seconds 600]

Each process works and rests in turn, each for a random time of 1 to 20 seconds. Every other one works in memory: it
copies arrays that no cache holds. Ends after `--seconds`, or with its parent.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import time

import numpy as np

SHORTEST, LONGEST = 1.0, 20.0
MEGABYTES = 64


def work(seed: int, in_memory: bool, end: float, parent: int) -> None:
    """Bursts until `end`, a time of `time.monotonic`."""
    rng = random.Random(seed)
    values = np.ones(MEGABYTES << 17)
    while time.monotonic() < end and os.getppid() == parent:
        until = min(end, time.monotonic() + rng.uniform(SHORTEST, LONGEST))
        while time.monotonic() < until:
            if in_memory:
                values = values[::-1].copy()
            else:
                sum(range(10_000))
        time.sleep(max(0.0, min(rng.uniform(SHORTEST, LONGEST), end - time.monotonic())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    children = [
        multiprocessing.Process(target=work, args=(options.seed * 1000 + i, i % 2 == 1, end, os.getpid()))
        for i in range(options.processes)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()


if __name__ == "__main__":
    main()
