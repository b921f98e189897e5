"""One trial of the search: what its blocks promise, what it costs, and what it has learnt after so many samples."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.variant import Resolution, Variant
from training.search import space

if TYPE_CHECKING:
    from optuna import Study, Trial

ROOT = Path(__file__).resolve().parent.parent.parent


class Failed(Exception):
    """A trial that came to nothing; its text is the reason, one sentence."""


@dataclass(frozen=True)
class Settings:
    """What all trials of a study have in common, for their values to be comparable."""

    reference: str
    samples: int
    batch: int
    prior: float
    seed: int
    pairs: int
    validation: tuple[str, ...]
    """Names of the folders that IOU is the mean over."""
    options: tuple[str, ...] = ()
    """Further options of train.py; of a file, its name alone."""


@dataclass(frozen=True)
class Here:
    """What each machine has for itself."""

    data: Path
    validation: tuple[Path, ...]
    out: Path
    threads: int
    resolutions: tuple[Resolution, ...]
    slowest: float
    """A candidate that takes longer than so many times the reference is not trained."""
    block_pairs: int
    more: tuple[str, ...] = ()
    """Further options of train.py."""


def objective(trial: Trial, settings: Settings, here: Here) -> tuple[float, float]:
    """(time as a multiple of the reference's, mean IOU in per cent). Failed or TrialPruned with the reason."""
    from optuna import TrialPruned

    candidate = space.suggest(trial, here.resolutions)
    trial.set_user_attr("variant", candidate.to_dict())
    try:
        cost = costs(candidate, settings, here)
        trial.set_user_attr("predicted", factor(trial.study) * cost["blocks"])
        for name, value in cost.items():
            trial.set_user_attr(name, value)
        ratio = float(cost["measured"]["median"])
        if ratio > here.slowest:
            raise TrialPruned(f"it takes {ratio:.2f} times the reference's time, more than {here.slowest:g}")
        learnt = learn(candidate, settings, here)
    except (Failed, TrialPruned) as reason:
        trial.set_user_attr("reason", str(reason))
        raise
    trial.set_user_attr("learnt", learnt)
    return ratio, sum(score["iou"] for score in learnt.values()) / len(learnt)


def factor(study: Study) -> float:
    """What a sum of blocks has been times to give the whole, so far: the median over the study's trials, at first 1.

    Blocks add up to more than the network, as each reads its input from memory and writes its output there.
    """
    from statistics import median

    known = [t.user_attrs for t in study.get_trials(deepcopy=False) if "measured" in t.user_attrs]
    return median([a["measured"]["median"] / a["blocks"] for a in known]) if known else 1.0


def costs(candidate: Variant, settings: Settings, here: Here) -> dict[str, Any]:
    """What `training.search.cost` prints."""
    here.out.mkdir(parents=True, exist_ok=True)
    options = ["--reference", settings.reference, "--pairs", str(settings.pairs)]
    options += ["--block-pairs", str(here.block_pairs), "--table", str(here.out / "blocks.json")]
    return _run(["-m", "training.search.cost", json.dumps(candidate.to_dict()), *options], "measuring")


def learn(candidate: Variant, settings: Settings, here: Here) -> dict[str, Any]:
    """What `training.search.learn` prints; the run's folder is the same whenever and wherever it is asked for."""
    name = name_of(candidate)
    size = space.training_size(candidate.resolution)
    common = ["--samples", settings.samples, "--batch", settings.batch, "--prev-mask-prob", settings.prior]
    common += ["--seed", settings.seed, "--size", size, "--threads", here.threads, *here.more]
    run = hashlib.sha256(repr([candidate, common]).encode()).hexdigest()[:12]
    paths = ["--data", here.data, "--out", here.out / "runs" / run, "--validation", *here.validation]
    command = ["-m", "training.search.learn", name, json.dumps(candidate.to_dict()), *common, *paths]
    return _run(list(map(str, command)), "training")


def name_of(candidate: Variant) -> str:
    """A name for the run's files and its checkpoint."""
    digest = hashlib.sha256(json.dumps(candidate.to_dict(), sort_keys=True).encode()).hexdigest()
    return f"candidate-{digest[:8]}"


def _run(arguments: Sequence[str], what: str) -> dict[str, Any]:
    """The JSON that a module of this package prints last; what it says meanwhile goes to stderr. Failed says why not.

    Interrupting this process ends the child too, which has saved what it can.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # A group of its own, so that Ctrl-C reaches it through us alone.
        start_new_session=True,
    )
    try:
        out, said = process.communicate()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode == 0:
        return json.loads(out.strip().splitlines()[-1])
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    code = process.returncode
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    raise Failed(f"{what} {how}" + (f" after saying: {lines[-1][:300]}" if lines else ""))
