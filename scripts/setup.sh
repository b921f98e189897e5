#!/usr/bin/env bash
# Makes the virtual environment .venv and installs what is pinned:
#   scripts/setup.sh [EXTRA[,EXTRA...]]  the core, and extras
#   scripts/setup.sh --only EXTRA        one extra without the core
#   PYTHON       the interpreter to use; found by itself when it is not given
#   TORCH=cpu    PyTorch's build without CUDA, from TORCH_INDEX: 3 GB in place of 7 on Linux x86-64
#   TORCH_INDEX  an index that has this build, or a folder of wheels
set -euo pipefail
cd "$(dirname "$0")/.."

only=
if [ "${1:-}" = --only ]; then
  only=${2:?scripts/setup.sh --only needs the name of an extra}
  shift 2
fi
extras=${1:-}
supported="Python 3.11, 3.12, 3.13 or 3.14"
venv=.venv

fail() {
  echo "setup: $1" >&2
  exit 2
}

is_supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }

find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3 python3.14 python; do
    # A version manager's shim may be on PATH without an interpreter behind it, so each one is run.
    if is_supported "$name"; then
      echo "$name"
      return
    fi
  done
}

case ${TORCH:-} in
  '' | cpu) ;;
  *) fail "TORCH=$TORCH is not known; TORCH=cpu takes the build without CUDA" ;;
esac

if [ ! -x "$venv/bin/python" ]; then
  python=${PYTHON:-$(find_python)}
  [ -n "$python" ] || fail "$supported is needed and none is on PATH; name one: make PYTHON=/path/to/python3.12"
  is_supported "$python" || fail "$python is not $supported; name one: make PYTHON=/path/to/python3.12"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module (Debian and Ubuntu: apt install python3-venv)"
  "$python" -m venv "$venv"
elif ! is_supported "$venv/bin/python"; then
  fail "the environment $venv was not made by $supported; remove it (make clean) and try again"
fi

pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input)

if [ -n "$only" ]; then
  # Its own lines: pip would install the core with an extra of the project.
  requirements=$("$venv/bin/python" -c '
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
lines = project["optional-dependencies"].get(sys.argv[1], [])
if not lines or any(line.startswith(project["name"]) for line in lines):
    sys.exit(f"setup: {sys.argv[1]} is not an extra that can be installed without the core")
print(*lines, sep="\n")' "$only") || exit 2
  echo "setup: installing the extra $only alone into $venv" >&2
  exec "${pip[@]}" --constraint constraints.txt --requirement /dev/stdin <<<"$requirements"
fi

if [ "${TORCH:-}" = cpu ]; then
  torch=$(grep '^torch==' constraints.txt)
  index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
  if [ -d "$index" ]; then from=(--no-index --find-links "$index"); else from=(--index-url "$index"); fi
  echo "setup: $torch without CUDA, from $index" >&2
  # Its own requirements come with the rest, from the ordinary index.
  "${pip[@]}" --no-deps "${from[@]}" "$torch"
fi

echo "setup: installing what pyproject.toml pins into $venv; this takes some minutes and downloads 1 to 4 GB" >&2
"${pip[@]}" --constraint constraints.txt --editable ".${extras:+[$extras]}"
