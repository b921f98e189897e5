"""The git repository that this checkout belongs to: its commits, and the files of one of them."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from converters.child import last_line

ROOT = Path(__file__).resolve().parent.parent


def no_checkout() -> str | None:
    """Why a git ref means nothing here, in words; None in a git checkout of this project."""
    if not shutil.which("git"):
        return "git is not installed"
    # An unpacked archive may lie inside somebody else's repository, whose refs are none of this project's.
    done = _git("ls-files", "--error-unmatch", "bench.py")
    return f"{ROOT} is no git checkout ({last_line(done.stderr)})" if done.returncode else None


def commit_of(ref: str) -> str | None:
    """The commit that `ref` names in this repository; None when it names none, and outside a git checkout."""
    if no_checkout():
        return None
    done = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return done.stdout.strip() or None


@cache
def revision_here() -> str:
    """The commit of this checkout; empty where there is none."""
    return commit_of("HEAD") or ""


def checkout_words() -> str:
    """What this checkout is called: the commit, and whether files differ from it."""
    commit = commit_of("HEAD")
    if commit is None:
        return "this checkout"
    changed = _git("status", "--porcelain", "--untracked-files=no").stdout.strip()
    return f"{commit[:10]}{' with changes' if changed else ''}"


@contextmanager
def tree(commit: str) -> Iterator[Path]:
    """The files of `commit` in a folder of their own, which a crash leaves no trace of in the repository."""
    with tempfile.TemporaryDirectory(prefix="baseline-") as temporary:
        packed = Path(temporary) / "tree.tar"
        done = _git("archive", "--output", str(packed), commit)
        if done.returncode:
            raise ValueError(f"{commit[:10]}: its files cannot be had ({last_line(done.stderr)})")
        there = Path(temporary) / "tree"
        with tarfile.open(packed) as archive:
            archive.extractall(there, filter="data")
        yield there


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
