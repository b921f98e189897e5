"""A small network in both of a browser's formats, the runtimes from npm, and a headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Format, Precision
from devices.contract import Config, Job, Unit
from models.variant import VARIANTS
from tests.conftest import need
from tests.devices.android.conftest import adb_server, make_phone  # noqa: F401 - fixtures
from tests.devices.shallow import COUNTS, RESOLUTION, SEQUENCES, convert, waves

SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="session")
def packages() -> None:
    """The runtimes, fetched as the lock file says when they are not there."""
    from devices.web import packages

    need(packages.available())
    try:
        packages.install()
    except packages.NoPackages as reason:
        need(str(reason))


@pytest.fixture(scope="session")
def models(shallow_tflite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Path]:
    return {"tflite": shallow_tflite, "onnx": convert(tmp_path_factory.mktemp("models"), "onnx")}


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Path]:
    """A shallow network with nine labels and random weights, in both formats."""
    shallow = replace(VARIANTS["live-parts"], depths=(1, 1, 1), resolution=RESOLUTION)
    folder = tmp_path_factory.mktemp("parts")
    return {"tflite": convert(folder, "tflite", variant=shallow), "onnx": convert(folder, "onnx", variant=shallow)}


@pytest.fixture
def frames() -> np.ndarray:
    return waves()


@pytest.fixture
def ask(frames: np.ndarray, tmp_path: Path) -> Callable[..., Job]:
    """Makes a job for a model."""
    frames.tofile(tmp_path / "frames.u8")

    def make(model: Path, format: Format, unit: Unit = "cpu", threads: int = 1, precision: Precision = "fp32") -> Job:
        config = Config("shallow", format, precision, RESOLUTION, "web", unit, threads)
        return Job(config, model, tmp_path / "frames.u8", SEQUENCES, COUNTS)

    return make


@pytest.fixture(scope="session")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """Opens a headless Chromium with arguments; without one the test is skipped, under CI it fails."""
    binaries = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    chromium, driver = next(filter(None, binaries), None), shutil.which("chromedriver")
    if not chromium or not driver:
        need("needs chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with ExitStack() as stack:

        def make(*arguments: str) -> webdriver.Chrome:
            options = webdriver.ChromeOptions()
            options.binary_location = str(chromium)
            usual = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking")
            for argument in (*usual, "--no-first-run", f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
                options.add_argument(argument)
            for argument in arguments:
                options.add_argument(argument)
            browser = webdriver.Chrome(options=options, service=Service(driver))
            browser.set_window_size(390, 844)
            stack.callback(browser.quit)
            return browser

        yield make


@pytest.fixture(scope="session")
def browser(open_browser: Callable):
    return open_browser()
