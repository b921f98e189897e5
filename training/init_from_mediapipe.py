"""An initial checkpoint with MediaPipe's weights in the inverted trunk.

python -m training.init_from_mediapipe VARIANT --out FILE

The trunk takes the weights of MediaPipe's selfie network (Apache-2.0; references.toml pins the file), but for its
layers above a quarter of the resolution. The head and the layers of the previous mask are initialised at random. The
result needs training: train.py --init FILE.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.arguments import WRONG_USAGE, ArgumentParser

if TYPE_CHECKING:
    from torch import Tensor

    from models.inverted import InvertedTrunk

REFERENCE = "mediapipe-selfie"
CONVOLUTIONS = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
"""Operators that have a kernel, and the axes that lay it out as PyTorch does: (outputs, inputs / groups, h, w)."""

Kernel = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(outputs, inputs / groups, h, w) and (outputs,)."""


def convolutions(model: bytes) -> list[Kernel]:
    """The kernels and biases of the reference's convolutions, plain and depthwise, in the order in which they run."""
    from ai_edge_litert import schema_py_generated as schema

    from converters.reference_int8 import widened

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(widened(model), 0))
    graph = read.subgraphs[0]
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}

    def name(op: Any) -> str:
        code = read.operatorCodes[op.opcodeIndex]
        return names[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def values(index: int) -> NDArray[np.float32]:
        tensor = graph.tensors[index]
        return np.frombuffer(bytes(read.buffers[tensor.buffer].data), np.float32).reshape(tensor.shape).copy()

    return [
        (values(op.inputs[1]).transpose(CONVOLUTIONS[name(op)]), values(op.inputs[2]))
        for op in graph.operators
        if name(op) in CONVOLUTIONS
    ]


def take(trunk: InvertedTrunk, kernels: list[Kernel]) -> None:
    """Give the trunk's convolutions, all but the previous mask's, the first of `kernels`, which run in its own order.

    ValueError when a kernel does not fit.
    """
    import torch
    from torch import nn

    own = [(name, m) for name, m in trunk.named_modules() if isinstance(m, nn.Conv2d) and name != "mask"]
    if len(kernels) < len(own):
        raise ValueError(f"it has {len(kernels)} convolutions, and the trunk {len(own)}")
    for (name, module), (weight, bias) in zip(own, kernels, strict=False):
        kernel = torch.from_numpy(np.ascontiguousarray(weight))
        if module.stride[0] > 1:
            kernel = even(kernel)
            kernel = folded(kernel) if module.kernel_size == (2, 2) else kernel
        if kernel.shape != module.weight.shape:
            raise ValueError(f"{name} is {tuple(module.weight.shape)}, and its kernel {tuple(kernel.shape)}")
        with torch.no_grad():
            module.weight.copy_(kernel)
            module.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]


def even(kernel: Tensor) -> Tensor:
    """The 4x4 kernel, padded by one, that is or is nearest to one of 3x3 or 5x5 which TFLite pads ("SAME") at stride 2.

    From the pixel where a 4x4 kernel begins, TFLite's 3x3 begins one further, and its 5x5, which loses its last row
    and column, at the same.
    """
    import torch.nn.functional as F

    return F.pad(kernel, (1, 0, 1, 0)) if kernel.shape[2] == 3 else kernel[:, :, :4, :4]


def folded(kernel: Tensor) -> Tensor:
    """The 2x2 kernel in the middle of a 4x4 one, each weight the sum of a quarter: alike on a flat picture."""
    import torch.nn.functional as F

    return 4 * F.avg_pool2d(kernel, 2)


def main(arguments: list[str] | None = None) -> int:
    import torch

    from converters.references import fetch
    from models import checkpoint, reference
    from models.hourglass import Hourglass
    from models.inverted import InvertedTrunk
    from models.variant import get
    from training.reshape import reshape

    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", help="its name; python bench.py variants lists them")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint goes")
    options = parser.parse_args(arguments)
    try:
        variant = get(options.variant)
        if variant.trunk != "inverted":
            raise ValueError(f"{options.variant} has no inverted trunk")
        one = reference.read()[REFERENCE]
        torch.manual_seed(0)
        network = Hourglass(variant)
        whole = InvertedTrunk(variant.previous_mask)
        take(whole, convolutions(fetch(one).read_bytes()))
        reshape(network.trunk, whole)
    except ValueError as error:
        print(f"training.init_from_mediapipe: {error}", file=sys.stderr)
        return WRONG_USAGE
    done = {"samples": 0, "seconds": 0, "begun": f"begun from {one.name} ({one.licence}, sha256 {one.sha256[:12]})"}
    checkpoint.save(options.out, options.variant, variant, network.state_dict(), {"training": [done]})
    print(f"wrote {options.out}: {done['begun']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
