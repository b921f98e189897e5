"""MediaPipe's general selfie network (Apache-2.0; references.toml pins the file) in PyTorch, for batches on any device.

A test compares its masks with LiteRT's. Its weights are read from the published file once, and lie in every pack.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from models.inverted import STEM, InvertedTrunk, Join, convolve
from models.variant import MIDDLES
from training.options import TEACHER

RESOLUTION = (256, 256)


class SelfieNetwork(nn.Module):
    """(N, 3, H, W) float RGB in [0, 1] to the person's probability (N, 1, H, W); H and W are multiples of 16.

    It was published for `RESOLUTION`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = InvertedTrunk(previous_mask=False, published=True)
        # Where the published kernel strides over 5x5 it is padded as TFLite does ("SAME": one before, two behind).
        width = MIDDLES[2][0]
        whole = convolve(width, width, kernel=5, stride=2, groups=width)
        whole.padding = (0, 0)
        self.trunk.stage16[0].depthwise = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), whole)
        self.join2 = Join(STEM, STEM)
        self.grow = nn.ConvTranspose2d(STEM, 1, 2, stride=2)
        self._stem: Tensor | None = None
        self.trunk.stage4.register_forward_pre_hook(self._note)

    def _note(self, _module: nn.Module, inputs: tuple[Tensor]) -> None:
        (self._stem,) = inputs

    def forward(self, frame: Tensor) -> Tensor:
        features = self.trunk(frame, frame[:, :1])
        assert self._stem is not None
        stem, self._stem = self._stem, None
        return torch.sigmoid(self.grow(self.join2(features, stem)))


def published() -> SelfieNetwork:
    """The network of the file that references.toml names, downloaded once. BadReferenceModel when it cannot be had."""
    from converters.references import fetch
    from models import reference

    return read(fetch(reference.read()[TEACHER]).read_bytes())


def read(model: bytes) -> SelfieNetwork:
    """The network of the published file; ValueError when it is another one."""
    from training.init_from_mediapipe import convolutions, take
    from training.mediapipe_features import original

    kernels = convolutions(model)
    network = SelfieNetwork().eval().requires_grad_(False)
    network.trunk.load_state_dict(original(kernels).state_dict())
    own = [m for m in network.trunk.modules() if isinstance(m, nn.Conv2d)]
    take(network.join2, kernels[len(own) :])  # type: ignore[arg-type]
    weight, bias = _transposed(model)
    network.grow.load_state_dict({"weight": weight, "bias": bias})
    return network


def opened(state: Mapping[str, Tensor]) -> SelfieNetwork:
    """The network with the weights of `state`, in eval mode."""
    network = SelfieNetwork().eval().requires_grad_(False)
    network.load_state_dict(dict(state))
    return network


def _transposed(model: bytes) -> tuple[Tensor, Tensor]:
    """Kernel (inputs, outputs, h, w) and bias of the one transposed convolution, which ends the published network."""
    from ai_edge_litert import schema_py_generated as schema

    from converters.reference_int8 import widened

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(widened(model), 0))
    graph = read.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in read.operatorCodes]
    (found,) = (op for op in graph.operators if codes[op.opcodeIndex] == schema.BuiltinOperator.TRANSPOSE_CONV)
    tensors = [graph.tensors[found.inputs[i]] for i in (1, 3)]
    kernel, bias = (
        np.frombuffer(bytes(read.buffers[t.buffer].data), np.float32).reshape(t.shape).copy() for t in tensors
    )
    return torch.from_numpy(kernel).permute(3, 0, 1, 2).contiguous(), torch.from_numpy(bias)
