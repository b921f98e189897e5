"""The effects on camera pictures: 8-bit in, 8-bit out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.labels import person
from models.segmenter import Segmenter, unfitted
from video.backdrop import Backdrop
from video.band import Bytes, Floats, between, coarse_copy, enlarged, put, sample, take
from video.blur import SIGMA, blurred
from video.foreground import foreground, layers
from video.guided import Guide
from video.parts import Tint, before, overlaid, tinted_parts
from video.recolour import Colour, recoloured, tones
from video.replace import lit, over, pasted, rim, wrap


class Effect(Protocol):
    def __call__(self, picture: Bytes, alpha: Bytes, seconds: float, coarse: Bytes | None = None, /) -> Bytes:
        """A new picture (H, W, 3 or 4) of a picture (H, W, 3) and the person's alpha (H, W) in it, both in 8 bits.

        `coarse` is the picture's `coarse_copy` where it is known already: small copies are made of it then.
        """
        ...


def alpha_of(mask: Floats, picture: Bytes, refine: bool = True) -> Bytes:
    """The alpha (H, W) of a picture (H, W, 3) from a network's mask (h, w) in [0, 1]: refined, or only enlarged."""
    return Guide.of(picture).refined(mask, picture) if refine else enlarged(mask, picture.shape[:2])


@dataclass(frozen=True)
class Alphas:
    """Of a picture: its `coarse` copy (h, w, 3), the `parts` (h, w) to be tinted, and the `person` (H, W) if wanted."""

    coarse: Bytes
    parts: tuple[Bytes, ...] = ()
    person: Bytes | None = None


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

    def alphas(self, seen: Floats, picture: Bytes) -> Alphas:
        """What is to be tinted, and the person where something is behind."""
        coarse = coarse_copy(picture)
        parts = [tint.probability(seen) for tint in self.tints]
        persons = [person(seen)[..., 0] if seen.ndim == 3 else seen] if self.behind else []
        wanted = [*((mask, coarse) for mask in parts), *((mask, picture) for mask in persons)]
        if not self.refine:
            found = [enlarged(mask, at.shape[:2]) for mask, at in wanted]
        else:
            guide = Guide.of(coarse) if wanted else None
            found = [guide.refined(mask, at) for mask, at in wanted] if guide else []
        return Alphas(coarse, tuple(found[: len(parts)]), *found[len(parts) :])

    def __call__(self, picture: Bytes, seen: Floats, alphas: Alphas, seconds: float) -> Bytes:
        """A new picture (H, W, 3 or 4), by the `alphas` of the same one."""
        coarse = alphas.coarse
        if self.tints:
            picture, coarse = tinted_parts(picture, coarse, alphas.parts, self.tints)
        if self.behind and alphas.person is not None:
            picture = self.behind(picture, alphas.person, seconds, coarse)
        return overlaid(picture, seen) if self.overlay else picture


def seen_in(segmenter: Segmenter, frame: Bytes, size: tuple[int, int], labels: bool) -> Floats:
    """The mask (h, w) of a prepared frame, or its labels (h, w, 9), without the bars about a picture of `size`."""
    return unfitted(segmenter.labels(frame) if labels else segmenter.mask(frame), size, segmenter.resize_mode)


def replacing(backdrop: Backdrop) -> Effect:
    def replaced(picture: Bytes, alpha: Bytes, seconds: float, coarse: Bytes | None = None) -> Bytes:
        scene = backdrop(seconds)
        falls = wrap(scene.light, alpha)
        made = pasted(picture, scene.picture, alpha)
        at = rim(falls, alpha)
        put(made, at, lit(take(picture, at), sample(falls, alpha.shape, at)))
        at = between(alpha)
        own = foreground(picture, alpha, *layers(picture if coarse is None else coarse, alpha), at)
        person = lit(own, sample(falls, alpha.shape, at))
        put(made, at, over(person, take(scene.picture, at), take(alpha, at)))
        return made

    return replaced


def blurring(sigma: float = SIGMA) -> Effect:
    def made(picture: Bytes, alpha: Bytes, seconds: float, coarse: Bytes | None = None) -> Bytes:
        return before(blurred(picture if coarse is None else coarse, alpha, sigma), picture, alpha)

    return made


def recolouring(colour: Colour) -> Effect:
    every = tones(colour)
    return lambda picture, alpha, *_: before(recoloured(picture, every), picture, alpha)


def cutting_out(picture: Bytes, alpha: Bytes, seconds: float, coarse: Bytes | None = None) -> Bytes:
    """RGBA, not premultiplied, the colours those of the person alone, carried on over what is not."""
    at = between(alpha)
    front, behind = layers(picture if coarse is None else coarse, alpha)
    person = pasted(picture, enlarged(front, alpha.shape), alpha)
    put(person, at, foreground(picture, alpha, front, behind, at))
    return np.dstack([person, alpha])
