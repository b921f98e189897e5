"""Reference models as data: an entry of `peers.toml`, checked field by field."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from models.segmenter import ResizeMode
from models.variant import VARIANTS, Resolution

PEERS = Path(__file__).resolve().parent.parent / "peers.toml"

Output = Literal["probabilities", "logits", "class-logits"]
"""What comes out: values in [0, 1]; logits whose sigmoid is the mask; logits of classes whose softmax is to come."""


class BadReferenceModel(ValueError):
    """An entry that is wrong, or a model that it does not describe; its text names the entry and the field."""

    def __init__(self, name: str, field: str, problem: str) -> None:
        super().__init__(f"peers.toml, {name}: {field} {problem}")


@dataclass(frozen=True)
class ReferenceModel:
    """One entry of peers.toml.

    The model's frame is `(rgb - mean) / std` a channel, rgb in [0, 1]. A model in integers gets that through its own
    quantisation, or, where it has none, scaled back to 0..255.
    """

    name: str
    file: str
    """The model: inside the package, or a path, one that is not absolute being relative to peers.toml."""
    sha256: str
    """Of that file; of an OpenVINO model, of the .xml and then the .bin."""
    licence: str
    resolution: Resolution
    """(height, width) of its input."""
    output: Output
    package: str | None = None
    """`npm:NAME@VERSION` or `pypi:NAME==VERSION`; without one, `file` is a path. `made:MODULE` is a network that a
    module of ours makes (`python -m MODULE FILE HEIGHT WIDTH`), whose `digest()` is then what `sha256` pins."""
    source: str = ""
    """Where one reads about it."""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    colour: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channel: int = 0
    """Of several in the output, the one that is the person; -1 is the last."""
    fit: ResizeMode = "stretch"
    """Whether the picture is stretched to the input, or put into its middle with black bars."""
    previous_mask: str | None = None
    """The name of the input for the previous mask (one channel, in [0, 1], of the frame's size); without one, none."""
    output_name: str | None = None
    """The name of the output, where there are several."""
    speed_only: bool = False
    """Whether its weights are as they were drawn: it has a speed, and its masks say nothing."""

    @property
    def format(self) -> Literal["onnx", "tflite", "openvino"]:
        return FORMATS[Path(self.file).suffix]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReferenceModel:
        """An entry of peers.toml with its `name`; also the inverse of `to_dict`, after a trip through JSON."""
        name = str(values["name"])
        known = {f.name: f for f in fields(cls)}
        if unknown := sorted(set(values) - set(known)):
            raise BadReferenceModel(
                name, unknown[0], f"is no field; there are: {', '.join(n for n in known if n != 'name')}"
            )
        for f in known.values():
            if f.default is MISSING and f.name not in values:
                raise BadReferenceModel(name, f.name, "is missing")
        for key, value in values.items():
            right, words = RULES[key]
            if not (right(value) or (value is None and known[key].default is None)):
                raise BadReferenceModel(name, key, f"is {value!r}, not {words}")
        given: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**given)


FORMATS: dict[str, Literal["onnx", "tflite", "openvino"]] = {".onnx": "onnx", ".tflite": "tflite", ".xml": "openvino"}

Rule = tuple[Callable[[Any], bool], str]


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _one_of(kind: Any) -> Rule:
    names = get_args(kind)
    return lambda value: value in names, f"one of {', '.join(names)}"


def _three(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(_number(v) for v in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(type(v) is int and v > 0 for v in value)


def _package(value: Any) -> bool:
    kind, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "made":
        return rest.startswith(("models.", "converters."))
    name, _, version = rest.rpartition({"npm": "@", "pypi": "=="}.get(kind, "?"))
    return bool(name.strip("@") and version)


RULES: dict[str, Rule] = {
    "name": (lambda v: _text(v) and v not in VARIANTS, "a name that no variant has"),
    "file": (lambda v: _text(v) and Path(v).suffix in FORMATS, f"a path that ends in {', '.join(FORMATS)}"),
    "sha256": (lambda v: _text(v) and len(v) == 64 and set(v) <= set("0123456789abcdef"), "64 hexadecimal digits"),
    "licence": (_text, "a text"),
    "resolution": (_size, "[height, width] in pixels"),
    "output": _one_of(Output),
    "package": (_package, "npm:NAME@VERSION, pypi:NAME==VERSION or made:MODULE of models or converters"),
    "source": (lambda v: isinstance(v, str), "a text"),
    "precision": _one_of(Literal["fp32", "fp16", "int8"]),
    "layout": _one_of(Literal["NHWC", "NCHW"]),
    "colour": _one_of(Literal["RGB", "BGR"]),
    "mean": (_three, "three numbers"),
    "std": (lambda v: _three(v) and all(v), "three numbers other than 0"),
    "channel": (lambda v: type(v) is int, "a whole number"),
    "fit": _one_of(ResizeMode),
    "previous_mask": (_text, "an input's name"),
    "output_name": (_text, "an output's name"),
    "speed_only": (lambda v: isinstance(v, bool), "true or false"),
}


def read(path: Path = PEERS) -> dict[str, ReferenceModel]:
    """The reference models of a file by name, in its order. BadReferenceModel or ValueError when it is wrong."""
    try:
        entries = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: {error}") from None
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{path.name}: {name} belongs under a reference model's [name]")
    return {name: ReferenceModel.from_dict({"name": name, **entry}) for name, entry in entries.items()}


def match(pattern: str, path: Path = PEERS) -> tuple[ReferenceModel, ...]:
    """Reference models whose names match a glob, or several separated by commas; `none` is none of them.

    `*` alone means those that have an accuracy too. ValueError when a part matches nothing.
    """
    if pattern == "none":
        return ()
    peers = read(path)
    chosen: set[str] = set()
    for part in pattern.split(","):
        hits = [
            name for name, peer in peers.items() if fnmatchcase(name, part) and not (part == "*" and peer.speed_only)
        ]
        if not hits:
            raise ValueError(f"no reference model matches {part!r}; there are: {', '.join(peers) or 'none'}")
        chosen.update(hits)
    return tuple(peer for name, peer in peers.items() if name in chosen)
