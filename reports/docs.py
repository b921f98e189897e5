"""Tables and pictures of the documentation, made from what was measured: python -m reports.docs COMMAND

A table stands between `<!-- make docs: NAME HASH -->` and `<!-- end -->`; the hash is of the figures it is made from:
the metrics inside the checkpoints, `models/checkpoints/references.json`, the ablation, and docs/measured.json. No table
holds a figure of a network that has changed since.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.arguments import WRONG_USAGE, ArgumentParser
from reports import measured, whole
from reports.measured import ROOT
from reports.results import PAGE, SHORT, TABLES, TITLES, Facts, Network

if TYPE_CHECKING:
    from models.reference import ReferenceModel
    from models.variant import Variant

PAGES = (ROOT / "README.md", ROOT / "docs" / "README.md", ROOT / "docs" / "results.md")
MARKER = re.compile(r"<!-- make docs: (?P<name>\S+)(?: [0-9a-f]*)? -->\n.*?<!-- end -->", re.DOTALL)
PICTURE = ROOT / PAGE


def gather(measurements: Mapping[str, Any]) -> Facts:
    """What is known of every network with a checkpoint and of the reference models; ValueError for a bad file."""
    from models import checkpoint, reference
    from models.variant import VARIANTS

    networks = {}
    keys = {}
    for name in VARIANTS:
        if path := checkpoint.find(name):
            one = checkpoint.load(path)
            if one.variant != VARIANTS[name]:
                raise ValueError(f"{path.name} is of another network than the variant {name}")
            keys[name] = measured.weights_key(one)
            ious = _ious(one.card.get("metrics", {}))
            count = measurements["counts"].get(measured.shape_key(one.variant), {})
            networks[name] = Network(name, one.variant.resolution, ious, count)
    judged = json.loads((checkpoint.FOLDER / "references.json").read_text())
    for other in (one for one in reference.read().values() if one.name in TITLES):
        keys[other.name] = measured.weights_key(other)
        known = judged.get(other.name, {})
        ious = _ious(known["metrics"]) if known.get("sha256") == other.sha256 else {}
        count = measurements["counts"].get(measured.shape_key(other), {})
        networks[other.name] = Network(other.name, other.resolution, ious, count)
    tables = [checkpoint.FOLDER / "ablation" / name for name in ("ablation.md", "corners/ablation.md")]
    return Facts(
        {
            name: Network(name, one.resolution, one.ious, one.count, _valid(name, measurements["times"], keys))
            for name, one in networks.items()
        },
        "\n".join(table.read_text() for table in tables if table.exists()),
        measurements["pictures"],
    )


def _ious(metrics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """{set: per cent}. Clips are judged with the network's own mask fed back, where it takes one."""
    return {name: 100 * modes.get("recurrent", modes["empty"])["iou"] for name, modes in metrics.items()}


def _valid(name: str, times: list[Any], keys: Mapping[str, str]) -> tuple[Any, ...]:
    return tuple(
        entry
        for entry in times
        if entry["network"] == name
        and entry["key"] == keys[name]
        and entry["reference_key"] == keys.get(entry["reference"])
    )


def filled(text: str, facts: Facts) -> str:
    """The page with its tables made anew. ValueError for a marker that names no table."""

    def one(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in TABLES:
            raise ValueError(f"no table is called {name!r}; there are: {', '.join(TABLES)}")
        table = TABLES[name](facts)
        return "\n".join(
            [f"<!-- make docs: {name} {measured.digest(table.inputs)[:6]} -->", *table.lines, "<!-- end -->"]
        )

    return MARKER.sub(one, text)


def faults(measurements: Mapping[str, Any], root: Path = ROOT) -> list[str]:
    """A sentence for each picture of the documentation that is not the one that was stamped."""
    told = []
    pictures = measurements["pictures"]
    for path in sorted((root / "docs").glob("*.png")):
        name = path.relative_to(root).as_posix()
        if name not in pictures:
            told.append(f"{name} has no stamp in docs/measured.json: python -m reports.docs stamp {name} COMMAND")
        elif pictures[name]["sha256"] != measured.sha256(path):
            told.append(f"{name} is not the picture that was stamped in docs/measured.json.")
    told += [f"{name} is stamped and not there." for name in sorted(pictures) if not (root / name).exists()]
    return told


def outdated(measurements: Mapping[str, Any]) -> list[str]:
    """A sentence for each picture of a page or a network that has changed since: to be drawn anew, and no fault."""
    told = []
    for name, known in measurements["pictures"].items():
        made_from = known["made_from"]
        if made_from.get("page") not in (None, page_hash()):
            told.append(f"{name} shows the page of before its templates changed: make docs ROWS=results draws it anew.")
        if made_from.get("live") not in (None, _live()):
            told.append(f"{name} shows masks of former weights of live: {made_from['command']}")
    return told


def _live() -> str:
    """The key of the weights that the pictures of masks are made with."""
    from models import checkpoint

    path = checkpoint.find("live")
    return measured.weights_key(checkpoint.load(path)) if path else ""


def page_hash() -> str:
    """Of the templates and the code that draw the page."""
    here = Path(__file__).parent
    files = [*sorted((here / "templates").iterdir()), here / "page.py", here / "plots.py"]
    return measured.sha256(*(file for file in files if file.is_file()))[: measured.DIGITS]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def write(rows: Path | None, tell: Callable[[str], None]) -> None:
    """Draw the page's picture where rows are given, and fill in the tables."""
    if rows:
        from reports import picture

        picture.draw(rows, PICTURE)
        source = rows / "rows.jsonl" if rows.is_dir() else rows
        measured.stamp(PICTURE, {"rows": measured.sha256(source)[: measured.DIGITS], "page": page_hash()})
        tell(f"{PAGE}: drawn")
    measurements = measured.read()
    facts = gather(measurements)
    for path in PAGES:
        text = path.read_text()
        fresh = filled(text, facts)
        if fresh != text:
            whole.write(path, fresh)
        tell(f"{_name(path)}: {'written' if fresh != text else 'as it was'}")
    for word in (*faults(measurements), *outdated(measurements)):
        tell(word)


def count(tell: Callable[[str], None]) -> bool:
    """Count what docs/measured.json lacks of today's networks, and drop what is of others. Whether all was counted.

    What the README shows comes first and int8 last, which takes longest: each count is kept as soon as it is made.
    """
    from devices.instructions import CannotCount
    from models import checkpoint, reference
    from models.variant import VARIANTS
    from profiling.arm import COLUMNS

    wanted: dict[str, Variant | ReferenceModel] = {name: VARIANTS[name] for name in VARIANTS if checkpoint.find(name)}
    wanted |= {one.name: one for one in reference.read().values() if one.name in TITLES}
    keys = {name: measured.shape_key(one) for name, one in wanted.items()}
    before = measured.read()
    counts = {key: before["counts"][key] for key in keys.values() if key in before["counts"]}
    measured.write({**before, "counts": counts})
    done = True
    for column in COLUMNS:
        for name in sorted(wanted, key=lambda name: name not in SHORT):
            entry = counts.get(keys[name], {})
            if column in entry.get("arm", {}) or not _has(wanted[name], column):
                continue
            try:
                found = _counted(wanted[name], column)
            except (CannotCount, ValueError) as reason:
                tell(f"{name}, {column}: not counted: {reason}")
                done = False
                continue
            arm = {**entry.get("arm", {}), column: found}
            counts[keys[name]] = {**(entry or _facts(name, wanted[name])), "arm": arm}
            measured.write({**measured.read(), "counts": counts})
            tell(f"{name}, {column}: {found / 1e6:.2f} M instructions")
    return done


def _has(one: Variant | ReferenceModel, column: str) -> bool:
    """A reference model is of one precision; in 16 bits it is counted as float32 (devices.instructions.runnable)."""
    from models.variant import Variant

    return isinstance(one, Variant) or (one.precision == "int8") == column.startswith("int8")


def _counted(one: Variant | ReferenceModel, column: str) -> int:
    from converters.references import fetch
    from devices import instructions
    from models.variant import Variant
    from profiling.arm import COLUMNS, count_variant

    precision, core = COLUMNS[column]
    if isinstance(one, Variant):
        return count_variant(one, precision=precision, core=core)
    return instructions.count(fetch(one), core)


def _facts(name: str, one: Variant | ReferenceModel) -> dict[str, Any]:
    """What an entry says beside the counts: the size is that of the float32 file, of a reference model its own."""
    from converters.references import fetch
    from models.cost import macs, parameters
    from models.variant import Variant
    from profiling.arm import untrained

    known = {"network": name, "resolution": list(one.resolution)}
    if not isinstance(one, Variant):
        return {**known, "tflite_bytes": fetch(one).stat().st_size}
    costs = {"parameters": parameters(one), "macs": macs(one, one.resolution)}
    return {**known, **costs, "tflite_bytes": len(untrained(one, one.resolution, "fp32"))}


def main(arguments: list[str] | None = None, tell: Callable[[str], None] = lambda t: print(t, file=sys.stderr)) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="fill in the tables; with rows, draw the picture of the page")
    writing.add_argument("--rows", type=Path, metavar="DIR", help="a folder of results; needs chromium")
    commands.add_parser("measure", help="count ARM instructions that are missing; takes no times")
    stamping = commands.add_parser("stamp", help="note a picture that another command has made")
    stamping.add_argument("picture", type=Path, metavar="PNG")
    stamping.add_argument("made_by", metavar="COMMAND", help="the command that made it with live, as one argument")
    options = parser.parse_args(arguments)
    try:
        if options.command == "measure":
            return 0 if count(tell) else 1
        if options.command == "stamp":
            measured.stamp(options.picture, {"command": options.made_by, "live": _live()})
        else:
            write(options.rows, tell)
    except (ValueError, OSError) as error:
        tell(f"reports.docs: {error}")
        return WRONG_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
