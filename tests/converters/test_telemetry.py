"""Nothing calls home: every look-up and connection of every process is refused and noted."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

REFUSING = """
import os, socket, sys
def refuse(*what, **_):
    with open(os.environ["CALLS"], "a") as file:
        file.write(f"{sys.argv[:2]} {what}\\n")
    raise OSError("refused by a test")
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse
connect = socket.socket.connect
def only_local(self, address):
    return connect(self, address) if self.family == socket.AF_UNIX else refuse(address)
socket.socket.connect = only_local
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The file of noted calls; the home folder is empty and apart from the cache."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(REFUSING)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    return tmp_path / "calls"


def noted(calls):
    return calls.read_text() if calls.exists() else ""


def run(*command):
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)


def test_the_test_sees_a_call(calls):
    run("-c", "import socket; socket.getaddrinfo('example.org', 80)")
    assert "example.org" in noted(calls)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "ending"), [("openvino", "xml"), ("onnx", "onnx")])
def test_a_conversion_to_int8_and_its_parity_call_nobody_and_leave_the_home_folder_alone(
    calls, tmp_path, format, ending
):
    shape = ("--format", format, "--precision", "int8", "--resolution", "64x64")
    done = run("bench.py", "convert", "live", *shape, "--out", str(tmp_path / f"made.{ending}"))
    assert done.returncode == 0, done.stderr
    assert noted(calls) == ""
    assert [path.name for path in (tmp_path / "home").rglob("*")] == []
    assert {path.name for path in (tmp_path / "cache").iterdir()} <= {"segmentation-bench", "matplotlib"}
