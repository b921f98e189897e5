"""The phones that have a name here: catalog.toml, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from devices.contract import Unit

System = Literal["android", "ios"]
CATALOG = Path(__file__).with_name("catalog.toml")


@dataclass(frozen=True)
class Phone:
    """A phone that can be asked for by `key`."""

    key: str
    name: str
    system: System
    recognise: tuple[str, ...]
    """Shell patterns for the model or product identifiers that such a phone gives itself."""
    soc: str
    dot_products: bool
    """Whether its fast cores have NEON's dot products, which int8 kernels use."""
    units: tuple[Unit, ...]
    big_cores: int | None = None
    """The mask of processors to be bound to, one bit each; None asks the phone."""

    def is_one(self, identifiers: Iterable[str]) -> bool:
        """Whether a phone with these identifiers (ro.product.device, ro.product.model, product type) is this one."""
        # adb's own listing writes Pixel_2 for Pixel 2.
        told = [identifier.replace("_", " ") for identifier in identifiers]
        return any(fnmatchcase(one, pattern.replace("_", " ")) for one in told for pattern in self.recognise)


@cache
def phones() -> dict[str, Phone]:
    """Every phone of the catalog by its key, in its order."""
    return parse(tomllib.loads(CATALOG.read_text()))


def find(identifiers: Iterable[str]) -> Phone | None:
    """The catalog's phone with these identifiers, or None: such a phone is reached by its serial."""
    identifiers = tuple(identifiers)
    return next((phone for phone in phones().values() if phone.is_one(identifiers)), None)


def parse(tables: Mapping[str, Any]) -> dict[str, Phone]:
    """The phones of a catalog as TOML gives it; ValueError names the entry that is wrong and how."""
    return {key: _phone(key, values) for key, values in tables.items()}


def _phone(key: str, values: Mapping[str, Any]) -> Phone:
    try:
        mask = values.get("big_cores")
        phone = Phone(
            key=key,
            name=values["name"],
            system=values["system"],
            recognise=tuple(values["recognise"]),
            soc=values["soc"],
            dot_products=bool(values["dot_products"]),
            units=tuple(values["units"]),
            big_cores=int(mask, 16) if mask else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"catalog.toml: {key}: {error} is missing or of the wrong kind") from None
    if phone.system not in get_args(System) or not set(phone.units) <= set(get_args(Unit)):
        raise ValueError(f"catalog.toml: {key}: a system is one of {get_args(System)}, a unit one of {get_args(Unit)}")
    return phone
