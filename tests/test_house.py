"""The repository's own promises about itself."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("pin", PINS)
def test_what_runs_is_what_is_pinned(pin: str) -> None:
    name, pinned = re.fullmatch(r"([\w-]+)==([\w.]+)", pin).groups()  # type: ignore[union-attr]
    assert version(name).split("+")[0] == pinned
