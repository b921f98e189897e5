"""The effects on camera pictures: 8-bit in, 8-bit out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.labels import person
from models.segmenter import Segmenter, unfitted
from video.backdrop import Backdrop
from video.band import Bytes, Floats, between, enlarged, put, sample, take
from video.blur import SIGMA, blurred
from video.foreground import foreground, layers
from video.guided import Guide
from video.parts import Tint, before, overlaid, tinted_parts, tinting_size
from video.recolour import Colour, recoloured, tones
from video.replace import lit, over, pasted, rim, wrap

Effect = Callable[[Bytes, Bytes, float], Bytes]
"""Picture (H, W, 3) and alpha (H, W) in 8 bits, and the time in seconds, to a new picture (H, W, 3 or 4)."""


def alpha_of(mask: Floats, picture: Bytes, refine: bool = True) -> Bytes:
    """The alpha (H, W) of a picture (H, W, 3) from a network's mask (h, w) in [0, 1]: refined, or only enlarged."""
    return Guide.of(picture).refined(mask, picture) if refine else enlarged(mask, picture.shape[:2])


@dataclass(frozen=True)
class Effects:
    """What is done to a picture: to what is `behind` the person, and to the person's parts.

    `seen` is what the network makes of the picture: the person's mask (h, w), or with `of_labels` the probabilities
    (h, w, 9) of models/labels.py.
    """

    behind: Effect | None = None
    tints: tuple[Tint, ...] = ()
    overlay: bool = False
    refine: bool = True

    @property
    def of_labels(self) -> bool:
        return bool(self.tints) or self.overlay

    def alphas(self, seen: Floats, picture: Bytes) -> tuple[Bytes, ...]:
        """The tints' alphas as `tinted_parts` takes them, and the person's (H, W) last where something is behind."""
        wanted = []
        if self.tints:
            small = tinting_size(picture)
            wanted += [(tint.probability(seen), small) for tint in self.tints]
        if self.behind:
            wanted.append((person(seen)[..., 0] if seen.ndim == 3 else seen, picture))
        if not self.refine:
            return tuple(enlarged(mask, at.shape[:2]) for mask, at in wanted)
        guide = Guide.of(wanted[0][1]) if wanted else None
        return tuple(guide.refined(mask, at) for mask, at in wanted) if guide else ()

    def __call__(self, picture: Bytes, seen: Floats, alphas: tuple[Bytes, ...], seconds: float) -> Bytes:
        """A new picture (H, W, 3 or 4), by the `alphas` of the same one."""
        if self.tints:
            picture = tinted_parts(picture, alphas[: len(self.tints)], self.tints)
        if self.behind:
            picture = self.behind(picture, alphas[-1], seconds)
        return overlaid(picture, seen) if self.overlay else picture


def seen_in(segmenter: Segmenter, frame: Bytes, size: tuple[int, int], labels: bool) -> Floats:
    """The mask (h, w) of a prepared frame, or its labels (h, w, 9), without the bars about a picture of `size`."""
    return unfitted(segmenter.labels(frame) if labels else segmenter.mask(frame), size, segmenter.resize_mode)


def replacing(backdrop: Backdrop) -> Effect:
    def replaced(picture: Bytes, alpha: Bytes, seconds: float) -> Bytes:
        scene = backdrop(seconds)
        falls = wrap(scene.light, alpha)
        made = pasted(picture, scene.picture, alpha)
        at = rim(falls, alpha)
        put(made, at, lit(take(picture, at), sample(falls, alpha.shape, at)))
        at = between(alpha)
        person = lit(foreground(picture, alpha, *layers(picture, alpha), at), sample(falls, alpha.shape, at))
        put(made, at, over(person, take(scene.picture, at), take(alpha, at)))
        return made

    return replaced


def blurring(sigma: float = SIGMA) -> Effect:
    return lambda picture, alpha, _: before(blurred(picture, alpha, sigma), picture, alpha)


def recolouring(colour: Colour) -> Effect:
    every = tones(colour)
    return lambda picture, alpha, _: before(recoloured(picture, every), picture, alpha)


def cutting_out(picture: Bytes, alpha: Bytes, seconds: float) -> Bytes:
    """RGBA, not premultiplied, the colours those of the person alone, carried on over what is not."""
    at = between(alpha)
    front, behind = layers(picture, alpha)
    person = pasted(picture, enlarged(front, alpha.shape), alpha)
    put(person, at, foreground(picture, alpha, front, behind, at))
    return np.dstack([person, alpha])
