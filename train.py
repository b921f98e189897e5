"""Train one variant, or several on the same batches: flat, resumable, one process or several under torchrun.

    python train.py live --data DATA --out runs/live
    python train.py s4-skip-plain s16-skip-plain --data DATA --out runs/two --samples 60000 --size 128
    python train.py live --pack FILE --out runs/live --minutes 9

Killed at any moment, the same command goes on from the last saved state and ends with the same weights.
"""

from __future__ import annotations

if __name__ == "__main__":
    import sys

    from cli import interpreter

    # A pack is for machines that have little installed.
    packed = any(word.split("=")[0] == "--pack" for word in sys.argv)
    interpreter.ensure(interpreter.NEEDED_FOR_A_PACK if packed else interpreter.NEEDED)

import csv
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

# NumPy's own threads wait for each other longer than the small matrices of a sample take.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from models import variant as variants
from models.arguments import WRONG_USAGE
from models.scratch import Held, hold
from training.options import NO_TEACHER, TEACHER, Options
from training.options import parse as parse_options

if TYPE_CHECKING:
    import torch

    from training.answers import Teacher
    from training.feature_distillation import FeatureTeacher
    from training.learner import Learner
    from training.loader import Data
    from training.selfie import SelfieNetwork


NOT_TRAINED = 3
"""The exit code where what was asked for is right and cannot be done."""


def parse(arguments: Sequence[str] | None = None) -> Options:
    return parse_options(arguments, __doc__)


def main(arguments: Sequence[str] | None = None) -> int:
    """One training at a time has the folder --out: two would write over each other's state."""
    began = time.monotonic()
    options = parse(arguments)
    if options.show_batch or int(os.environ.get("RANK", 0)):
        return _train(options, began)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with hold(options.out / "run.lock"):
            return _train(options, began)
    except Held:
        print(f"train.py: another training writes into {options.out}; give another --out", file=sys.stderr)
        return NOT_TRAINED


def _train(options: Options, began: float) -> int:
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    from training import fake_int8, loader, prior, show, state
    from training.budget import Budget
    from training.graphs import Graphs
    from training.learner import Learner, Lesson
    from training.sampler import Law, Sampler

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    cuda = torch.cuda.is_available()
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    torch.set_num_threads(options.threads)
    say = (lambda text: print(text, file=sys.stderr, flush=True)) if rank == 0 else (lambda text: None)

    if options.speedup == "graphs" and (not cuda or world > 1):
        say("train.py: --speedup graphs needs one process on a GPU with CUDA")
        return WRONG_USAGE
    try:
        data, teacher, published = _open(options, device, say)
    except ValueError as error:
        say(f"train.py: {error}")
        return WRONG_USAGE
    law = Law(
        size=options.side,
        frames=options.frames,
        prior=prior.MIXED.scaled(options.prev_mask_prob),
        turned=options.rotate_prob,
        crowded=options.crowd_prob,
    )
    sampler = Sampler(data.store, data.split.train, law, options.seed)
    if options.show_batch:
        show.save(options.show_batch, [sampler(i) for i in range(42)], columns=max(1, 7 // options.frames))
        return 0
    sets = data.judged()

    learners = [Learner(name, variants.get(name), options.resolution(name), options) for name in options.variants]
    try:
        for number, learner in enumerate(learners if options.init else ()):
            say(_begin(learner, options.init[min(number, len(options.init) - 1)]))
    except ValueError as error:
        say(f"train.py: {error}")
        return WRONG_USAGE
    for learner in learners:
        learner.ready(device)
    try:
        followed = _followed(options.feature_teacher, device) if options.feature_teacher else None
    except ValueError as error:
        say(f"train.py: {error}")
        return WRONG_USAGE
    steps = options.samples // (options.batch * world)
    schedule = state.Schedule(options.rate, steps, warm_up=min(200, steps // 10 + 1))
    first, seconds, anew = 0, 0.0, 0
    if saved := state.load(options.out / "state.pt", say):
        if saved["options"] != options.identity(world):
            say(f"{options.out} holds another run; give --out a fresh folder")
            return WRONG_USAGE
        kept = {name: state.whole(values) for name, values in saved["learners"].items()}
        for learner in learners:
            learner.take(kept[learner.name])
        first, seconds = saved["step"], saved["seconds"]
        # Optimisers without a memory of the run begin as carefully as they did at first.
        anew = 0 if all(values["optimizers"] for values in kept.values()) else 50
        say(f"going on at step {first} of {steps}")
    for learner in learners:
        if options.int8:
            fake_int8.attach(learner.network)
        if options.features(learner.name):
            learner.features = _features(learner, followed, published)
        if world > 1:
            learner.forward = DistributedDataParallel(learner.network)

    def save(step: int) -> None:
        if rank == 0:
            values = {learner.name: learner.state() for learner in learners}
            about = {"step": step, "seconds": seconds, "options": options.identity(world)}
            state.save(options.out / "state.pt", {**about, "learners": values})

    # A teacher that is not on the device answers beside the samples, in the processes that draw them.
    beside = options.teacher if teacher is None and options.teacher != NO_TEACHER and options.distill_weight else None
    workers = options.workers or (max(1, (os.cpu_count() or 2) // world - 1) if cuda else 1)
    answering = loader.Answering(beside, options.second_look) if beside else None
    batches = loader.batches(sampler, options.batch, first, steps, rank, world, answering, workers, pinned=cuda)
    graphs = Graphs(learners) if options.speedup == "graphs" else None
    budget = Budget(options.minutes and options.minutes * 60)
    started = last_saved = last_said = time.monotonic()
    begun, waited, step, out_of_time = first, 0.0, first, False
    while step < steps and not out_of_time:
        asked = time.monotonic()
        drawn = next(batches)
        waited += time.monotonic() - asked
        lesson = Lesson(*_taught(drawn, teacher, options, device))
        spent = budget.spent(time.monotonic() - began)
        rate = schedule.rate(step) if options.rates == "samples" else schedule.held(step)
        rate *= state.cosine(spent) if options.rates == "anneal" else 1.0
        rate *= min(1.0, (step - begun + 1) / anew) if anew else 1.0
        if graphs:
            graphs.step(lesson, rate, step)
        else:
            for learner in learners:
                learner.step(lesson, rate, step)
        step += 1

        now = time.monotonic()
        done = step * options.batch * world
        out_of_time = _agreed(spent >= 1, world, device) if options.minutes else False
        finished = step == steps or out_of_time
        due = done // options.evaluate_every > (done - options.batch * world) // options.evaluate_every
        saving = now - last_saved > options.save_every
        saying = rank == 0 and (now - last_said > 10 or step % 50 == 0 or finished)
        if graphs and (saying or saving or due or finished):
            graphs.settle()
        if saying:
            last_said = now
            pace = (step - first) / (now - started)
            say(
                f"{done}/{options.samples} samples  loss {_losses(learners)}  "
                f"{pace * options.batch * world:.0f} samples/s  data {waited / (now - started):.0%}  "
                f"{_clock((steps - step) / pace)} remaining"
            )
        if finished and rank == 0:
            # Written before the evaluation, so that a time limit that cuts the evaluation loses no weights.
            for learner in learners:
                _write(learner, data, world, done, round(seconds + now - started))
        if due or finished:
            for learner in learners:
                entry = {"samples": done, "seconds": round(seconds + now - started, 1), "loss": learner.mean_loss()}
                learner.evaluated({**entry, **(learner.judge(sets) if rank == 0 else {})})
                if rank == 0:
                    _tell(learner, say)
        if saving or finished:
            seconds += now - started
            save(step)
            started, first, waited, last_saved = time.monotonic(), step, 0.0, time.monotonic()
        if due or finished:
            budget.ended(time.monotonic() - now)
    if world > 1:
        dist.destroy_process_group()
    if rank == 0:
        for learner in learners:
            path = _write(learner, data, world, step * options.batch * world, round(seconds))
            say(f"wrote {path}")
        if step < steps:
            say(f"the minutes are over after {step * options.batch * world} samples; the same command goes on")
    return 0


def _open(options: Options, device: torch.device, say: Any) -> tuple[Data, Teacher | None, SelfieNetwork | None]:
    """The data; the teacher, where it answers on the device; and the published network whose features are wanted.

    ValueError says in a sentence what is missing.
    """
    from training import answers, loader, packed, selfie, validation

    pack = packed.read(options.pack) if options.pack else None
    features = not options.feature_teacher and any(options.features(name) for name in options.variants)
    # On a CPU the published file in its own runtime takes half of PyTorch's time.
    here = device.type == "cuda" or pack is not None
    published = None
    if features or (here and options.teacher == TEACHER):
        published = selfie.opened(pack.teacher) if pack else selfie.published()
    teacher = None
    if here and options.teacher == TEACHER:
        assert published
        own = selfie.opened(published.state_dict())
        teacher = answers.of_network(own, selfie.RESOLUTION, device, options.second_look)
    elif here and options.teacher.endswith(".safetensors"):
        teacher = answers.of_checkpoint(Path(options.teacher), device)
    elif pack and options.teacher != NO_TEACHER:
        raise ValueError(f"--teacher {options.teacher}: beside a pack only {TEACHER}, a checkpoint or {NO_TEACHER}")
    if pack:
        data = packed.open_data(pack, teacher, say, options.labels)
        if options.validation is not None:
            data = replace(data, validation=validation.of_folders(options.validation))
        return data, teacher, published
    assert options.data
    folders = _known(options.data) if options.validation is None else options.validation
    name = None if options.teacher == NO_TEACHER else options.teacher
    data = loader.open_data(options.data, name, validation.of_folders(folders), say, options.labels)
    if options.whole_bodies:
        from training.whole_bodies import Taught

        taught = Taught(data.store, data.split.train, options.whole_bodies)
        say(f"a second teacher has changed {len(taught.labels)} labels")
        data = replace(data, store=taught)
    return data, teacher, published


def _known(data: Path) -> list[Path]:
    """The folders beside the training data that are for validation alone."""
    return [data / name for name in ("selfie-val", "selfie-val2", "video-val") if (data / name).is_dir()]


def _begin(learner: Learner, path: Path) -> str:
    """Take what fits of a checkpoint, and say what did not."""
    from models import checkpoint
    from training import state

    begun = checkpoint.load(path)
    learner.parent = begun.card
    fresh = state.adopt(learner.network, dict(begun.state))
    return f"{learner.name} started from {path}; fresh: {', '.join(fresh) or 'nothing'}"


def _followed(path: Path, device: torch.device) -> FeatureTeacher:
    import torch

    from models import checkpoint
    from training.feature_distillation import FeatureTeacher

    network = checkpoint.load(path).network().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FeatureTeacher(network)


def _features(learner: Learner, followed: FeatureTeacher | None, published: SelfieNetwork | None) -> Any:
    if followed:
        from training.feature_distillation import FeatureDistillation

        return FeatureDistillation(learner.network, followed)
    from training import selfie
    from training.mediapipe_features import MediaPipeFeatures

    assert published
    theirs = selfie.opened(published.state_dict()).to(learner.device)
    return MediaPipeFeatures(learner.network.trunk, theirs.trunk)


def _taught(
    drawn: Any, teacher: Teacher | None, options: Options, device: torch.device
) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """Frames, truths with the teacher's answers in them, and the previous mask, all on the device."""
    from training.distill import taught
    from training.loader import to_network

    count = drawn.frames.shape[1]
    frames = [to_network(drawn.frames[:, t], device) for t in range(count)]
    targets = [to_network(drawn.targets[:, t], device) for t in range(count)]
    answers = None
    if options.distill_weight and teacher:
        answers = [teacher(frame) for frame in frames]
    elif options.distill_weight and drawn.answers is not None:
        answers = [to_network(drawn.answers[:, t], device) for t in range(count)]
    if answers:
        asked = drawn.asked.to(device, non_blocking=True)
        mix = (options.distill_weight, asked, options.trust_all)
        targets = [taught(target, answer, *mix) for target, answer in zip(targets, answers, strict=True)]
    return frames, targets, to_network(drawn.previous, device)


def _agreed(over: bool, world: int, device: torch.device) -> bool:
    """Whether the first process says that it is over: clocks differ, and all must stop at one step."""
    if world == 1:
        return over
    import torch
    import torch.distributed as dist

    flag = torch.tensor([float(over)], device=device)
    dist.broadcast(flag, 0)
    return bool(flag.item())


def _losses(learners: Sequence[Learner]) -> str:
    values = sorted(learner.mean_loss() for learner in learners)
    return f"{values[0]:.4f}" + (f" to {values[-1]:.4f}" if len(values) > 1 else "")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _tell(learner: Learner, say: Any) -> None:
    """The last evaluation, in words, in log.csv and as curves."""
    entry = learner.log[-1]
    figures = "  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in entry.items())
    say(f"{learner.name}: {figures}")
    folder = learner.options.folder(learner.name)
    folder.mkdir(parents=True, exist_ok=True)
    keys = list(dict.fromkeys(key for entry in learner.log for key in entry))
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(learner.log)


def _write(learner: Learner, data: Data, world: int, samples: int, seconds: int) -> Path:
    """The checkpoint of the averaged weights, with its card, and the curves where Matplotlib is installed."""
    from importlib.util import find_spec

    import torch

    from models import checkpoint

    options, numbers = learner.options, data.split.train
    sources = sorted({data.store.entries[i].source for i in numbers})
    stage = {**options.stage(learner.name, world), "samples": samples, "seconds": seconds, "log": learner.log}
    stage["device"] = torch.cuda.get_device_name(learner.device) if learner.device.type == "cuda" else "CPU"
    card = {
        "data": {"sources": sources, "pictures": len(numbers), "sha256": data.store.digest(numbers)},
        "training": [*learner.parent.get("training", []), stage],
    }
    path = options.folder(learner.name) / "checkpoint.safetensors"
    final = {key: value.cpu() for key, value in learner.ema.state.items()}
    checkpoint.save(path, learner.name, learner.variant, final, card)
    if find_spec("matplotlib"):
        from training import curves

        curves.save(path.with_name("curves.png"), learner.log)
    return path


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("train.py: stopped; the same command goes on from the last saved state", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        print(f"train.py: {error}", file=sys.stderr)
        sys.exit(NOT_TRAINED)
