"""From a device's name, as typed after `--device`, to what can run on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from converters.artifact import FORMATS
from devices.catalog import Phone, phones
from devices.contract import UNITS, CellFailed, Runner, Unit
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
    """Formats whose masks it gives and whose times it does not: their cells disturb each other in nothing."""
    units: tuple[Unit, ...] = ("cpu",)
    """What can be asked of it; whether it can do that is for its runner to say."""
    here: bool = False
    """It computes on this machine, so nothing else may go on here meanwhile."""
    frames: int | None = None
    """How many frames it is given when nobody says; None: all."""


@dataclass(frozen=True)
class NotAttached:
    """A device that is known and cannot be measured now: what was looked for, and what to do, in sentences."""

    name: str
    looked_for: str
    advice: str


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


def estimated(name: str) -> Attached:
    """A stand-in for the phone called `name`, which gives an estimate and no measurement. ValueError for other names.

    Its own name begins with ESTIMATE, so that none of its rows can be taken for one of the phone's.
    """
    from devices.estimate.published import published
    from devices.estimate.runner import Estimator

    known = published().get(name)
    if known is None:
        raise ValueError(
            f"{name}: no times of known networks on it are on file, so there is nothing to estimate from;"
            f" there are for {', '.join(published())}"
        )
    what = f"{phones()[name].name}, not measured: a range from published times"
    return Attached(f"{ESTIMATE}{name}", what, ("tflite",), lambda: Estimator(known), here=True)


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


def _desktop() -> Attached:
    from devices.desktop import Desktop
    from devices.worker import emulated

    formats = (BASELINE, *FORMATS)
    return Attached("desktop", "this machine", formats, Desktop, tuple(filter(emulated, formats)), here=True)


def _emulator() -> Attached | NotAttached:
    from devices.emulator import FRAMES, Arm64Emulator, available

    if reason := available():
        return NotAttached("arm64-emulator", f"{reason}.", "Install it, and the same command goes on.")
    what = "AArch64 under qemu: masks and instructions a frame, no times"
    return Attached("arm64-emulator", what, ("tflite",), Arm64Emulator, ("tflite",), here=True, frames=FRAMES)


def _web() -> Attached | NotAttached:
    from devices.web import packages
    from devices.web.runner import Browsers

    if reason := packages.available():
        return NotAttached("web", f"{reason}.", "Install it, and the same command serves a page to any phone.")
    what = "any phone's browser: a page is served, its address shown"
    return Attached("web", what, ("onnx", "tflite"), Browsers, units=UNITS)


def _seen() -> list[Found]:
    """Every phone of either system that is here, usable or not; none where nothing can look for them."""
    from devices.android import attached as android
    from devices.android.adb import NoAdb
    from devices.ios import attached as ios
    from devices.ios.link import NoTool

    seen: list[Found] = []
    with suppress(NoAdb, CellFailed):
        seen += android.find_all()
    with suppress(NoTool, CellFailed):
        seen += ios.find_all()
    return seen


def _android(name: str, what: str) -> Attached | NotAttached:
    from devices.android.adb import NoAdb
    from devices.android.attached import find_all, find_one

    try:
        seen, found = find_all(), find_one(name)
    except (NoAdb, CellFailed) as reason:
        return NotAttached(name, f"Looked for {what}, but {reason}.", "With adb in place, attach the phone by USB.")
    advice = (
        "Attach it by USB, switch on USB debugging in its developer options, accept the prompt on its screen;"
        " devices/android/README.md tells the rest."
    )
    return _phone(name, what, seen, found, "adb", advice, ("tflite",))


def _iphone(name: str, what: str) -> Attached | NotAttached:
    from devices.ios.attached import find_all, find_one
    from devices.ios.link import NoTool

    try:
        seen, found = find_all(), find_one(name)
    except (NoTool, CellFailed) as reason:
        return NotAttached(name, f"Looked for {what}, but {reason}.", "devices/ios/README.md tells what is needed.")
    advice = "Attach it by USB, unlock it, trust this computer; devices/ios/README.md tells the rest."
    return _phone(name, what, seen, found, "devicectl and usbmuxd", advice, ("coreml",))


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
        return NotAttached(name, f"Looked for {what} among the devices of {where}: {others}.", advice)
    if found.listed.advice:
        return NotAttached(name, f"Found {found.description}.", f"{found.listed.advice.rstrip('.')}.")
    units = found.phone.units if found.phone else UNITS
    return Attached(name, found.description, formats, found.runner, units=units)
