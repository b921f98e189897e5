"""What `bench.py gate` does, given its options: find the artifacts, run the gate, write and print the verdict."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from converters.artifact import Format
from devices.contract import Config
from gate import artifacts, described, matching, model_files, output, section
from gate import baseline as baselines
from gate.baseline import Baseline
from gate.config import Case, GateCase, ModelCase, Tolerance, read
from gate.run import SECONDS, Comparison, run
from gate.verdict import NOT_MEASURED, Result, Verdict, headline, words
from models.bounds import check_threads
from models.files import refuse_special
from models.scratch import hold
from reports import history, store
from reports.gitinfo import checkout_words, comparison, repository_of

if TYPE_CHECKING:
    from devices.plan import Weights
    from evaluation.clip import Dataset
    from reports.live import Live

RUNTIMES: dict[str, Format] = {"litert": "tflite", "onnxruntime": "onnx", "openvino": "openvino"}
SELF_TEST_CONFIGURATION: tuple[str, Format] = ("s16-skip-plain", "tflite")


@dataclass(frozen=True)
class Asked:
    """The options of `bench.py gate`."""

    baseline: str | None
    baseline_artifact: Path | None
    candidate_artifact: Path | None
    runtime: str | None
    configurations: Path
    max_slowdown: float | None
    seconds: float = SECONDS
    clock_advises: bool = False
    allow_removed: bool = False
    history: Path | None = None
    """The store of `bench.py history`, whose last figures are shown, where there is one."""


def gate(asked: Asked, weights: Mapping[str, Weights], dataset: Dataset, out: Path, as_json: bool) -> int:
    """Run the gate, leave its files and the page in `out`, tell the verdict, and return the exit code.

    One gate at a time has the folder `out`. ValueError for options that mean nothing, Held for a second gate.
    """
    out.mkdir(parents=True, exist_ok=True)
    with hold(out / "gate.lock"):
        return _gate(asked, weights, dataset, out, as_json)


def _gate(asked: Asked, weights: Mapping[str, Weights], dataset: Dataset, out: Path, as_json: bool) -> int:
    from reports.live import Live

    files = asked.baseline_artifact, asked.candidate_artifact, asked.runtime
    if asked.baseline and any(files):
        raise ValueError("name --baseline, or else --baseline-artifact, --candidate-artifact and --runtime")
    with Live() as live:
        result = _files(asked, dataset, live) if any(files) else _against(asked, weights, dataset, live)
    output.write(result, out)
    for damaged in section.page([out], out / "report.html"):
        print(damaged, file=sys.stderr)
    if as_json:
        print(output.to_json(result), end="")
        return result.exit_code
    print(headline(result))
    for note in result.notes:
        print(note)
    for verdict in result.configurations:
        print(f"\n{verdict.configuration}")
        for sentence in words(verdict):
            print(f"  {sentence}")
    print(f"\nThe page: {out / 'report.html'}")
    return result.exit_code


def save(asked: Asked, weights: Mapping[str, Weights], folder: Path) -> int:
    """Keep this checkout's artifacts of the declared configurations in `folder`; 3 when one of them cannot be made."""
    from reports.live import Live

    cases = read(asked.configurations)
    configs = [case.config for case in cases if isinstance(case, GateCase)]
    with Live() as live:
        live.stage("convert", len(configs))
        made = artifacts.of_checkout(configs, weights, live.convert)
    artifacts.save(made, folder)
    baselines.save(cases, folder)
    models = [case for case in cases if isinstance(case, ModelCase)]
    absent = {
        config.name: artifact.reason
        for config, artifact in made.items()
        if isinstance(artifact, artifacts.MissingArtifact)
    } | model_files.save(models, asked.configurations.parent, folder)
    for name, reason in absent.items():
        print(f"bench.py: {name}: {reason}.", file=sys.stderr)
    number = len(made) + len({name for case in models for name in (case.model, case.before)})
    print(f"{number - len(absent)} of {number} artifacts are in {folder}")
    return NOT_MEASURED if absent else 0


def self_test(
    weights: Mapping[str, Weights], out: Path, real: int, neighbour: bool, seconds: float, minutes: float | None
) -> int:
    """Test the gate on random numbers, or with `real` on this machine; 1 when its aims are not reached."""
    from gate.selftest import run as selftest

    variant, format = SELF_TEST_CONFIGURATION
    if not real:
        missed = selftest.simulated()
    elif variant not in weights:
        raise ValueError(f"{variant} has no checkpoint, and the self-test needs it")
    else:
        missed = selftest.real(variant, format, weights[variant], real, out, neighbour, seconds, minutes)
    for sentence in missed:
        print(f"Target missed: {sentence}.")
    return 1 if missed else 0


def _against(asked: Asked, weights: Mapping[str, Weights], dataset: Dataset, live: Live) -> Result:
    cases = read(asked.configurations)
    for case in cases:
        if isinstance(case, ModelCase):
            check_threads(case.threads)
        elif case.config.device == "desktop":
            check_threads(case.config.threads)
    live.stage("baseline", len(cases))
    models = any(isinstance(case, ModelCase) for case in cases)
    root = repository_of(asked.configurations.parent) if models else None
    if asked.baseline:
        baseline = baselines.find(asked.baseline, asked.configurations, live.step, root)
    else:
        baseline = baselines.of_files(cases, asked.configurations)
    verdicts, notes = _no_longer_checked(cases, baseline, asked.allow_removed)
    if not asked.allow_removed:
        checked = [matching.held(case, baseline.cases) for case in cases]
        cases = [case for case, _ in checked]
        notes += [sentence for _, said in checked for sentence in said]
    if asked.max_slowdown is not None:
        cases = [replace(case, tolerance=replace(case.tolerance, slowdown=asked.max_slowdown)) for case in cases]
    pairs = matching.matched([c for c in cases if isinstance(c, GateCase)], baseline.cases, baseline.sizes)
    before = baseline.artifacts([pair.before for pair in pairs])
    live.stage("convert", len(pairs))
    hashes = {artifact.sha256 for artifact in before.values() if isinstance(artifact, artifacts.GateArtifact)}
    now = artifacts.of_checkout([pair.case.config for pair in pairs], weights, live.convert, hashes)
    comparisons = [
        Comparison(
            pair.case.config,
            before[pair.before],
            now[pair.case.config],
            pair.case.tolerance,
            before=pair.before.resolution,
        )
        for pair in pairs
    ]
    with tempfile.TemporaryDirectory(prefix="gate-models-") as temporary:
        of_models, said = model_files.comparisons(
            [case for case in cases if isinstance(case, ModelCase)],
            baseline,
            asked.configurations.parent,
            Path(temporary),
            dataset,
            live.say,
        )
        notes += said
        found = _result(baseline.name, checkout_words(root), [*comparisons, *of_models], dataset, live, asked)
    link = comparison(baseline.commit, root)
    return replace(found, configurations=(*found.configurations, *verdicts), notes=tuple(notes), link=link)


def _no_longer_checked(cases: Sequence[Case], baseline: Baseline, allowed: bool) -> tuple[list[Verdict], list[str]]:
    """A verdict on each configuration that the baseline checks and `cases` do not, or where `allowed` a sentence."""
    gone = matching.removed(cases, baseline.cases)
    notes = list(baseline.notes)
    if allowed:
        notes += [f"{case.name} is no longer checked, which {matching.ALLOW} allows." for case in gone]
        notes += [f"What the baseline checks is not known: {baseline.unreadable}."] if baseline.unreadable else []
        return [], notes
    verdicts = [matching.verdict_on_removed(case) for case in gone]
    if baseline.unreadable:
        verdicts.append(Verdict("what the baseline checks", reason=baseline.unreadable))
    return verdicts, notes


def _files(asked: Asked, dataset: Dataset, live: Live) -> Result:
    from converters.registry import format_of

    baseline, candidate = asked.baseline_artifact, asked.candidate_artifact
    if not (baseline and candidate and asked.runtime):
        raise ValueError("two files are compared by --baseline-artifact, --candidate-artifact and --runtime together")
    if asked.runtime not in RUNTIMES:
        raise ValueError(f"{asked.runtime!r} is none of {', '.join(RUNTIMES)}")
    format = RUNTIMES[asked.runtime]
    for path in (baseline, candidate):
        refuse_special(path)
        if not path.exists():
            raise ValueError(f"{path}: there is no such file")
        if format_of(path) != format:
            raise ValueError(f"{path}: {asked.runtime} does not run it; its format is {format_of(path)}")
    with tempfile.TemporaryDirectory(prefix="gate-files-") as temporary:
        before, now = (
            described.ready(path, format, Path(temporary) / name, dataset, live.say)
            for name, path in (("baseline", baseline), ("candidate", candidate))
        )
        one = Comparison(
            Config("", format, resolution=now.resolution),
            before.artifact,
            now.artifact,
            Tolerance() if asked.max_slowdown is None else Tolerance(slowdown=asked.max_slowdown),
            f"{candidate.name} ({asked.runtime})",
            before.resolution,
        )
        names = (baseline.name, candidate.name) if baseline.name != candidate.name else (str(baseline), str(candidate))
        return _result(*names, [one], dataset, live, asked)


def _result(
    baseline: str, candidate: str, comparisons: Sequence[Comparison], dataset: Dataset, live: Live, asked: Asked
) -> Result:
    from devices.desktop.environment import DesktopProbe

    figures: list[store.Figure] = []
    if asked.history and store.exists(kept := store.place(asked.history)):
        try:
            figures = store.load(kept)
        except ValueError as reason:
            live.say(f"The last runs are not drawn: {str(reason).removesuffix('.')}.")
    machine = DesktopProbe().read()
    live.stage("gate", len(comparisons))
    verdicts = run(comparisons, dataset, asked.seconds, say=live.step, clock_advises=asked.clock_advises)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    cpu = str(machine.facts.get("cpu", ""))
    past = [figure for verdict in verdicts for figure in history.recent(figures, verdict.configuration, cpu)]
    facts = machine.facts | {"hazards": list(machine.hazards)}
    return Result(baseline, candidate, now, verdicts, facts, past=tuple(past))
