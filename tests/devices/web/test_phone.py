"""What a phone is called, and what spoils a number there."""

from __future__ import annotations

import pytest

from devices.web.phone import MEANINGS, hazards, name

ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
OLD_ANDROID = "Mozilla/5.0 (Linux; Android 11; Pixel 2) AppleWebKit/537.36 Chrome/88.0.4324.93 Mobile Safari/537.36"
SAMSUNG = "Mozilla/5.0 (Linux; Android 14; SM-S921B) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 15_8 like Mac OS X) AppleWebKit/605 Version/15.6.1 Mobile Safari/604.1"
CHROME_ON_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) CriOS/126.0.6478.54 Mobile Safari/604.1"


@pytest.mark.parametrize(
    ("agent", "model", "expected"),
    [
        (ANDROID, "Pixel 8", "Pixel 8 Chrome 130"),
        (ANDROID, "", "Android Chrome 130"),
        (OLD_ANDROID, "", "Pixel 2 Chrome 88"),
        (SAMSUNG, "", "SM-S921B Samsung Internet 25"),
        (IPHONE, None, "iPhone Safari 15.6"),
        (CHROME_ON_IPHONE, None, "iPhone Chrome 126"),
        ("", None, "unknown phone unknown browser"),
        (ANDROID, "a/b", "a b Chrome 130"),
    ],
)
def test_a_phone_is_called_by_model_and_browser(agent: str, model: str | None, expected: str) -> None:
    assert name({"user_agent": agent, "model": model}) == expected


@pytest.mark.parametrize(
    ("facts", "unit", "shown"),
    [
        ({}, "cpu", ()),
        ({"user_agent": "X HeadlessChrome/1"}, "cpu", ("headless",)),
        ({"automated": True}, "cpu", ("headless",)),
        ({"model": "sdk_gphone64_arm64"}, "cpu", ("emulator",)),
        ({"hidden": True}, "cpu", ("hidden-page",)),
        ({"timer_resolution_ns": 1_000_000}, "cpu", ("coarse-timer",)),
        ({"timer_resolution_ns": 100_000}, "cpu", ()),
        ({"software_gpu": True}, "cpu", ()),
        ({"software_gpu": True}, "gpu", ("software-gpu",)),
        ({"charging": False, "wake_lock": False}, "cpu", ("battery", "no-wake-lock")),
        ({"frame_ms": 33.3}, "cpu", ("slow-display",)),
        ({"frame_ms": 16.7}, "cpu", ()),
        ({"frame_ms": None}, "cpu", ()),
        ({"charging": True, "wake_lock": True}, "cpu", ()),
    ],
)
def test_hazards_follow_from_facts(facts: dict, unit: str, shown: tuple[str, ...]) -> None:
    assert hazards(facts, 10_000_000, unit) == shown
    assert set(shown) <= set(MEANINGS)
