"""The repository's own promises about itself."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

FLOORS = (
    "models",
    "evaluation",
    "converters",
    "devices",
    "profiling",
    "reports",
    "gate",
    "cli",
    "training",
    "video",
)
"""From the ground up: a room takes from those below it."""

FORMER = ("costs", "effects")
"""Names that rooms had before; `python -m` still knows them."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMED = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]
PINS = [pin for pin in NAMED if pin.name != PROJECT["name"]]
TREE = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("pin", PINS, ids=str)
def test_what_runs_is_what_is_pinned(pin: Requirement) -> None:
    if pin.marker and not pin.marker.evaluate():
        pytest.skip(f"{pin.name} has no wheel for this system")
    assert version(pin.name).split("+")[0] == exact(pin)


def test_the_whole_tree_is_pinned_to_versions_that_the_public_index_has() -> None:
    tree = {pin.name: exact(pin) for pin in TREE}
    assert {pin.name: exact(pin) for pin in PINS}.items() <= tree.items()


def exact(pin: Requirement) -> str:
    """The one version that the requirement allows; a local version (`+cpu`) is on no public index."""
    (only,) = pin.specifier
    assert only.operator == "==", f"{pin} is not pinned"
    assert re.fullmatch(r"[\w.]+", only.version), f"{pin} has a local version or a wildcard"
    return only.version


def test_pre_commit_runs_the_pinned_ruff() -> None:
    (ruff,) = (pin for pin in PINS if pin.name == "ruff")
    assert f"rev: v{exact(ruff)}\n" in (ROOT / ".pre-commit-config.yaml").read_text()


def test_the_form_for_phones_is_one_that_github_takes() -> None:
    """By GitHub's "Syntax for issue forms": a name, a description, and a body of elements with a label and an id."""
    yaml = pytest.importorskip("yaml")
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/phone-measurement.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    asked = [element for element in form["body"] if element["type"] != "markdown"]
    assert {element["type"] for element in asked} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(element["attributes"]["label"] for element in asked)
    assert len({element["id"] for element in asked}) == len(asked)
    assert {"phone", "system", "command", "rows"} <= {element["id"] for element in asked}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The project's set-up alone, in a folder with a space in its name."""
    folder = tmp_path / "my projects"
    (folder / "scripts").mkdir(parents=True)
    for name in ("scripts/setup.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_lint_asks_for_its_own_extra_alone(bare: Path) -> None:
    shutil.copy(ROOT / "Makefile", bare)
    told = subprocess.run(["make", "--dry-run", "lint"], cwd=bare, capture_output=True, text=True, check=True)
    assert re.findall(r"scripts/setup\.sh.*", told.stdout) == ["scripts/setup.sh --only lint"]


@pytest.fixture
def pip(bare: Path) -> Path:
    """In `bare`: an environment whose pip writes its arguments and its standard input into this file."""
    python, said = bare / ".venv/bin/python", bare / "pip.txt"
    python.parent.mkdir(parents=True)
    python.write_text(
        f"""#!/bin/sh
if [ "$1 $2" = "-m pip" ]; then {{ echo "$@"; cat; }} > "{said}"; else exec {shlex.quote(sys.executable)} "$@"; fi
"""
    )
    python.chmod(0o755)
    return said


def test_set_up_of_one_extra_leaves_out_the_core(bare: Path, pip: Path) -> None:
    subprocess.run([bare / "scripts/setup.sh", "--only", "lint"], cwd=bare, check=True, capture_output=True)
    arguments, *requirements = pip.read_text().splitlines()
    assert "--editable" not in arguments
    assert "--constraint constraints.txt" in arguments
    assert requirements == PROJECT["optional-dependencies"]["lint"]


def test_set_up_refuses_an_extra_that_brings_the_core(bare: Path, pip: Path) -> None:
    told = subprocess.run([bare / "scripts/setup.sh", "--only", "dev"], cwd=bare, capture_output=True, text=True)
    assert told.returncode == 2
    assert told.stderr == "setup: dev is not an extra that can be installed without the core\n"
    assert not pip.exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "Python 3.11, 3.12, 3.13 or 3.14 is needed and none is on PATH"),
        ({"PYTHON": "/nowhere/python3.12"}, "/nowhere/python3.12 is not Python 3.11"),
        ({"TORCH": "gpu"}, "TORCH=gpu is not known"),
    ],
)
def test_set_up_says_what_is_missing_before_it_makes_anything(
    bare: Path, tmp_path: Path, variables: dict[str, str], words: str
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "dirname").symlink_to(str(shutil.which("dirname")))
    bash = str(shutil.which("bash"))
    told = subprocess.run(
        [bash, bare / "scripts/setup.sh"], env={"PATH": str(tools), **variables}, capture_output=True, text=True
    )
    assert told.returncode == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not (bare / ".venv").exists()


def imported(path: Path) -> set[str]:
    """The first parts of the names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
    return found


def test_every_room_has_its_floor() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms - {"tests"} == {*FLOORS, *FORMER}


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_takes_nothing_from_those_above_it(room: str) -> None:
    above = {*FLOORS[FLOORS.index(room) + 1 :], *FORMER, "bench", "segment", "train", "tests"}
    for path in (ROOT / room).rglob("*.py"):
        assert not imported(path) & above, f"{path.relative_to(ROOT)} imports {imported(path) & above}"


@pytest.mark.parametrize(
    "module", ["costs.arm", "effects.quality", "training.against", "training.begin", "training.worth"]
)
def test_a_command_is_still_known_by_its_former_name(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
