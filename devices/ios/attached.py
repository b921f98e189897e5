"""Which iPhones are attached, by the catalog's names, and how to reach one."""

from __future__ import annotations

from dataclasses import dataclass

from devices.catalog import Phone, find
from devices.contract import MeasurementFailed
from devices.ios import devicectl, usbmux
from devices.ios.link import Link, Listed, NoTool
from devices.ios.runner import IPhone


@dataclass(frozen=True)
class Found:
    """An iPhone that was seen; `phone` is its entry in the catalog, where it has one."""

    listed: Listed
    phone: Phone | None
    by_devicectl: bool = False

    @property
    def name(self) -> str:
        """What it can be asked for by, whether the catalog knows it or not."""
        return f"ios:{self.listed.udid}"

    @property
    def description(self) -> str:
        what = self.phone.name if self.phone else self.listed.product or "an iPhone"
        return f"{what}, iOS {self.listed.system or 'unknown'}, {self.listed.udid}"

    def runner(self) -> IPhone:
        """What measures on it."""
        way: Link = devicectl.Devicectl(self.listed.udid) if self.by_devicectl else usbmux.link(self.listed)
        return IPhone(way, self.listed.major)


def find_all() -> list[Found]:
    """Every iPhone within reach, also one that cannot be used yet (see `Listed.advice`).

    devicectl comes first, for iOS 17 and later; usbmuxd knows the others. NoTool when neither answers, with reasons.
    """
    found: dict[str, Found] = {}
    reasons = []
    for ask, by_devicectl in ((devicectl.attached, True), (usbmux.attached, False)):
        try:
            for listed in ask():
                found.setdefault(listed.udid, Found(listed, find([listed.product]), by_devicectl))
        except (NoTool, MeasurementFailed) as reason:
            reasons.append(str(reason))
    if len(reasons) == 2:
        raise NoTool("; ".join(reasons))
    return list(found.values())


def find_one(name: str) -> Found | None:
    """The iPhone meant by `ios:UDID` or by a phone's name in the catalog; None when it is not attached."""
    udid = name.removeprefix("ios:") if name.startswith("ios:") else None
    for found in find_all():
        if udid == found.listed.udid or (found.phone and found.phone.key == name):
            return found
    return None
