"""What the commands work on: devices, checkpoints, pictures."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.ending import NOT_MEASURED, WRONG_USAGE, fail

if TYPE_CHECKING:
    from devices.plan import Weights
    from devices.select import Attached, NotAttached
    from evaluation.clip import Dataset


def asked_for(asked: Sequence[str], estimate: bool) -> list[Attached | NotAttached]:
    """The devices of `--device`, whether they are there or not. ValueError for a name that there is not."""
    from devices.select import estimated, select

    names = [name.strip() for name in dict.fromkeys(",".join(asked).split(","))]
    return [estimated(name) if estimate else select(name) for name in names]


def attached(found: Sequence[Attached | NotAttached]) -> list[Attached]:
    """Those that are there; of the others it is said what was looked for. Fails when none is."""
    from devices.select import Attached

    there = [device for device in found if isinstance(device, Attached)]
    words = absent(found)
    if not there:
        fail("\n".join(words), NOT_MEASURED)
    described = [device.description for device in there]
    if twice := [device.name for device in there if described.count(device.description) > 1]:
        fail(f"{' and '.join(twice)} are one device, which can do one thing at a time; name it once.", WRONG_USAGE)
    for sentence in words:
        print(f"bench.py: {sentence} The others are measured.", file=sys.stderr)
    return there


def absent(found: Sequence[Attached | NotAttached]) -> list[str]:
    """What was looked for, and what to do, of each device that is not there."""
    from devices.select import NotAttached

    return [
        " ".join(filter(None, (f"{device.name}: not attached.", device.looked_for, device.advice, device.instead)))
        for device in found
        if isinstance(device, NotAttached)
    ]


def trained(folder: Path | None) -> dict[str, Weights]:
    """The checkpoints of the named variants, in `folder` or as shipped. BadCheckpoint for one of another variant."""
    from devices.plan import Weights
    from models.checkpoint import FOLDER, check_name, sha256
    from models.variant import VARIANTS

    paths = {name: (folder or FOLDER) / f"{name}.safetensors" for name in VARIANTS}
    there = {name: path for name, path in paths.items() if path.is_file()}
    for name, path in there.items():
        check_name(path, name, VARIANTS[name])
    return {name: Weights(path, sha256(path)) for name, path in there.items()}


def read_footage(data: Path | None, told: Mapping[str, int] | None = None, own_ids: bool = False) -> Dataset:
    """The data set in the folder `data`, or the embedded sample; what is wrong with files is said on stderr.

    `told` and `own_ids` as of `evaluation.folder.read`.
    """
    from evaluation import folder, sample

    footage = folder.read(data, told, own_ids) if data else sample.embedded()
    for problem in footage.problems:
        print(problem, file=sys.stderr)
    if number := len(footage.problems):
        print(f"{number} problem{'s' * (number != 1)} in {data}; the rest is used.", file=sys.stderr)
    for sentence in footage.masks:
        print(sentence, file=sys.stderr)
    return footage


def read_people(data: Path | None) -> Dataset:
    """`read_footage` for rows and the gate, which judge the person's mask: what tells hair alone is left out.

    ValueError when nothing else is there.
    """
    from evaluation.clip import HAIR_ALONE

    footage = read_footage(data)
    clips = [clip for clip in footage.clips if clip.tells_person]
    if not clips:
        raise ValueError(f"{data}: {HAIR_ALONE}; `bench.py evaluate` judges labels")
    if left := len(footage.clips) - len(clips):
        print(f"{left} of {len(footage.clips)} are left out: {HAIR_ALONE}.", file=sys.stderr)
    return replace(footage, clips=clips)
