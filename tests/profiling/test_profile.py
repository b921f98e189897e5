"""Operators are told apart: cuts of a TFLite model compute what the whole of it does there; OpenVINO counts its own."""

from typing import Any

import numpy as np
import pytest
import torch

from models.arguments import WRONG_USAGE
from profiling import profile
from profiling.blocks import Block, litert
from profiling.profile import Op


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two convolutions and a skip around the second, as a TFLite and an OpenVINO file."""
    torch.manual_seed(0)

    class Skip(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = torch.nn.Conv2d(3, 8, 1), torch.nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.one(x)
            return torch.sigmoid(x + self.two(x))

    block, out = Block("skip", Skip().eval(), (torch.rand(1, 3, 16, 16),)), tmp_path_factory.mktemp("skip")
    litert(block, out)
    import openvino as ov

    ov.save_model(ov.convert_model(block.module, example_input=block.inputs, input=[(1, 3, 16, 16)]), out / "m.xml")
    return out


def outputs(model: bytes) -> dict[tuple[int, ...], np.ndarray]:
    run: Any = profile._running(model)
    run()
    interpreter = run.__self__
    return {tuple(d["shape"]): interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()}


@pytest.mark.slow
def test_a_cut_gives_what_the_rest_would_need(folder):
    model = (folder / "block.tflite").read_bytes()
    count = len(profile._kinds(model))
    kinds = [kind for kind, _ in profile._kinds(model)]
    assert kinds == ["CONV_2D", "CONV_2D", "ADD", "LOGISTIC"]
    one, both, added, whole = (outputs(profile.cut(model, n + 1)) for n in range(count))
    (first,) = one.values()
    # The skip keeps the first convolution's output alive behind the second.
    assert len(profile._read(profile.cut(model, 2)).subgraphs[0].outputs) == 2
    assert first.shape == (1, 16, 16, 8)
    assert both.keys() == added.keys()
    (before,), (after,) = added.values(), whole.values()
    assert np.allclose(1 / (1 + np.exp(-before)), after, atol=1e-6)
    assert np.array_equal(next(iter(outputs(model).values())), after)


@pytest.mark.slow
def test_litert_and_openvino_name_their_operators(folder):
    ops, whole = profile.litert(folder / "block.tflite", 1)
    assert [(op.kind, op.shape) for op in ops][-1] == ("LOGISTIC", (1, 16, 16, 8))
    assert whole > 0
    ops, whole = profile.openvino(folder / "m.xml", 1)
    assert sum(op.kind == "Convolution" for op in ops) == 2
    assert all(op.by for op in ops)
    assert whole > 0


def test_the_dearest_stand_first_and_kinds_are_summed():
    ops = [Op("CONV", (1, 2), 1.0), Op("ADD", (1, 2), 0.5), Op("CONV", (3, 4), 2.5, "jit")]
    lines = profile.markdown("LiteRT", ops, 3.5, shown=2).splitlines()
    assert lines[0] == "LiteRT: 3.500 ms the whole, 4.000 ms the sum of 3 operators"
    assert "| CONV | 2 | 3.500 | 88 % |" in lines
    assert lines[-2:] == ["| 2 | CONV | 3×4 | 2.500 | 62 % | jit |", "| 0 | CONV | 1×2 | 1.000 | 25 % |  |"]


def test_a_mistake_is_a_sentence(capsys):
    assert profile.main(["s5"]) == WRONG_USAGE
    assert capsys.readouterr().err.startswith("profiling.profile: no variant 's5'")
