"""What the user says about a model, and the question that is asked where nothing can be inferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from models.reference import Output, OutputLayout, Pairs, Role, classes_of
from models.segmenter import ResizeMode
from models.variant import Resolution


class Question(ValueError):
    """What an inspection cannot find out, with the option that answers it; one sentence."""


@dataclass(frozen=True)
class Told:
    """Answers: None, or nothing, where the inspection is to find out by itself."""

    resolution: Resolution | None = None
    input_layout: Literal["NHWC", "NCHW"] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    colour: Literal["RGB", "BGR"] | None = None
    fit: ResizeMode | None = None
    output: str | None = None
    output_layout: OutputLayout | None = None
    output_type: Output | None = None
    person_classes: tuple[int, ...] = ()
    labels: Pairs[int | tuple[int, ...]] = ()
    states: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, float], ...] = ()
    role: Role | None = None

    def __bool__(self) -> bool:
        return self != Told()

    @property
    def of_person(self) -> Told:
        """The same without labels: their classes, but those of background, are then the person's."""
        parts = [one for name, which in classes_of(self.labels).items() if name != "background" for one in which]
        return replace(self, labels=(), person_classes=self.person_classes or tuple(sorted(parts)))

    def over(self, stated: Mapping[str, Any]) -> Told:
        """These answers, and where there is none, what the fields of a description state."""
        frozen = {key: _frozen(stated[key]) for key in NAMES.keys() & stated.keys()}
        given = {NAMES[key]: value for key, value in frozen.items()}
        mine = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return replace(Told(), **given | mine)


NAMES = {name: name for name in ("resolution", "mean", "std", "colour", "fit", "output_layout", "role")} | {
    "layout": "input_layout",
    "output_name": "output",
    "output": "output_type",
    "person_classes": "person_classes",
    "labels": "labels",
    "states": "states",
    "constants": "constants",
}
"""Field of a description -> the answer that it is."""


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((name, _frozen(one)) for name, one in value.items())
    return tuple(value) if isinstance(value, list) else value
