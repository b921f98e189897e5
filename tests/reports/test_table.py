"""The table on a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from reports.rows import Row
from reports.table import summary
from tests.reports.made_up import row

FIGURES = re.compile(r"^s\S+ .* \d+\.\d +\d+\.\d +\d+\.\d +\d+\.\d \d\.\d\d$", re.MULTILINE)


def shown(width: int, *rows: Row) -> str:
    stream = io.StringIO()
    Console(width=width, file=stream).print(summary(rows))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_figures_are_never_cut_and_long_names_are_folded(width: int) -> None:
    made = row("s16-skip-dense", "onnx")
    text = shown(width, made, row("s4-skip-plain", "tflite"), row("s16-skip-dense", "openvino"))
    assert len(FIGURES.findall(text)) == 3
    name = "somebody-elses-network-of-quite-a-name"
    told = shown(width, replace(made, variant=name))
    assert "".join(line.split(" ")[0] for line in told.splitlines()[3:]) == name
    assert "…" not in text + told
