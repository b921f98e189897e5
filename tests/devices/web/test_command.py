"""The whole command with a browser: a page is served, rows come of it, and Ctrl-C ends it at any time."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import as_from_a_terminal
from tests.devices.web.test_chromium import wait_for
from tests.test_bench import command, pictures, rows_in, weights

__all__ = ["pictures", "weights"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]


@pytest.fixture
def serving(weights: Path, pictures: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, measuring one configuration on whoever opens its page."""
    shape = ("--variants", "s16-skip-plain", "--formats", "onnx", "--resolution", "64x64", "--frames", "2", "--quick")
    asked = ("--device", "web", *shape, "--checkpoints", weights, "--data", pictures, "--json")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command(*asked, "--out", tmp_path / "out"), **pipes, **as_from_a_terminal())
    yield running
    running.kill()
    running.communicate()


def address(running: subprocess.Popen[str]) -> str:
    """The page's, once it is told."""
    assert running.stderr
    said = []
    for line in running.stderr:
        said.append(line)
        if line.startswith("On this machine open"):
            return line.split()[-1]
    raise AssertionError("".join(said))


def test_a_browser_that_opens_the_page_gives_the_run_its_row(serving, browser, tmp_path: Path) -> None:
    browser.get(address(serving))
    wait_for(browser, "return document.body.dataset.state === 'ready' && !document.getElementById('start').disabled")
    browser.find_element("id", "start").click()
    told, said = serving.communicate(timeout=240)
    assert serving.returncode == 0, said
    (row,) = rows_in(tmp_path / "out")
    (configuration,) = json.loads(told)["cells"]
    assert row["status"] == "ok"
    assert row["device"] == configuration["device"]
    assert configuration["device"].startswith("web:")
    assert configuration["model"]["fps"] > 0
    assert "headless" in row["hazards"]
    assert row["device"] in (tmp_path / "out" / "report.html").read_text()
    wait_for(browser, "return document.body.dataset.state === 'done'")


def test_ctrl_c_while_nobody_came_ends_the_command(serving, tmp_path: Path) -> None:
    address(serving)
    serving.send_signal(signal.SIGINT)
    told, said = serving.communicate(timeout=60)
    assert serving.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert told == ""
