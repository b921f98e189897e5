"""From a model file to its description: read, asked about, tried on pictures, and said in sentences."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.inspection import normalisation, trial
from converters.inspection.graph import Graph
from converters.inspection.inputs import Inputs, inputs_of
from converters.inspection.normalisation import USUAL, Normalisation
from converters.inspection.outputs import Mask, kind_of, masks_of
from converters.inspection.told import Question, Told
from converters.reference_session import ReferenceSession, first_line, person, planes
from converters.runtimes import RUNTIMES, Shape, open_runtime
from evaluation.iou import iou
from models.description import LICENCE, beside, is_whole, of_fields, read_fields
from models.peer import FORMATS, ReferenceModel, hash_of
from models.segmenter import enlarge, fitted, no_mask, to_input
from models.variant import VARIANTS

if TYPE_CHECKING:
    from converters.session import Array
    from evaluation.clip import Dataset, Label, Picture

SECONDS = 8.0
"""What all trials of a model may take, about."""
FEWEST, MOST_PICTURES = 4, 16
CLASSES = 2
"""With more classes than these, the person's is asked for where no picture shows it."""


NOTHING = Told()


def describe(path: Path, told: Told = NOTHING, dataset: Dataset | None = None) -> ReferenceModel:
    """The description of the model at `path`.

    Where the graph does not say how to use it, the model runs on pictures of `dataset`, by default the embedded
    sample. Raises Question, which names an option of the command, where they do not show it either, and ValueError for
    a file that is no model.
    """
    try:
        return _describe(path, told, dataset)
    except Question as question:
        raise Question(f"{path.name} {question}.") from None


def model_at(path: Path, told: Told = NOTHING, dataset: Dataset | None = None) -> ReferenceModel:
    """The description of the model at `path`: the answers `told`, then the file beside it, then an inspection."""
    file = beside(path)
    stated = read_fields(file)
    if stated:
        name = _name(path)
        checked = of_fields(name, path, PLACEHOLDERS | stated, file.name)
        if told == NOTHING and is_whole(stated):
            return checked
    return describe(path, told.over(stated), dataset)


PLACEHOLDERS = {"resolution": [1, 1], "output": "probabilities"}
"""Stand for what a description does not state, so that its other fields can be checked."""


def read(path: Path) -> Graph:
    """The graph of a file, by the reader of its format."""
    from importlib import import_module

    try:
        format = FORMATS[path.suffix]
    except KeyError:
        raise ValueError(f"{path}: not a model that can be inspected; known are {', '.join(FORMATS)}") from None
    try:
        return import_module(f"converters.inspection.read_{format}").read(path)
    # Every library has errors of its own for a file it does not like, some of no common class.
    except Exception as error:
        raise ValueError(f"{path}: not a model in {format}: {first_line(error)}") from None


def _describe(path: Path, told: Told, dataset: Dataset | None) -> ReferenceModel:
    graph = read(path)
    inputs = inputs_of(graph, told)
    base = _base(path, graph, inputs, told)
    tries = _Tries(path, base, graph, dataset)
    ways, known = _normalisations(graph, inputs, told)
    raws = {way: tries.run(replace(base, mean=way.mean, std=way.std), len(ways)) for way in ways}
    first = next(iter(raws.values()))[0]
    shapes = {name: tuple(array.shape) for name, array in first.items()}
    given = replace(told, states=tuple(dict(inputs.states).items()))
    masks = masks_of(graph, shapes, inputs.resolution, given)
    guesses = [
        guess
        for way, outputs in raws.items()
        for mask in masks
        for guess in _guesses(base, way, mask, graph, [o[mask.port.name] for o in outputs], told)
    ]
    scores = [tries.score(guess.model, [o[guess.mask.port.name] for o in raws[guess.way]]) for guess in guesses]
    likely = _bounded(guesses, scores)
    guesses, scores = [guesses[i] for i in likely], [scores[i] for i in likely]
    return _conclude(guesses, trial.decide(scores), scores, inputs, tries, known, told)


def _bounded(guesses: Sequence[Guess], scores: Sequence[Sequence[float]]) -> list[int]:
    """The places of the guesses whose values are in [0, 1] though nothing in the graph keeps them there.

    Logits are not, so where such masks show people nothing else is to be considered. All places where there is none.
    """
    bounded = [i for i, g in enumerate(guesses) if g.model.output == "probabilities" and not g.stated]
    shown = any(float(np.mean(scores[i])) >= trial.RECOGNISED for i in bounded)
    return bounded if shown else list(range(len(guesses)))


def _base(path: Path, graph: Graph, inputs: Inputs, told: Told) -> ReferenceModel:
    """The description as far as the inputs go."""
    return ReferenceModel(
        name=_name(path),
        file=str(path.absolute()),
        sha256=hash_of(path),
        licence=LICENCE,
        resolution=inputs.resolution,
        output="probabilities",
        precision=_precision(inputs),
        layout=inputs.layout,
        colour=told.colour or "RGB",
        fit=told.fit or "stretch",
        previous_mask=inputs.previous_mask,
        output_name=graph.outputs[0].name,
        role=told.role or "own",
        input_name=inputs.picture.name,
        stacked_mask=inputs.stacked_mask,
        states=inputs.states,
        constants=inputs.constants,
        origin=path.name,
    )


def _name(path: Path) -> str:
    """What a model is called: its file, without the suffix unless a variant has that name."""
    return path.name if path.stem in VARIANTS else path.stem


def _precision(inputs: Inputs) -> Any:
    kinds = {"float16": "fp16", "int8": "int8", "uint8": "int8" if inputs.picture.scale else "fp32"}
    return kinds.get(inputs.picture.dtype, "fp32")


def _normalisations(graph: Graph, inputs: Inputs, told: Told) -> tuple[Sequence[Normalisation], str]:
    """What is tried, the most usual first, and a sentence where there is no choice."""
    if told.mean or told.std:
        mean, std = told.mean or (0.0, 0.0, 0.0), told.std or (1.0, 1.0, 1.0)
        return [Normalisation("what --mean and --std say", mean, std)], "colours are scaled as was said"
    if found := normalisation.from_graph(inputs.picture, graph.heads.get(inputs.picture.name, ())):
        way, how = found
        return [way], f"colours are {way.name}: {how}"
    if inputs.picture.dtype == "int8":
        raise Question(f"takes {inputs.picture.name} in int8 without a scale; say --mean and --std")
    return USUAL, ""


@dataclass(frozen=True)
class Guess:
    """A whole description, and where it differs from the others."""

    way: Normalisation
    mask: Mask
    model: ReferenceModel
    stated: bool
    """Whether the graph says what the output's values are."""
    person: str
    usual: bool = True
    """Whether it is the one to take where no picture tells."""


def _guesses(
    base: ReferenceModel, way: Normalisation, mask: Mask, graph: Graph, values: Sequence[NDArray[Any]], told: Told
) -> list[Guess]:
    """Every description of one output under one normalisation."""
    kind, stated = kind_of(mask, graph.tails.get(mask.port.name, ()), values)
    kind, stated = (told.output_type, True) if told.output_type else (kind, stated)
    plain = replace(
        base,
        mean=way.mean,
        std=way.std,
        output=kind,
        output_name=mask.port.name,
        output_layout=mask.layout,
    )

    def guess(person: str, usual: bool = True, **fields: Any) -> Guess:
        return Guess(way, mask, replace(plain, **fields), stated, person, usual)

    def classes(*which: int, usual: bool = True) -> Guess:
        word = "class" if len(which) == 1 else "classes"
        return guess(f"{word} {_ranges(which)}", usual, person_classes=which)

    if kind == "class-ids":
        seen = sorted({int(one) for value in values for one in np.unique(value)} - {0})
        if told.person_classes:
            return [classes(*told.person_classes)]
        if len(seen) <= 1:
            return [classes(*(seen or [1])), classes(0, usual=False)]
        return _each(seen, classes)
    if mask.channels == 1:
        return [guess("its values"), guess("the opposite of its values", usual=False, inverted=True)]
    if told.person_classes:
        if max(told.person_classes) >= mask.channels:
            raise Question(f"gives {mask.channels} classes, from 0 on; --person-class names another")
        return [classes(*told.person_classes)]
    if mask.channels == CLASSES:
        return [guess("channel 1", channel=1), guess("channel 0", usual=False, channel=0)]
    return _each(range(mask.channels), classes)


def _each(which: Sequence[int], classes: Any) -> list[Guess]:
    """Each class alone, and all but the background."""
    alone = [classes(one, usual=False) for one in which]
    return [*alone, classes(*[one for one in which if one], usual=False)]


def _ranges(which: Sequence[int]) -> str:
    whole = len(which) > 2 and list(which) == list(range(which[0], which[-1] + 1))
    return f"{which[0]} to {which[-1]}" if whole else ", ".join(map(str, which))


class _Tries:
    """A model in its runtime, and the pictures it is tried on."""

    def __init__(self, path: Path, base: ReferenceModel, graph: Graph, dataset: Dataset | None) -> None:
        self.path = path
        self.base = base
        self.graph = graph
        self.dataset = dataset or _sample()
        self.names = [port.name for port in graph.outputs]
        shapes = _open_shapes(base)
        try:
            self.runtime = open_runtime(base.format, path, 2, shapes)
        except Exception as error:
            raise ValueError(f"{path}: cannot be run by {RUNTIMES[base.format][1]}: {first_line(error)}") from None
        self.pictures: list[tuple[Picture, Label]] = []

    def run(self, model: ReferenceModel, ways: int) -> list[dict[str, Array]]:
        """What all outputs are for each picture, none of which follows another."""
        session = ReferenceSession(model, self.runtime, 2)
        empty = no_mask(model.resolution)
        if not self.pictures:
            self.pictures = _choose(self.dataset, FEWEST)
            self._once(session, self.pictures[0][0], empty)
            began = time.perf_counter()
            self._once(session, self.pictures[0][0], empty)
            took = time.perf_counter() - began
            number = int(np.clip(SECONDS / max(took, 1e-6) / (ways + 1), FEWEST, MOST_PICTURES))
            self.pictures = _choose(self.dataset, number)
        return [self._once(session, picture, empty) for picture, _ in self.pictures]

    def _once(self, session: ReferenceSession, picture: Picture, empty: Any) -> dict[str, Array]:
        frame = session.encode_frame(to_input(fitted(picture, session.resolution, session.resize_mode)))
        try:
            found = self.runtime.infer(session.feed(frame, empty), self.names)
        except Exception as error:
            raise ValueError(f"{self.path}: fails in {self.runtime.name}: {first_line(error)}") from None
        return dict(zip(self.names, (np.array(one) for one in found), strict=True))

    def score(self, model: ReferenceModel, outputs: Sequence[Array]) -> list[float]:
        """The IOU of each picture's mask."""
        assert model.output_name is not None
        assert model.output_layout is not None
        tensor = self.runtime.outputs[model.output_name]
        found = []
        for output, (picture, label) in zip(outputs, self.pictures, strict=True):
            channels = planes(output, model.output_layout, model.resolution)
            channels = channels if model.output == "class-ids" else tensor.decode(channels)
            mask = person(channels, model)
            if model.fit == "letterbox":
                from models.segmenter import unfitted

                mask = unfitted(enlarge(mask, model.resolution), picture.shape[:2], model.fit)
            found.append(iou(enlarge(np.ascontiguousarray(mask, np.float32), label.shape), label))
        return found


def _open_shapes(base: ReferenceModel) -> Mapping[str, Shape]:
    from converters.reference_session import open_shapes

    return open_shapes(base)


def _sample() -> Dataset:
    from evaluation.sample import embedded

    return embedded()


def _choose(dataset: Dataset, number: int) -> list[tuple[Picture, Label]]:
    """So many pictures that show a person, spread over all clips and stills."""
    frames = [(clip, index) for clip in dataset.clips for index in range(len(clip))]
    spread = np.unique(np.linspace(0, len(frames) - 1, min(2 * number, len(frames))).round().astype(int))
    pairs = [frames[at][0].read(frames[at][1]) for at in spread]
    return [pair for pair in pairs if (pair[1] == 1).any()][:: max(1, len(pairs) // number)] or pairs[:number]


def _conclude(
    guesses: Sequence[Guess],
    decision: trial.Decision,
    scores: Sequence[Sequence[float]],
    inputs: Inputs,
    tries: _Tries,
    known: str,
    told: Told,
) -> ReferenceModel:
    """The best guess with its sentences, or the question that is left."""
    data = tries.dataset.name
    assumed, unsure = list(inputs.assumed), list(inputs.unsure)
    if decision.recognised:
        best, rivals = _one_class(guesses[decision.best], [guesses[i] for i in decision.rivals])
        if others := sorted({r.person for r in rivals} - {best.person}):
            if best.mask.channels > CLASSES or best.model.output == "class-ids":
                raise Question(f"shows people of {data} in {best.person} or {others[0]}; say --person-class NUMBER")
            unsure.append(f"{others[0]} may be the person as well")
        if ways := [r for r in rivals if r.way != best.way and r.person == best.person]:
            other = guesses.index(ways[0])
            unsure.append(
                f"colours from {ways[0].way.name} give nearly the same IOU on {data}, "
                f"{100 * float(np.mean(scores[other])):.1f} against {100 * decision.iou:.1f} %; "
                f"{ways[0].way.options} chooses them"
            )
        alike = {g.way for g, row in zip(guesses, scores, strict=True) if _same(row, scores[decision.best])} - {
            best.way
        }
        why = f"other usual ways give the same masks of {data}" if alike else f"they give the best masks of {data}"
        assumed.append(known or f"colours are {best.way.name}: {why}")
    else:
        best = _unrecognised(guesses, decision, data, known)
        assumed.append(known or f"colours are {best.way.name}: no other gives values in [0, 1]")
        mean = 100 * float(np.mean(scores[guesses.index(best)]))
        unsure.append(f"its masks match the people of {data} with an IOU of {mean:.0f} % only")
    model = best.model
    model, more = _colour(model, best, tries, decision, told)
    assumed.append(f"the mask is the output {model.output_name}, {model.output_layout}, {model.output}, {best.person}")
    return replace(model, assumed=tuple(assumed), unsure=(*unsure, *more))


def _one_class(best: Guess, rivals: Sequence[Guess]) -> tuple[Guess, list[Guess]]:
    """The best guess and its rivals, without all classes but the background where one class does as well.

    Where a picture shows nothing but people, the two differ by mistakes alone.
    """
    alike = [guess for guess in (best, *rivals) if guess.way == best.way]
    single = [guess for guess in alike if len(guess.model.person_classes) == 1]
    if len(single) != 1 or best.mask.channels <= CLASSES:
        return best, list(rivals)
    return single[0], [r for r in rivals if len(r.model.person_classes) <= 1 and r is not single[0]]


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return float(np.abs(np.subtract(one, other)).max()) <= trial.SAME


def _unrecognised(guesses: Sequence[Guess], decision: trial.Decision, data: str, known: str) -> Guess:
    """The guess to take where no mask is one of a person. Question where nothing else tells."""
    usual = [guess for guess in guesses if guess.usual]
    best = guesses[decision.best]
    if not usual:
        raise Question(
            f"gives {best.mask.channels} classes, and none shows the people of {data}; say which are a person with "
            "--person-class, and how colours are scaled with --mean and --std"
        )
    if known:
        return usual[0]
    bounded = [guess for guess in usual if guess.model.output == "probabilities" and not guess.stated]
    if len({guess.way for guess in bounded}) == 1:
        return bounded[0]
    raise Question(
        f"gives no mask of the people of {data}, whatever usual way its colours are scaled; say --mean and --std, "
        f"such as {USUAL[0].options} for {USUAL[0].name}"
    )


def _colour(
    model: ReferenceModel, best: Guess, tries: _Tries, decision: trial.Decision, told: Told
) -> tuple[ReferenceModel, list[str]]:
    """The description with the order of its colours."""
    if told.colour or not decision.recognised:
        return model, []
    other = replace(model, colour="BGR")
    outputs = tries.run(other, 1)
    blue = tries.score(other, [output[best.mask.port.name] for output in outputs])
    gain = float(np.mean(blue)) - decision.iou
    if gain > trial.MARGIN:
        return other, [f"its colours are taken for BGR, which gives {100 * gain:.1f} points of IOU more"]
    if gain > 0.005:
        return model, [f"BGR would give {100 * gain:.1f} points of IOU more; --colour BGR chooses it"]
    return model, []
