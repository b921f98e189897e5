"""Training of a network with labels: python -m training.parts --data DIR --out DIR [--init CHECKPOINT]

Its pictures, light, cameras and previous masks are those of `training.sampler`. What is known of a pixel is a set of
labels (training/partly.py): the loss is the negative logarithm of the sum of their probabilities, with the soft Jaccard
of each label where it is known, and `training.loss.segmentation` of the person. Half of the person's truth is the
answer of a network for masks, where it is right (training/distill.py). The command goes on from where it was. With
CUDA it runs there, in bfloat16; --pack is for a machine without the data (training/parts_pack.py).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from models import checkpoint
from models.arguments import ArgumentParser
from models.hourglass import Hourglass, LabelsHead
from models.labels import BACKGROUND, LABELS, NOT_JUDGED
from models.variant import get
from training import answers, fake_int8, loader, loss, parts_pack, prior, split, state, store
from training.datasets import Pixels
from training.distill import taught
from training.partly import ALLOWED, NINE_CCP, NINE_CELEB, NINE_UPPER, WORN, development
from training.sampler import Array, Law, Sampler, _Layer, halved

WEIGHTS: dict[str, float] = {
    NINE_CELEB: 0.2,
    WORN: 0.05,
    NINE_UPPER: 0.14,
    NINE_CCP: 0.12,
    "hair": 0.07,
    "hair-press": 0.02,
    "selfies": 0.16,
    "portraits": 0.07,
    "voc-person": 0.05,
    "coco-person": 0.015,
    "cutouts": 0.01,
    "signers": 0.015,
    "talking-heads": 0.015,
    "unlabelled-selfies": 0.02,
    "office-faces": 0.02,
    "unlabelled-clips": 0.005,
    "scenes": 0.02,
}
"""How often each source is drawn."""
RARE = torch.tensor([1.0, 1.0, 1.0, 3.0, 2.0, 1.5, 1.5, 1.0, 2.0])
"""What a pixel of each label counts in the cross-entropy: lips and eyewear have few."""


HEAD = 4.0
"""The head's rate in units of the trunk's: it begins with nothing for eight of nine labels."""


PASSING = frozenset({"data", "store", "pack", "out", "init", "teacher", "minutes", "threads", "workers"})
"""Options that may differ between calls of one run."""


class LabelSampler(Sampler):
    """A `Sampler` whose stored fourth channel, and targets, are codes: moved to the nearest pixel, never mixed."""

    def _render(self, layers: list[_Layer], t: int) -> tuple[Array, Array]:
        size = self._law.size
        picture, codes = self._moved(layers[0], t, outside=None)
        for layer in layers[1:]:
            pasted, given = self._moved(layer, t, outside=0)
            shown = np.where(given > 0, 255, 0).astype(np.uint8)
            if layer.thing:
                shown[(codes > 0) & (codes != NOT_JUDGED)] = 0
            alpha = cv2.GaussianBlur(shown, (3, 3), 0).astype(np.float32) / 255
            picture = cv2.blendLinear(pasted, picture, alpha, 1 - alpha)  # type: ignore[assignment]
            codes = codes if layer.thing else np.where(given > 0, given, codes)
        assert codes.shape == (size, size)
        return picture, codes

    def _halved(self, pixels: Array) -> Array:
        small = halved(pixels)
        small[..., 3] = pixels[: 2 * small.shape[0] : 2, : 2 * small.shape[1] : 2, 3]
        return small

    def _moved(self, layer: _Layer, t: int, outside: int | None) -> tuple[Array, Array]:
        size, pixels, grid = self._law.size, layer.pictures[t], layer.grids[t]
        border = cv2.BORDER_REFLECT_101 if outside is None else cv2.BORDER_CONSTANT
        colours, codes = np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])
        if grid.ndim == 2:
            how = cv2.WARP_INVERSE_MAP
            whole = (size, size)
            return (
                cv2.warpAffine(colours, grid, whole, flags=how | cv2.INTER_LINEAR, borderMode=border),
                cv2.warpAffine(codes, grid, whole, flags=how | cv2.INTER_NEAREST, borderMode=border),
            )  # type: ignore[return-value]
        x, y = grid[..., 0], grid[..., 1]
        return (
            cv2.remap(colours, x, y, cv2.INTER_LINEAR, borderMode=border),
            cv2.remap(codes, x, y, cv2.INTER_NEAREST, borderMode=border),
        )  # type: ignore[return-value]

    def _previous(self, way: str, truth: Array, settled: Array | None, rng: Generator) -> Array:
        return super()._previous(way, _mask(truth), None if settled is None else _mask(settled), rng)


def _mask(codes: Array) -> Array:
    """The person's mask 0..255; what is not judged, or not hair, counts as the person's."""
    return np.where(codes > 0, 255, 0).astype(np.uint8)


class Lesson:
    """The loss of one batch; the sets of labels of each code are a table on the device."""

    def __init__(
        self,
        person: float,
        device: torch.device = torch.device("cpu"),  # noqa: B008
        share: float = 0.5,
        trust_all: bool = False,
    ) -> None:
        """`share` of a teacher's answer is in the person's truth, less where it contradicts it unless `trust_all`."""
        self.person, self.share, self.trust_all = person, share, trust_all
        self.allowed = torch.from_numpy(ALLOWED).float().to(device)
        self.sure = torch.from_numpy(~ALLOWED[:, BACKGROUND]).to(device)
        self.sure[BACKGROUND] = True
        self.rare = RARE.to(device)

    def __call__(self, logits: Tensor, codes: Tensor, at: tuple[int, int], answer: Tensor | None = None) -> Tensor:
        """logits (N, 9, h, w); codes (N, 2h, 2w) long, of which the pixel `at` of each square is judged by label;
        `answer` (N, 1, 2h, 2w) is a teacher's mask of the person."""
        p = F.softmax(logits, 1)
        some = codes[:, at[0] :: 2, at[1] :: 2]
        allowed = self.allowed[some].permute(0, 3, 1, 2)
        known = (p * allowed).sum(1).clamp(min=1e-6)
        single = some < len(LABELS)
        weight = torch.where(single, self.rare[some.clamp(max=len(LABELS) - 1)], 1.0) * (some != NOT_JUDGED)
        total = -(known.log() * weight).sum() / weight.sum().clamp(min=1)

        truth = allowed * single[:, None]
        overlap = (p * truth).sum((0, 2, 3))
        union = (p * single[:, None]).sum((0, 2, 3)) + truth.sum((0, 2, 3)) - overlap
        present = truth.sum((0, 2, 3)) > 20
        jaccard = 1 - overlap / union.clamp(min=1)
        total = total + (jaccard * present).sum() / present.sum().clamp(min=1)
        if not self.person:
            return total
        mask = 1 - F.interpolate(p[:, :1], scale_factor=2.0, mode="bilinear", align_corners=False)
        mask = mask.clamp(1e-4, 1 - 1e-4)
        target = torch.where(
            self.sure[codes][:, None], (codes[:, None] > 0).float(), mask.detach() if answer is None else answer
        )
        if answer is not None:
            everyone = torch.ones(len(codes), device=codes.device)
            target = taught(target, answer, self.share, everyone, self.trust_all)
        return total + self.person * loss.segmentation(torch.logit(mask), target)


def begin(network: Hourglass, path: Path) -> dict[str, Any]:
    """Take the weights of a mask network: the same person, all whose parts are equally likely; or of a network
    with labels as they are. Returns the checkpoint's card."""
    given = checkpoint.load(path)
    fresh = state.adopt(network, dict(given.state))
    if given.variant.outputs > 1:
        return given.card
    assert fresh == ["head.context.bias", "head.context.weight", "head.logits.bias", "head.logits.weight"], fresh
    labels = len(LABELS)
    with torch.no_grad():
        # (sixteen sub-pixels) to the means of the four 2x2 pixels.
        weight = given.state["head.logits.weight"][:, :, 0, 0].reshape(2, 2, 2, 2, -1).mean((1, 3)).flatten(0, 1)
        bias = given.state["head.logits.bias"].reshape(2, 2, 2, 2).mean((1, 3)).flatten()
        assert isinstance(network.head, LabelsHead)
        assert network.head.context.bias is not None
        network.head.context.bias.zero_()
        head = network.head.logits
        assert head.bias is not None
        head.weight.zero_()
        head.bias.fill_(-float(np.log(labels - 1)))
        head.weight[::labels, :, 0, 0], head.bias[::labels] = -weight, -bias
    return given.card


def open_store(root: Path, folder: Path, say: Callable[[str], None]) -> store.Store:
    """The pictures with their codes, decoded once into `folder`."""
    if (folder / "index.json").exists():
        return store.Store.open(folder)
    path = checkpoint.find("live")
    assert path
    network = checkpoint.load(path).network()

    @torch.inference_mode()
    def teach(picture: Pixels) -> Pixels:
        height, width = network.variant.resolution
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        frame = torch.from_numpy(small).float().mul_(1 / 255).permute(2, 0, 1)[None]
        mask = network(frame, torch.zeros_like(frame[:, :1]))[0, 0].numpy()
        return np.rint(cv2.resize(mask, picture.shape[1::-1]) * 255).astype(np.uint8)

    say(f"decoding {root} once into {folder}")
    return store.build(folder, development(root, teach), report=say)


def chosen(data: store.Store, folder: Path) -> tuple[int, ...]:
    """The numbers of the pictures that train, found once a store: every picture is looked at."""
    kept = folder / "train.json"
    if not kept.exists():
        kept.write_text(json.dumps(split.split(data).train))
    return tuple(json.loads(kept.read_text()))


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of training data (training/partly.py)")
    parser.add_argument("--store", type=Path, help="where its pictures are decoded to")
    parser.add_argument("--pack", type=Path, help="all of it in one file, in place of --data and --store")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--init", type=Path, default=checkpoint.find("live"), help="checkpoint to start from")
    parser.add_argument(
        "--teacher", type=Path, help="checkpoint whose masks are in the person's truth, none by default"
    )
    parser.add_argument("--distill-weight", type=float, default=0.5, help="share of its mask in the truth, 0 to 1")
    parser.add_argument("--trust-all", action="store_true", help="as much of it where it contradicts the label")
    parser.add_argument("--variant", default="live-parts")
    parser.add_argument("--samples", type=int, default=60_000)
    words = "end in this time, at the rate's end; without it the rate falls over --samples"
    parser.add_argument("--minutes", type=float, help=words)
    parser.add_argument("--size", type=int, default=240)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--person", type=float, default=1.5, help="weight of the person's loss")
    parser.add_argument("--int8", action="store_true", help="activations rounded as in int8 (training/fake_int8.py)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare samples")
    options = parser.parse_args(arguments)
    if bool(options.pack) == bool(options.data and options.store):
        parser.error("either --pack or both of --data and --store are needed")
    if not 0 <= options.distill_weight <= 1:
        parser.error(f"--distill-weight goes from 0 to 1, and is {options.distill_weight}")
    began = time.monotonic()
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    if options.pack:
        data = store.in_memory(parts_pack.photos(options.pack))
        train: tuple[int, ...] = tuple(range(len(data.entries)))
    else:
        data = open_store(options.data, options.store, say)
        train = chosen(data, options.store)
    say(f"{len(train)} pictures train")
    teacher = answers.of_checkpoint(options.teacher, device) if options.teacher else None
    law = Law(size=options.size, prior=prior.MIXED, turned=0.03, weights=WEIGHTS, composite=0.3, things=0.2)
    sampler = LabelSampler(data, train, law, options.seed)
    torch.manual_seed(options.seed)
    variant = get(options.variant)
    network = Hourglass(variant)
    parent = begin(network, options.init)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    ema = state.Ema(network, 0.995)
    if options.int8:
        fake_int8.attach(network)
    trunk, head = state.optimizers(network.trunk, muon=True), state.optimizers(network.head)
    optimizers = [*trunk, *head]
    steps, first, seconds = options.samples // options.batch, 0, 0.0
    schedule = state.Schedule(options.rate, steps, warm_up=min(30, steps // 10 + 1))
    identity = {key: value for key, value in vars(options).items() if key not in PASSING}
    identity |= {"init": checkpoint.sha256(options.init)[:12], "frames": 1}
    if saved := state.load(options.out / "state.pt", say):
        if saved["options"] != identity:
            say(f"{options.out} holds another run; give --out a fresh folder")
            return 64
        kept = saved["learners"]
        network.load_state_dict(kept["network"])
        ema.take(kept["ema"])
        for optimizer, values in zip(optimizers, kept["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        first, seconds = saved["step"], saved["seconds"]
        say(f"going on at step {first} of {steps}")
    options.out.mkdir(parents=True, exist_ok=True)
    lesson = Lesson(options.person, device, options.distill_weight, options.trust_all)
    rng = np.random.default_rng(options.seed)
    started = last = said = time.monotonic()
    losses: list[Tensor] = []
    drawn = loader.batches(sampler, options.batch, first, steps, workers=options.workers, pinned=device.type == "cuda")
    for step, batch in enumerate(drawn, first):
        rate = schedule.rate(step)
        if options.minutes:
            spent = (seconds + time.monotonic() - began) / (60 * options.minutes)
            rate = schedule.held(step) * state.cosine(spent)
            steps = step + 1 if spent >= 1 else steps
        state.set_rate(trunk, rate)
        state.set_rate(head, HEAD * rate)
        frames = loader.to_network(batch.frames[:, 0], device)
        previous = loader.to_network(batch.previous, device)
        codes = batch.targets[:, 0].to(device, non_blocking=True).long()
        network.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = network.logits(frames, previous)
        row, column = rng.integers(0, 2, 2)
        value = lesson(logits.float(), codes, (int(row), int(column)), teacher(frames).clone() if teacher else None)
        network.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        ema.update(step)
        losses.append(value.detach())
        if step == first or time.monotonic() - said > 10 or step + 1 == steps:
            said = time.monotonic()
            pace = (step + 1 - first) * options.batch / (said - started)
            mean = float(torch.stack(losses).mean())
            say(f"{(step + 1) * options.batch} samples  loss {mean:.4f}  {pace:.1f} samples/s")
            losses.clear()
        if time.monotonic() - last > 60 or step + 1 == steps:
            last = time.monotonic()
            spent = seconds + last - began
            name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
            learners = {"network": network.state_dict(), "ema": ema.state}
            learners["optimizers"] = [optimizer.state_dict() for optimizer in optimizers]
            state.save(
                options.out / "state.pt",
                {"step": step + 1, "seconds": spent, "options": identity, "learners": learners},
            )
            stage = {**identity, "samples": (step + 1) * options.batch, "seconds": round(spent), "device": name}
            about = {"pictures": len(train), "sha256": data.digest(train)}
            about["sources"] = sorted({data.entries[i].source for i in train})
            card = {"data": about, "training": [*parent.get("training", []), stage]}
            averaged = {key: value.cpu() for key, value in ema.state.items()}
            checkpoint.save(options.out / "checkpoint.safetensors", options.variant, variant, averaged, card)
            if step + 1 == steps:
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
