"""A picture of the page's beginning, by headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from reports import page

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1160, 1380
"""Of the window, in pixels."""
SECONDS = 120.0


def draw(rows: Path, out: Path) -> None:
    """Make the page of `rows` and put what a window shows of it at `out`. ValueError, one sentence, when it cannot."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if not browser:
        raise ValueError("the picture needs Chromium (Debian: apt install chromium)")
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        html, fresh = Path(folder) / "report.html", Path(folder) / "report.png"
        page.build([rows], html)
        command = [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--screenshot={fresh}",
            html.as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ValueError(f"{browser} took longer than {SECONDS:.0f} s") from None
        if done.returncode or not fresh.exists():
            raise ValueError(f"{browser} drew nothing: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
        shutil.copyfile(fresh, out)
