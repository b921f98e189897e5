"""A real browser for the page's tests, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import need


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A headless Chromium, driven by Selenium. Without one the test is skipped, under CI it fails."""
    binaries = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    chromium = next(filter(None, binaries), None)
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        need("needs chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    assert chromium
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(argument)
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()
