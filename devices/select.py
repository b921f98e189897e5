"""From a device's name, as typed after `--device`, to what can run on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from converters.artifact import FORMATS
from devices.catalog import Phone, phones
from devices.contract import UNITS, MeasurementFailed, Runner, Unit
from devices.fleet import Fleet
from devices.plan import BASELINE

ESTIMATE = "estimate:"


@dataclass(frozen=True)
class Attached:
    """A device that can be measured now. `runner` reaches it; `formats` are those it can be given."""

    name: str
    description: str
    formats: tuple[str, ...]
    runner: Callable[[], Runner | Fleet]
    emulated: tuple[str, ...] = ()
    """Formats whose masks it gives and whose times it does not: their configurations disturb each other in nothing."""
    units: tuple[Unit, ...] = ("cpu",)
    """What can be asked of it; whether it can do that is for its runner to say."""
    here: bool = False
    """It computes on this machine, so nothing else may go on here meanwhile."""
    frames: int | None = None
    """How many frames it is given when nobody says; None: all."""


@dataclass(frozen=True)
class NotAttached:
    """A device that is known and cannot be measured now: what was looked for, and what to do, in sentences.

    `formats` and `units` are what it could be given, so that a run on it can be planned. `instead` says what gives a
    figure without it.
    """

    name: str
    looked_for: str
    advice: str
    formats: tuple[str, ...]
    units: tuple[Unit, ...] = ("cpu",)
    instead: str = ""


def names() -> list[str]:
    """Every name that `select` knows, those of single phones (adb:SERIAL, ios:UDID) aside."""
    return ["desktop", "arm64-emulator", "web", *phones()]


def unnamed() -> list[str]:
    """The phones that are here and that no name of the catalog leads to: adb:SERIAL, ios:UDID."""
    named: set[str] = set()
    others = []
    for seen in _seen():
        if seen.phone and seen.phone.key not in named:
            named.add(seen.phone.key)
        else:
            others.append(seen.name)
    return others


def estimated(name: str) -> Attached | NotAttached:
    """A stand-in for the phone called `name`, which gives an estimate and no measurement. ValueError for other names.

    Its own name begins with ESTIMATE, so that none of its rows can be taken for one of the phone's. NotAttached where
    instructions cannot be counted.
    """
    from devices import instructions
    from devices.estimate.published import phones as estimable
    from devices.estimate.runner import Estimator

    if name not in estimable():
        raise ValueError(
            f"nobody published times on {name!r} to estimate from; there are some of {', '.join(estimable())}"
        )
    phone, formats = phones()[name], ("tflite",)
    stand_in = f"{ESTIMATE}{name}"
    if reason := instructions.available():
        return NotAttached(stand_in, reason, "With it, the same command goes on.", formats)
    what = f"{phone.name}, not measured: estimated from ARM instructions and published times"
    return Attached(stand_in, what, formats, lambda: Estimator(phone), emulated=formats, here=True)


def select(name: str) -> Attached | NotAttached:
    """The device called `name`, looked for now. ValueError lists the names when there is none."""
    if name.startswith(ESTIMATE):
        return estimated(name.removeprefix(ESTIMATE))
    if name == "desktop":
        return _desktop()
    if name == "arm64-emulator":
        return _emulator()
    if name == "web":
        return _web()
    phone = phones().get(name)
    what = f"{phone.name} (known by {', '.join(phone.recognise)})" if phone else name
    if name.startswith("adb:") or (phone and phone.system == "android"):
        return _android(name, what)
    if name.startswith("ios:") or phone:
        return _iphone(name, what)
    raise ValueError(f"no device {name!r}; there are: {', '.join(names())}, adb:SERIAL, ios:UDID")


def sustains(name: str, unit: Unit) -> bool:
    """Whether minutes of load can be asked of the device called `name`: this machine, Android's cpu, browsers."""
    return name == "web" or (unit == "cpu" and repeats(name))


def repeats(name: str) -> bool:
    """Whether the device called `name` measures each configuration in a fresh process: this machine, and Android."""
    phone = phones().get(name)
    return name == "desktop" or name.startswith("adb:") or (phone is not None and phone.system == "android")


def _desktop() -> Attached:
    from devices.desktop.runner import Desktop
    from devices.desktop.worker import emulated

    formats = (BASELINE, *FORMATS)
    return Attached("desktop", "this machine", formats, Desktop, tuple(filter(emulated, formats)), here=True)


def _emulator() -> Attached | NotAttached:
    from devices.emulator import FRAMES, Arm64Emulator, available

    if reason := available():
        return NotAttached("arm64-emulator", f"{reason}.", "Install it, and the same command goes on.", ("tflite",))
    what = "AArch64 under qemu: masks and instructions a frame, no times"
    return Attached("arm64-emulator", what, ("tflite",), Arm64Emulator, ("tflite",), here=True, frames=FRAMES)


def _web() -> Attached | NotAttached:
    from devices.web import packages
    from devices.web.runner import Browsers

    formats = ("onnx", "tflite")
    if reason := packages.available():
        return NotAttached(
            "web", f"{reason}.", "Install it, and the same command serves a page to any phone.", formats, UNITS
        )
    what = "any phone's browser: a page is served, its address shown"
    return Attached("web", what, formats, Browsers, units=UNITS)


def _seen() -> list[Found]:
    """Every phone of either system that is here, usable or not; none where nothing can look for them."""
    from devices.android import attached as android
    from devices.android.adb import NoAdb
    from devices.ios import attached as ios
    from devices.ios.link import NoTool

    seen: list[Found] = []
    with suppress(NoAdb, MeasurementFailed):
        seen += android.find_all()
    with suppress(NoTool, MeasurementFailed):
        seen += ios.find_all()
    return seen


def _android(name: str, what: str) -> Attached | NotAttached:
    from devices.android.adb import NoAdb
    from devices.android.attached import find_all, find_one

    formats = ("tflite",)
    try:
        seen, found = find_all(), find_one(name)
    except (NoAdb, MeasurementFailed) as reason:
        advice = "With adb in place, attach the phone by USB."
        return _absent(name, f"Looked for {what}, but {reason}.", advice, formats)
    advice = (
        "Attach it by USB, switch on USB debugging in its developer options, accept the prompt on its screen;"
        " devices/android/README.md tells the rest."
    )
    return _phone(name, what, seen, found, "adb", advice, formats)


def _iphone(name: str, what: str) -> Attached | NotAttached:
    from devices.ios.attached import find_all, find_one
    from devices.ios.link import NoTool

    formats = ("coreml",)
    try:
        seen, found = find_all(), find_one(name)
    except (NoTool, MeasurementFailed) as reason:
        advice = "devices/ios/README.md tells what is needed."
        return _absent(name, f"Looked for {what}, but {reason}.", advice, formats)
    advice = "Attach it by USB, unlock it, trust this computer; devices/ios/README.md tells the rest."
    return _phone(name, what, seen, found, "devicectl and usbmuxd", advice, formats)


def _absent(name: str, looked_for: str, advice: str, formats: tuple[str, ...]) -> NotAttached:
    """A phone that cannot be reached."""
    from devices.estimate.published import phones as estimable

    ways = [f"--device {name} --estimate predicts its speed without it"] if name in estimable() else []
    ways.append("--device web measures the phone in hand, in its browser")
    phone = phones().get(name)
    return NotAttached(name, looked_for, advice, formats, phone.units if phone else UNITS, f"Or: {'; '.join(ways)}.")


class Found(Protocol):
    """A phone that was seen, of either system."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def listed(self) -> Listed: ...

    @property
    def phone(self) -> Phone | None: ...

    def runner(self) -> Runner: ...


class Listed(Protocol):
    @property
    def advice(self) -> str | None: ...


def _phone(
    name: str,
    what: str,
    seen: Sequence[Found],
    found: Found | None,
    where: str,
    advice: str,
    formats: tuple[str, ...],
) -> Attached | NotAttached:
    if found is None:
        others = "; ".join(other.description for other in seen) or "none at all"
        return _absent(name, f"Looked for {what} among the devices of {where}: {others}.", advice, formats)
    units = found.phone.units if found.phone else UNITS
    if found.listed.advice:
        return NotAttached(name, f"Found {found.description}.", f"{found.listed.advice.rstrip('.')}.", formats, units)
    return Attached(name, found.description, formats, found.runner, units=units)
