"""What every test shares: the random seeds are set, and the caches of the person who runs the tests are not touched."""

from __future__ import annotations

import os
import platform
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two workers with as many threads each as there are processors wait for each other: these tests take four times as
    # long then. Read when PyTorch is first imported, here and in every child.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


def need(missing: str | None) -> None:
    """Skip where a tool is missing; under CI, where every tool is installed, that is a failure."""
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def need_coreml() -> None:
    """Skip where coremltools is missing. Linux on ARM has none, and there CI does not fail for it either."""
    from converters import coreml

    reason = coreml.available()
    if reason and (platform.system(), platform.machine()) == ("Linux", "aarch64"):
        pytest.skip(reason)
    need(reason)


def shebang() -> str:
    """The first lines of an executable Python script. `#!` with this interpreter's path would end at a space in it."""
    return f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} \"$0\" \"$@\"\n' '''\n"


def as_from_a_terminal() -> dict[str, Any]:
    """For Popen: a group of its own that hears Ctrl-C, also where the tests themselves run in the background."""
    return {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}


@pytest.fixture(scope="session")
def qemu() -> str:
    """The emulator, with a kit for it."""
    from devices import emulator
    from devices.aarch64_runner import build

    need(emulator.available())
    try:
        build.build()
        build.build_plugin(emulator.QEMU)
    except build.CannotBuild as reason:
        need(str(reason))
    return emulator.QEMU


@pytest.fixture(autouse=True)
def _seeded() -> None:
    np.random.seed(0)  # noqa: NPY002 - libraries under test draw from the global generator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ROOT / "tests" / "benchmarks" in item.path.parents:
            item.add_marker(pytest.mark.benchmark)
