"""A gate's result as JSON, Markdown for a pull request, and JUnit XML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from devices.paired import Block
from gate.decision import Outcome
from gate.verdict import (
    CONFIDENCE,
    Finding,
    Result,
    Speed,
    Verdict,
    change,
    headline,
    interval,
    percent,
    regressed,
    title,
    trend,
    words,
    worst_verdict,
)
from reports import whole
from reports.store import Figure

FILE = "gate.json"
_ALERT = {
    Outcome.PASS: "TIP",
    Outcome.FAIL: "CAUTION",
    Outcome.INCONCLUSIVE: "WARNING",
    Outcome.NOT_MEASURED: "WARNING",
}
"""GitHub's alerts, which it draws in green, red and amber."""
_MARK = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INCONCLUSIVE: "❔", Outcome.NOT_MEASURED: "⚠️"}


def write(result: Result, folder: Path) -> None:
    """gate.json (raw samples included), gate.md and gate.xml in `folder`, each whole or not at all."""
    for name, text in ((FILE, to_json(result)), ("gate.md", markdown(result)), ("gate.xml", junit(result))):
        whole.write(folder / name, text)


def to_json(result: Result) -> str:
    """Everything, so that every figure can be recomputed, and for who reads the file the words and the exit code."""
    values = asdict(result)
    for written, made in zip(values["configurations"], result.configurations, strict=True):
        estimate = made.speed.estimate if made.speed else None
        written |= {"outcome": made.outcome, "words": words(made)}
        if made.speed:
            written["frame_ms"] = dict(zip(("before", "now"), made.speed.frame_ms, strict=True))
        if estimate:
            shares = {k: math.expm1(getattr(estimate, k)) for k in ("effect", "low", "high")}
            written["change"] = {k: v if math.isfinite(v) else None for k, v in shares.items()}
    values |= {"outcome": result.outcome, "exit_code": result.exit_code, "words": headline(result)}
    return json.dumps(values) + "\n"


def from_json(text: str) -> Result:
    """The inverse of `to_json`. A file with the former keys, "cells" and "cell", is read too."""
    values = json.loads(text)
    listed = values["configurations"] if "configurations" in values else values["cells"]
    verdicts = tuple(map(_verdict, listed))
    return Result(
        values["baseline"],
        values["candidate"],
        values["time"],
        verdicts,
        values["machine"],
        tuple(values.get("notes", ())),
        values.get("link", ""),
        tuple(Figure(**figure) for figure in values.get("past", ())),
    )


def _verdict(values: Mapping[str, Any]) -> Verdict:
    findings = tuple(
        Finding(f["metric"], Outcome(f["outcome"]) if f["outcome"] else None, f["words"]) for f in values["findings"]
    )
    speed = None
    if s := values["speed"]:
        first, *fresh = (
            tuple(Block(tuple(b["order"]), tuple(map(tuple, b["ns"]))) for b in process)
            for process in (s["first"], *s["fresh"])
        )
        speed = Speed(
            s["tolerance"],
            Outcome(s["outcome"]),
            first,
            tuple(fresh),
            s["seconds"],
            tuple(s["hazards"]),
            s.get("advises", False),
        )
    name = values["configuration"] if "configuration" in values else values["cell"]
    return Verdict(name, findings, speed, values["equal"], values["reason"])


def markdown(result: Result) -> str:
    """What decides as an alert, a table of all configurations, the sentences of each, folded for those that pass."""
    lines = [f"### {_MARK[result.outcome]} FPS gate. {_escape(title(result))}", "", f"> [!{_ALERT[result.outcome]}]"]
    if (decides := worst_verdict(result)) and (said := words(decides)):
        lines += [f"> `{decides.configuration}`: {_escape(said[0])}", ">"]
    changes = f" ([what changed]({result.link}))" if result.link else ""
    lines += [f"> {_escape(headline(result))}{changes}.", ""]
    lines += [
        f"| | configuration | before, ms | now, ms | frame time ({CONFIDENCE} interval, over blocks) | tolerance |",
        "|---|---|--:|--:|---|--:|",
    ]
    for verdict in result.configurations:
        name = f"{_MARK[verdict.outcome]} | `{verdict.configuration}`"
        if verdict.speed and (found := verdict.speed.estimate):
            before, now = verdict.speed.frame_ms
            moved = f"{change(found.effect)} ({interval(found)}; {found.used} of {found.blocks} blocks)"
            moved = f"**{moved}**" if verdict.speed.outcome is Outcome.FAIL else moved
            lines.append(f"| {name} | {_ms(before)} | {_ms(now)} | {moved} | {percent(verdict.speed.tolerance)} |")
        else:
            lines.append(f"| {name} | | | {'same artifact' if verdict.equal else 'not measured'} | |")
    lines += ["", *(f"- {_escape(note)}" for note in result.notes)] if result.notes else []
    for verdict in result.configurations:
        told = "".join(f"\n- {_escape(sentence)}" for sentence in (*words(verdict), *_trend(result, verdict)))
        body = f"{told}\n"
        worse = f": {', '.join(regressed(verdict))}" if verdict.outcome is Outcome.FAIL else ""
        if verdict.outcome is Outcome.PASS:
            lines += [
                "",
                f"<details><summary>{_MARK[verdict.outcome]} <code>{verdict.configuration}</code></summary>",
                body,
                "</details>",
            ]
        else:
            lines += ["", f"{_MARK[verdict.outcome]} `{verdict.configuration}`{worse}", body]
    return "\n".join(lines).rstrip() + "\n"


def _trend(result: Result, verdict: Verdict) -> list[str]:
    """The last frame times in a sentence, or nothing."""
    values = [f"{ms:.2f}" for _, ms in trend(result, verdict)]
    return [f"Last runs on this machine, ms a frame: {', '.join(values[:-1])}, now {values[-1]}."] if values else []


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace("_", "\\_").replace("*", "\\*").replace("`", "'")


def junit(result: Result) -> str:
    """One test case per configuration: FAIL is a failure, NOT MEASURED an error, INCONCLUSIVE a skipped test."""
    suite = ElementTree.Element(
        "testsuite", name="fps-gate", tests=str(len(result.configurations)), timestamp=result.time
    )
    count = {outcome: sum(verdict.outcome is outcome for verdict in result.configurations) for outcome in Outcome}
    suite.set("failures", str(count[Outcome.FAIL]))
    suite.set("errors", str(count[Outcome.NOT_MEASURED]))
    suite.set("skipped", str(count[Outcome.INCONCLUSIVE]))
    for verdict in result.configurations:
        seconds = verdict.speed.seconds if verdict.speed else 0.0
        case = ElementTree.SubElement(
            suite, "testcase", classname="gate", name=verdict.configuration, time=f"{seconds:.1f}"
        )
        said = words(verdict)
        tag = {Outcome.FAIL: "failure", Outcome.NOT_MEASURED: "error", Outcome.INCONCLUSIVE: "skipped"}.get(
            verdict.outcome
        )
        if tag:
            ElementTree.SubElement(case, tag, message=said[0] if said else "").text = "\n".join(said)
        else:
            ElementTree.SubElement(case, "system-out").text = "\n".join(said)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
