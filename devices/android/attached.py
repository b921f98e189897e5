"""Which Android phones are attached, by the catalog's names, and how to reach one."""

from __future__ import annotations

from dataclasses import dataclass

from devices.android.adb import Adb, Listed, attached
from devices.android.runner import AndroidPhone
from devices.catalog import Phone, find


@dataclass(frozen=True)
class Found:
    """An Android device that adb sees; `phone` is its entry in the catalog, where it has one."""

    listed: Listed
    phone: Phone | None

    @property
    def name(self) -> str:
        """What it can be asked for by, whether the catalog knows it or not."""
        return f"adb:{self.listed.serial}"

    @property
    def description(self) -> str:
        model = self.listed.facts.get("model", "an Android device").replace("_", " ")
        return f"{self.phone.name if self.phone else model}, serial {self.listed.serial}"

    def runner(self) -> AndroidPhone:
        """What measures on it, bound to the fast cores that the catalog or else the phone itself tells."""
        return AndroidPhone(Adb(self.listed.serial), self.phone.big_cores if self.phone else None)


def find_all() -> list[Found]:
    """Every Android device that adb sees, also one that cannot be used yet (see `Listed.advice`). Raises NoAdb."""
    return [Found(listed, find(listed.facts.values())) for listed in attached()]


def find_one(name: str) -> Found | None:
    """The device meant by `adb:SERIAL` or by a phone's name in the catalog; None when it is not attached."""
    serial = name.removeprefix("adb:") if name.startswith("adb:") else None
    for found in find_all():
        if serial == found.listed.serial or (found.phone and found.phone.key == name):
            return found
    return None
