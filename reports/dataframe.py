"""The figures of a run as a pandas data frame, for a reader's own questions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reports.rows import Row
from reports.table import figures

if TYPE_CHECKING:
    import pandas


def dataframe(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line a configuration; nested figures get dotted names such as `model.fps`. See `reports.table.figures`."""
    import pandas

    return pandas.json_normalize(figures(rows))
