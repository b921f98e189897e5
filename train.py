"""Train one variant: flat, resumable, one process or several under torchrun.

    python train.py s16-skip-plain --data DATA --samples 60000 --size 128 --out runs/s16-skip-plain
    python train.py s16-skip-dense --data DATA --init runs/s16-skip-plain/checkpoint.safetensors --size 256 ...

Killed at any moment, the same command goes on from the last saved state and ends with the same weights.
"""

from __future__ import annotations

if __name__ == "__main__":
    from cli import interpreter

    interpreter.ensure()

import argparse
import csv
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from models import variant as variants
from training import datasets

if TYPE_CHECKING:
    from models.inverted import InvertedTrunk
    from training.hints import Hints


@dataclass(frozen=True)
class Options:
    variant: str
    data: Path
    out: Path
    samples: int
    size: int
    frames: int
    batch: int
    rate: float
    prior: float
    seed: int
    threads: int
    bf16: bool
    muon: bool
    int8: bool
    init: Path | None
    teacher: Path | None
    taught: float
    hints: float
    steady: float
    turned: float
    labels: datasets.Labels
    validation: tuple[Path, ...]
    evaluate_every: int
    save_every: float
    show_batch: Path | None


def parse(arguments: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("variant", help="its name; python bench.py variants lists them")
    add("--data", type=Path, required=True, help="folder of training data (layouts: training/datasets.py)")
    add("--out", type=Path, required=True, help="the run's folder: state, log, curves, checkpoint")
    add("--samples", type=int, default=60_000)
    add("--size", type=int, default=128, help="side of the training pictures, a multiple of 32, or 16 for live")
    add("--frames", type=int, default=1, help="frames in a row, the network fed its own detached output")
    add("--batch", type=int, default=32, help="per process")
    add("--rate", type=float, default=2e-3, help="peak learning rate")
    add("--prior", type=float, default=0.0, help="share of the mixed previous-mask law; 0: always empty")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=2)
    add("--bf16", action="store_true", help="convolutions in bfloat16, for processors that are faster at it")
    add("--muon", action="store_true", help="Muon for what mixes channels, AdamW for the rest (training/muon.py)")
    add("--int8", action="store_true", help="with activations rounded as in int8 (training/fake_int8.py)")
    add("--init", type=Path, help="checkpoint to start from; tensors that fit are taken")
    add("--teacher", type=Path, help="soft masks for unlabelled pictures: a name in peers.toml, or any model's path")
    add("--taught", type=float, default=0.0, help="share of the teacher's answer to each sample in its truth, 0 to 1")
    add(
        "--hints",
        type=float,
        default=0.0,
        help="weight of the features that the weights began with (training/hints.py)",
    )
    add("--steady", type=float, default=0.0, help="weight of masks that change as the truth does; needs --frames 2")
    add("--turned", type=float, default=0.0, help="share of pictures turned by any angle, 0 to 1")
    words = "whether bystanders are people (training/datasets.py: settle); today's mixture without it"
    add("--labels", choices=get_args(datasets.Labels), default="as they are", help=words)
    add("--validation", type=Path, nargs="*", default=(), help="folders never trained on, judged along the way")
    add("--evaluate-every", type=int, default=20_000, help="samples between evaluations")
    add("--save-every", type=float, default=60.0, help="seconds between saved states")
    add("--show-batch", type=Path, help="draw a batch into this PNG and stop")
    values = vars(parser.parse_args(arguments))
    options = Options(**{**values, "validation": tuple(values["validation"])})
    try:
        variants.get(options.variant).check_resolution((options.size, options.size))
    except ValueError as error:
        parser.error(str(error))
    if options.steady and options.frames < 2:
        parser.error("--steady needs --frames 2 or more")
    if options.hints and variants.get(options.variant).trunk != "inverted":
        parser.error(f"--hints is for the inverted trunk, which {options.variant} has not")
    if options.taught and not options.teacher:
        parser.error("--taught needs a --teacher")
    if not options.data.is_dir():
        parser.error(f"--data {options.data}: there is no such folder")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    from models import checkpoint
    from models.hourglass import Hourglass
    from training import curves, evaluation, fake_int8, loader, prior, show, state
    from training.loss import segmentation, unsteadiness
    from training.sampler import Law, Sampler

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    cuda = torch.cuda.is_available()
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    say = (lambda text: print(text, file=sys.stderr, flush=True)) if rank == 0 else (lambda text: None)

    try:
        store, split = loader.open_data(options.data, options.teacher, options.validation, say, options.labels)
    except ValueError as error:
        say(f"train.py: {error}")
        return 2
    law = Law(size=options.size, frames=options.frames, prior=prior.MIXED.scaled(options.prior), turned=options.turned)
    sampler = Sampler(store, split.train, law, options.seed)
    if options.show_batch:
        show.save(options.show_batch, [sampler(i) for i in range(42)], columns=max(1, 7 // options.frames))
        return 0

    variant = variants.get(options.variant)
    network = Hourglass(variant).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parent: dict[str, Any] = {}
    if options.init:
        try:
            begun = checkpoint.load(options.init)
        except checkpoint.BadCheckpoint as error:
            say(f"train.py: {error}")
            return 2
        parent = begun.card
        fresh = state.adopt(network, dict(begun.state))
        say(f"started from {options.init}; fresh: {', '.join(fresh) or 'nothing'}")
    ema = state.Ema(network)
    optimizers = state.optimizers(network, options.muon)
    steps = options.samples // (options.batch * world)
    schedule = state.Schedule(options.rate, steps, warm_up=min(200, steps // 10 + 1))
    options.out.mkdir(parents=True, exist_ok=True)
    first, seconds, log = 0, 0.0, []
    if saved := state.load(options.out / "state.pt"):
        if saved["options"] != _identity(options, world):
            say(f"{options.out} holds another run; give --out a fresh folder")
            return 2
        network.load_state_dict(saved["network"])
        ema.state = saved["ema"]
        # A run that began when there was one optimizer alone keeps it under its older name.
        kept = saved.get("optimizers") or [saved["optimizer"]]
        for optimizer, values in zip(optimizers, kept, strict=True):
            optimizer.load_state_dict(values)
        first, seconds, log = saved["step"], saved["seconds"], saved["log"]
        say(f"going on at step {first} of {steps}")
    if options.int8:
        fake_int8.attach(network)
    hints = _hints(network.trunk) if options.hints else None
    model = DistributedDataParallel(network) if world > 1 else network
    forward = (lambda frame, mask: model(frame, mask)) if world > 1 else network.logits
    network.forward = network.logits  # type: ignore[method-assign]  # DDP hooks forward; the loss wants logits

    def save(step: int) -> None:
        if rank == 0:
            values = {"network": network.state_dict(), "ema": ema.state, "step": step, "seconds": seconds, "log": log}
            about = {"optimizers": [o.state_dict() for o in optimizers], "options": _identity(options, world)}
            state.save(options.out / "state.pt", {**values, **about})

    def judge(step: int) -> dict[str, float]:
        judged = Hourglass(variant)
        judged.load_state_dict(ema.state)
        return evaluation.quick(judged.eval(), options.validation, options.size)

    taught = loader.Taught(options.teacher, options.taught) if options.teacher and options.taught else None
    batches = loader.batches(sampler, options.batch, first, steps, rank, world, taught)
    started = last_saved = time.monotonic()
    waited, loss_sum, loss_count = 0.0, 0.0, 0
    for step in range(first, steps):
        asked = time.monotonic()
        frames, targets, previous = next(batches)
        waited += time.monotonic() - asked
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = schedule.rate(step)
        model.train()
        mask = loader.to_network(previous, device)
        loss = torch.zeros((), device=device)
        seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        for t in range(options.frames):
            with torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
                logits = forward(loader.to_network(frames[:, t], device), mask.detach()).float()
            mask, target = torch.sigmoid(logits), loader.to_network(targets[:, t], device)
            loss = loss + segmentation(logits, target) / options.frames
            if hints:
                loss = loss + options.hints * hints(loader.to_network(frames[:, t], device)) / options.frames
            if seen and options.steady:
                loss = loss + options.steady * unsteadiness(mask, seen[-1][0], target, seen[-1][1]) / options.frames
            seen.append((mask, target))
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        ema.update(network, step)
        loss_sum, loss_count = loss_sum + loss.item(), loss_count + 1

        now = time.monotonic()
        done = (step + 1) * options.batch * world
        finished = step + 1 == steps
        due = done // options.evaluate_every > (done - options.batch * world) // options.evaluate_every
        if rank == 0 and ((step + 1) % 50 == 0 or finished):
            rate = (step + 1 - first) / (now - started)
            left = (steps - step - 1) / rate
            say(
                f"{done}/{options.samples} samples  loss {loss_sum / loss_count:.4f}  "
                f"{rate * options.batch * world:.0f} samples/s  data {waited / (now - started):.0%}  "
                f"left {int(left) // 60}:{int(left) % 60:02d}"
            )
        if due or finished:
            metrics = judge(step) if rank == 0 else {}
            entry = {"samples": done, "seconds": round(seconds + now - started, 1), "loss": loss_sum / loss_count}
            log.append({**entry, **metrics})
            loss_sum, loss_count = 0.0, 0
            if rank == 0:
                say("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in log[-1].items()))
                _write_log(options.out, log)
                curves.save(options.out / "curves.png", log)
        if now - last_saved > options.save_every or finished:
            seconds += now - started
            started, first, waited, last_saved = now, step + 1, 0.0, now
            save(step + 1)
    if world > 1:
        dist.destroy_process_group()
    if rank == 0:
        digest = store.digest(split.train)
        sources = sorted({store.entries[i].source for i in split.train})
        run = {**_identity(options, world), "seconds": round(seconds), "log": log}
        card = {
            "data": {"sources": sources, "pictures": len(split.train), "sha256": digest},
            "training": [*parent.get("training", []), run],
        }
        final = {k: v.cpu() for k, v in ema.state.items()}
        checkpoint.save(options.out / "checkpoint.safetensors", options.variant, variant, final, card)
        say(f"wrote {options.out / 'checkpoint.safetensors'}")
    return 0


def _hints(trunk: InvertedTrunk) -> Hints:
    from converters.peer import fetch
    from models import peer
    from training import begin
    from training.hints import Hints, original

    return Hints(trunk, original(begin.convolutions(fetch(peer.read()[begin.PEER]).read_bytes())))


def _identity(options: Options, world: int) -> dict[str, object]:
    """What makes two runs the same run; paths and pace do not."""
    passing = {"data", "out", "init", "teacher", "validation", "threads", "show_batch", "save_every"}
    # Runs that began before there was a choice go on under the old one.
    old = {
        "labels": "as they are",
        "taught": 0.0,
        "hints": 0.0,
        "turned": 0.0,
        "steady": 0.0,
        "bf16": False,
        "muon": False,
        "int8": False,
    }
    passing |= {key for key, value in old.items() if getattr(options, key) == value}
    return {**{k: v for k, v in asdict(options).items() if k not in passing}, "processes": world}


def _write_log(out: Path, log: list[dict[str, float]]) -> None:
    keys = list(dict.fromkeys(key for entry in log for key in entry))
    with (out / "log.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(log)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("train.py: stopped; the same command goes on from the last saved state", file=sys.stderr)
        sys.exit(130)
