"""The reader's own pictures: `images/NAME.jpg|png` beside `masks/NAME.png`, or one subfolder a clip with the two.

Pairs right under the folder are stills; a subfolder is a clip, its frames in natural order (frame_9 before frame_10).
Masks are 8-bit PNG, the size of their pictures as these are shown (a phone's rotation mark is obeyed). What their
values mean is decided once a folder, from all its masks together:

- With `classes.json` (in the clip's folder, else in the outer one; {"15": "person", ...}, or a list of names), values
  are class ids. The class called "person" is the foreground; in a list without one, such as a list of clothes,
  everything but class 0 is. A class whose name says "void" or "ignore", and 255 when it has no other name, is not
  judged.
- Masks that hold only 0 and 255 are background and person, `classes.json` or not.
- Without `classes.json`: 0 and one other value are background and person; 0, 1 and 255 are background, person and not
  judged, or, where no mask holds both 1 and 255, masks of two kinds; a soft mask, spread up to 255, is cut at 128, also
  among masks of 0 and 255. Anything else is taken for class ids that nobody named, and refused.

Where classes.json names labels of `models.labels` (hair, face skin, clothes, ...), `Clip.read_truth` gives these too:
see `evaluation.truth` for the names that are known and for those that leave several labels open. A map from the
reader's names or numbers to ours comes before classes.json. Without either, and only where the caller says so, values
from 0 to 9 are ids of our own labels, 9 any skin.

Where a mask's values are: in an indexed file they are the palette's greys, or, with `classes.json`, a coloured palette
or one of a single grey, the indices; in a file with transparency they are its colours, or its alpha where that is what
varies. A file whose colours and alpha tell of two masks is refused. A mask of the size that its picture is stored in,
not shown in, is turned with it. docs/data.md has all of this in a table.

Files that are missing, empty, unreadable or do not fit are named in `Dataset.problems` and left out. `Dataset.masks`
says how the masks were read, the person's share, and what looks odd about them.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation import truth
from evaluation.clip import Alpha, Clip, Dataset, Label, Picture, Truth
from evaluation.look import Counted, Reading, count, looked
from evaluation.pictures import UPRIGHT, Unusable, check_picture, read_mask, read_picture
from models.files import SpecialFile, refuse_special

PICTURES = (".jpg", ".jpeg", ".png")
UNJUDGED = 255
OWN = {code: truth.NAMES[code] for code in range(truth.ANY_SKIN + 1)} | {UNJUDGED: "ignore"}
"""Our labels' ids, as in masks that no classes.json explains."""
PEOPLE = ("person", "people", "persons", "human")
"""What the foreground may be called in classes.json."""

Table = NDArray[np.uint8]
"""(256,) uint8: what each value of a mask means as a label."""


class NothingLeft(ValueError):
    """A folder without one usable picture and mask; its text says why in a sentence."""


MOST_CLASSES_BYTES = 1_000_000


@dataclass(frozen=True)
class Pair:
    """A picture and its mask that were checked: readable, of one size."""

    name: str
    picture: Path
    mask: Path
    size: tuple[int, int]
    values: frozenset[int]
    soft: bool
    """Whether few of the mask's pixels lie between its extremes, as along an antialiased edge."""
    mark: int = UPRIGHT
    """How the mask is to be turned to lie on its picture: its picture's rotation mark, or not at all."""
    open_turn: bool = False
    """Whether the picture's turn keeps its size, so that the mask's size does not tell whether the mask needs it."""
    counted: Counted = field(default_factory=Counted, repr=False, compare=False)


@dataclass(frozen=True)
class Labels:
    """The code of `evaluation.truth` of each value of a mask, and how that was read, in words.

    `unknown` says why it cannot be used, in a sentence: a class that occurs has a name that nobody maps.
    """

    table: Table
    how: str
    unknown: str = ""
    tells_person: bool = True
    own_ids: bool = False


@dataclass(frozen=True)
class Pairs:
    """Checked pairs that are read when asked for."""

    pairs: tuple[Pair, ...]
    table: Table
    ids: bool = False
    """Whether masks hold class ids that classes.json names."""
    how: str = ""
    """How the masks are read, in words."""
    labels: Labels | None = None
    """What they tell beside the person."""

    def read(self, index: int) -> tuple[Picture, Label]:
        return read_picture(self.pairs[index].picture), self.read_label(index)

    def read_label(self, index: int) -> Label:
        return self.table[self._values(index)]

    def read_truth(self, index: int) -> Truth:
        assert self.labels
        return self.labels.table[self._values(index)]

    def _values(self, index: int) -> NDArray[np.uint8]:
        return read_mask(self.pairs[index].mask, self.ids, self.pairs[index].mark)

    def read_alpha(self, index: int) -> Alpha:
        """The mask itself as a share, where the folder's masks are soft."""
        return self._values(index).astype(np.float32) / np.float32(255)

    @property
    def soft(self) -> bool:
        """Whether values in between count as person from 128 up: then they are shares of a pixel."""
        return self.table[127] == 0 and bool((self.table[128:] == 1).all())


def read(path: Path | str, told: Mapping[str, int] | None = None, own_ids: bool = False) -> Dataset:
    """The dataset of a folder; every file is checked now, and read again when its turn comes.

    `told` is a map from names or numbers of classes to codes, as of `evaluation.truth.parse`; `own_ids` lets masks
    without a classes.json hold ids of our labels. NothingLeft when there is no such folder, or nothing usable in it.
    """
    root = Path(path)
    if not root.is_dir():
        raise NothingLeft(f"{root}: there is no such folder")
    problems: list[str] = []
    clips: list[Clip] = []
    readings: list[Reading] = []
    found: list[Pairs] = []
    if _holds_pairs(root):
        pairs = _pairs(root, root, problems, told, own_ids)
        found.append(pairs)
        readings.append(_reading(pairs))
        stills = (replace(pairs, pairs=(pair,)) for pair in pairs.pairs)
        clips += [_clip(s.pairs[0].name, (s.pairs[0].name,), s) for s in stills]
    for folder in sorted((f for f in root.iterdir() if f.is_dir() and _holds_pairs(f)), key=_natural):
        pairs = _one_size(_pairs(folder, root, problems, told, own_ids), root, problems)
        found.append(pairs)
        readings.append(_reading(pairs))
        if pairs.pairs:
            name = printable(folder.name)
            names = tuple(f"{name}/{pair.name}" for pair in pairs.pairs)
            clips.append(_clip(name, names, pairs))
    if not clips and not problems:
        held = any(map(_holds_pairs, [root, *(f for f in root.iterdir() if f.is_dir())]))
        what = (
            "images/ and masks/ are empty" if held else "holds neither images/ and masks/ nor subfolders with the two"
        )
        raise NothingLeft(f"{root}: {what}")
    if not clips:
        raise NothingLeft(f"{root}: nothing left to use, {_count(len(problems), 'problem')}: {_first(problems)}")
    name = printable(root.resolve().name)
    labels = [pairs.labels for pairs in found if pairs.pairs and pairs.labels]
    return Dataset(
        name,
        _describe(name, clips, problems),
        clips,
        problems,
        looked(readings),
        labels="; ".join(dict.fromkeys(one.how for one in labels if not one.unknown)),
        no_labels=next((one.unknown for one in labels if one.unknown), ""),
        own_ids=any(one.own_ids for one in labels),
    )


def _reading(pairs: Pairs) -> Reading:
    return Reading(
        pairs.how,
        pairs.table,
        tuple(pair.counted for pair in pairs.pairs),
        turned=sum(pair.mark != UPRIGHT for pair in pairs.pairs),
        open_turns=sum(pair.open_turn for pair in pairs.pairs),
    )


def printable(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8, and control characters, as escapes such as \\xe9."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


def _place(path: Path, root: Path) -> str:
    return printable(str(path.relative_to(root)))


def _clip(name: str, frame_names: tuple[str, ...], pairs: Pairs) -> Clip:
    labels = pairs.labels
    return Clip(
        name,
        frame_names,
        pairs.read,
        pairs.read_label,
        pairs.read_alpha if pairs.soft else None,
        pairs.read_truth if labels and not labels.unknown else None,
        labels is None or labels.tells_person,
    )


def _holds_pairs(folder: Path) -> bool:
    return (folder / "images").is_dir() or (folder / "masks").is_dir()


def _describe(name: str, clips: list[Clip], problems: list[str]) -> str:
    stills = [clip for clip in clips if clip.still]
    moving = [clip for clip in clips if not clip.still]
    what = [_count(len(stills), "still")] if stills else []
    what += [f"{_count(len(moving), 'clip')} of {sum(map(len, moving))} frames"] if moving else []
    left_out = f"; {_count(len(problems), 'problem')}, the files named were left out" if problems else ""
    return f"{name}: {' and '.join(what)}{left_out}."


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)


def _first(problems: list[str], most: int = 3) -> str:
    return "; ".join(problems[:most]) + ("; ..." if len(problems) > most else "")


# Pairs: who goes with whom, and is it usable.


def _pairs(
    folder: Path, root: Path, problems: list[str], told: Mapping[str, int] | None = None, own_ids: bool = False
) -> Pairs:
    """The usable pairs of one folder; what is wrong with the others is added to `problems`."""
    pictures = _by_name(folder / "images", PICTURES, root, problems)
    masks = _by_name(folder / "masks", (".png",), root, problems)
    for name in sorted(pictures.keys() - masks.keys()):
        problems.append(f"{_place(pictures[name], root)}: has no mask {name}.png")
    for name in sorted(masks.keys() - pictures.keys()):
        problems.append(f"{_place(masks[name], root)}: has no picture of its name")
    names = [name for name in pictures if name in masks]
    try:
        classes = _classes(folder, root)
    except Unusable as error:
        problems.append(str(error))
        return Pairs((), np.zeros(256, np.uint8))
    ids = classes is not None or told is not None
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        checked = pool.map(partial(_check, ids=ids), names, (pictures[n] for n in names), (masks[n] for n in names))
        good = _sift(checked, root, problems)
    try:
        if not ids:
            good = _without_odd_ones(good, root, problems)
        values = frozenset().union(*(pair.values for pair in good))
        labels = _labels(values, classes, told, own_ids)
        if labels and (told is not None or labels.own_ids or not labels.tells_person):
            table, how, classes = _person(labels), labels.how, None
        else:
            table, how = meaning([pair.values for pair in good], all(pair.soft for pair in good), classes)
    except Unusable as error:
        problems.append(f"{_place(folder / 'masks', root)}: {error}")
        return Pairs((), np.zeros(256, np.uint8))
    return Pairs(tuple(_judgeable(good, table, classes, root, problems)), table, ids, how, labels)


def _without_odd_ones(pairs: list[Pair], root: Path, problems: list[str]) -> list[Pair]:
    """Where most masks are black and white, or so but for their edges, a soft one counts however much of it lies
    between, and what is neither is left out by name."""

    def usual(pair: Pair) -> bool:
        return pair.values <= {0, 255} or (pair.soft and _spread(pair.values))

    if sum(map(usual, pairs)) * 2 <= len(pairs) or any(pair.values == {0, 1, 255} for pair in pairs):
        return pairs
    kept = []
    for pair in pairs:
        if usual(pair) or pair.values <= {0, 1}:
            kept.append(pair)
        elif _spread(pair.values):
            kept.append(replace(pair, soft=True))
        else:
            problems.append(f"{_place(pair.mask, root)}: holds {len(pair.values)} values among masks of 0 and 255")
    return kept


def _spread(values: Iterable[int]) -> bool:
    """Whether values run up to 255 through a middle that class ids would not fill."""
    return max(values) >= 250 and sum(64 <= value < 250 for value in values) >= 8


def _by_name(folder: Path, endings: tuple[str, ...], root: Path, problems: list[str]) -> dict[str, Path]:
    """Files of the right kind by their name without ending, in natural order."""
    if not folder.is_dir():
        problems.append(f"{_place(folder, root)}: there is no such folder")
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=_natural):
        if path.name.startswith(".") or path.name == "Thumbs.db":
            continue
        try:
            refuse_special(path)
        except SpecialFile as special:
            problems.append(f"{_place(path, root)}: {special.reason}")
            continue
        if path.suffix.lower() not in endings:
            problems.append(f"{_place(path, root)}: not one of {', '.join(endings)}")
            continue
        # One system writes é as one character, another as two.
        name = unicodedata.normalize("NFC", printable(path.stem))
        if name in found:
            problems.append(f"{_place(path, root)}: there is {printable(found[name].name)} of the same name")
        else:
            found[name] = path
    return found


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """A sorting key by which 9 comes before 10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", path.name) if part]


def _check(name: str, picture: Path, mask: Path, ids: bool) -> Pair | tuple[Path, str]:
    """The pair, or the file at fault and why."""
    at = picture
    try:
        size, mark = check_picture(picture)
        at = mask
        values = read_mask(mask, ids, of=size)
        stored = size[::-1] if mark >= 5 else size
        turn = mark if values.shape == stored != size else UPRIGHT
        if turn != UPRIGHT:
            values = read_mask(mask, ids, turn)
    except Unusable as error:
        return at, str(error)
    if values.shape != size:
        (h, w), (height, width) = values.shape, size
        return mask, f"is {w}x{h}, its picture {width}x{height}"
    counted = count(values)
    soft = counted.whole[17:239].sum() <= 0.2 * values.size
    found = frozenset(np.flatnonzero(counted.whole).tolist())
    return Pair(name, picture, mask, size, found, bool(soft), turn, mark != UPRIGHT and stored == size, counted)


def _sift(checked: Iterable[Pair | tuple[Path, str]], root: Path, problems: list[str]) -> list[Pair]:
    good: list[Pair] = []
    for outcome in checked:
        if isinstance(outcome, Pair):
            good.append(outcome)
        else:
            path, reason = outcome
            problems.append(f"{_place(path, root)}: {reason}")
    return good


def _judgeable(
    pairs: list[Pair], table: Table, classes: dict[int, str] | None, root: Path, problems: list[str]
) -> Iterator[Pair]:
    binary = {v for pair in pairs for v in pair.values} <= {0, 255}
    for pair in pairs:
        unknown = sorted(pair.values - classes.keys() - {UNJUDGED}) if classes and not binary else []
        if unknown:
            problems.append(f"{_place(pair.mask, root)}: holds {unknown[0]}, which classes.json does not name")
        elif all(table[v] == UNJUDGED for v in pair.values):
            problems.append(f"{_place(pair.mask, root)}: no pixel of it is to be judged")
        else:
            yield pair


def _one_size(pairs: Pairs, root: Path, problems: list[str]) -> Pairs:
    """A clip's frames have the size of its first; others are left out."""
    kept = [pair for pair in pairs.pairs if pair.size == pairs.pairs[0].size]
    for pair in pairs.pairs:
        if pair.size != pairs.pairs[0].size:
            problems.append(f"{_place(pair.picture, root)}: not of the size of its clip's first frame")
    return replace(pairs, pairs=tuple(kept))


# Labels: what a mask's values mean.


def meaning(masks: Sequence[frozenset[int]], soft: bool, classes: dict[int, str] | None) -> tuple[Table, str]:
    """The label of each mask value, from the values of each of a folder's masks, and how they are read, in words.

    See the module's text. `soft`: few pixels lie between the extremes. Unusable when nothing says what values mean.
    """
    table = np.zeros(256, np.uint8)
    values = frozenset().union(*masks)
    others = sorted(values - {0})
    if values <= {0, 255}:
        table[255] = 1
        return table, "0 is background and 255 person"
    if classes is not None:
        return _of_classes(table, classes)
    if len(others) == 1:
        table[others[0]] = 1
        return table, f"0 is background and {others[0]} person"
    if others == [1, 255]:
        both = any({1, 255} <= mask for mask in masks)
        table[1], table[255] = 1, UNJUDGED if both else 1
        last = "255 is not judged" if both else "in other files 255 is person"
        return table, f"0 is background and 1 person, {last}"
    if soft and _spread(others):
        table[128:] = 1
        return table, "soft, person from 128 of 255 up"
    some = ", ".join(map(str, sorted(values)[:6])) + (", ..." if len(values) > 6 else "")
    raise Unusable(f"hold {len(values)} values ({some}): class ids need a classes.json that names them")


def _of_classes(table: Table, classes: dict[int, str]) -> tuple[Table, str]:
    names = {i: name.strip().lower() for i, name in classes.items()}
    people = [i for i, name in names.items() if name in PEOPLE]
    table[people or list(range(1, 256))] = 1
    skipped = [i for i, name in names.items() if "void" in name or "ignore" in name]
    table[skipped] = UNJUDGED
    if 255 not in names:
        table[255] = UNJUDGED
    if people:
        named = " and ".join(f"{i} ({names[i]})" for i in people)
        return table, f"class ids of classes.json, person is {named}"
    return table, "class ids of classes.json, which names no person: person is every class but 0"


def _labels(
    values: frozenset[int], classes: dict[int, str] | None, told: Mapping[str, int] | None, own_ids: bool
) -> Labels | None:
    """What masks with `values` tell beside the person; None where that is nothing. Unusable where `told` leaves a
    class open."""
    ours = own_ids and told is None and classes is None and values <= OWN.keys() and bool(values - {0, 1, UNJUDGED})
    named = OWN if ours else classes
    if told is not None:
        named = {value: str(value) for value in values - {UNJUDGED}} | (named or {})
    if named is None or (told is None and values <= {0, UNJUDGED}):
        return None
    codes, unknown = truth.codes_of(named, told or {})
    codes = {UNJUDGED: UNJUDGED, **codes}
    if told is None and not truth.tells_labels(codes.values()):
        return None
    missing = [f"{value} ({named[value]})" for value in sorted(values & unknown.keys())]
    some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    some = f"class {some}, which is" if len(missing) == 1 else f"classes {some}, which are"
    if missing and told is not None:
        raise Unusable(f"hold the {some} none of our labels and not mapped by --labels")
    table = np.full(256, UNJUDGED, np.uint8)
    for value, code in codes.items():
        table[value] = code
    words = ", ".join(
        f"{value} is {truth.NAMES[codes[value]] if codes[value] != UNJUDGED else 'not judged'}"
        for value in sorted(values & codes.keys())
    )
    return Labels(
        table,
        f"label ids, {words}",
        f"the masks hold the {some} none of our labels; --labels maps them, or judges the person alone with none"
        if missing
        else "",
        all(codes.get(value) != truth.NOT_HAIR for value in values),
        ours,
    )


def _person(labels: Labels) -> Table:
    """The label of each value that the codes make of it: not hair is background or person."""
    of_code = np.ones(256, np.uint8)
    of_code[0], of_code[[truth.NOT_HAIR, UNJUDGED]] = 0, UNJUDGED
    return of_code[labels.table]


def _classes(folder: Path, root: Path) -> dict[int, str] | None:
    """Names by class id; None without a classes.json."""
    path = next((p for p in (folder / "classes.json", root / "classes.json") if p.exists()), None)
    if path is None:
        return None
    try:
        refuse_special(path)
        if path.stat().st_size > MOST_CLASSES_BYTES:
            raise ValueError(f"it has more than {MOST_CLASSES_BYTES // 10**6} MB")
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_no_key_twice)
        if not isinstance(content, list | dict) or not content:
            raise ValueError("it names no class")
        named = enumerate(content) if isinstance(content, list) else ((int(k), v) for k, v in content.items())
        classes: dict[int, str] = {}
        for i, name in named:
            if not isinstance(name, str) or i in classes:
                raise ValueError(f"class {i} has no name, or two")
            classes[i] = name
    except SpecialFile as special:
        raise Unusable(f"{_place(path, root)}: {special.reason}") from None
    except RecursionError:
        raise Unusable(f'{_place(path, root)} is not {{"id": "name", ...}} (it is nested too deeply)') from None
    except (ValueError, OSError) as error:
        raise Unusable(f'{_place(path, root)} is not {{"id": "name", ...}} ({error})') from None
    if any(not 0 <= i <= 255 for i in classes):
        raise Unusable(f"{_place(path, root)} has class ids outside 0..255")
    return classes


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a class id is there twice")
    return dict(pairs)
