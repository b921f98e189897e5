"""What endangers a number, in the facts that the harness app read on the iPhone; names as on Android."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from devices.contract import Environment
from devices.facts import shown

BATTERY_LEAST = 25
BEFORE_AND_AFTER = ("", "after_")
"""The app reads its facts twice; what changed stands again under this prefix."""

HAZARDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    "thermal": (
        "iOS reports a thermal state above nominal",
        lambda facts: facts.get("thermal_state", "nominal") != "nominal",
    ),
    "battery": (
        f"the battery is at {BATTERY_LEAST} % or less",
        lambda facts: facts.get("battery", 100) <= BATTERY_LEAST,
    ),
    "low-power-mode": ("Low Power Mode is on", lambda facts: facts.get("low_power") is True),
    "debuggable-build": (
        "the harness was built for debugging, its code not optimised",
        lambda facts: facts.get("debug_build") is True,
    ),
    "emulator": ("the device is a simulator", lambda facts: facts.get("simulator") is True),
}
"""Name -> (what it means, whether the facts show it). A fact that could not be read shows nothing."""


def environment(facts: Mapping[str, Any]) -> Environment:
    """The facts with the hazards they show, before or after."""
    either = {name for prefix in BEFORE_AND_AFTER for name in shown(HAZARDS, _view(facts, prefix))}
    return Environment(dict(facts), tuple(name for name in HAZARDS if name in either))


def _view(facts: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in facts.items() if name.startswith(prefix)}
