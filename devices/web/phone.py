"""A phone by what its browser says of itself: a name for its rows, and the hazards of a measurement there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

BROWSERS = {
    "Edg": "Edge",
    "EdgA": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "HeadlessChrome": "Headless Chrome",
    "Chrome": "Chrome",
    "Version": "Safari",
}
"""What a user agent calls a browser -> its name; the first that is found holds, for they all claim to be others too."""

COARSE = 0.02
"""Share of the median time that one step of the clock may be."""
SLOW_MS = 25
"""Between two pictures of the display; Safari draws one in 33 ms in low-power mode, and else one in 17 or fewer."""
EMULATOR = re.compile(r"sdk_gphone|Android SDK built for|Emulator", re.IGNORECASE)


def name(facts: Mapping[str, Any]) -> str:
    """Model and browser, such as "Pixel 8 Chrome 130", from the user agent and what the browser told beside it."""
    agent = str(facts.get("user_agent", ""))
    return f"{_model(agent, str(facts.get('model') or ''))} {_browser(agent)}".replace("/", " ")


def hazards(facts: Mapping[str, Any], median_ns: float, unit: str) -> tuple[str, ...]:
    """The hazards that the facts of a configuration show; their meanings are in MEANINGS."""
    agent = str(facts.get("user_agent", ""))
    step, drawn = facts.get("timer_resolution_ns"), facts.get("frame_ms")
    shown = {
        "headless": "Headless" in agent or facts.get("automated") is True,
        "emulator": bool(EMULATOR.search(f"{facts.get('model', '')} {agent}")),
        "hidden-page": facts.get("hidden") is True,
        "coarse-timer": isinstance(step, int | float) and step > COARSE * median_ns,
        "software-gpu": unit == "gpu" and facts.get("software_gpu") is True,
        "slow-display": isinstance(drawn, int | float) and drawn > SLOW_MS,
        "battery": facts.get("charging") is False,
        "no-wake-lock": facts.get("wake_lock") is False,
    }
    return tuple(hazard for hazard, there in shown.items() if there)


MEANINGS = {
    "headless": "the browser was driven by a program, without a screen",
    "emulator": "the phone was an emulator",
    "hidden-page": "the page was in the background for a while, where browsers slow down",
    "coarse-timer": "one step of the browser's clock is more than 2 % of the time that it measured",
    "software-gpu": "WebGPU was computed by the processor",
    "slow-display": "the browser drew at most 40 pictures a second, as in a low-power mode",
    "battery": "the phone ran on its battery",
    "no-wake-lock": "the browser did not promise to keep the screen awake",
    "not-isolated": "the page was not isolated: one thread, and a coarser clock",
}


def _model(agent: str, told: str) -> str:
    if told:
        return told
    for word in ("iPhone", "iPad"):
        if word in agent:
            return word
    # Chromium freezes the model in the user agent to K.
    if (found := re.search(r"Android [\d.]+; ([^;)]+)", agent)) and found[1] not in ("K", "Mobile"):
        return found[1].strip()
    systems = {"Android": "Android", "Macintosh": "Mac", "Windows": "Windows", "CrOS": "ChromeOS", "Linux": "Linux"}
    return next((name for word, name in systems.items() if word in agent), "unknown phone")


def _browser(agent: str) -> str:
    for word, browser in BROWSERS.items():
        if found := re.search(rf"\b{word}/(\d+)(\.\d+)?", agent):
            # Safari's minor version tells what it can do; the others' major one does.
            return f"{browser} {found[1]}{found[2] or ''}" if browser == "Safari" else f"{browser} {found[1]}"
    return "unknown browser"
