"""Hosts of other versions are refused, in a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devices.cluster import versions
from devices.cluster.versions import Versions, differ

OURS = Versions({"devices": "1", "models": "2"}, {"onnxruntime": "1.31.1", "nncf": "3.4.0", "coremltools": None})


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (OURS, None),
        (replace(OURS, code={"devices": "0", "models": "2"}), "another version of this project: devices/ differs"),
        (replace(OURS, code={}), "another version of this project: devices/, models/ differ"),
        (replace(OURS, packages={**OURS.packages, "nncf": "3.3.0"}), "nncf 3.3.0 in place of 3.4.0"),
        (replace(OURS, packages={"onnxruntime": "1.31.1"}), "no nncf in place of 3.4.0"),
        (replace(OURS, packages={**OURS.packages, "coremltools": "9.0"}), "coremltools 9.0, which the driver has not"),
    ],
)
def test_a_difference_is_named(theirs: Versions, words: str | None) -> None:
    assert differ(theirs, OURS) == (f"has {words}" if words else None)


def test_this_checkout_is_like_itself() -> None:
    ours = versions.here()
    assert differ(versions.here(), ours) is None
    assert ours.packages["onnxruntime"]
    assert len(set(ours.code.values())) == len(versions.ROOMS)
