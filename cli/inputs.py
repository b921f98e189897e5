"""What the commands work on: devices, checkpoints, pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.ending import NOT_MEASURED, WRONG_USAGE, fail

if TYPE_CHECKING:
    from devices.plan import Weights
    from devices.select import Attached
    from frames.clip import Footage


def attached(asked: list[str], estimate: bool) -> list[Attached]:
    """The devices asked for that are there; of the others it is said what was looked for. Fails when none is."""
    from devices.select import Attached, estimated, select

    names = [name.strip() for name in dict.fromkeys(",".join(asked).split(","))]
    found = [estimated(name) if estimate else select(name) for name in names]
    there = [device for device in found if isinstance(device, Attached)]
    absent = [
        f"{device.name}: not attached. {device.looked_for} {device.advice}"
        for device in found
        if not isinstance(device, Attached)
    ]
    if not there:
        fail("\n".join(absent), NOT_MEASURED)
    described = [device.description for device in there]
    if twice := [device.name for device in there if described.count(device.description) > 1]:
        fail(f"{' and '.join(twice)} are one device, which can do one thing at a time; name it once.", WRONG_USAGE)
    for words in absent:
        print(f"bench.py: {words} The others are measured.", file=sys.stderr)
    return there


def trained(folder: Path | None) -> dict[str, Weights]:
    """The checkpoints of the named variants, in `folder` or as shipped."""
    from devices.plan import Weights
    from models.checkpoint import FOLDER, sha256
    from models.variant import VARIANTS

    paths = {name: (folder or FOLDER) / f"{name}.safetensors" for name in VARIANTS}
    return {name: Weights(path, sha256(path)) for name, path in paths.items() if path.is_file()}


def read_footage(data: Path | None) -> Footage:
    """The footage of the folder `data`, or the embedded sample; what is wrong with files is said on stderr."""
    from frames import folder, sample

    footage = folder.read(data) if data else sample.embedded()
    for problem in footage.problems:
        print(problem, file=sys.stderr)
    if footage.problems:
        print(f"{len(footage.problems)} problems in {data}; the rest is used.", file=sys.stderr)
    return footage
