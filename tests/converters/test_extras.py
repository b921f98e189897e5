"""Packages that a lean install does not have: each command that needs one says which extra brings it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from converters.extras import EXTRAS, missing
from tests.conftest import ROOT

LEAN = f"import sys\nfor name in {sorted(EXTRAS)}:\n    sys.modules[name] = None\n"
"""As sitecustomize.py in every process: none of them is found or can be imported."""


@pytest.fixture
def lean(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has none of the extras, nor an adb of the system's."""
    (tmp_path / "lean").mkdir()
    (tmp_path / "lean" / "sitecustomize.py").write_text(LEAN)
    return os.environ | {"PYTHONPATH": str(tmp_path / "lean"), "PATH": str(tmp_path / "nothing")}


def ask(lean: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, *command]
    return subprocess.run(arguments, cwd=ROOT, env=lean, capture_output=True, text=True, timeout=300, check=False)


def test_what_is_installed_is_not_missed_and_what_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing("segno", "uvicorn") is None
    monkeypatch.setitem(sys.modules, "segno", None)
    one = "segno is not installed; this needs the extra [web]: run `make setup EXTRAS=web`"
    assert missing("segno", "uvicorn") == one
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert str(missing("segno", "uvicorn")).startswith("segno, uvicorn are not installed; ")
    monkeypatch.setitem(sys.modules, "nncf", None)
    assert str(missing("nncf", "segno")).endswith(
        "the extras [openvino] and [web]: run `make setup EXTRAS=openvino,web`"
    )
    monkeypatch.setitem(sys.modules, "ruptures", None)
    assert missing("ruptures") == "ruptures is not installed"


@pytest.mark.parametrize(
    ("command", "extra", "code"),
    [
        (["bench.py", "--device", "web", "--quick"], "web", 3),
        (["segment.py", "--live"], "web", 3),
    ],
)
def test_a_command_that_needs_an_extra_says_so_in_one_sentence(
    lean: dict[str, str], command: list[str], extra: str, code: int
) -> None:
    done = ask(lean, *command)
    assert done.returncode == code, done.stderr
    assert f"this needs the extra [{extra}]: run `make setup EXTRAS={extra}`" in done.stderr
    assert "Traceback" not in done.stderr


def test_cocos_reader_and_the_compiler_of_the_runner_say_so_too(lean: dict[str, str]) -> None:
    reader = "from pathlib import Path; from training.datasets import coco_person; next(coco_person(Path('coco')))"
    assert (
        "ValueError: coco: pycocotools is not installed; this needs the extra [train]" in ask(lean, "-c", reader).stderr
    )
    compiler = "from devices.aarch64_runner import build; build._check_compiler()"
    said = ask(lean, "-c", compiler).stderr
    assert "CannotBuild: the compiler is missing: ziglang is not installed; this needs the extra [arm64]" in said


@pytest.mark.parametrize("command", [["--help"], ["devices"], ["--dry-run"]])
def test_the_bench_itself_needs_no_extra(lean: dict[str, str], command: list[str]) -> None:
    done = ask(lean, "bench.py", *command)
    assert done.returncode == 0, done.stderr


def test_each_module_is_of_the_extra_that_is_named() -> None:
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = packages_distributions()
    for module, extra in EXTRAS.items():
        pinned = {re.split(r"[=\[; ]", pin)[0] for pin in optional[extra]}
        if module != "ray" or module in brought:  # its extra is no part of [test]
            assert brought[module][0] in pinned
