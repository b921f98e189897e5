"""The three commands under an interpreter that lacks their packages, or is too old for them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import interpreter
from tests.conftest import ROOT

COMMANDS = ("bench.py", "segment.py", "train.py")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of the running version that has no packages at all."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    return folder / "bin" / "python"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The commands in a folder with a space in its name, without a .venv."""
    root = tmp_path / "my projects" / "bench"
    shutil.copytree(ROOT / "cli", root / "cli")
    for command in COMMANDS:
        shutil.copy(ROOT / command, root)
    for room in ("converters", "devices", "models", "training"):
        (root / room).symlink_to(ROOT / room)
    return root


def give_venv(checkout: Path, python: str) -> None:
    """A .venv whose interpreter is `python`."""
    program = checkout / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
    program.chmod(0o755)


def ask(python: Path | str, script: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, script, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_venv_one_sentence_says_what_to_run(bare: Path, checkout: Path, command: str) -> None:
    done = ask(bare, checkout / command, "--help")
    assert (done.returncode, done.stdout) == (64, "")
    said = f"{command}: {bare} has no ai_edge_litert, cv2, .*; run `make setup` in {checkout}, then again.\n"
    assert re.fullmatch(said, done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_goes_on_in_the_venv(bare: Path, checkout: Path, command: str) -> None:
    give_venv(checkout, sys.executable)
    done = ask(bare, checkout / command, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_arguments_and_the_exit_code_are_kept_from_another_folder_and_through_a_link(
    bare: Path, checkout: Path, tmp_path: Path
) -> None:
    give_venv(checkout, sys.executable)
    (tmp_path / "linked.py").symlink_to(checkout / "bench.py")
    done = ask(bare, Path("linked.py"), "--variants", "no such *", cwd=tmp_path)
    assert done.returncode == 64
    assert "no such *" in done.stderr


def test_a_venv_without_the_packages_does_not_start_itself_again(bare: Path, checkout: Path) -> None:
    give_venv(checkout, str(bare))
    done = ask(bare, checkout / "bench.py", "--help")
    assert done.returncode == 64
    assert re.fullmatch(rf"bench.py: {checkout}/.venv has no .*; run `make clean setup` in .*\n", done.stderr)


def test_a_venv_whose_interpreter_is_gone_is_none(bare: Path, checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(checkout / "gone")
    done = ask(bare, checkout / "bench.py", "--help")
    assert done.returncode == 64
    assert "run `make setup`" in done.stderr


@pytest.mark.parametrize("path", [*COMMANDS, "cli/__init__.py", "cli/interpreter.py"])
def test_what_runs_before_the_check_parses_in_python_3_8(path: str) -> None:
    ast.parse((ROOT / path).read_text(), feature_version=(3, 8))


OLD = """
import runpy, sys
sys.version_info = (3, 8, 18, "final", 0)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_python_that_is_too_old_is_sent_on_too(checkout: Path) -> None:
    """The running one, packages and all, which says that it is 3.8."""
    old = checkout / "old.py"
    old.write_text(OLD)
    alone = ask(sys.executable, old, "bench.py", "--help", cwd=checkout)
    assert alone.returncode == 64
    assert "is Python 3.8, and 3.11 or newer is needed; run `make setup`" in alone.stderr
    give_venv(checkout, sys.executable)
    assert ask(sys.executable, old, "bench.py", "--help", cwd=checkout).returncode == 0


def test_the_marks_of_an_environment_are_all_here() -> None:
    assert interpreter._lacks(interpreter.NEEDED) == ""
