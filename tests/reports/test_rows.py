"""Rows survive what happens to files: a process killed in the middle of a line, several writers, a later version."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import asdict, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from reports.rows import NEWEST_SCHEMA, NewerSchema, append, from_json, latest, read, to_json
from tests.reports.made_up import emulated, failed, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize("made", [row(), failed(), emulated()])
def test_a_row_comes_back_as_it_went(made, path):
    append(path, made)
    assert read(path) == ([made], [])
    assert from_json(to_json(made)) == made


def test_the_line_is_stable_and_its_keys_are_sorted():
    shuffled = replace(row(), timing=dict(reversed(row().timing.items())))
    assert to_json(shuffled) == to_json(row())
    assert list(json.loads(to_json(row()))) == sorted(asdict(row()))
    assert "\n" not in to_json(replace(failed(), reason="one line\nand another"))


def test_what_json_has_no_word_for_becomes_null():
    made = row(accuracy={"iou": float("nan"), "iou_ci": [float("-inf"), 1.0]})
    assert json.loads(to_json(made))["accuracy"] == {"iou": None, "iou_ci": [None, 1.0]}


@pytest.mark.parametrize("cut", [1, 40, 2000])
def test_a_last_line_cut_short_is_set_aside_and_said(path, cut):
    append(path, row("s4-skip-plain"))
    append(path, row("s16-skip-plain"))
    whole = path.read_bytes()
    broken = whole.splitlines()[1][:-cut]
    path.write_bytes(whole.splitlines()[0] + b"\n" + broken)
    rows, words = read(path)
    assert [r.variant for r in rows] == ["s4-skip-plain"]
    assert len(words) == 1
    assert words[0].startswith("rows.jsonl, line 2:")
    assert "rows.damaged.jsonl" in words[0]
    assert (path.parent / "rows.damaged.jsonl").read_bytes() == broken + b"\n"
    assert read(path) == (rows, []), "the damage is told once, and the file is whole afterwards"


def test_a_row_after_a_cut_line_is_not_glued_to_it(path):
    append(path, row("s4-skip-plain"))
    path.write_bytes(path.read_bytes()[:-30])
    append(path, row("s16-skip-plain"))
    rows, words = read(path)
    assert [r.variant for r in rows] == ["s16-skip-plain"]
    assert len(words) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"null",
        b"{}",
        to_json(row()).replace('"status":"ok"', '"status":"fine"').encode(),
        to_json(row()).replace('"threads":1', '"threads":"one"').encode(),
        to_json(row()).replace('"threads":1', '"threads":true').encode(),
        to_json(row()).replace('"resolution":[256,256]', '"resolution":[256]').encode(),
        to_json(row()).replace('"retries":0', '"retried":0').encode(),
    ],
)
def test_any_damaged_line_is_set_aside_and_the_others_stay(path, line):
    append(path, row("s4-skip-plain"))
    with path.open("ab") as file:
        file.write(line + b"\n")
    append(path, row("s16-skip-plain"))
    rows, words = read(path)
    assert [r.variant for r in rows] == ["s4-skip-plain", "s16-skip-plain"]
    assert len(words) == 1
    assert (path.parent / "rows.damaged.jsonl").read_bytes() == line + b"\n"


def test_damage_of_two_readings_is_kept_together(path):
    for fragment in (b"first", b"second"):
        append(path, row())
        with path.open("ab") as file:
            file.write(fragment)
        read(path)
    assert (path.parent / "rows.damaged.jsonl").read_bytes() == b"first\nsecond\n"


def test_a_newer_schema_is_refused_in_a_sentence_and_nothing_is_touched(path):
    append(path, row())
    newer = json.loads(to_json(row())) | {"schema": NEWEST_SCHEMA + 1, "something": "new"}
    with path.open("a") as file:
        file.write(json.dumps(newer) + "\nand damage\n")
    before = path.read_bytes()
    with pytest.raises(
        NewerSchema, match=rf"line 2: it has schema {NEWEST_SCHEMA + 1} and this version reads up to {NEWEST_SCHEMA}"
    ):
        read(path)
    assert path.read_bytes() == before
    assert isinstance(NewerSchema(), ValueError)


def _write(path: Path, variant: str, together: Barrier) -> None:
    together.wait(timeout=60)
    for _ in range(20):
        append(path, row(variant))


def test_several_writers_lose_nothing(path):
    context = multiprocessing.get_context("spawn")  # other tests have left threads in this process
    together = context.Barrier(2)
    writers = [context.Process(target=_write, args=(path, v, together)) for v in ("s4-skip-plain", "s16-skip-plain")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows, words = read(path)
    assert not words
    assert len(rows) == 40


def test_a_full_disk_leaves_no_half_row(path, monkeypatch):
    append(path, row())
    before = path.read_bytes()
    write = os.write
    monkeypatch.setattr("os.write", lambda file, line: write(file, line[:100]))
    with pytest.raises(OSError, match="nothing was added"):
        append(path, row())
    assert path.read_bytes() == before


def test_the_last_word_of_a_cell_counts():
    other = replace(row(), run="another")
    mended = replace(row(), retries=1)
    assert latest([failed(cell=mended.cell), other, mended]) == [mended, other]
