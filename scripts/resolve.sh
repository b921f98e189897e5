#!/usr/bin/env bash
# Checks that the pins resolve from the public index alone, wheels only, on every supported system and Python:
#   scripts/resolve.sh            needs uv, which `make lint` installs; downloads metadata only
#   scripts/resolve.sh --update   writes constraints.txt anew, keeping the versions it has where they fit, and
#                                 requirements.lock, which has the hashes of all their files
# Neither pip's nor uv's configuration of this machine is read: what resolves here resolves elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$PWD/.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv) || { echo "resolve: uv is missing; make lint installs it" >&2; exit 2; }

unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CONSTRAINT
for name in $(compgen -e UV_ || true); do unset "$name"; done
export PIP_CONFIG_FILE=/dev/null
export MACOSX_DEPLOYMENT_TARGET=14.0 # PyTorch's wheels for a Mac begin there
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # OUT [OPTION...]: what pyproject.toml asks for with every extra, as name==version lines
  local out=$1
  shift
  "$uv" --no-config pip compile pyproject.toml --all-extras --constraint constraints.txt --no-annotate --no-header \
    --quiet --only-binary :all: --output-file "$out" "$@" >/dev/null
}

if [ "${1:-}" = --update ]; then
  # The file is no constraint of its own renewal, only the first choice.
  sed 's/#.*//; /^$/d' constraints.txt >"$work/new.txt"
  cp pyproject.toml "$work/"
  (cd "$work" && "$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
    --no-annotate --no-header --quiet --output-file new.txt >/dev/null)
  { sed -n '/^#/p' constraints.txt; sed 's/ *;.*//' "$work/new.txt"; } >"$work/constraints.txt"
  mv "$work/constraints.txt" constraints.txt
  cp constraints.txt "$work/"
  (cd "$work" && "$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
    --constraint constraints.txt --no-annotate --no-header --quiet --output-file new.lock >/dev/null)
  { echo "# The files of constraints.txt by their hashes, for scripts/setup.sh; scripts/resolve.sh --update writes it."
    cat "$work/new.lock"; } >requirements.lock
  exit
fi

failed=0
for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_35 aarch64-apple-darwin; do
  for python in 3.11 3.12 3.13 3.14; do
    if compile "$work/tree" --python-version $python --python-platform $platform 2>"$work/why"; then
      # Every package of the tree is pinned, so that tomorrow's tree is today's.
      free=$(comm -23 <(grep -oE '^[^=]+==\S+' "$work/tree" | sort) <(sort constraints.txt) | tr '\n' ' ')
      if [ -n "$free" ]; then
        echo "$platform, Python $python: not pinned in constraints.txt: $free" >&2
        failed=1
      else
        echo "$platform, Python $python: $(grep -c '==' "$work/tree") packages"
      fi
    else
      echo "$platform, Python $python: does not resolve" >&2
      cat "$work/why" >&2
      failed=1
    fi
  done
done
exit $failed
