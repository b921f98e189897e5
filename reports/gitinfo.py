"""The git repository that this checkout belongs to: its commits, and the files of one of them."""

from __future__ import annotations

import os
import re
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


class NoCommit(ValueError):
    """A name that stands for no commit here; its text says why, in git's own words where git has any."""


def repository_of(folder: Path) -> Path | None:
    """The root of the repository that `folder` is in, None in this project's or none. NoCommit where git refuses."""
    if folder.resolve() == ROOT or not shutil.which("git"):
        return None
    done = _git("rev-parse", "--show-toplevel", root=folder)
    if "dubious ownership" in done.stderr:
        raise NoCommit(_refused(folder))
    root = Path(done.stdout.rstrip("\n"))
    return root if done.returncode == 0 and root != ROOT else None


def _refused(root: Path) -> str:
    mended = f"git config --global --add safe.directory {root}"
    return f"git refuses {root}, which belongs to another user; `{mended}` allows it"


def no_checkout(root: Path | None = None) -> str | None:
    """Why a git ref means nothing here, in words; None in a git checkout of this project, or in another of `root`."""
    if not shutil.which("git"):
        return "git is not installed"
    if root:
        return None
    # An unpacked archive may lie inside somebody else's repository, whose refs are none of this project's.
    done = _git("ls-files", "--error-unmatch", "bench.py")
    if done.returncode == 0:
        return None
    if "dubious ownership" in done.stderr:
        return _refused(ROOT)
    return f"{ROOT} is no git checkout ({_said(done)})"


def commit(ref: str, root: Path | None = None) -> str:
    """The commit that `ref` names, of this repository or that of `root`. NoCommit when it names none, or several."""
    if reason := no_checkout(root):
        raise NoCommit(f"a git ref needs a git checkout: {reason}")
    done = _git("rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}", root=root)
    if "is ambiguous" in done.stderr:
        raise NoCommit(f"more than one ref has this name ({_said(done)}); write refs/heads/{ref} or refs/tags/{ref}")
    if done.returncode == 0:
        return done.stdout.strip()
    if _git("rev-parse", "--is-shallow-repository", root=root).stdout.strip() == "true":
        raise NoCommit(
            "it is not in this clone, which is shallow: actions/checkout needs `fetch-depth: 0`, and elsewhere"
            " `git fetch --unshallow` mends it"
        )
    raise NoCommit(f"it is no git ref of this repository ({_said(done)})")


def commit_of(ref: str, root: Path | None = None) -> str | None:
    """The commit that `ref` names in this repository; None when it names none, and outside a git checkout."""
    try:
        return commit(ref, root)
    except NoCommit:
        return None


@cache
def revision_here() -> str:
    """The commit of this checkout; empty where there is none."""
    return commit_of("HEAD") or ""


def checkout_words(root: Path | None = None) -> str:
    """What this checkout, or that of `root`, is called: the commit, and whether files differ from it."""
    commit = commit_of("HEAD", root)
    if commit is None:
        return "this checkout"
    return f"{commit[:10]}{' with changes' if _changed(root) else ''}"


def _changed(root: Path | None = None) -> bool:
    return bool(_git("status", "--porcelain", "--untracked-files=no", root=root).stdout.strip())


_COMPARE = {"github.com": "compare", "gitlab.com": "-/compare", "codeberg.org": "compare"}
"""Where a host shows the changes between two commits of a repository."""


def comparison(baseline: str, root: Path | None = None) -> str:
    """The address of the page that shows what changed from the commit `baseline` to this checkout, or that of `root`.

    Empty where nobody can follow it: the remote's host is not known, files differ from the commit, or no branch of a
    remote that is known here contains the two.
    """
    here = commit_of("HEAD", root)
    remote = _git("remote", "get-url", "origin", root=root).stdout.strip()
    if not (baseline and here and remote) or _changed(root) or not all(_pushed(c, root) for c in (baseline, here)):
        return ""
    return compare_address(remote, baseline, here)


def compare_address(remote: str, before: str, now: str) -> str:
    """The same for a remote such as git@github.com:owner/name.git, without what it holds of credentials."""
    found = re.fullmatch(r"(?:(?:https|ssh|git)://)?(?:[^@/]*@)?([\w.-]+)(?::\d+)?[:/](.+?)(?:\.git)?/?", remote)
    if not (found and found[1] in _COMPARE):
        return ""
    return f"https://{found[1]}/{found[2]}/{_COMPARE[found[1]]}/{before}...{now}"


def _pushed(commit: str, root: Path | None) -> bool:
    return bool(_git("for-each-ref", "--count=1", "--contains", commit, "refs/remotes", root=root).stdout.strip())


@contextmanager
def tree(commit: str, root: Path | None = None) -> Iterator[Path]:
    """The files of `commit` in a folder of their own, which a crash leaves no trace of in the repository."""
    with tempfile.TemporaryDirectory(prefix="baseline-") as temporary:
        packed = Path(temporary) / "tree.tar"
        done = _git("archive", "--output", str(packed), commit, root=root)
        if done.returncode:
            raise NoCommit(f"{commit[:10]}: its files cannot be had ({_said(done)})")
        there = Path(temporary) / "tree"
        with tarfile.open(packed) as archive:
            archive.extractall(there, filter="data")
        yield there


def _git(*arguments: str, root: Path | None = None) -> subprocess.CompletedProcess[str]:
    # Its words are looked at, so they are to be the untranslated ones.
    # Looking at the checkout must not write into it.
    plain = os.environ | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=root or ROOT,
            env=plain,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(["git", *arguments], 127, "", "git is not installed")


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """Git's reason: its first error or warning, else its last words, without its advice."""
    lines = [line.strip() for line in done.stderr.splitlines()]
    marked = (line for line in lines if line.startswith(("error: ", "fatal: ", "warning: ")))
    return f"git says: {next(marked, last_line(done.stderr))[:300]}"
