"""A machine without the extras [openvino] and [coreml], such as Linux on ARM: their rows say why, all else goes on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from converters import coreml, tflite
from converters.artifact import Artifact, Spec
from converters.references import bring, fetch
from devices.open_model import open_model
from models.reference import match
from reports import rows
from tests.conftest import ROOT

HIDDEN = "import sys\nfor name in ('coremltools', 'openvino', 'nncf'):\n    sys.modules[name] = None\n"
"""As sitecustomize.py in every process: none is found or imported."""

COREML = (
    "coremltools has no wheel for Linux on ARM"
    if (platform.system(), platform.machine()) == ("Linux", "aarch64")
    else "coremltools is not installed; this needs the extra [coreml]: run `make setup EXTRAS=coreml`"
) + "; Core ML needs it, on Linux x86-64 or a Mac, with Python 3.11 to 3.13"
OPENVINO = "openvino, nncf are not installed; this needs the extra [openvino]: run `make setup EXTRAS=openvino`"


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [
        ("Linux", "aarch64", "coremltools has no wheel for Linux on ARM; "),
        ("Linux", "x86_64", "coremltools is not installed; this needs the extra [coreml]: run `make setup "),
        ("Darwin", "arm64", "coremltools is not installed; this needs the extra [coreml]: run `make setup "),
    ],
)
def test_it_says_why(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, said: str) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert str(coreml.available()).startswith(said)


def test_a_model_file_needs_its_runtime_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Linux on ARM: nothing can be converted to TFLite, and other people's TFLite models run all the same."""
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert tflite.available() == "litert_torch has no wheel for Linux on ARM"
    (reference,) = match("mediapipe-selfie")
    made = bring(
        reference,
        Spec(
            reference.name,
            Path(reference.file),
            reference.sha256,
            reference.format,
            reference.precision,
            reference.resolution,
        ),
    )
    assert isinstance(made, Artifact)
    assert open_model(reference.name)[1] == reference.resolution
    (ours,) = match("mediapipe-selfie-int8")
    with pytest.raises(ValueError, match="cannot make it here: litert_torch has no wheel for Linux on ARM"):
        fetch(ours)


@pytest.mark.long
def test_the_run_goes_on_and_the_rows_of_absent_formats_say_why(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    asked = [
        "--quick",
        "--variants",
        "s16-skip-plain",
        "--formats",
        "onnx,coreml,openvino",
        "--references",
        "none",
        "--frames",
        "2",
    ]
    command = [sys.executable, str(ROOT / "bench.py"), *asked, "--out", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found, _ = rows.read(tmp_path / "out" / "rows.jsonl")
    assert {row.format: (row.status, row.reason) for row in found} == {
        "onnx": ("ok", None),
        "coreml": ("failed", COREML),
        "openvino": ("failed", OPENVINO),
    }
