"""What the devices' tests share: one conversion serves them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.devices.shallow import convert


@pytest.fixture(scope="session")
def shallow_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tmp_path_factory.mktemp("shallow"), "tflite")


@pytest.fixture(scope="session")
def shallow_int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tmp_path_factory.mktemp("shallow"), "tflite", "int8")
