"""Networks without training: a speed, and nothing that could be taken for an accuracy."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from cli.untrained import untrained
from models.variant import VARIANTS

SMALL = """
stem = 4
widths = [8, 8, 8]
depths = [0, 0, 0]
decoder = [4, 4, 4]
head = "plain"
resolution = [64, 64]
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    before = dict(VARIANTS)
    yield tmp_path / "cache"
    VARIANTS.clear()
    VARIANTS.update(before)


def test_equal_networks_have_equal_weights_drawn_once(cache: Path) -> None:
    one = untrained("s32-skip-plain")["s32-skip-plain"]
    written = one.path.stat().st_mtime_ns
    assert untrained("s32-skip-*")["s32-skip-plain"] == one
    assert one.path.stat().st_mtime_ns == written
    assert one.untrained


@pytest.mark.long
def test_a_network_of_a_file_is_timed_and_has_no_accuracy(cache: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "tiny.toml").write_text(SMALL)
    options = (
        "--formats",
        "pytorch",
        "--references",
        "none",
        "--quick",
        "--out",
        str(tmp_path / "out"),
        "--frames",
        "4",
    )
    monkeypatch.setattr(sys, "argv", ["bench.py", "--untrained", str(tmp_path / "tiny.toml"), *options])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code in (0, None), capsys.readouterr().err
    (row,) = [json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    assert (row["variant"], row["status"], row["resolution"]) == ("tiny", "ok", [64, 64])
    assert row["network"]["speed_only"] is True
    assert row["network"]["parameters"] > 0
    assert "iou" not in row["accuracy"]
    assert row["timing"]["model_ns"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("stem = 5", "multiple of 4"), ("steam = 4", "unknown variant fields: steam"), ("stem", "tiny.toml: ")],
)
def test_a_wrong_file_is_told_in_a_sentence(cache: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "tiny.toml").write_text(text)
    with pytest.raises(ValueError, match=words) as told:
        untrained(str(tmp_path / "tiny.toml"))
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="no variant matches"):
        untrained("none-such")
    with pytest.raises(ValueError, match="there is no such file"):
        untrained(str(tmp_path / "absent.toml"))
