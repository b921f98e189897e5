"""The options that say how somebody's model is used, for every command that takes one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli.options import option
from models.bounds import LARGEST, MOST_CLASSES

if TYPE_CHECKING:
    from converters.inspection.told import Told


def _three(text: str) -> tuple[float, ...]:
    """One number for all colours, or three."""
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3) or not all(abs(number) <= LARGEST for number in numbers):
        raise ValueError(f"{text!r} is not one number or three, such as 0.485,0.456,0.406")
    return numbers * 3 if len(numbers) == 1 else numbers


def _divisors(text: str) -> tuple[float, ...]:
    numbers = _three(text)
    if not all(abs(number) >= 1 / LARGEST for number in numbers):
        raise ValueError(f"{text!r} has a zero, or nearly one, and colours are divided by it")
    return numbers


def _classes(text: str) -> tuple[int, ...]:
    """Numbers of classes, and ranges of them: 15 or 1-5 or 1,3."""
    classes: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{text!r} is no class; write 15, or 1-5, or 1,3")
        low, high = (int(word[:9]) for word in (first, last if dash else first))
        if not low <= high < MOST_CLASSES:
            raise ValueError(f"{text!r} is no class; classes go from 0 to {MOST_CLASSES - 1:,}, a range goes up")
        classes += range(low, high + 1)
    return tuple(classes)


def _labels(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Labels and their classes: hair=1,clothes=4+5."""
    from models.labels import LABELS

    pairs = [part.strip().partition("=") for part in text.split(",")]
    named = [name for name, _, _ in pairs]
    if wrong := next((name for name in named if name not in LABELS), None):
        raise ValueError(f"{wrong!r} is none of our labels: {', '.join(LABELS)}")
    found = tuple((name, _classes(which.replace("+", ","))) for name, _, which in pairs)
    classes = [one for _, which in found for one in which]
    if len(set(named)) < len(named) or len(set(classes)) < len(classes):
        raise ValueError(f"{text!r} names a label or a class twice")
    return found


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.rpartition("=")
    if not (name and sign and value):
        raise ValueError(f"{text!r} is no pair, such as r1i=r1o")
    return name, value


def _number(text: str) -> tuple[str, float]:
    name, value = _pair(text)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST:
        raise ValueError(f"{text!r} ends in no number, as downsample_ratio=0.25 does")
    return name, number


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is none of {', '.join(names)}")
        return text

    return parse


def _options() -> dict[str, Any]:
    """Answer -> its option's annotation."""
    from models.reference import Output, OutputLayout, Role
    from models.segmenter import ResizeMode

    def one(flag: str, parse: Callable[[str], Any], metavar: str, words: str) -> Any:
        made = typer.Option(flag, parser=option(parse), metavar=metavar, help=words, rich_help_panel="Your model")
        return Annotated[Any, made]

    def several(flag: str, parse: Callable[[str], Any], metavar: str, words: str) -> Any:
        made = typer.Option(flag, parser=option(parse), metavar=metavar, help=words, rich_help_panel="Your model")
        return Annotated[list[Any], made]

    def names(kind: Any) -> tuple[Callable[[str], str], str]:
        return _one_of(*get_args(kind)), "|".join(get_args(kind))

    return {
        "input_layout": one("--input-layout", _one_of("NHWC", "NCHW"), "L", "A model of yours: NHWC or NCHW."),
        "mean": one("--mean", _three, "R,G,B", "Its colours are (rgb - mean) / std, rgb from 0 to 1."),
        "std": one("--std", _divisors, "R,G,B", "See --mean; 0.0039216 gives it 0 to 255."),
        "colour": one("--colour", _one_of("RGB", "BGR"), "C", "The order of its colours: RGB or BGR."),
        "fit": one("--resize-mode", *names(ResizeMode), "How a picture is brought to its sides."),
        "output": one("--output", str, "NAME", "The output that is its mask, of several."),
        "output_layout": one("--output-layout", *names(OutputLayout), "How its mask lies."),
        "output_type": one("--output-type", *names(Output), "What the values of its mask are."),
        "person_classes": one("--person-class", _classes, "N", "The class that is a person, or several: 1-5 or 1,3."),
        "labels": one("--output-labels", _labels, "MAP", "Its classes as our labels: hair=1,face=3,clothes=4+5."),
        "states": several("--state", _pair, "IN=OUT", "A recurrent state: its input and its output."),
        "constants": several("--constant", _number, "IN=X", "An input that is always the same number."),
        "role": one("--role", *names(Role), "Yours, or a reference model to compare with."),
    }


def with_answers(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose parameter `told` is made of all these options."""
    known = _options()

    @wraps(command)
    def filled(*arguments: Any, **values: Any) -> Any:
        from converters.inspection.told import Told

        given = {name: values.pop(name) for name in known}
        return command(*arguments, told=_told(given, Told), **values)

    parameters = [
        p
        for p in inspect.signature(command, eval_str=True, locals={"Told": object}).parameters.values()
        if p.name != "told"
    ]
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=[] if name in ("states", "constants") else None,
            annotation=annotation,
        )
        for name, annotation in known.items()
    ]
    filled.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    filled.__annotations__ = {p.name: p.annotation for p in parameters}
    del filled.__wrapped__  # type: ignore[attr-defined]
    return filled


def _told(given: dict[str, Any], kind: type[Told]) -> Told:
    answers: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v}
    return kind(**answers)
