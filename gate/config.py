"""gate.toml: the configurations and the model files that the gate compares, and the tolerances of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from converters.artifact import FORMATS, PRECISIONS
from devices.contract import Config
from devices.select import names
from models.description import check
from models.files import parse_toml, read_toml
from models.variant import Resolution, get

KEYS = {"variant", "format", "precision", "device", "resolution", "threads", "tolerance"}
"""Keys of a [[configuration]] in gate.toml; the former name of the table, [[cell]], is still read."""
MODEL_KEYS = {"model", "baseline", "description", "threads", "tolerance"}
"""Keys of a [[configuration]] that names a model file."""


@dataclass(frozen=True)
class Tolerance:
    """How much worse a candidate may be. Shares (0.03 for 3 %), and points of IOU and boundary F (0 to 100).

    Of a network with labels, `mean_label_points` are of the mean IOU and `label_points` of the label that lost most.
    """

    slowdown: float = 0.03
    size: float = 0.02
    macs: float = 0.0
    instructions: float = 0.01
    iou_points: float = 0.3
    boundary_points: float = 1.0
    mean_label_points: float = 0.5
    label_points: float = 2.0


@dataclass(frozen=True)
class GateCase:
    """One declared configuration, on the cpu."""

    config: Config
    tolerance: Tolerance = Tolerance()
    default_size: bool = False
    """Whether the resolution is the network's own: the file names none, or that one."""

    @property
    def name(self) -> str:
        return self.config.name


@dataclass(frozen=True)
class ModelCase:
    """One declared model file, of anybody's, on the desktop's cpu. Paths are relative to the folder of gate.toml."""

    model: str
    baseline: str = ""
    """The file it is compared with; empty for the file of its own name in the baseline."""
    threads: int = 1
    description: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a description file, which outweigh those of the file beside the model."""
    tolerance: Tolerance = Tolerance()

    @property
    def name(self) -> str:
        return self.model if self.threads == 1 else f"{self.model} on {self.threads} threads"

    @property
    def before(self) -> str:
        """The path of the file it is compared with."""
        return self.baseline or self.model


Case = GateCase | ModelCase

SizeOf = Callable[[str, Resolution | None], tuple[Resolution, bool]]
"""(variant, the resolution that the file names, if any) -> the resolution, and whether it is the network's own.

ValueError, one sentence, for a variant or a resolution that there is not.
"""


def here(name: str, named: Resolution | None) -> tuple[Resolution, bool]:
    """`SizeOf` for the networks of this checkout."""
    variant = get(name)
    size = named or variant.resolution
    variant.check_resolution(size)
    return size, size == variant.resolution


def of_sizes(sizes: Mapping[str, Resolution]) -> SizeOf:
    """`SizeOf` for the networks of another checkout, given the resolution of each."""

    def size_of(name: str, named: Resolution | None) -> tuple[Resolution, bool]:
        if not named and name not in sizes:
            raise ValueError(f"no variant {name!r}")
        return named or sizes[name], not named

    return size_of


def read(path: Path) -> list[Case]:
    """The declared configurations. ValueError, one sentence, for a file that declares none or is not valid."""
    values = read_toml(path)
    try:
        cases = parse(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not cases:
        raise ValueError(f"{path}: declares no configuration, and an empty gate would always pass")
    return cases


def parse_text(text: str, size_of: SizeOf = here) -> list[Case]:
    """`parse` of the text of a gate.toml."""
    return parse(parse_toml(text), size_of)


def parse(values: Mapping[str, Any], size_of: SizeOf = here) -> list[Case]:
    """The configurations of a parsed gate.toml. A configuration's own tolerances override the common ones."""
    _known(values, {"tolerance", "configuration", "cell"}, "the file")
    common = tolerance(values.get("tolerance", {}), Tolerance())
    listed, former = values.get("configuration", []), values.get("cell", [])
    if not (isinstance(listed, list) and isinstance(former, list)):
        raise ValueError("a configuration begins with [[configuration]], in two pairs of brackets")
    cases = [_case(declared, common, size_of) for declared in [*listed, *former]]
    if len({case.name for case in cases}) < len(cases):
        raise ValueError("a configuration is declared twice")
    return cases


def tolerance(values: Mapping[str, Any], common: Tolerance) -> Tolerance:
    if not isinstance(values, dict):
        raise ValueError(f"tolerances are a table, not {values!r}")
    _known(values, {f.name for f in fields(Tolerance)}, "a tolerance")
    given = {name: points(value) if name.endswith("_points") else share(value) for name, value in values.items()}
    return replace(common, **given)


def share(value: object) -> float:
    """0.03 from "3 %", "3%" or 0.03. ValueError for what is no share, below zero, or 100 % and more.

    A tolerance of 3, meant for 3 %, would be a gate that never says no.
    """
    text = str(value).strip()
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"{text!r} is no share: write it 3% or 0.03") from None
    if not 0 <= number < 1:
        raise ValueError(f"{text!r} is no tolerance: it must be from 0 % to below 100 %, written 3% or 0.03")
    return number


def points(value: object) -> float:
    """Points of IOU or boundary F, of 100. ValueError for anything but such a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 100:
        raise ValueError(f"{value!r} is no number of points from 0 to below 100")
    return float(value)


def _case(values: Mapping[str, Any], common: Tolerance, size_of: SizeOf) -> Case:
    if not isinstance(values, dict):
        raise ValueError(f"a configuration is a table under [[configuration]], not {values!r}")
    return _model_case(values, common) if "model" in values else _gate_case(values, common, size_of)


def _model_case(values: Mapping[str, Any], common: Tolerance) -> ModelCase:
    _known(values, MODEL_KEYS, "a configuration of a model file")
    for name in ("model", "baseline"):
        if name in values and not (isinstance(values[name], str) and values[name]):
            raise ValueError(f"{name} is the path of a model file, not {values[name]!r}")
    described = values.get("description", {})
    if not isinstance(described, dict):
        raise ValueError(f"a description is a table, not {described!r}")
    check(values["model"], described, "gate.toml")
    threads = _threads(values.get("threads", 1))
    its = tolerance(values.get("tolerance", {}), common)
    return ModelCase(values["model"], values.get("baseline", ""), threads, described, its)


def _gate_case(values: Mapping[str, Any], common: Tolerance, size_of: SizeOf) -> GateCase:
    _known(values, KEYS, "a configuration")
    if absent := [name for name in ("variant", "format") if name not in values]:
        raise ValueError(f"a configuration lacks its {absent[0]}; one of a model file has `model`")
    for name in ("variant", "device"):
        if not isinstance(values.get(name, ""), str):
            raise ValueError(f"{name} is a name, not {values[name]!r}")
    if values["format"] not in FORMATS:
        raise ValueError(f"{values['format']!r} is none of {', '.join(FORMATS)}")
    if values.get("precision", "fp32") not in PRECISIONS:
        raise ValueError(f"{values['precision']!r} is none of {', '.join(PRECISIONS)}")
    named = _resolution(values["resolution"]) if "resolution" in values else None
    size, default_size = size_of(str(values["variant"]), named)
    given = {name: value for name, value in values.items() if name != "tolerance"} | {"resolution": size}
    config = Config(**given)
    _threads(config.threads)
    # A name that is mistyped is said now, not after the conversions.
    if config.device not in names() and not config.device.startswith(("adb:", "ios:")):
        raise ValueError(f"no device {config.device!r}; there are: {', '.join(names())}, adb:SERIAL, ios:UDID")
    return GateCase(config, tolerance(values.get("tolerance", {}), common), default_size)


def _threads(value: object) -> int:
    if not isinstance(value, int) or not _whole(value) or value < 1:
        raise ValueError(f"threads is a whole number from 1, not {value!r}")
    return value


def _resolution(value: object) -> Resolution:
    if not (isinstance(value, list) and len(value) == 2 and all(map(_whole, value))):
        raise ValueError(f"a resolution is [height, width], not {value!r}")
    height, width = value
    return height, width


def _whole(value: object) -> bool:
    return type(value) is int


def _known(values: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := sorted(set(values) - names):
        raise ValueError(f"{where} has no {unknown[0]!r}; there are: {', '.join(sorted(names))}")
