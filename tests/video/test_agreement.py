"""The effects work in 8 bits, at the edge alone; whole pictures in float must come to the same.

The tolerances, in steps of 1/255: alpha 1 but for a thousandth of the pixels, colours 2 but for a thousandth.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evaluation.sample import embedded
from tests.video import reference
from video.apply import alpha_of, blurring, cutting_out, recolouring, replacing
from video.backdrop import still
from video.blur import SIGMA

COLOUR = (0.1, 0.5, 0.55)


def scene(clip: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of the embedded sample, at 960x720, and a mask as a network would give it."""
    made = embedded().clips[clip]
    assert made.read_alpha is not None
    picture = cv2.resize(made.read(0)[0], (960, 720), interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(made.read_alpha(0).astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA)
    return picture, np.clip(mask, 0, 1)


CLIPS = 0, 2


def steps(fast: np.ndarray, slow: np.ndarray) -> np.ndarray:
    return np.abs(fast - 255 * slow)


@pytest.mark.parametrize("clip", CLIPS)
def test_the_alpha(clip):
    picture, mask = scene(clip)
    off = steps(alpha_of(mask, picture), reference.alpha(mask, picture))
    assert (off > 1).mean() < 0.001, np.quantile(off, 0.999)
    assert off.mean() < 0.05


@pytest.mark.parametrize("clip", CLIPS)
def test_the_colours(clip):
    picture, mask = scene(clip)
    alpha, behind = alpha_of(mask, picture), np.ascontiguousarray(picture[::-1, ::-1])
    pairs = {
        "replacement": (replacing(still(behind)), reference.replaced(picture, alpha, behind)),
        "recolouring": (recolouring(COLOUR), reference.recoloured(picture, alpha, COLOUR)),
        "cut-out": (lambda *a: cutting_out(*a)[..., :3], reference.foreground(picture, alpha)),
    }
    for name, (fast, slow) in pairs.items():
        off = steps(fast(picture, alpha, 0), slow).max(-1)
        assert (off > 2).mean() < 0.001, (name, np.quantile(off, 0.999))
        assert off.mean() < 0.6, name


@pytest.mark.parametrize("clip", CLIPS)
def test_the_blur(clip):
    """Blurred on a small copy: near the true Gaussian on the whole picture, within the eye's tolerance."""
    picture, mask = scene(clip)
    alpha = alpha_of(mask, picture)
    seen = alpha < 128
    off = steps(blurring()(picture, alpha, 0), reference.blurred(picture, alpha, SIGMA)).max(-1)[seen]
    assert off.mean() < 2
    assert np.quantile(off, 0.99) < 8
