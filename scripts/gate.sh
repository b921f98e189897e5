#!/usr/bin/env bash
# The FPS gate for any CI: scripts/gate.sh BASELINE [DIR]. Exits with 0 pass, 1 regression, 2 in doubt, 3 not measured.
# Afterwards DIR (results/gate by default) holds report.html to look at, gate.md to post, gate.xml (JUnit) and gate.json.
# Keep ~/.cache/segmentation-bench between jobs, and nothing is converted twice.
set -euo pipefail
cd "$(dirname "$0")/.."

baseline=${1:?usage: scripts/gate.sh BASELINE [DIR], the baseline being a git ref}
out=${2:-results/gate}

make setup >&2
.venv/bin/python bench.py gate self-test >&2 || { echo "The gate fails its own test; its verdict is not asked." >&2; exit 3; }
rm -f "$out"/gate.{json,md,xml} # what an earlier job left must not be taken for this one's
exec .venv/bin/python bench.py gate --baseline "$baseline" --out "$out"
