"""Look for the network to ship: python -m training.search --data DIR --validation DIR [DIR ...] [--trials N] ...

An Optuna study over the article's freedoms (training/search/space.py). A candidate's cost is measured on this machine
as a multiple of a peer's time; its IOU is what a short training leaves, the same samples for all. Several processes on
several machines may work on one study: give all the same --storage, a database's URL, or a journal (a path that ends
in .log) on a disk that they share. Machines of other processors measure other ratios: the report says so.

    python -m training.search --data DATA --validation A B --samples 60000 --trials 20 --start s4-skip-light
    python -m training.search --out reports/search --trials 0          # the report alone

Interrupted, the trial that was under way goes on when the search is started again. One whose process was killed stays
in the study as running for ever, and out of the report.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from devices.extras import missing
from models.cost import macs, parameters
from models.variant import Variant, parse_resolution
from training.search import space
from training.search.cost import BLOCK_PAIRS, PAIRS, machine
from training.search.trial import Failed, Here, Settings, objective

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "hourglass"


def storage(where: str) -> BaseStorage:
    """What Optuna keeps the study in: a database's URL, a journal (.log), or an SQLite file at any other path."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if "://" not in where:
        Path(where).absolute().parent.mkdir(parents=True, exist_ok=True)
        if where.endswith(".log"):
            return JournalStorage(JournalFileBackend(where))
        where = f"sqlite:///{Path(where).absolute()}"
    return RDBStorage(where)


def open_study(where: BaseStorage | None, settings: Settings, seed: int | None) -> Study:
    """The study, made where there is none. ValueError when it was made with other settings."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(
        storage=where,
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
        study_name=NAME,
        directions=["minimize", "maximize"],
        load_if_exists=True,
    )
    asked = json.loads(json.dumps(asdict(settings)))
    known = study.user_attrs.get("settings")
    if known is None:
        study.set_user_attr("settings", asked)
    elif known != asked:
        other = [f"{key} {known.get(key)!r}, not {asked[key]!r}" for key in asked if known.get(key) != asked[key]]
        raise ValueError(f"the study was begun with {'; '.join(other)}: its values would not compare")
    return study


def begin(study: Study, names: Sequence[str], here: Here) -> None:
    """Put `names` first (as `space.candidate` takes them), each once in a study's life. ValueError for no candidate."""
    for name in names:
        try:
            chosen = space.candidate(name, here.resolutions)
        except ValueError as error:
            raise ValueError(f"--start {name}: {error}") from None
        study.enqueue_trial(chosen, user_attrs={"start": name}, skip_if_exists=True)


def search(study: Study, settings: Settings, here: Here, trials: int, say: Callable[[str], None]) -> None:
    """As many trials more. One that is interrupted is put first for the next search, and the interruption goes on."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    for _ in range(trials):
        trial = study.ask()
        trial.set_user_attr("machine", machine())
        try:
            values = objective(trial, settings, here)
        except Failed as reason:
            study.tell(trial, state=TrialState.FAIL)
            say(f"trial {trial.number} failed: {reason}")
        except TrialPruned as reason:
            study.tell(trial, state=TrialState.PRUNED)
            say(f"trial {trial.number} was not trained: {reason}")
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            trial.set_user_attr("reason", "interrupted" if interrupted else f"{type(error).__name__}: {error}")
            study.tell(trial, state=TrialState.FAIL)
            if interrupted:
                study.enqueue_trial(trial.params)
            raise
        else:
            study.tell(trial, values)
            say(
                f"trial {trial.number}: {values[0]:.3f} times the reference's time "
                f"({trial.user_attrs['predicted']:.3f} foretold), IOU {values[1]:.2f} %"
            )


def show(study: Study, settings: Settings, here: Here, count: int) -> str:
    """What the next trials would be, as a table. Asks the study, so hand it one that nobody keeps."""
    lines = [f"{name}: {value}" for name, value in asdict(settings).items()]
    lines += ["", "| resolution | trained at | parameters | M MACs | fields |", "|---|---|---|---|---|"]
    for _ in range(count):
        one = space.suggest(study.ask(), here.resolutions)
        size, changed = space.training_size(one.resolution), Variant(resolution=one.resolution).to_dict()
        fields = ", ".join(f"{k} {v}" for k, v in one.to_dict().items() if v != changed[k])
        lines.append(
            f"| {space.words(one.resolution)} | {size}x{size} | {parameters(one):,} "
            f"| {macs(one, one.resolution) / 1e6:.1f} | {fields} |"
        )
    return "\n".join(lines)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, help="train.py's folder of training data")
    add("--validation", type=Path, nargs="+", default=[], metavar="DIR", help="IOU is the mean over these folders")
    add("--trials", type=int, default=10, metavar="N", help="how many more; 0 makes the report alone")
    add("--start", default="", metavar="NAMES", help="variants to try first, as s4-skip-light,s4-skip-light:squeeze=8")
    add("--out", type=Path, default=ROOT / "reports" / "search", metavar="DIR", help="report, runs, costs of blocks")
    add("--storage", metavar="WHERE", help="a database's URL, a journal (.log), an SQLite file; default OUT/study.log")
    add("--reference", default="mediapipe-selfie", help="a peer of peers.toml, or a .tflite of ours")
    add("--resolutions", default=",".join(map(space.words, space.RESOLUTIONS)), metavar="HxW,...")
    add("--samples", type=int, default=60_000, help="train.py's, the same for all")
    add("--batch", type=int, default=32, help="train.py's")
    add("--prior", type=float, default=0.5, help="train.py's")
    add("--seed", type=int, default=0, help="train.py's")
    add("--sampler-seed", type=int, help="of what the search proposes; give it to one machine alone")
    add("--threads", type=int, default=1, help="of the training; the cost is always that of one")
    add("--pairs", type=int, default=PAIRS, help="of visits in a measurement")
    add("--block-pairs", type=int, default=BLOCK_PAIRS, help="of visits for each block of the prediction")
    add("--slowest", type=float, default=1.0, metavar="RATIO", help="candidates beyond it are not trained")
    add("--dry-run", action="store_true", help="print what would be tried, touch nothing")
    add("more", nargs="*", metavar="-- OPTIONS", help="further options of train.py")
    options = parser.parse_args(arguments)
    if options.trials and not options.dry_run and not (options.data and options.validation):
        parser.error("a search needs --data and --validation")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    where = options.storage or str(options.out / "study.log")
    names = [name for name in options.start.split(",") if name]
    try:
        if reason := missing("optuna"):
            raise ValueError(reason)
        if not options.trials:
            return _report(load(where), options.out)
        settings = Settings(
            options.reference,
            options.samples,
            options.batch,
            options.prior,
            options.seed,
            options.pairs,
            tuple(folder.name for folder in options.validation),
            tuple(Path(option).name for option in options.more),
        )
        here = Here(
            options.data.absolute() if options.data else Path(),
            tuple(folder.absolute() for folder in options.validation),
            options.out.absolute(),
            options.threads,
            tuple(map(parse_resolution, options.resolutions.split(","))),
            options.slowest,
            options.block_pairs,
            tuple(options.more),
        )
        study = open_study(None if options.dry_run else storage(where), settings, options.sampler_seed)
        begin(study, names, here)
        if options.dry_run:
            print(show(study, settings, here, options.trials))
            return 0
        try:
            search(study, settings, here, options.trials, say)
        except KeyboardInterrupt:
            say(f"Interrupted. The study is in {where}; the same command goes on from there.")
            return 130
        return _report(study, options.out)
    except ValueError as error:
        say(f"training.search: {error}")
        return 2


def load(where: str) -> Study:
    """A study that there is. ValueError when there is none."""
    import optuna

    try:
        if "://" not in where and not Path(where).exists():
            raise KeyError
        return optuna.load_study(study_name=NAME, storage=storage(where))
    except KeyError:
        raise ValueError(f"{where} holds no study yet") from None


def _report(study: Study, out: Path) -> int:
    from training.search.report import write

    print(write(study, out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
