"""One frame of every variant in every desktop runtime: `make benchmarks TESTS="--benchmark-json FILE"`, then
`bench.py history FILE`. Cells of one machine over time; to compare two commits, the gate measures side by side."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from converters.artifact import Artifact, Format, Spec
from converters.build import build
from converters.registry import converter
from models.checkpoint import find, sha256
from models.segmenter import no_mask
from models.variant import DEFAULT_RESOLUTION, VARIANTS


@pytest.mark.parametrize("format", ["onnx", "tflite", "openvino"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_frame(benchmark: BenchmarkFixture, variant: str, format: Format) -> None:
    checkpoint = find(variant)
    if checkpoint is None:
        pytest.skip(f"no checkpoint of {variant}")
    spec = Spec(variant, checkpoint, sha256(checkpoint), format, "fp32", DEFAULT_RESOLUTION)
    artifact = build([spec])[spec]
    assert isinstance(artifact, Artifact), artifact
    session = converter(format).load(artifact.path)
    picture = np.random.default_rng(0).random((1, *DEFAULT_RESOLUTION, 3), np.float32)
    frame, mask = session.encode_frame(picture), session.encode_mask(no_mask(session.resolution))
    benchmark.pedantic(session.native, (frame, mask), rounds=100, warmup_rounds=30)
