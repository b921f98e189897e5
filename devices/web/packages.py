"""The JavaScript runtimes: fetched by npm as the lock file says, and which of their files a page may have."""

from __future__ import annotations

import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

from converters.extras import missing
from converters.fetching import say_fetching

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
NPM_SECONDS = 600.0

SERVED = (
    "@litertjs/core/dist/index.js",
    "@litertjs/core/wasm/*.js",
    "@litertjs/core/wasm/*.wasm",
    "@litertjs/wasm-utils/dist/index.js",
    "onnxruntime-web/dist/ort.wasm.min.mjs",
    "onnxruntime-web/dist/ort.webgpu.min.mjs",
    "onnxruntime-web/dist/ort-wasm-*.mjs",
    "onnxruntime-web/dist/ort-wasm-*.wasm",
    "onnxruntime-web-plain/dist/ort.wasm.min.js",
    "onnxruntime-web-plain/dist/ort-wasm.wasm",
    "qrcode-generator/dist/qrcode.mjs",
)

RELATIVE = {
    "@litertjs/core/dist/index.js": (b'from "@litertjs/wasm-utils"', b'from "../../wasm-utils/dist/index.js"'),
}
"""A package's name inside a module means nothing to a worker, which has no import map: it is replaced by the path."""


class NoPackages(Exception):
    """The runtimes are not there and could not be fetched; the text says why, in one sentence."""


def available() -> str | None:
    """None when a page can be served: by the packages of the extra, with runtimes that are there or that npm can fetch.

    Otherwise what is missing, in words.
    """
    npm = None if _installed() or shutil.which("npm") else "npm is not installed (Debian: npm; others: nodejs.org)"
    return "; ".join(filter(None, (missing("segno", "starlette", "trustme", "uvicorn"), npm))) or None


def install() -> None:
    """Fetch what package-lock.json names (some 300 MB, once), unless it is there. Raises NoPackages."""
    if _installed():
        return
    if reason := available():
        raise NoPackages(reason)
    say_fetching("the runtimes of the page (some 300 MB)", "npm")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command,
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoPackages(f"npm ci took longer than {NPM_SECONDS:.0f} s") from None
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if "error" in line] or ["nothing"]
        raise NoPackages(f"npm ci failed in {HERE} and said: {words[0][:300]}")
    _stamp().write_bytes(_lock().read_bytes())


def read(name: str) -> bytes | None:
    """One of SERVED as a page takes it; None for every other name."""
    path = MODULES / name
    if ".." in name or not any(fnmatchcase(name, pattern) for pattern in SERVED) or not path.is_file():
        return None
    content = path.read_bytes()
    return content.replace(*RELATIVE[name]) if name in RELATIVE else content


def _installed() -> bool:
    return _stamp().is_file() and _stamp().read_bytes() == _lock().read_bytes()


def _lock() -> Path:
    return HERE / "package-lock.json"


def _stamp() -> Path:
    return MODULES / ".installed"
