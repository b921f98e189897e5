"""From a device's name, as typed after `--device`, to what can run on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from converters.artifact import FORMATS
from devices.catalog import Phone, phones
from devices.contract import CellFailed, Runner
from devices.plan import BASELINE


@dataclass(frozen=True)
class Attached:
    """A device that can be measured now. `runner` reaches it; `formats` are those it can be given."""

    name: str
    description: str
    formats: tuple[str, ...]
    runner: Callable[[], Runner]
    emulated: tuple[str, ...] = ()
    """Formats whose masks it gives and whose times it does not: their cells disturb each other in nothing."""


@dataclass(frozen=True)
class NotAttached:
    """A device that is known and cannot be measured now: what was looked for, and what to do, in sentences."""

    name: str
    looked_for: str
    advice: str


def names() -> list[str]:
    """Every name that `select` knows, adb:SERIAL aside."""
    return ["desktop", "arm64-emulator", *phones()]


def select(name: str) -> Attached | NotAttached:
    """The device called `name`, looked for now. ValueError lists the names when there is none."""
    if name == "desktop":
        return _desktop()
    if name == "arm64-emulator":
        return _emulator()
    if name.startswith("adb:"):
        return _android(name, f"an Android device with the serial {name.removeprefix('adb:')}")
    if phone := phones().get(name):
        return _iphone(phone) if phone.system == "ios" else _android(name, _description(phone))
    raise ValueError(f"no device {name!r}; there are: {', '.join(names())}, and adb:SERIAL")


def _desktop() -> Attached:
    from devices.desktop import Desktop
    from devices.worker import emulated

    formats = (BASELINE, *FORMATS)
    return Attached("desktop", "this machine", formats, Desktop, tuple(filter(emulated, formats)))


def _emulator() -> Attached | NotAttached:
    from devices.emulator import Arm64Emulator, available

    if reason := available():
        return NotAttached("arm64-emulator", f"{reason}.", "Install it, and the same command goes on.")
    what = "AArch64 under qemu: masks and instructions a frame, no times"
    return Attached("arm64-emulator", what, ("tflite",), Arm64Emulator, ("tflite",))


def _android(name: str, what: str) -> Attached | NotAttached:
    from devices.android.adb import NoAdb
    from devices.android.attached import find_all, find_one

    try:
        found, seen = find_one(name), find_all()
    except (NoAdb, CellFailed) as reason:
        return NotAttached(name, f"Looked for {what}, but {reason}.", "With adb in place, attach the phone by USB.")
    if found is None:
        others = ", ".join(other.description for other in seen) or "none at all"
        return NotAttached(
            name,
            f"Looked for {what} among the devices of adb: {others}.",
            "Attach it by USB, switch on USB debugging in its developer options, accept the prompt on its screen.",
        )
    if advice := found.listed.advice:
        return NotAttached(name, f"Found {found.description}.", f"{advice}.")
    return Attached(name, found.description, ("tflite",), found.runner)


def _iphone(phone: Phone) -> NotAttached:
    return NotAttached(
        phone.key,
        f"Looked for {_description(phone)}: iPhones cannot be reached yet.",
        "Its Core ML artifacts can be checked without it: --device desktop --formats coreml.",
    )


def _description(phone: Phone) -> str:
    return f"{phone.name} (known by {', '.join(phone.recognise)})"
