"""The store of figures: one Parquet file, read and written with DuckDB.

It is replaced whole, under a lock: many processes may add to it, and a crash leaves what was there before. An addition
therefore costs what the file costs to write; docs/fleet.md has figures.
"""

from __future__ import annotations

import glob
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from converters.extras import missing
from models.files import check_outputs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Of DuckDB: what is larger goes through a temporary file, and nothing is fetched from the network."""


@dataclass(frozen=True)
class Figure:
    """One figure of one run. `series` is a configuration or a benchmark; the same figure is kept once.

    A configuration that was measured into one folder again, which is the same run, has a figure for each time.
    """

    series: str
    metric: str
    machine: str
    run: str
    time: str
    revision: str
    value: float


COLUMNS = tuple(f.name for f in fields(Figure))
KINDS = {name: "DOUBLE" if name == "value" else "VARCHAR" for name in COLUMNS}
TIME = r"\d{4}-\d\d-\d\d.*"
RIGHT = " and ".join(
    [*(f"{name} is not null" for name in COLUMNS), "isfinite(value)", "value >= 0", f"time ~ '{TIME}'"]
)
"""What is true of every figure, in SQL."""
KEY = COLUMNS[:5]
"""What one figure is known by; the first that is added stays."""


@dataclass(frozen=True)
class Selection:
    """Which figures: globs of their names, and ISO times from `since` on, to `until` exclusive; "" is no bound."""

    series: str = "*"
    metric: str = "*"
    machine: str = "*"
    since: str = ""
    until: str = ""


ALL = Selection()


@dataclass(frozen=True)
class Summary:
    """The figures of one series and metric on one machine."""

    machine: str
    series: str
    metric: str
    count: int
    median: float
    low: float
    high: float
    first: str
    last: str


def add(store: Path, figures: Iterable[Figure]) -> int:
    """Keep `figures`; returns how many were not there yet. ValueError when `store` is something else, as in `load`."""
    with _opened(store) as database:
        return _add(database, store, figures)


def load(store: Path, selection: Selection = ALL) -> list[Figure]:
    """The figures of `selection`, oldest first, those of one time in the order in which they were added."""
    with _opened(store) as database:
        found = _select(database, store, ", ".join(COLUMNS), selection, "order by time, file_row_number")
        return [Figure(*row) for row in found]


def summarize(store: Path, selection: Selection = ALL) -> list[Summary]:
    """Count, median, extremes and times of each series of `selection`, in the order of their names."""
    columns = "machine, series, metric, count(*), median(value), min(value), max(value), min(time), max(time)"
    with _opened(store) as database:
        found = _select(database, store, columns, selection, "group by all order by machine, series, metric")
        return [Summary(*row) for row in found]


class Unavailable(ValueError):
    """DuckDB is not installed; the text is one sentence."""

    exit_code = 3


def former(store: Path) -> Path:
    """Where the SQLite store of earlier versions lies beside this one."""
    return store.with_suffix(".sqlite")


def place(store: Path) -> Path:
    """The Parquet file that takes the place of `store` where that names a SQLite file of earlier versions."""
    return store.with_suffix(".parquet") if store.suffix == ".sqlite" else store


def exists(store: Path) -> bool:
    return store.is_file() or former(store).is_file()


@contextmanager
def _opened(store: Path) -> Iterator[DuckDBPyConnection]:
    """A database in memory, `store` locked, and what earlier versions kept taken up into it."""
    check_outputs([store])
    if reason := missing("duckdb"):
        raise Unavailable(reason)
    import duckdb

    store.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(store.with_suffix(".lock")), closing(duckdb.connect(config=SETTINGS)) as database:
        try:
            _check(database, store)
            _import(database, store)
            yield database
        except duckdb.Error as error:
            raise ValueError(f"{store}: no store of figures ({_first_line(error)})") from None


def _check(database: DuckDBPyConnection, store: Path) -> None:
    """ValueError, one sentence, where the file holds anything but figures: the page would draw what is none."""
    if not store.exists():
        return
    columns = database.execute("describe select * from read_parquet(?)", [glob.escape(str(store))]).fetchall()
    if {name: kind for name, kind, *_ in columns} != KINDS:
        raise ValueError(f"{store}: has other columns than the figures of this version")
    query = f"select count(*) from read_parquet(?) where ({RIGHT}) is not true"
    ((wrong,),) = database.execute(query, [glob.escape(str(store))]).fetchall()
    if wrong:
        raise ValueError(f"{store}: {wrong} of its figures are damaged; nothing is read from it")


def _select(
    database: DuckDBPyConnection, store: Path, columns: str, selection: Selection, ending: str
) -> list[tuple[Any, ...]]:
    if not store.exists():
        return []
    asked = [f"{name} glob ?" for name in ("series", "metric", "machine")] + ["time >= ?"]
    values = [selection.series, selection.metric, selection.machine, selection.since]
    # Most select by one name: the rest would be compared a million times with "*".
    parts = [(words, value) for words, value in zip(asked, values, strict=True) if value not in ("*", "")]
    if selection.until:
        parts.append(("time < ?", selection.until))
    where = " and ".join(words for words, _ in parts) or "true"
    query = f"select {columns} from read_parquet(?, file_row_number = true) where {where} {ending}"
    return database.execute(query, [glob.escape(str(store)), *(value for _, value in parts)]).fetchall()


def _add(database: DuckDBPyConnection, store: Path, figures: Iterable[Figure]) -> int:
    kinds = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
    database.execute(f"create or replace temp table added ({kinds})")
    once: dict[tuple[Any, ...], Figure] = {}
    for figure in figures:
        once.setdefault(tuple(getattr(figure, name) for name in KEY), figure)
    if once:
        _insert(database, list(map(astuple, once.values())))
    ((wrong,),) = database.execute(f"select count(*) from added where ({RIGHT}) is not true").fetchall()
    if wrong:
        raise ValueError(f"{wrong} of the figures to be added are damaged; nothing was added to {store}")
    database.execute("create or replace temp view known as select * from added where false")
    if store.exists():
        path = glob.escape(str(store)).replace("'", "''")
        database.execute(f"create or replace temp view known as select * from read_parquet('{path}')")
    database.execute(
        "create or replace temp table fresh as select * from added a where not exists"
        f" (select 1 from known k where {' and '.join(f'k.{n} = a.{n}' for n in KEY)}) order by a.rowid"
    )
    ((count,),) = database.execute("select count(*) from fresh").fetchall()
    if count:
        whole = store.with_suffix(".fresh")
        names = ", ".join(COLUMNS)
        try:
            both = f"select {names} from known union all select {names} from fresh"
            database.sql(both).write_parquet(str(whole), compression="zstd")
            _sync(whole)
            os.replace(whole, store)
        except OSError as error:
            raise OSError(f"{store}: cannot be written ({error.strerror}); nothing was added") from None
        finally:
            whole.unlink(missing_ok=True)
    return int(count)


def _insert(database: DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """By columns: a statement for each row takes a thousand times as long."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({name: object for name in COLUMNS if name != "value"})
    database.register("frame", frame)
    database.execute("insert into added select * from frame")
    database.unregister("frame")


def _import(database: DuckDBPyConnection, store: Path) -> None:
    """Take up the figures of the SQLite store once, and keep it under another name."""
    old = former(store)
    if not old.is_file():
        return
    with closing(sqlite3.connect(old)) as source:
        try:
            tables = {name for (name,) in source.execute("select name from sqlite_master where type = 'table'")}
            if tables - {"figures"}:
                raise sqlite3.DatabaseError(f"it is another program's: it has a table {min(tables - {'figures'})}")
            if tuple(row[1] for row in source.execute("pragma table_info(figures)")) not in ((), COLUMNS):
                raise sqlite3.DatabaseError("its table figures has other columns")
            found = source.execute(f"select {', '.join(COLUMNS)} from figures order by time, rowid") if tables else ()
            rows = list(found)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{old}: no store of figures ({error})") from None
    _add(database, store, [Figure(*row) for row in rows])
    names = (old.with_name(f"{old.name}.imported{'-' * bool(n)}{n or ''}") for n in range(1000))
    os.replace(old, next(name for name in names if not name.exists()))


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
