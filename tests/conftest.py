"""What every test shares: the random seeds are set, and the caches of the person who runs the tests are not touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _seeded() -> None:
    np.random.seed(0)  # noqa: NPY002 - libraries under test draw from the global generator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ROOT / "tests" / "benchmarks" in item.path.parents:
            item.add_marker(pytest.mark.benchmark)
