"""The public networks are those of their papers, and run."""

from __future__ import annotations

import pytest

from devices.estimate.graph import INPUT, SIGNATURE
from devices.estimate.networks import NETWORKS, tflite
from devices.estimate.published import published


def test_every_published_time_is_of_a_network_that_can_be_made_here_and_none_is_idle() -> None:
    assert {name for times in published() for name in times.milliseconds} == set(NETWORKS)


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        # The papers' tables; v3-small as in the paper's fifth version.
        ("mobilenet-v1-1-224", 569, 4.2),
        ("mobilenet-v1-0.25-224", 41, 0.5),
        # TF-slim's README.
        ("mobilenet-v2-1-224", 300, 3.47),
        ("mobilenet-v2-1-160", 154, 3.47),
        ("mobilenet-v2-1-128", 99, 3.47),
        ("mobilenet-v2-1-96", 56, 3.47),
        ("mobilenet-v3-large-1-224", 217, 5.4),
        ("mobilenet-v3-large-0.75-224", 155, 4.0),
        ("mobilenet-v3-small-1-224", 56, 2.5),
        ("mobilenet-v3-small-0.75-224", 44, 2.0),
        ("mobilenet-v3-large-minimalistic-1-224", 209, 3.9),
        # MnasNet's README.
        ("mnasnet-a1-0.5-224", 105.2, 2.1),
        ("mnasnet-a1-0.35-224", 63.2, 1.7),
        ("mnasnet-a1-1-128", 104.1, 3.9),
    ],
)
def test_a_network_costs_what_was_published(name: str, macs: float, parameters: float) -> None:
    graph, _ = NETWORKS[name].graph()
    assert graph.macs / 1e6 == pytest.approx(macs, rel=0.025)
    assert graph.parameters / 1e6 == pytest.approx(parameters, rel=0.03, abs=0.05)


def test_posenet_has_its_heads_at_stride_16() -> None:
    graph, outputs = NETWORKS["posenet-0.75-353x257"].graph()
    assert [graph.shapes[x] for x in outputs] == [(1, 23, 17, channels) for channels in (17, 34, 32, 32)]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["mobilenet-v1-0.25-224", "paddle-v3-small-1-224"])
def test_a_network_runs_in_litert(name: str, precision: str) -> None:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite(name, precision), num_threads=1)
    run = interpreter.get_signature_runner(SIGNATURE)
    details = run.get_input_details()[INPUT]
    assert details["dtype"] is (np.int8 if precision == "int8" else np.float32)
    out = run(**{INPUT: np.ones(details["shape"], details["dtype"])})["out0"]
    assert out.shape[-1] >= 1000
    assert np.isfinite(out.astype(np.float32)).all()
    assert out.std() > 0


def test_a_file_is_the_same_each_time() -> None:
    assert tflite("mobilenet-v1-0.25-224") == tflite("mobilenet-v1-0.25-224")
