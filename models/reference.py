"""Models that are not this project's own, as data: an entry of `references.toml` or a file such as `mine.onnx.toml`."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from models.bounds import LARGEST, MOST_CLASSES, MOST_SIDE_OF_OTHERS
from models.files import read_toml, refuse_special
from models.labels import LABELS
from models.segmenter import ResizeMode
from models.variant import VARIANTS, Resolution

REFERENCES = Path(__file__).resolve().parent.parent / "references.toml"
FORMER = REFERENCES.with_name("peers.toml")
"""The file's former name: entries of yours there are still read, for one release."""

Output = Literal["probabilities", "pixels", "logits", "class-logits", "class-ids"]
"""What comes out: values in [0, 1]; values in [0, 255]; logits whose sigmoid is the mask; logits of classes whose
softmax is to come; the number of a class at each pixel."""

OutputLayout = Literal["NHWC", "NCHW", "flat-NHWC", "flat-NCHW"]
"""Where the channels of an output are; a flat one has its height and width in one dimension, or all in one."""

Role = Literal["reference", "own"]
"""Somebody else's, shown for comparison; or the user's, which is on the Pareto front and can be recommended."""


class BadReferenceModel(ValueError):
    """An entry that is wrong, or a model that it does not describe; its text names the entry and the field."""

    def __init__(self, name: str, field: str, problem: str, origin: str = REFERENCES.name) -> None:
        where = f"{origin}, {name}" if origin in (REFERENCES.name, FORMER.name) else origin
        super().__init__(f"{where}: {field} {problem}")


@dataclass(frozen=True)
class ReferenceModel:
    """How a model takes its picture and what it gives: an entry of references.toml, or the description of any file.

    The model's frame is `(rgb - mean) / std` a channel, rgb in [0, 1]. A model in integers gets that through its own
    quantisation, or, where it has none, scaled back to 0..255.
    """

    name: str
    file: str
    """The model: inside the package, or a path, one that is not absolute being relative to references.toml."""
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
    role: Role = "reference"
    input_name: str | None = None
    """The name of the input for the picture, where there are inputs of another use."""
    output_layout: OutputLayout | None = None
    """None: that of the input."""
    person_classes: tuple[int, ...] = ()
    """Of an output of classes, those that are a person; where one of them is the likeliest, the mask is above 0.5."""
    labels: Pairs[int | tuple[int, ...]] = ()
    """(label of `models.labels`, its class or classes) of an output of several classes: it is then judged by its labels
    too. Classes that none of them names are background."""
    inverted: bool = False
    """Whether the mask is that of the background."""
    stacked_mask: bool = False
    """Whether the picture's input has a fourth channel, for the previous mask in [0, 1]."""
    states: Pairs[str] = ()
    """(input, output) of each recurrent state: zeros at first, and then what the output gave for the frame before."""
    constants: Pairs[float] = ()
    """(input, value) of inputs that are the same for every frame."""
    assumed: tuple[str, ...] = ()
    """What an inspection found out about the model, a sentence each."""
    unsure: tuple[str, ...] = ()
    """What of that may be wrong."""
    origin: str = REFERENCES.name
    """Who says all this: the file that an error message names."""

    @property
    def format(self) -> Literal["onnx", "tflite", "openvino"]:
        return FORMATS[Path(self.file).suffix]

    def to_dict(self) -> dict[str, Any]:
        """All fields; `labels` only where there are any, so that what is kept by a mask's description is found."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("labels", ())}

    @property
    def label_classes(self) -> dict[str, tuple[int, ...]]:
        """The classes of each label."""
        return classes_of(self.labels)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReferenceModel:
        """An entry of references.toml with its `name`; also the inverse of `to_dict`, after a trip through JSON."""
        name, origin = str(values["name"]), str(values.get("origin", REFERENCES.name))
        known = {f.name: f for f in fields(cls)}
        if unknown := sorted(set(values) - set(known)):
            names = ", ".join(n for n in known if n not in UNWRITTEN)
            raise BadReferenceModel(name, unknown[0], f"is no field; there are: {names}", origin)
        for f in known.values():
            if f.default is MISSING and f.name not in values:
                raise BadReferenceModel(name, f.name, "is missing", origin)
        for key, value in values.items():
            right, words = RULES[key]
            if not (right(value) or (value is None and known[key].default is None)):
                raise BadReferenceModel(name, key, f"is {value!r}, not {words}", origin)
        return cls(**{key: _frozen(value) for key, value in values.items()})

    def wrong(self, field: str, problem: str) -> BadReferenceModel:
        """The error for a field that does not describe the model."""
        return BadReferenceModel(self.name, field, problem, self.origin)


def classes_of(labels: Pairs[int | tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The classes of each label of a description."""
    return {name: classes if isinstance(classes, tuple) else (classes,) for name, classes in labels}


UNWRITTEN = ("name", "origin")
"""Fields that no file states: the entry's place says them."""


def _frozen(value: Any) -> Any:
    """What TOML or JSON holds, as the tuples of a frozen dataclass."""
    if isinstance(value, Mapping):
        value = list(value.items())
    return tuple(_frozen(one) for one in value) if isinstance(value, list | tuple) else value


FORMATS: dict[str, Literal["onnx", "tflite", "openvino"]] = {".onnx": "onnx", ".tflite": "tflite", ".xml": "openvino"}

INSTEAD = {
    **dict.fromkeys(
        (".pt", ".pth", ".pt2"),
        "is PyTorch's and is not run here; torch.onnx.export writes its network as .onnx (docs/your-network.md)",
    ),
    ".mlpackage": "is a Core ML package, and of these only this project's own are run; give the .onnx file instead",
}
"""Suffix of a model that cannot be described -> what to do, the end of a sentence."""

T = TypeVar("T")
Pairs = tuple[tuple[str, T], ...]
Rule = tuple[Callable[[Any], bool], str]


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _one_of(kind: Any) -> Rule:
    names = get_args(kind)
    return lambda value: value in names, f"one of {', '.join(names)}"


def _three(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(_number(v) for v in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _size(value: Any) -> bool:
    sides = range(1, MOST_SIDE_OF_OTHERS + 1)
    return isinstance(value, list | tuple) and len(value) == 2 and all(type(v) is int and v in sides for v in value)


def _classes(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(type(v) is int and 0 <= v < MOST_CLASSES for v in value)


def _divisors(value: Any) -> bool:
    return _three(value) and all(abs(v) >= 1 / LARGEST for v in value)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)


def _pairs(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A table, or a list of pairs, of names and what `right` accepts."""

    def rule(value: Any) -> bool:
        items = value.items() if isinstance(value, Mapping) else value
        try:
            return all(_text(name) and right(other) for name, other in items)
        except (TypeError, ValueError):
            return False

    return rule


def _labels(value: Any) -> bool:
    """A table, or a list of pairs, of our labels and their classes, none of which is named twice."""
    if not isinstance(value, Mapping | list | tuple):
        return False
    items = list(value.items() if isinstance(value, Mapping) else value)
    if not _pairs(lambda which: _classes(which if isinstance(which, list | tuple) else [which]))(items):
        return False
    names = [name for name, _ in items]
    named = [one for _, which in items for one in (which if isinstance(which, list | tuple) else [which])]
    return set(names) <= set(LABELS) and len(set(names)) == len(names) and len(set(named)) == len(named)


PACKAGES = (
    r"npm:(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@[0-9]+\.[0-9A-Za-z.+-]+",
    r"pypi:[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.!+]*",
    r"made:(models|converters)(\.[a-z_][a-z0-9_]*)+",
)
"""Names and exact versions: a registry's client would also take folders, addresses and its own options."""


def _package(value: Any) -> bool:
    return isinstance(value, str) and any(re.fullmatch(pattern, value) for pattern in PACKAGES)


RULES: dict[str, Rule] = {
    "name": (lambda v: _text(v) and v not in VARIANTS, "a name that no variant has"),
    "file": (lambda v: _text(v) and Path(v).suffix in FORMATS, f"a path that ends in {', '.join(FORMATS)}"),
    "sha256": (lambda v: _text(v) and len(v) == 64 and set(v) <= set("0123456789abcdef"), "64 hexadecimal digits"),
    "licence": (_text, "a text"),
    "resolution": (_size, f"[height, width] in pixels, at most {MOST_SIDE_OF_OTHERS}"),
    "output": _one_of(Output),
    "package": (_package, "npm:NAME@VERSION, pypi:NAME==VERSION or made:MODULE of models or converters"),
    "source": (lambda v: isinstance(v, str), "a text"),
    "precision": _one_of(Literal["fp32", "fp16", "int8"]),
    "layout": _one_of(Literal["NHWC", "NCHW"]),
    "colour": _one_of(Literal["RGB", "BGR"]),
    "mean": (_three, f"three numbers of at most {LARGEST:g}"),
    "std": (_divisors, f"three numbers of {1 / LARGEST:g} to {LARGEST:g}"),
    "channel": (lambda v: type(v) is int, "a whole number"),
    "fit": _one_of(ResizeMode),
    "previous_mask": (_text, "an input's name"),
    "output_name": (_text, "an output's name"),
    "speed_only": (lambda v: isinstance(v, bool), "true or false"),
    "role": _one_of(Role),
    "input_name": (_text, "an input's name"),
    "output_layout": _one_of(OutputLayout),
    "person_classes": (_classes, f"numbers of classes, below {MOST_CLASSES}"),
    "labels": (_labels, f"a table of labels and their classes, each once; labels are {', '.join(LABELS)}"),
    "inverted": (lambda v: isinstance(v, bool), "true or false"),
    "stacked_mask": (lambda v: isinstance(v, bool), "true or false"),
    "states": (_pairs(_text), "a table of inputs and their outputs"),
    "constants": (_pairs(_number), "a table of inputs and their numbers"),
    "assumed": (_texts, "sentences"),
    "unsure": (_texts, "sentences"),
    "origin": (_text, "a file's name"),
}


def read(path: Path = REFERENCES) -> dict[str, ReferenceModel]:
    """The reference models of a file by name, in its order.

    A wrong entry is left out, and a sentence on stderr says so, once. ValueError when the file is no TOML.
    """
    found: dict[str, ReferenceModel] = {}
    for file in (path, FORMER) if path == REFERENCES and FORMER.is_file() else (path,):
        entries, problems = read_all(file, file.stat().st_mtime_ns)
        for problem in problems:
            _say(problem)
        found |= {name: one for name, one in entries.items() if name not in found}
    return found


@cache
def _say(problem: str) -> None:
    """A sentence on stderr, once in a process."""
    print(f"{problem}; it is left out.", file=sys.stderr)


@cache
def read_all(path: Path, written: int) -> tuple[dict[str, ReferenceModel], tuple[str, ...]]:
    """The right entries of a file that was `written` at that time (ns), and a sentence for each wrong one."""
    tables = read_toml(path)
    entries, problems = {}, []
    former = {"origin": FORMER.name} if path == FORMER else {}
    for name, table in tables.items():
        try:
            if not isinstance(table, dict):
                raise ValueError(f"{path.name}: {name} belongs under a reference model's [name]")
            entries[name] = ReferenceModel.from_dict({"name": name, **former, **_with_hash(table, path.parent)})
        except ValueError as problem:
            problems.append(str(problem))
    return entries, tuple(problems)


def _with_hash(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """An entry with the hash of its file, where it names a local one and no hash."""
    file = folder / str(table.get("file"))
    if "sha256" in table or "package" in table or not file.is_file():
        return dict(table)
    return {"sha256": hash_of(file), **table}


def hash_of(path: Path) -> str:
    """sha256 of a model file and then of what goes with it: OpenVINO's .bin, the external data of an ONNX model."""
    from models import external_data

    refuse_special(path)
    beside = [path.with_suffix(".bin")] if path.suffix == ".xml" else []
    if path.suffix == ".onnx":
        beside = [path.parent / name for name in external_data.locations(path)]
    digest = hashlib.sha256(path.read_bytes())
    for file in filter(Path.is_file, beside):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def match(pattern: str, path: Path = REFERENCES) -> tuple[ReferenceModel, ...]:
    """Reference models whose names match a glob, or several separated by commas; `none` is none of them.

    `*` alone means those that have an accuracy too. ValueError when a part matches nothing.
    """
    if pattern == "none":
        return ()
    references = read(path)
    chosen: set[str] = set()
    for part in pattern.split(","):
        hits = [
            name
            for name, reference in references.items()
            if fnmatchcase(name, part) and not (part == "*" and reference.speed_only)
        ]
        if not hits:
            raise ValueError(f"no reference model matches {part!r}; there are: {', '.join(references) or 'none'}")
        chosen.update(hits)
    return tuple(reference for name, reference in references.items() if name in chosen)
