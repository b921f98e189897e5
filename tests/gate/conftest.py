"""What the gate's tests share."""

from __future__ import annotations

import pytest

from reports import gitinfo
from tests.conftest import need


@pytest.fixture
def checkout() -> None:
    """Only in a git checkout; from an archive of the sources these tests are skipped, with the reason."""
    reason = gitinfo.no_checkout()
    need(f"this test reads commits of this repository, and {reason}" if reason else None)
