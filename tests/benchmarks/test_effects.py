"""What each stage of a 1280x720 frame takes besides decoding and encoding. Aim: 33 ms for all, two processors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from evaluation.sample import embedded
from video.apply import Effect, alpha_of, blurring, cutting_out, recolouring, replacing
from video.backdrop import still

SAMPLE = embedded().clips[0]
assert SAMPLE.read_alpha is not None
PICTURE = cv2.resize(SAMPLE.read(0)[0], (1280, 720), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
MASK = np.asarray(
    cv2.resize(SAMPLE.read_alpha(0).astype(np.float32), (256, 256), interpolation=cv2.INTER_AREA), np.float32
)
EFFECTS: dict[str, Effect] = {
    "replacement": replacing(still(np.ascontiguousarray(PICTURE[::-1]))),
    "blur": blurring(),
    "recolouring": recolouring((0.1, 0.5, 0.5)),
    "cut-out": cutting_out,
}


def test_refinement(benchmark: BenchmarkFixture) -> None:
    benchmark(alpha_of, MASK, PICTURE)


@pytest.mark.parametrize("name", EFFECTS)
def test_effect(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(EFFECTS[name], PICTURE, alpha_of(MASK, PICTURE), 0)
