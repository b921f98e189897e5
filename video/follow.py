"""The person in front, found once and followed from frame to frame: `segment.py --people main`.

Works on a network's small masks. A person is a connected component, and the same one where it overlaps that of the
frame before. Two who touch are one component: of that the person keeps what lies about the place where they were
before, which moves along with the picture. Where it falls apart again, place and colours tell who is who.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from video.band import Bytes, Floats

Bools = NDArray[np.bool_]

SURE = 0.5
"""Probability from which a pixel counts for a component."""
SPECK = 0.002
"""Share of the picture below which a component is nobody."""
PART = 0.1
"""Share of the person's area below which a component near by is a hand or the like, not somebody else."""
NEAR = 0.06
"""How far about the person's last place they are looked for, as a share of the mask's shorter side."""
SPREAD = 0.3
"""Of the Gaussian about the centre that says who is in front, as a share of the picture's width."""
GROWN = 1.15
"""By how much the person may grow while somebody touches them."""
OUTGROWN = 4
"""How many times as large as the person somebody is who takes their place: it was a speck, or somebody far away."""
PATIENCE = 15
"""Frames with nothing of anybody else, after which nobody is taken to touch the person any more."""


@dataclass(frozen=True)
class Person:
    """Somebody as the last frame that showed them had them.

    `region` (h, w) is theirs, `others` (h, w) of everybody else, `grey` (h, w) the frame. `frame` (h, w, 3) and `there`
    (h, w) are of the last frame that showed them alone: by them they are known again. While somebody touches them
    `area` is theirs of before, in pixels, and `alone` counts the frames in a row that show nothing of anybody else;
    else `area` is 0.
    """

    region: Bools
    others: Bools
    grey: Bytes
    frame: Bytes
    there: Bools
    area: int = 0
    alone: int = 0

    @property
    def look(self) -> Floats:
        """Their colours (512,), as of `look_of`."""
        return look_of(self.frame, self.there)


@dataclass(frozen=True)
class Now:
    """A frame (h, w, 3), it in grey (h, w), its mask (h, w), and the mask's components.

    `labels` (h, w) count from 1, 0 is nobody; `areas` (n,) are in pixels, that of label 0 is 0. Those of `people` (n,)
    are no specks.
    """

    frame: Bytes
    grey: Bytes
    mask: Floats
    labels: NDArray[np.int32]
    areas: Floats
    people: Bools

    @classmethod
    def of(cls, frame: Bytes, mask: Floats) -> Now:
        _, labels, stats, _ = cv2.connectedComponentsWithStats((mask > SURE).view(np.uint8), connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA].astype(np.float32)
        areas[0] = 0
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        return cls(frame, grey, mask, np.asarray(labels, np.int32), areas, areas >= SPECK * mask.size)

    def within(self, region: Bools) -> Floats:
        """The pixels (n,) of each component within a region (h, w)."""
        held = np.bincount(self.labels[region], minlength=len(self.areas)).astype(np.float32)
        held[0] = 0
        return held

    def prominence(self) -> Floats:
        """How much each of the people is in front: the area, less the farther it is from the middle of the width."""
        width = self.labels.shape[1]
        fall = np.exp(-0.5 * np.square((np.arange(width) + 0.5) / width - 0.5) / SPREAD**2)
        weights = np.broadcast_to(fall, self.labels.shape).ravel()
        held = np.bincount(self.labels.ravel(), weights=weights, minlength=len(self.areas))
        return (held * self.people).astype(np.float32)

    def likeness(self, look: Floats) -> Floats:
        """How much each of the people looks like `look`: Bhattacharyya's coefficient, 0 to 1."""
        alike = [look_of(self.frame, self.labels == i) @ look if p else 0 for i, p in enumerate(self.people)]
        return np.array(alike, np.float32)

    def others(self, own: Bools) -> Bools:
        """(h, w): all that is not within `own`."""
        return (self.labels > 0) & ~own


def follow(frame: Bytes, mask: Floats, before: Person | None) -> tuple[Floats, Person | None]:
    """The person's own part of a mask (h, w) of a frame (h, w, 3), and what is to be known for the next frame.

    `before` is None at the beginning and after a cut: then the person in front is chosen, as where somebody so large
    comes in that they are in front now. A frame that shows nobody changes nothing.
    """
    now = Now.of(frame, mask)
    if not now.people.any():
        return mask, before
    if before is None or now.areas.max() > OUTGROWN * (before.area or before.region.sum()):
        return _alone(now, now.prominence())
    if before.area:
        before = replace(before, region=moved(before.region, before.grey, now.grey))
    overlap = now.within(before.region) * now.people
    if not overlap.any():
        # They moved far, or came back after a while.
        return _alone(now, now.prominence() * now.likeness(before.look))
    if before.area:
        return _touched(now, before, overlap)
    chosen = int(np.argmax(overlap))
    taken_in = now.within(before.others)
    if taken_in[chosen] >= max(PART * before.region.sum(), taken_in.sum() / 2):
        return _touched(now, replace(before, area=int(before.region.sum())), overlap)
    return _alone(now, overlap, before.region)


def _alone(now: Now, score: Floats, region: Bools | None = None) -> tuple[Floats, Person]:
    """The component of the highest score, with its parts, is the person; nobody touches them."""
    own = parts(now, int(np.argmax(score)), region)
    others = now.others(own)
    return shared(now.mask, own, others), Person(own, others, now.grey, now.frame, own)


def _touched(now: Now, before: Person, overlap: Floats) -> tuple[Floats, Person]:
    """The person of `before`, whose region is where they are expected now, and whom somebody else touches."""
    large = (now.within(before.region | before.others) > 0) & (now.areas >= 2 * PART * before.area)
    if large.sum() > 1:
        joint = np.maximum(now.areas + before.region.sum() - overlap, 1)
        return _alone(now, np.where(large, now.likeness(before.look) + overlap / joint, -1).astype(np.float32))
    whole = now.labels == np.argmax(overlap)
    own = whole & (before.region | (grown(before.region, NEAR) & ~before.others))
    others = now.others(own)
    alone = before.alone + 1 if others.sum() < PART * before.area else 0
    if alone >= PATIENCE:
        return _alone(now, overlap)
    # Who comes out from behind them is not to become a part of them step by step.
    region = own if own.sum() <= GROWN * before.area else whole & before.region
    person = replace(before, region=region, others=others, grey=now.grey, alone=alone)
    return shared(now.mask, own, others), person


def parts(now: Now, chosen: int, region: Bools | None = None) -> Bools:
    """(h, w): the chosen component and those that are parts of the same person, whose `region` was (h, w) before.

    A part is small and near by, or was theirs and stands above or below: a head cut off by a scarf.
    """
    own = now.labels == chosen
    if len(now.areas) == 2:
        return own
    small = now.areas < PART * now.areas[chosen]
    part = small & (now.within(grown(own, NEAR)) > 0)
    if region is not None:
        was = (2 * now.within(region) >= now.areas) & (now.areas > 0)
        part |= was & small
        columns = own.any(0)
        for label in np.flatnonzero(was & ~small):
            its = (now.labels == label).any(0)
            part[label] = 2 * (its & columns).sum() >= min(its.sum(), columns.sum())
    part[chosen] = True
    return np.asarray(part[now.labels])


def shared(mask: Floats, own: Bools, others: Bools) -> Floats:
    """A mask (h, w) where it is nearer to `own` than to `others`, both (h, w): soft edges go with whom they are of."""
    if not others.any():
        return mask
    to_own, to_others = (cv2.distanceTransform((~place).view(np.uint8), cv2.DIST_L2, 3) for place in (own, others))
    return np.asarray(np.where(to_own <= to_others, mask, 0), np.float32)


def grown(region: Bools, share: float) -> Bools:
    """A region (h, w) and what lies within a share of the shorter side about it."""
    reach = max(1, round(share * min(region.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(region.view(np.uint8), kernel), np.uint8) > 0


def moved(region: Bools, before: Bytes, now: Bytes) -> Bools:
    """A region (h, w) shifted by the median optical flow within it between two grey frames (h, w)."""
    if not region.any():
        return region
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow = np.asarray(finder.calc(before, now, np.zeros((*now.shape, 2), np.float32)))
    x, y = np.median(flow[region], axis=0)
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = region.shape[1], region.shape[0]
    return np.asarray(cv2.warpAffine(region.view(np.uint8), shift, size, flags=cv2.INTER_NEAREST), np.uint8) > 0


def look_of(frame: Bytes, region: Bools) -> Floats:
    """The square roots of the shares (512,) of eight reds times eight greens times eight blues in a region (h, w)."""
    cells = frame[region] >> 5
    held = np.bincount(cells @ np.array([64, 8, 1]), minlength=512)
    return np.sqrt(held / max(held.sum(), 1)).astype(np.float32)
