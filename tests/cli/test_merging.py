"""`bench.py merge` on folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench import app
from models.scratch import hold
from reports.rows import append, read
from tests.reports.made_up import failed, row


def merge(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["merge", *map(str, arguments)])


@pytest.fixture
def shares(tmp_path: Path) -> list[Path]:
    """Two shares of one run, one row failed."""
    folders = [tmp_path / "1", tmp_path / "2"]
    append(folders[0] / "rows.jsonl", row("s4-skip-plain", run="one"))
    append(folders[0] / "rows.jsonl", failed(run="one"))
    append(folders[1] / "rows.jsonl", row("s16-skip-plain", run="two"))
    return folders


def test_shares_become_one_folder_and_the_same_command_changes_nothing(shares: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "all"
    done = merge(*shares, "--out", out)
    assert done.exit_code == 0, done.output
    assert "3 rows of 2 folders" in done.output
    assert (out / "rows.jsonl").read_bytes() == b"".join((s / "rows.jsonl").read_bytes() for s in shares)
    assert "s16-skip-plain" in (out / "report.html").read_text()
    assert merge(*shares, "--out", out).exit_code == 0
    assert len(read(out / "rows.jsonl")[0]) == 3


def test_what_is_refused_writes_nothing(shares: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "all"
    append(shares[1] / "rows.jsonl", row("s4-skip-plain", run="two"))
    done = merge(*shares, "--out", out)
    assert isinstance(done.exception, ValueError)
    assert row("s4-skip-plain").cell in str(done.exception)
    assert not (out / "rows.jsonl").exists()
    assert not (out / "report.html").exists()


def test_other_rows_are_not_written_over(shares: list[Path], tmp_path: Path) -> None:
    kept = tmp_path / "all" / "rows.jsonl"
    append(kept, row("s32-skip-plain"))
    before = kept.read_bytes()
    done = merge(*shares, "--out", kept.parent)
    assert (done.exit_code, kept.read_bytes()) == (64, before)
    assert "has other rows; give another --out" in done.output


def test_folders_in_use_or_named_twice_are_refused(shares: list[Path], tmp_path: Path) -> None:
    assert "named twice" in merge(shares[0], shares[0]).output
    assert "one of the folders" in merge(*shares, "--out", shares[0]).output
    assert "no rows there" in merge(shares[0], tmp_path, "--out", tmp_path / "all").output
    with hold(shares[1] / "run.lock"):
        done = merge(*shares, "--out", tmp_path / "all")
    assert done.exit_code == 3
    assert f"a run writes into {shares[1]} now" in done.output
