"""Parcels land once, whole, and are fetched again only where they are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.cluster.parcel import Parcel, Sent, land, pack, pack_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    folder = tmp_path / "people"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "1.png").write_bytes(b"one")
    (folder / "classes.json").write_bytes(b"{}")
    return folder


def test_a_folder_arrives_as_it_was_and_is_fetched_once(folder: Path) -> None:
    parcel, fetched = pack_folder(folder), []

    def fetch(reference: str) -> Parcel:
        fetched.append(reference)
        return parcel

    sent = Sent(parcel.sha256, "somewhere")
    there = land(sent, fetch)
    assert there.name == "people"
    assert (there / "images" / "1.png").read_bytes() == b"one"
    assert land(sent, fetch) == there
    assert fetched == ["somewhere"]

    (there / "classes.json").write_bytes(b"[]")
    assert (land(sent, fetch) / "classes.json").read_bytes() == b"{}"
    assert len(fetched) == 2


def test_the_hash_is_of_names_and_content(folder: Path) -> None:
    one = folder / "classes.json"
    other = folder / "other.json"
    other.write_bytes(one.read_bytes())
    assert pack(one, [one]).sha256 == pack(one, [one]).sha256
    assert len({pack(one, [one]).sha256, pack(other, [other]).sha256, pack(one, [one, other]).sha256}) == 3
