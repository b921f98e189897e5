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
from converters.patience import patience
from converters.reference_session import ReferenceSession, first_line, person, planes
from converters.runtimes import RUNTIMES, Shape, open_runtime
from evaluation.iou import iou
from models.description import LICENCE, PLACEHOLDERS, beside, is_whole, of_fields, read_fields
from models.reference import FORMATS, INSTEAD, ReferenceModel, hash_of
from models.segmenter import enlarge, fitted, no_mask, to_input
from models.variant import VARIANTS

if TYPE_CHECKING:
    from converters.session import Array
    from evaluation.clip import Dataset, Label, Picture

SECONDS = 16.0
"""What all trials of a model may take, about."""
BYTES = 1 << 30
"""What the outputs that are kept of all trials may take, about."""
FEWEST, MOST_PICTURES = 6, 16
SHOWN = 3
"""How many of a model's classes are tried as the person's."""
POSSIBLE = 0.3
"""By how much of mean IOU on a few pictures a description may be worse than the best, to be right."""
CONSIDERED = 0.1
"""By how much of mean IOU a way to scale colours may be worse than the best, to be tried in BGR as well."""
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
    """The description of the model at `path`: from the options, else from its description file, else by inspection."""
    file = beside(path)
    stated = read_fields(file)
    if stated:
        name = _name(path)
        checked = of_fields(name, path, PLACEHOLDERS | stated, file.name)
        if told == NOTHING and is_whole(stated):
            return checked
    return describe(path, told.over(stated), dataset)


def read(path: Path) -> Graph:
    """The graph of a file, by the reader of its format."""
    from importlib import import_module

    try:
        format = FORMATS[path.suffix]
    except KeyError:
        known = f"is not a model that can be inspected; known are {', '.join(FORMATS)}"
        raise ValueError(f"{path}: {INSTEAD.get(path.suffix, known)}") from None
    try:
        return import_module(f"converters.inspection.read_{format}").read(path)
    # Every library has errors of its own for a file it does not like, some of no common class.
    except Exception as error:
        raise ValueError(f"{path}: not a model in {format}: {first_line(error)}") from None


def _describe(path: Path, told: Told, dataset: Dataset | None) -> ReferenceModel:
    if told.labels:
        return replace(_describe(path, told.of_person, dataset), labels=told.labels)
    graph = read(path)
    inputs = inputs_of(graph, told)
    base = _base(path, graph, inputs, told)
    tries = _Tries(path, base, graph, dataset)
    ways, known = _normalisations(graph, inputs, told)
    ways = [way.reversed for way in ways] if told.colour == "BGR" and not (told.mean or told.std) else ways
    raws = {way: tries.run(replace(base, mean=way.mean, std=way.std), len(ways)) for way in ways}
    first = next(iter(raws.values()))[0]
    shapes = {name: tuple(array.shape) for name, array in first.items()}
    given = replace(told, states=tuple(dict(inputs.states).items()))
    masks = masks_of(graph, shapes, inputs.resolution, given)
    guesses: Sequence[Guess] = [
        guess
        for way, outputs in raws.items()
        for mask in masks
        for guess in _guesses(base, way, mask, graph, [o[mask.port.name] for o in outputs], told, tries)
    ]
    if not guesses:
        raise Question("gives masks of one value a pixel, and --person-class names a class")
    # Many classes under many scales: most of them are ruled out by a few pictures.
    few = slice(None, None, max(1, len(tries.pictures) // FEWEST))
    guesses = _likely(guesses, [tries.score(g, raws[g.way], few) for g in guesses])
    scores: Sequence[Sequence[float]] = [tries.score(g, raws[g.way]) for g in guesses]
    guesses, scores, order = _ordered(guesses, scores, tries, told)
    described = _conclude(guesses, trial.decide(scores), scores, inputs, tries, known)
    return replace(described, unsure=(*described.unsure, *order))


def _likely(guesses: Sequence[Guess], scores: Sequence[Sequence[float]]) -> Sequence[Guess]:
    """The guesses that may be right by their scores on a few pictures; all where none shows people.

    Where values are in [0, 1] though nothing in the graph keeps them there, they are no logits: if such masks show
    people, nothing else is to be considered.
    """
    means = [float(np.mean(row)) for row in scores]
    bounded = [i for i, g in enumerate(guesses) if g.model.output == "probabilities" and not g.stated]
    if not any(means[i] >= trial.RECOGNISED for i in bounded):
        bounded = list(range(len(guesses)))
    best = max(means[i] for i in bounded)
    least = best - POSSIBLE if best >= trial.RECOGNISED else 0.0
    return [guesses[i] for i in bounded if means[i] >= least]


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
    if scaling := graph.scalings.get(inputs.picture.name) if inputs.picture.dtype.startswith("float") else None:
        way, how = normalisation.from_metadata(inputs.picture, scaling)
        return [way], f"colours are {way.name}: {how}"
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
    base: ReferenceModel,
    way: Normalisation,
    mask: Mask,
    graph: Graph,
    values: Sequence[NDArray[Any]],
    told: Told,
    tries: _Tries,
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
        return _each(tries.shown(plain, values, seen), seen, classes)
    if mask.channels == 1 and told.person_classes:
        return []
    if mask.channels == 1:
        return [guess("its values"), guess("the opposite of its values", usual=False, inverted=True)]
    if told.person_classes:
        if max(told.person_classes) >= mask.channels:
            raise Question(f"gives {mask.channels} classes, from 0 on; --person-class names another")
        return [classes(*told.person_classes)]
    if mask.channels == CLASSES:
        return [guess("channel 1", channel=1), guess("channel 0", usual=False, channel=0)]
    real = tries.runtime.outputs[mask.port.name].decode
    pictures = [real(planes(value, mask.layout, base.resolution)) for value in values]
    whole = {"probabilities": 1.0, "pixels": 255.0}.get(kind)
    if whole and not _adds_up(pictures[0], whole):
        return [guess(f"channel {one}", usual=False, channel=one) for one in range(mask.channels)]
    alphas = [] if stated or kind == "probabilities" else _bounded(pictures)
    return [
        *_each(tries.shown(plain, values, range(mask.channels)), range(mask.channels), classes),
        *(guess(f"channel {one}", usual=False, channel=one, output="probabilities") for one in alphas),
    ]


def _bounded(channels: Sequence[NDArray[Any]]) -> list[int]:
    """The channels of several pictures, (C, H, W) each, that are in [0, 1] beside others that are not: an alpha."""
    low, high = (np.array([over(one, axis=(1, 2)) for one in channels]) for over in (np.min, np.max))
    return [int(one) for one in np.flatnonzero((low.min(axis=0) >= -0.01) & (high.max(axis=0) <= 1.01))]


def _adds_up(channels: NDArray[Any], whole: float) -> bool:
    """Whether channels (C, H, W) are shares of `whole`, as those of classes are; a picture and its alpha are not."""
    return bool(np.abs(channels.sum(axis=0) - whole).mean() < 0.05 * whole)


def _each(shown: Sequence[int], every: Sequence[int], classes: Any) -> list[Guess]:
    """Each class of those `shown` alone, and all but the background."""
    alone = [classes(one, usual=False) for one in shown]
    return [*alone, classes(*[one for one in every if one], usual=False)]


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
            with patience(path):
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
            with patience(self.path):
                self._once(session, self.pictures[0][0], empty)
            began = time.perf_counter()
            once = self._once(session, self.pictures[0][0], empty)
            took = time.perf_counter() - began
            number = int(np.clip(SECONDS / max(took, 1e-6) / (ways + 1), FEWEST, MOST_PICTURES))
            kept = sum(array.nbytes for array in once.values()) * ways
            number = max(2, min(number, BYTES // max(kept, 1)))
            self.pictures = _choose(self.dataset, number)
        return [self._once(session, picture, empty) for picture, _ in self.pictures]

    def _once(self, session: ReferenceSession, picture: Picture, empty: Any) -> dict[str, Array]:
        frame = session.encode_frame(to_input(fitted(picture, session.resolution, session.resize_mode)))
        try:
            found = self.runtime.infer(session.feed(frame, empty), self.names)
        except Exception as error:
            raise ValueError(f"{self.path}: fails in {self.runtime.name}: {first_line(error)}") from None
        return dict(zip(self.names, (np.array(one) for one in found), strict=True))

    def shown(self, model: ReferenceModel, outputs: Sequence[Array], classes: Sequence[int]) -> list[int]:
        """The classes, at most so many, that lie where people are, the most likely first."""
        assert model.output_layout is not None
        found = np.zeros(max(classes) + 1)
        for output, (_, label) in zip(outputs, self.pictures, strict=True):
            channels = planes(output, model.output_layout, model.resolution)
            ids = np.rint(channels[0]).astype(int) if model.output == "class-ids" else channels.argmax(axis=0)
            height, width = ids.shape
            truth = label[np.arange(height) * label.shape[0] // height][:, np.arange(width) * label.shape[1] // width]
            there, all_of = (
                np.bincount(ids[where].ravel(), minlength=len(found)) for where in (truth == 1, truth <= 1)
            )
            found += (there / np.maximum(all_of + np.count_nonzero(truth == 1) - there, 1))[: len(found)]
        return sorted(classes, key=lambda one: -found[one])[:SHOWN]

    def score(self, guess: Guess, outputs: Sequence[Mapping[str, Array]], which: slice = slice(None)) -> list[float]:
        """The IOU of each picture's mask, or of `which`, when `outputs` are what the model gave for them all."""
        model = guess.model
        assert model.output_name is not None
        assert model.output_layout is not None
        tensor = self.runtime.outputs[model.output_name]
        found = []
        for given, (picture, label) in list(zip(outputs, self.pictures, strict=True))[which]:
            channels = planes(given[model.output_name], model.output_layout, model.resolution)
            channels = channels if model.output == "class-ids" else tensor.decode(channels)
            mask = person(channels, model, model.resolution)
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


def _ordered(
    guesses: Sequence[Guess], scores: Sequence[Sequence[float]], tries: _Tries, told: Told
) -> tuple[Sequence[Guess], Sequence[Sequence[float]], list[str]]:
    """The guesses with the order of colours whose masks are better, their scores, and a sentence about a doubt."""
    means = [float(np.mean(row)) for row in scores]
    if told.colour:
        return guesses, scores, []
    least = max(means) - CONSIDERED if max(means) >= trial.RECOGNISED else 0.0
    likely = [guess for guess, mean in zip(guesses, means, strict=True) if mean >= least]
    ways = dict.fromkeys(guess.way for guess in likely)
    turned = {way: way if told.mean or told.std else way.reversed for way in ways}
    blue = [replace(g, way=turned[g.way], model=_with(g.model, turned[g.way], colour="BGR")) for g in likely]
    raws = {way: tries.run(_with(likely[0].model, way, colour="BGR"), len(ways)) for way in turned.values()}
    found = [tries.score(guess, raws[guess.way]) for guess in blue]
    gain = max(float(np.mean(row)) for row in found) - max(means)
    if max(means) + gain < trial.RECOGNISED or gain <= trial.NOTHING:
        return guesses, scores, []
    if gain > trial.MARGIN:
        return blue, found, [f"its colours are taken for BGR, which gives {100 * gain:.1f} points of IOU more than RGB"]
    if gain > trial.TURNED:
        data = tries.dataset.name
        raise Question(
            f"gives {100 * gain:.1f} points of IOU more on {data} in BGR than in RGB; say --colour RGB or BGR"
        )
    return guesses, scores, [f"BGR would give {100 * gain:.1f} points of IOU more; --colour BGR chooses it"]


def _with(model: ReferenceModel, way: Normalisation, **fields: Any) -> ReferenceModel:
    return replace(model, mean=way.mean, std=way.std, **fields)


def _conclude(
    guesses: Sequence[Guess],
    decision: trial.Decision,
    scores: Sequence[Sequence[float]],
    inputs: Inputs,
    tries: _Tries,
    known: str,
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
        means = {id(guess): float(np.mean(row)) for guess, row in zip(guesses, scores, strict=True)}
        if ways := [r for r in rivals if r.way != best.way and r.person == best.person]:
            mine, *others = [f"{g.way.name} {100 * means[id(g)]:.1f} % ({g.way.options})" for g in (best, *ways)]
            told = "; ".join(others)
            # A wrong scale was seen to give 1.5 points more than the right one, by making every mask a little bolder.
            if best.way != USUAL[0]:
                raise Question(
                    f"may take colours in several ways, by the IOU on {data}: {mine}; {told}; say --mean and --std"
                )
            unsure.append(f"other ways to scale colours give nearly the same IOU on {data}: {mine}, taken; {told}")
        alike = {g.way for g, row in zip(guesses, scores, strict=True) if trial.is_same(row, scores[decision.best])} - {
            best.way
        }
        why = f"other usual ways give the same masks of {data}" if alike else f"they give the best masks of {data}"
        assumed.append(known or f"colours are {best.way.name}: {why}")
        if means[id(best)] < trial.GOOD:
            unsure.append(_poor(means[id(best)], data, best, "" if known else "; --mean and --std scale colours"))
    else:
        best = _unrecognised(guesses, decision, data, known)
        assumed.append(known or f"colours are {best.way.name}: no other gives values in [0, 1]")
        unsure.append(_poor(float(np.mean(scores[guesses.index(best)])), data, best, ""))
    model = best.model
    assumed.append(f"the mask is the output {model.output_name}, {model.output_layout}, {model.output}, {best.person}")
    return replace(model, assumed=tuple(assumed), unsure=tuple(unsure))


def _poor(iou: float, data: str, best: Guess, more: str) -> str:
    return f"its masks match the people of {data} with an IOU of {100 * iou:.0f} % only{more}"


def _one_class(best: Guess, rivals: Sequence[Guess]) -> tuple[Guess, list[Guess]]:
    """The best guess and its rivals, without all classes but the background where one class does as well.

    Where a picture shows nothing but people, the two differ by mistakes alone.
    """
    alike = [guess for guess in (best, *rivals) if guess.way == best.way]
    single = [guess for guess in alike if len(guess.model.person_classes) == 1]
    if len(single) != 1 or best.mask.channels <= CLASSES:
        return best, list(rivals)
    return single[0], [r for r in rivals if len(r.model.person_classes) <= 1 and r is not single[0]]


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
