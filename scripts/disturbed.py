"""Whether ratios hold beside load that comes and goes: python scripts/disturbed.py [--runs 20] [--network live]

First the quiet ratio of the network to the reference, on a machine that does nothing else. Then as many runs, each in a
process of its own beside `scripts/bursts.py`. A run is right when its ratio is within 5 % of the quiet one, or when it
claims none. Prints a table; exits with 1 when one was wrong, with 3 when the quiet machine was not quiet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOLERABLE = 0.05


def measure(network: str, folder: Path) -> dict[str, Any]:
    """One run of bench.py: the ratio or None, its interval, the share of disturbed samples, and the FPS."""
    command = [sys.executable, str(ROOT / "bench.py"), "--variants", network, "--formats", "tflite"]
    command += ["--references", "none", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    sys.path.insert(0, str(ROOT))
    from reports.rows import latest, read
    from reports.summary import Summary

    (row,) = latest(read(folder / "rows.jsonl")[0])
    s = Summary(row)
    paired = row.timing["paired"]
    return {
        "ratio": s.ratio.times if s.ratio else None,
        "interval": f"{s.ratio.low:.2f} to {s.ratio.high:.2f}" if s.ratio else "",
        "rounds": f"{paired['rounds']} of {paired['rounds_taken']}",
        "switched": s.switched_share,
        "fps": s.model.fps if s.model else None,
        "processor": s.processor,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--network", default="live")
    parser.add_argument("--quiet", type=float, help="the quiet ratio, where it is known")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        quiet = options.quiet
        if quiet is None:
            found = measure(options.network, Path(folder) / "quiet")
            print(f"quiet: {json.dumps(found)}", flush=True)
            if found["ratio"] is None:
                return 3
            quiet = float(found["ratio"])
        print(
            "| run | ratio | 95 % interval | undisturbed rounds | switched out, % | FPS | |",
            "|---|---|---|---|---|---|---|",
            sep="\n",
            flush=True,
        )
        wrong = 0
        for run in range(1, options.runs + 1):
            bursts = [sys.executable, str(ROOT / "scripts" / "bursts.py"), "--seed", str(run)]
            load = subprocess.Popen(bursts)
            try:
                found = measure(options.network, Path(folder) / str(run))
            finally:
                load.terminate()
                load.wait()
            ratio = found["ratio"]
            verdict = "withheld" if ratio is None else "right" if abs(ratio / quiet - 1) <= TOLERABLE else "WRONG"
            wrong += verdict == "WRONG"
            shown = "–" if ratio is None else f"{ratio:.2f}"
            switched = f"{100 * (found['switched'] or 0):.0f}"
            cells = [run, shown, found["interval"], found["rounds"], switched, f"{found['fps']:.0f}", verdict]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
