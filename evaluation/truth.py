"""What a pixel's truth may be where a data set knows more than the person: one label, or several that it leaves open.

A truth is (H, W) uint8: the id of a label of `models.labels`, or one of the codes below, which stand for several labels
that the data leave open; 255 is not judged. A picture is judged by its *classes*: the smallest sets of labels of which
each truth is within one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache

from models import labels
from models.labels import BACKGROUND, LABELS

ANY_SKIN, UNJUDGED = labels.ANY_SKIN, labels.NOT_JUDGED
PERSON, NOT_HAIR = ANY_SKIN + 1, ANY_SKIN + 2
"""Any label but background; any label but hair."""
NAMES = (*LABELS, "skin", "person", "not hair")
"""Of all codes, by code."""

_ALL = frozenset(range(len(LABELS)))
MEMBERS: tuple[frozenset[int], ...] = (
    *(frozenset({label}) for label in sorted(_ALL)),
    frozenset(labels.SKIN),
    _ALL - {BACKGROUND},
    _ALL - {LABELS.index("hair")},
)
"""The labels that each code stands for."""

Classes = tuple[int, ...]
"""The code of each class of a picture, in ascending order; together they hold every label once."""


class UnknownLabel(ValueError):
    """A name that is none of ours; its text is one sentence."""


@cache
def classes(codes: frozenset[int]) -> Classes:
    """The classes of pictures whose truths hold `codes`: the nine labels, those joined that some code leaves open.

    None at all where everything is left open.
    """
    sets = set(MEMBERS[: len(LABELS)])
    for code in codes - {UNJUDGED}:
        joined = {one for one in sets if one & MEMBERS[code]}
        sets = (sets - joined) | {frozenset().union(*joined)}
    return () if len(sets) == 1 else tuple(sorted(map(MEMBERS.index, sets)))


_SYNONYMS: dict[str, Collection[str]] = {
    "background": ("background", "bg", "null", "none"),
    "hair": ("hair",),
    "face": ("face", "face skin", "facial skin"),
    "lips": ("lips", "lip", "mouth", "upper lip", "lower lip"),
    "eyewear": ("eyewear", "glasses", "eyeglasses", "sunglasses", "spectacles"),
    "neck": ("neck",),
    "body": ("body", "body skin"),
    "clothes": ("clothes", "clothing", "cloth"),
    "accessory": ("accessory", "accessories", "headwear", "jewellery", "jewelry", "hat", "earring", "necklace"),
    "skin": ("skin", "any skin"),
    "person": ("person", "people", "persons", "human"),
    "not hair": ("not hair", "no hair"),
    "ignore": ("ignore", "void", "not judged", "unlabelled", "unlabeled"),
}
_CODES = {
    word: UNJUDGED if name == "ignore" else NAMES.index(name) for name, words in _SYNONYMS.items() for word in words
}


def code(name: str) -> int | None:
    """The code of a name of somebody's class, such as "face skin" or "headwear, jewellery"; None where it is unknown.

    What is in parentheses is left out; all of several names must have one code.
    """
    short = re.sub(r"\(.*?\)", " ", name.lower())
    words = [" ".join(re.findall(r"[a-z]+", word)) for word in re.split(r",|/|\band\b|\bor\b", short)]
    found = {_CODES.get(word) for word in words if word}
    return found.pop() if len(found) == 1 else None


def tells_labels(codes: Iterable[int]) -> bool:
    """Whether codes say more than where the person is."""
    return bool(set(codes) - {BACKGROUND, PERSON, UNJUDGED})


def parse(text: str) -> dict[str, int]:
    """A map of somebody's classes to codes, such as `shirt=clothes,3=hair,*=background`. UnknownLabel, ValueError."""
    pairs = [pair.rpartition("=") for pair in text.split(",") if pair.strip()]
    if not pairs or not all(theirs.strip() and sign and ours.strip() for theirs, sign, ours in pairs):
        raise ValueError(f"{text[:60]!r} is no map of labels, such as shirt=clothes,3=hair")
    return mapped({theirs.strip(): ours.strip() for theirs, _, ours in pairs})


def mapped(names: Mapping[str, object]) -> dict[str, int]:
    """{their name or number: our name} to {theirs in lower case: code}. UnknownLabel for a name that is not ours."""
    found = {}
    for theirs, ours in names.items():
        if not isinstance(ours, str) or ours not in (*NAMES, "ignore"):
            raise UnknownLabel(f"{theirs} is mapped to {ours!r}, and there are: {', '.join((*NAMES, 'ignore'))}")
        found[theirs.lower()] = UNJUDGED if ours == "ignore" else NAMES.index(ours)
    return found


def codes_of(theirs: Mapping[int, str], told: Mapping[str, int]) -> tuple[dict[int, int], dict[int, str]]:
    """The code of each class id by its name, as `told` or else as known, and the names that are neither, by their id.

    `told` has names, numbers, or `*` for the rest.
    """
    found: dict[int, int] = {}
    unknown: dict[int, str] = {}
    for number, name in theirs.items():
        keys = (name.strip().lower(), str(number))
        ours = next((told[key] for key in keys if key in told), None)
        ours = code(name) if ours is None else ours
        ours = told.get("*") if ours is None else ours
        if ours is None:
            unknown[number] = name
        else:
            found[number] = ours
    return found, unknown
