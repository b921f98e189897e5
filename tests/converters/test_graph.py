"""What is left in a converted graph."""

from __future__ import annotations

from converters.graph import summary


def test_leftovers_are_counted_under_any_formats_spelling() -> None:
    found = summary(["TRANSPOSE", "Transpose", "CONV_2D", "PadV2", "expand_dims", "Unsqueeze", "CONV_2D"])
    assert found["leftovers"] == {"TRANSPOSE": 2, "PAD": 1, "RESHAPE": 2}
    assert found["ops"]["CONV_2D"] == 2
    assert list(found["ops"]) == sorted(found["ops"])
    assert summary(["CONV_2D", "ADD"])["leftovers"] == {"TRANSPOSE": 0, "PAD": 0, "RESHAPE": 0}
