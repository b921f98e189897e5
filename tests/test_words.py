"""One thing, one name: the project's former words for what the field has a term for, looked for in what users read.

Users read pages, helps, page templates, and the messages and docstrings of the code.
What stands in a code span, a code block or a link's target is a name and no prose: it is looked at for old flags alone.
Words that are the field's own elsewhere (a tensor's tail, a left border) are not listed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import bench
import segment
from tests.conftest import ROOT
from training import options

TERMS = {
    r"cells?": "configuration",
    r"stray(s|ed|ing)?": "deviate, exceed the tolerance",
    r"(told|tell|tells|telling) apart": "significantly different",
    r"foretold|foretells?": "predicted",
    r"is off by|are off by": "prediction error",
    r"in doubt": "inconclusive",
    r"by fits and starts": "intermittent load",
    r"peers?(?!\.toml)": "reference model",
    r"both arms|arms|visits": "baseline, candidate, control",
    r"(on|off|of) the front(?! of)": "Pareto front",
    r"beaten by|beats": "dominated by, dominates",
    r"(fit )?to ship|worth shipping": "recommended",
    r"each idea is worth": "ablation, contribution",
    r"left ?overs?|left over": "layout operators",
    r"footage": "data set",
    r"hints?": "previous mask, feature distillation",
    r"equalis\w+|sixfold": "channel equalization, hard-swish rewrite",
    r"breach(es)?": "tolerance exceeded",
    r"web board|seats?": "scheduler, client session",
    r"clockless|seeable": "static checks, minimum detectable effect",
    r"taught": "distillation",
}
"""Former word -> the field's term. Whole words, in any case; options such as --peers are names."""

FLAGS = r"--(taught|steady|turned|prior|hints|muon)\b|--labels .?(as they are|all people|main person)"
"""Hidden aliases of one release ago."""

ALLOWED = {
    ("gate/config.py", r"cells?"): "a former key of gate.toml, which is still read",
    ("gate/output.py", r"cells?"): "a former key of gate.json, which is still read",
    ("devices/desktop/interleaved.py", r"both arms|arms|visits"): "defined in docs/measuring.md",
    ("devices/paired.py", r"both arms|arms|visits"): "defined in docs/measuring.md: one unbroken series of inferences",
    ("devices/desktop/agreement.py", r"both arms|arms|visits"): "as above",
    ("CHANGELOG.md", "flags"): "tells which flags were renamed",
}
"""(where, term or `flags`) -> why it may stay."""

PAGES = [
    path
    for pattern in ("*.md", "*/*.md", "*/*/*.md")
    for path in sorted(ROOT.glob(pattern))
    if not re.search(r"/(\.|node_modules|build/|runs/|results/)", f"/{path.relative_to(ROOT)}")
    and path.name != "MODEL_CARD.md"
]
"""The model card is written by a program: its words are that program's."""


ROOMS = (
    "models",
    "converters",
    "devices",
    "evaluation",
    "profiling",
    "reports",
    "gate",
    "video",
    "training",
    "cli",
    "scripts",
    "examples",
)
"""Folders whose string literals and page templates are looked at."""


def literals(source: str) -> str:
    """The docstrings and string literals of a module on their lines, code spans and the fields of f-strings left out.

    A literal without a space is a key, a name or a format, and no prose.
    """
    lines: dict[int, list[str]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for offset, line in enumerate(node.value.splitlines()):
                lines.setdefault(node.lineno + offset, []).append(line)
    return prose("\n".join(" | ".join(lines.get(number, [])) for number in range(1, max(lines, default=0) + 1)))


def shown(template: str) -> str:
    """The text of a Jinja template or script: without statements, expressions, tags and their attributes."""
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", lambda part: " " + _quoted(part[0]), template, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", lambda tag: " " + "\n" * tag[0].count("\n"), text)


def _quoted(part: str) -> str:
    """The quoted strings of a part of a template that hold a space, as a reader may see them; line breaks stay."""
    return " | ".join(found for found in re.findall(r'"([^"]*)"', part) if " " in found) + "\n" * part.count("\n")


def helps() -> Iterator[tuple[str, str]]:
    """(command, its --help)."""
    for program, app in (("bench.py", bench.app), ("segment.py", segment.app)):
        yield from _helps(typer.main.get_command(app), program)
    yield "train.py --help", options.parser().format_help()


def _helps(command: Any, name: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    context = command.make_context(name.split()[-1], [], parent, resilient_parsing=True)
    yield f"{name} --help", command.get_help(context)
    for word, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, f"{name} {word}", context)


def prose(markdown: str) -> str:
    """The text without code blocks, code spans and the targets of links; lines keep their numbers."""
    text = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), markdown, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", lambda span: "`" + "\n" * span[0].count("\n") + "`", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def found(where: str, text: str, whole: str) -> list[str]:
    """A sentence for each former word in `text`, and for each old flag in `whole`."""
    told = []
    for term, better in TERMS.items():
        if (where, term) not in ALLOWED:
            told += [
                f"{where}:{line}: {word!r} is called: {better}" for line, word in _matches(rf"(?<!-)\b({term})\b", text)
            ]
    if (where, "flags") not in ALLOWED:
        told += [f"{where}:{line}: {word!r} has another name now" for line, word in _matches(FLAGS, whole)]
    return told


def _matches(pattern: str, text: str) -> Iterator[tuple[int, str]]:
    # A line break may stand between two words.
    for match in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE):
        yield text.count("\n", 0, match.start()) + 1, match[0]


def _files(pattern: str) -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob(pattern))]


def texts() -> Iterator[Any]:
    """(where, prose, whole) of every page and every help, as parameters of a test."""
    pages = [(str(path.relative_to(ROOT)), path.read_text()) for path in PAGES]
    code = [(path, path.read_text()) for path in _files("*.py")]
    templates = [(path, path.read_text()) for path in _files("*.j2")]
    for where, text, whole in (
        *((where, prose(text), text) for where, text in pages),
        *((str(path.relative_to(ROOT)), literals(text), "") for path, text in code),
        *((str(path.relative_to(ROOT)), shown(text), "") for path, text in templates),
        *((command, text, text) for command, text in helps()),
    ):
        yield pytest.param(where, text, whole, id=where)


@pytest.mark.parametrize(("where", "text", "whole"), texts())
def test_a_text_uses_the_fields_terms(where: str, text: str, whole: str) -> None:
    assert found(where, text, whole) == []


def test_former_words_are_found() -> None:
    text = "Two cells stray.\nThe candidate cannot be told\napart; use `--cells` and [peers](peers.toml)."
    assert found("a page", prose(text), text) == [
        "a page:1: 'cells' is called: configuration",
        "a page:1: 'stray' is called: deviate, exceed the tolerance",
        "a page:2: 'told\\napart' is called: significantly different",
        "a page:3: 'peers' is called: reference model",
    ]
    assert found("a page", "", "```sh\ntrain.py --taught 0.5\n```") == ["a page:2: '--taught' has another name now"]
    assert found("a page", "Excellent miscellany; ARM; a previous mask", "--distill-weight 0.5") == []


def test_former_words_are_found_in_code_and_templates() -> None:
    code = 'def f(cell):\n    """A peer."""\n    return {"cell": f"no cells in {cell}"}, "`cells` of a"\n'
    assert found("a module", literals(code), "") == [
        "a module:3: 'cells' is called: configuration",
        "a module:2: 'peer' is called: reference model",
    ]
    template = '{% if cells %}<p class="cells">All\n{{ cell }} of the cells</p>{% endif %}{{ n | plural("bad cell") }}'
    assert found("a template", shown(template), "") == [
        "a template:2: 'cells' is called: configuration",
        "a template:2: 'cell' is called: configuration",
    ]
