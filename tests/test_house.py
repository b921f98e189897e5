"""The repository's own promises about itself."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import check_hashes
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


APART = ("ray",)
"""What `make test` does not install, for its size."""

TREE_PINS = {pin.name: next(iter(pin.specifier)).version for pin in TREE}


@pytest.mark.parametrize("pin", PINS, ids=str)
def test_what_runs_is_what_is_pinned(pin: Requirement) -> None:
    if pin.marker and not pin.marker.evaluate():
        pytest.skip(f"{pin.name} has no wheel for this system")
    if pin.name in APART and find_spec(pin.name) is None:
        pytest.skip(f"{pin.name} is not installed: its extra is no part of [test]")
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
    for name in (
        "scripts/setup.sh",
        "scripts/check_hashes.py",
        "pyproject.toml",
        "constraints.txt",
        "requirements.lock",
    ):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_lint_asks_for_its_own_extra_alone(bare: Path) -> None:
    shutil.copy(ROOT / "Makefile", bare)
    told = subprocess.run(["make", "--dry-run", "lint"], cwd=bare, capture_output=True, text=True, check=True)
    assert re.findall(r"scripts/setup\.sh.*", told.stdout) == ["scripts/setup.sh --only lint"]


@pytest.fixture
def pip(bare: Path) -> Path:
    """In `bare`: an environment whose pip adds its arguments, and the requirements, to this file.

    It reports to have installed what lies in `bare`/report.json.
    """
    python, said = bare / ".venv/bin/python", bare / "pip.txt"
    python.parent.mkdir(parents=True)
    (bare / "report.json").write_text('{"install": []}')
    python.write_text(
        f"""#!/bin/sh
if [ "$1 $2" != "-m pip" ]; then exec {shlex.quote(sys.executable)} "$@"; fi
echo "$@" >> "{said}"
while [ $# -gt 0 ]; do
  case $1 in
    --requirement) cat "$2" >> "{said}" ;;
    --report) cp "{bare}/report.json" "$2" ;;
  esac
  shift
done
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


def reported(bare: Path, name: str, version: str, digest: str) -> None:
    archive = {"url": "https://host/x.whl", "archive_info": {"hashes": {"sha256": digest}}}
    about = {"install": [{"metadata": {"name": name, "version": version}, "download_info": archive}]}
    (bare / "report.json").write_text(json.dumps(about))


def hash_of(pin: str) -> str:
    return min(check_hashes.locked((ROOT / "requirements.lock").read_text())[pin])


def test_set_up_installs_wheels_and_then_the_project_without_what_it_needs(bare: Path, pip: Path) -> None:
    reported(bare, "NumPy", TREE_PINS["numpy"], hash_of(f"numpy=={TREE_PINS['numpy']}"))
    subprocess.run([bare / "scripts/setup.sh", "train,web"], cwd=bare, check=True, capture_output=True)
    first, *lines, last = pip.read_text().splitlines()
    assert "--only-binary :all:" in first
    extras = PROJECT["optional-dependencies"]
    assert lines == [*PROJECT["dependencies"], *extras["train"], *extras["web"], "setuptools"]
    assert last.endswith("--no-deps --no-build-isolation --editable .")


def test_extras_that_name_extras_are_resolved(bare: Path, pip: Path) -> None:
    subprocess.run([bare / "scripts/setup.sh", "dev"], cwd=bare, check=True, capture_output=True)
    asked = set(pip.read_text().splitlines())
    assert {line for extra in ("train", "web", "lint") for line in PROJECT["optional-dependencies"][extra]} <= asked
    assert not any(line.startswith(PROJECT["name"]) for line in asked)


@pytest.mark.parametrize(
    ("name", "version", "digest", "words"),
    [
        ("numpy", None, "0" * 64, "numpy=={version} has the hash 000"),
        ("numpy", "0.1", "0" * 64, "numpy==0.1 is not pinned"),
        ("numpi", "1.0", "0" * 64, "numpi==1.0 is not pinned"),
        ("evil", "1.0+cpu", "0" * 64, "evil==1.0+cpu is not pinned"),
    ],
)
def test_an_archive_with_another_hash_ends_set_up(bare, pip, name, version, digest, words) -> None:
    version = version or TREE_PINS[name]
    reported(bare, name, version, digest)
    told = subprocess.run([bare / "scripts/setup.sh"], cwd=bare, capture_output=True, text=True)
    assert told.returncode == 2
    assert words.format(version=version) in told.stderr
    assert not (bare / ".venv").exists()
    assert "--editable" not in pip.read_text()


def test_a_build_without_cuda_is_said_not_to_be_checked(bare: Path, pip: Path) -> None:
    reported(bare, "torch", f"{TREE_PINS['torch']}+cpu", "0" * 64)
    told = subprocess.run([bare / "scripts/setup.sh"], cwd=bare, capture_output=True, text=True, check=True)
    assert f"torch=={TREE_PINS['torch']}+cpu is no build of the public index: its hash is not checked" in told.stderr


def test_the_lock_has_hashes_of_every_pin() -> None:
    locked = check_hashes.locked((ROOT / "requirements.lock").read_text())
    assert locked.keys() == {f"{name}=={version}" for name, version in TREE_PINS.items()}
    assert all(locked.values())


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
