#!/usr/bin/env bash
# Makes the virtual environment .venv and installs what is pinned, by the hashes of requirements.lock:
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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

checked() { # PIP'S ARGUMENTS: wheels alone, none of which runs code before its hash was compared with requirements.lock
  "${pip[@]}" --only-binary :all: --report "$work/report.json" "$@"
  "$venv/bin/python" -I -S scripts/check_hashes.py "$work/report.json" requirements.lock || {
    rm -rf "$venv"
    fail "what was downloaded is not what this project was tested with; $venv is removed"
  }
}

requirements() { # [--core] EXTRA...: lines of pyproject.toml, extras that name extras of the project included
  "$venv/bin/python" -I -S -c '
import re, sys, tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras, own = project["optional-dependencies"], re.compile(re.escape(project["name"]) + r"\[(.*)\]$")
def lines(extra):
    if extra not in extras:
        sys.exit(f"setup: there is no extra {extra}; there are: {chr(44).join(extras)}")
    for line in extras[extra]:
        named = own.match(line)
        if not named:
            yield line
        elif not core:
            sys.exit(f"setup: {extra} is not an extra that can be installed without the core")
        for other in named[1].split(",") if named else ():
            yield from lines(other)
core = sys.argv[1] == "--core"
wanted = project["dependencies"] if core else []
print(*dict.fromkeys([*wanted, *(line for extra in sys.argv[1 + core:] for line in lines(extra))]), sep="\n")' "$@"
}

if [ -n "$only" ]; then
  # Its own lines: pip would install the core with an extra of the project.
  requirements "$only" >"$work/requirements.txt" || exit 2
  echo "setup: installing the extra $only alone into $venv" >&2
  checked --constraint constraints.txt --requirement "$work/requirements.txt"
  exit
fi

if [ "${TORCH:-}" = cpu ]; then
  torch=$(grep '^torch==' constraints.txt)
  index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
  if [ -d "$index" ]; then from=(--no-index --find-links "$index"); else from=(--index-url "$index"); fi
  echo "setup: $torch without CUDA, from $index" >&2
  # Its own requirements come with the rest, from the ordinary index.
  checked --no-deps "${from[@]}" "$torch"
fi

echo "setup: installing what pyproject.toml pins into $venv; this takes some minutes and downloads 1 to 4 GB" >&2
{ requirements --core ${extras//,/ } && echo setuptools; } >"$work/requirements.txt" || exit 2
checked --constraint constraints.txt --requirement "$work/requirements.txt"
# The project itself: built by the setuptools that was checked, and nothing else is fetched for it.
"${pip[@]}" --no-deps --no-build-isolation --editable .
