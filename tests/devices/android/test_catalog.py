"""The phones that have a name."""

from __future__ import annotations

import pytest

from devices.catalog import find, parse, phones


def test_the_two_phones_of_the_article_and_eight_of_today_are_there() -> None:
    assert {"pixel2", "iphone7"} <= set(phones())
    assert len(phones()) >= 10
    assert phones()["pixel2"].big_cores == 0xF0
    assert phones()["iphone7"].units == ("cpu", "gpu")


@pytest.mark.parametrize(
    ("identifiers", "key"),
    [
        (["walleye"], "pixel2"),
        (["usb-thing", "Pixel_2"], "pixel2"),
        (["taimen", "Pixel_2_XL"], None),
        (["SM-S911B"], "galaxy-s23"),
        (["Pixel 9a"], "pixel9a"),
        (["iPhone9,3"], "iphone7"),
        (["iPhone9,2"], None),
        ([], None),
    ],
)
def test_a_phone_is_recognised(identifiers: list[str], key: str | None) -> None:
    found = find(identifiers)
    assert (found.key if found else None) == key


def test_no_two_entries_claim_one_phone() -> None:
    for phone in phones().values():
        plain = [pattern.replace("*", "") for pattern in phone.recognise]
        assert [other.key for one in plain for other in phones().values() if other.is_one([one])] == [phone.key] * len(
            plain
        )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"units": ["tpu"]}, "unit"),
        ({"system": "symbian"}, "system"),
        ({"big_cores": "xyz"}, "xyz"),
        ({"soc": None}, "soc"),
        ({"dot_products": None}, "dot_products"),
    ],
)
def test_a_wrong_entry_is_named(change: dict[str, object], named: str) -> None:
    entry: dict[str, object] = {
        "name": "A",
        "system": "android",
        "recognise": ["a"],
        "soc": "S",
        "dot_products": True,
        "units": ["cpu"],
    }
    entry |= change
    with pytest.raises(ValueError, match=f"mine.*{named}"):
        parse({"mine": {key: value for key, value in entry.items() if value is not None}})
