"""One training sample from the store: chosen, composed, moved, lit, with its simulated previous mask.

Everything is drawn from a generator seeded by (seed, index): a sample is the same in any process, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training import augment, prior
from training.datasets import KEYED, SCENE, THINGS
from training.geometry import Affine, Grid, about, affine_grid, compose, sample, spline_offsets
from training.prior import EMPTY_ONLY, PriorLaw
from training.store import Store

Array = NDArray[np.uint8]

WEIGHTS: dict[str, float] = {
    "selfies": 0.22,
    "ccp-upper": 0.12,
    "ccp": 0.06,
    "voc-person": 0.09,
    "portraits": 0.07,
    "coco-person": 0.03,
    "press-portraits": 0.13,
    "office-faces": 0.06,
    "unlabelled-selfies": 0.06,
    "unlabelled-clips": 0.07,
    "cutouts": 0.05,
    "signers": 0.03,
    "talking-heads": 0.03,
    "scenes": 0.05,
}
"""How often each source is drawn; sources not listed share as much as `portraits`, sources absent count nothing."""

CLIPS = frozenset({"signers", "talking-heads", "unlabelled-clips"})
"""Sources whose pictures follow each other in the store as they did before the camera."""

WHOLE_BODIES = frozenset({"ccp", "voc-person", "coco-person", "cutouts"})
"""Sources that show how people fall, climb and lie once they are turned; heads alone rarely do."""


@dataclass(frozen=True)
class Law:
    """What samples look like: side in pixels, frames in a row, and the shares of what is drawn."""

    size: int = 128
    frames: int = 1
    prior: PriorLaw = EMPTY_ONLY
    composite: float = 0.45
    second_person: float = 0.04
    turned: float = 0.0
    """Share of pictures turned by any angle, three times as many of whole bodies; the others stand within some 20
    degrees of upright."""
    things: float = 0.3
    """Share of pictures with a thing, or a piece of some scene, pasted behind the person: what is pasted is not always
    a person, and what stands beside one is not one."""
    crowded: float = 0.0
    """Share of pictures of one to four small whole bodies before a scene, each a tenth to four tenths of the side high,
    anywhere, every other one turned by any angle."""
    motion: float = 0.02
    """Standard deviation of the shift from frame to frame, as a share of the side."""
    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)


@dataclass(frozen=True)
class Sample:
    """frames (T, S, S, 3) RGB, targets (T, S, S) soft truth, previous (S, S) mask before the first frame; uint8.

    `upright` unless turned by any angle, which a teacher trained on upright people knows nothing about.
    """

    frames: Array
    targets: Array
    previous: Array
    upright: bool = True


@dataclass(frozen=True)
class _Layer:
    """What is seen in each frame, RGB with alpha, and its grid there, or the affine of one. A thing is no person."""

    pictures: tuple[Array, ...]
    grids: tuple[Grid | Affine, ...]
    thing: bool = False


class Sampler:
    """index -> Sample, over the pictures `numbers` of a store."""

    def __init__(self, store: Store, numbers: tuple[int, ...], law: Law, seed: int) -> None:
        self._store, self._law, self._seed = store, law, seed
        by_source: dict[str, list[int]] = {}
        for number in numbers:
            by_source.setdefault(store.entries[number].source, []).append(number)
        self._things = np.array(by_source.pop(THINGS, []), int)
        if not by_source:
            raise ValueError("there is nothing to train on: the store has no training pictures")
        self._sources = sorted(by_source)
        self._numbers = {source: np.array(by_source[source]) for source in self._sources}
        shares = np.array([law.weights.get(source, law.weights.get("portraits", 1.0)) for source in self._sources])
        self._reach = np.cumsum(shares / shares.sum())
        self._scenes = self._numbers.get("scenes")
        bodies = [self._numbers[source] for source in self._sources if source in WHOLE_BODIES]
        self._bodies = np.concatenate(bodies) if bodies else None

    def __call__(self, index: int) -> Sample:
        rng = np.random.default_rng([self._seed, index])
        law = self._law
        if law.crowded and self._bodies is not None and self._scenes is not None and rng.random() < law.crowded:
            layers = [self._scene(rng), *(self._small_body(rng) for _ in range(rng.integers(1, 5)))]
            return self._seen(layers, law.prior.draw(rng), rng, upright=False)
        number = self._draw(rng)
        kind = self._store.entries[number].kind
        pasted = self._scenes is not None and (kind == KEYED or (kind != SCENE and rng.random() < law.composite))
        way = law.prior.draw(rng)
        turned = law.turned * (3 if self._store.entries[number].source in WHOLE_BODIES else 1)
        upright = turned == 0 or rng.random() >= turned
        layers = [self._layer(number, rng, pasted, upright)]
        if pasted:
            layers.insert(0, self._scene(rng))
        if self._scenes is not None and rng.random() < law.things:
            layers.insert(1, self._thing(rng))
        if pasted and rng.random() < law.second_person / max(law.composite, 1e-6):
            layers.append(self._layer(self._draw(rng, people=True), rng, pasted=True))
        return self._seen(layers, way, rng, upright)

    def _seen(self, layers: list[_Layer], way: str, rng: Generator, upright: bool) -> Sample:
        """Layers as a camera sees them, with the previous mask made in a `way` of `prior`."""
        law, size = self._law, self._law.size
        settled = self._render(layers, 0)[1] if way == "warped" else None
        if way == "warped":
            strength = float(rng.uniform(0.01, 0.04))
            layers = [self._warped(layer, spline_offsets(rng, size, strength)) for layer in layers]
        rendered = [self._render(layers, t) for t in range(law.frames)]
        table = augment.light(rng) if rng.random() < 0.8 else None
        frames = []
        for picture, _ in rendered:
            picture = picture if table is None else augment.relight(picture, table)
            frames.append(augment.camera(picture, rng))
        if rng.random() < 0.25:
            amount = float(1.0 if rng.random() < 0.2 else rng.uniform(-0.4, 0.7))
            frames = [augment.desaturate(picture, amount) for picture in frames]
        targets = [truth for _, truth in rendered]
        previous = self._previous(way, targets[0], settled, rng)
        return Sample(np.stack(frames), np.stack(targets), previous, upright)

    def _draw(self, rng: Generator, people: bool = False) -> int:
        while True:
            source = self._sources[int(np.searchsorted(self._reach[:-1], rng.random(), side="right"))]
            if not people or source != "scenes":
                return _one_of(self._numbers[source], rng)

    def _previous(self, way: str, truth: Array, settled: Array | None, rng: Generator) -> Array:
        if way == "empty":
            return prior.empty(self._law.size)
        if settled is not None:
            return prior.soften(settled, rng)
        if way == "minor":
            return prior.soften(prior.minor(truth, rng), rng)
        if way == "major":
            return prior.soften(prior.major(truth, rng), rng)
        other = self._layer(self._draw(rng, people=True), rng, pasted=False)
        alpha = np.ascontiguousarray(other.pictures[0][..., 3])
        return prior.soften(sample(alpha, other.grids[0], outside=0, size=self._law.size), rng)

    def _layer(self, number: int, rng: Generator, pasted: bool, upright: bool = True) -> _Layer:
        """A stored picture under a random affine, bent a little; pasted ones stand on the bottom edge."""
        size = self._law.size
        pictures = self._onward(number)
        height, width = pictures[0].shape[:2]
        if pasted:
            zoom = float(np.exp(rng.uniform(np.log(0.55), np.log(1.5))))
        else:
            zoom = float(np.exp(abs(rng.normal(0, 0.25)) - 0.04))
        stretch = float(np.exp(rng.normal(0, 0.12)))
        scale_x, scale_y = size / width * zoom * stretch, size / height * zoom / stretch
        shrunk = [self._shrunk(picture, scale_x, scale_y) for picture in pictures]
        pictures, (_, scale_x, scale_y) = [picture for picture, _, _ in shrunk], shrunk[0]
        height, width = pictures[0].shape[:2]
        centre_in = (width / 2, height / 2)
        # Beyond an enlarged picture's edge lies its mirror image: little of it, upside-down people teach nothing.
        room = 0.3 if pasted else 0.03 + max(0.0, zoom - 1) / 2
        centre_out = [size * (0.5 + rng.uniform(-room, room)), size * (0.5 + rng.uniform(-room, room))]
        if pasted:
            centre_out[1] = max(centre_out[1], size - scale_y * height / 2)
        degrees = float(rng.normal(0, 5 if rng.random() < 0.85 else 20) if upright else rng.uniform(-180, 180))
        mirror = rng.random() < 0.5
        bend = spline_offsets(rng, size, 0.015) if rng.random() < 0.3 else None
        matrix = about((centre_out[0], centre_out[1]), centre_in, scale_x, scale_y, degrees, mirror)
        return _Layer(tuple(pictures), self._grids(matrix, bend, rng))

    def _small_body(self, rng: Generator) -> _Layer:
        assert self._bodies is not None
        size = self._law.size
        pictures = self._onward(_one_of(self._bodies, rng))
        height, width = pictures[0].shape[:2]
        scale = size / max(height, width) * float(np.exp(rng.uniform(np.log(0.18), np.log(0.6))))
        shrunk = [self._shrunk(picture, scale, scale) for picture in pictures]
        pictures, scale = [picture for picture, _, _ in shrunk], shrunk[0][1]
        height, width = pictures[0].shape[:2]
        centre_out = (float(rng.uniform(0.05, 0.95)) * size, float(rng.uniform(0.1, 0.95)) * size)
        degrees = float(rng.normal(0, 8) if rng.random() < 0.5 else rng.uniform(-180, 180))
        matrix = about(centre_out, (width / 2, height / 2), scale, scale, degrees, rng.random() < 0.5)
        return _Layer(tuple(pictures), self._grids(matrix, None, rng))

    def _onward(self, number: int) -> list[Array]:
        """The pictures of as many frames: of a clip as they go on, its last one held; a photo is held all the time."""
        entries, numbers = self._store.entries, [number]
        while len(numbers) < self._law.frames:
            after = numbers[-1] + 1
            goes_on = entries[number].source in CLIPS and after < len(entries)
            held = not goes_on or entries[after].group != entries[number].group
            numbers.append(numbers[-1] if held else after)
        return [self._store[one] for one in numbers]

    def _scene(self, rng: Generator) -> _Layer:
        assert self._scenes is not None
        size = self._law.size
        pixels = self._store[_one_of(self._scenes, rng)]
        height, width = pixels.shape[:2]
        zoom = float(rng.uniform(1.0, 2.2))
        scale = size / min(height, width) * zoom
        pixels, scale, _ = self._shrunk(pixels, scale, scale)
        height, width = pixels.shape[:2]
        spare_x, spare_y = max(0.0, scale * width - size) / 2, max(0.0, scale * height - size) / 2
        centre_out = (size / 2 + rng.uniform(-spare_x, spare_x), size / 2 + rng.uniform(-spare_y, spare_y))
        matrix = about(centre_out, (width / 2, height / 2), scale, scale, 0.0, rng.random() < 0.5)
        return _Layer((pixels,) * self._law.frames, self._grids(matrix, None, rng, share=0.5))

    def _thing(self, rng: Generator) -> _Layer:
        """A thing cut out of a photo, or a piece of a scene, anywhere, upright more or less."""
        assert self._scenes is not None
        size = self._law.size
        if len(self._things) and rng.random() < 0.6:
            pixels = self._store[_one_of(self._things, rng)]
        else:
            pixels = _piece(self._store[_one_of(self._scenes, rng)], rng)
        scale = size / max(pixels.shape) * float(np.exp(rng.uniform(np.log(0.2), np.log(0.9))))
        pixels, scale, _ = self._shrunk(pixels, scale, scale)
        height, width = pixels.shape[:2]
        centre_out = (float(rng.uniform(0, size)), float(rng.uniform(0, size)))
        degrees, mirror = float(rng.normal(0, 15)), rng.random() < 0.5
        matrix = about(centre_out, (width / 2, height / 2), scale, scale, degrees, mirror)
        return _Layer((pixels,) * self._law.frames, self._grids(matrix, None, rng), thing=True)

    def _shrunk(self, pixels: Array, scale_x: float, scale_y: float) -> tuple[Array, float, float]:
        """Halved while the grid, which reads four pixels, would skip some."""
        while max(scale_x, scale_y) <= 0.6:
            pixels, scale_x, scale_y = self._halved(pixels), scale_x * 2, scale_y * 2
        return np.ascontiguousarray(pixels), scale_x, scale_y

    def _halved(self, pixels: Array) -> Array:
        return halved(pixels)

    def _grids(
        self, matrix: Affine, bend: Grid | None, rng: Generator, share: float = 1.0
    ) -> tuple[Grid | Affine, ...]:
        """The grid of each frame, an affine unless there is a bend.

        The first, then the same under a drift that keeps its direction.
        """
        size = self._law.size
        drift = rng.normal(0, self._law.motion * share * size, 2)
        turn, grow = float(rng.normal(0, 1.5 * share)), float(np.exp(rng.normal(0, 0.01)))
        grids: list[Grid | Affine] = []
        for t in range(self._law.frames):
            centre = (size / 2 + drift[0] * t, size / 2 + drift[1] * t)
            step = about(centre, (size / 2, size / 2), grow**t, grow**t, turn * t)
            chained = _chain(matrix, step) if t else matrix
            bent = None if bend is None else affine_grid(chained, size) + bend * np.float32(abs(matrix[0, 0]))
            grids.append(chained if bent is None else bent)
        return tuple(grids)

    def _warped(self, layer: _Layer, offsets: Grid) -> _Layer:
        whole = (affine_grid(grid, self._law.size) if grid.ndim == 2 else grid for grid in layer.grids)  # type: ignore
        return replace(layer, grids=tuple(compose(grid, offsets) for grid in whole))  # type: ignore

    def _render(self, layers: list[_Layer], t: int) -> tuple[Array, Array]:
        """Layers over each other: (S, S, 3) picture, (S, S) truth."""
        import cv2

        size = self._law.size
        bottom = sample(layers[0].pictures[t], layers[0].grids[t], size=size)
        picture, truth = cv2.cvtColor(bottom, cv2.COLOR_RGBA2RGB), cv2.extractChannel(bottom, 3)
        for layer in layers[1:]:
            pasted = sample(layer.pictures[t], layer.grids[t], outside=0, size=size)
            alpha = cv2.GaussianBlur(cv2.extractChannel(pasted, 3), (3, 3), 0)
            if layer.thing:
                alpha = cv2.multiply(alpha, 255 - truth, scale=1 / 255)
            share = alpha * np.float32(1 / 255)
            picture = cv2.blendLinear(cv2.cvtColor(pasted, cv2.COLOR_RGBA2RGB), picture, share, 1 - share)
            truth = truth if layer.thing else cv2.max(truth, alpha)
        return picture, truth  # type: ignore[return-value]


def _one_of(numbers: NDArray[np.int_], rng: Generator) -> int:
    return int(numbers[rng.integers(len(numbers))])


def _chain(outer: Affine, inner: Affine) -> Affine:
    """The affine that applies `inner` to an output pixel and `outer` to what comes of it."""
    bottom = np.array([[0.0, 0.0, 1.0]])
    return (np.vstack([outer, bottom]) @ np.vstack([inner, bottom]))[:2]


def _piece(scene: Array, rng: Generator) -> Array:
    """Part of a scene, (h, w, 4): a rectangle, as pictures and mirrors are, or a polygon around its middle."""
    import cv2

    height, width = (int(side * rng.uniform(0.2, 0.8)) for side in scene.shape[:2])
    top, left = (int(rng.integers(0, whole - part)) for whole, part in zip(scene.shape, (height, width), strict=False))
    piece = scene[top : top + height, left : left + width].copy()
    piece[..., 3] = 255
    if rng.random() < 0.7:
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 12))))
        reach = rng.uniform(0.4, 1.0, len(turns))
        corners = np.stack([width / 2 * (1 + reach * np.cos(turns)), height / 2 * (1 + reach * np.sin(turns))], -1)
        alpha = np.zeros((height, width), np.uint8)
        piece[..., 3] = cv2.fillPoly(alpha, [np.rint(corners).astype(np.int32)], 255)
    return piece


def halved(pixels: Array) -> Array:
    """(H, W, C) to (H/2, W/2, C) by area."""
    import cv2

    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    return cv2.resize(pixels[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)  # type: ignore
