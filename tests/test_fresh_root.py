"""The README's commands on a machine that nobody prepared: scripts/fresh-root.sh, half an hour a system."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, need

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "scripts" / "fresh-root.sh"
QUICK = ("make setup", "make bench BENCH=--quick", "make test")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--suite", "bookworm", *QUICK], id="python3.11"),
        pytest.param(["--suite", "trixie", *QUICK], id="python3.13"),
        pytest.param(["--suite", "trixie", "--no-sys", *QUICK[:2]], id="python3.13-without-sys"),
    ],
)
def test_the_readmes_commands_pass_in_a_bare_root(arguments: list[str], tmp_path: Path) -> None:
    if os.getuid() != 0 or not shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin"):
        need("scripts/fresh-root.sh needs root and debootstrap")
    environment = os.environ | {"FRESH_ROOT": str(tmp_path / "root")}
    try:
        told = subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True)
        assert told.returncode == 0, told.stdout + told.stderr
    finally:
        subprocess.run([SCRIPT, "--drop"], env=environment, check=True)
