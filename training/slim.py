"""A trained network with narrower bottlenecks: python -m training.slim CHECKPOINT VARIANT --out SLIM.safetensors

VARIANT differs from the checkpoint's in the bottlenecks' middles alone (`squeeze`, `narrowest`). Of each middle those
channels stay that bring most to the next convolution; everything else is kept as it is. Go on from there with train.py
--init: the result alone is no network to use.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.hourglass import Hourglass
    from models.variant import Variant


def slim(network: Hourglass, variant: Variant) -> Hourglass:
    """A network of `variant` made of `network`'s weights.

    ValueError when they differ in more than the bottlenecks' middles, or when a middle would have to grow.
    """
    from models.hourglass import Bottleneck, DownBottleneck, Hourglass

    known = network.variant
    if replace(known, squeeze=variant.squeeze, narrowest=variant.narrowest, resolution=variant.resolution) != variant:
        raise ValueError("the two networks differ in more than their bottlenecks' middles")
    small = Hourglass(variant)
    state = dict(network.state_dict())
    for name, block in small.named_modules():
        if isinstance(block, Bottleneck | DownBottleneck):
            middle = len(block.branch.get_parameter("0.1.weight"))
            for key, tensor in slim_branch(network.get_submodule(f"{name}.branch"), middle).items():
                state[f"{name}.branch.{key}"] = tensor
    small.load_state_dict(state)
    return small.eval()


def slim_branch(branch: nn.Module, middle: int) -> dict[str, Tensor]:
    """The state of a bottleneck's branch (unit, unit, linear) with the `middle` strongest channels of both units."""
    state = dict(branch.state_dict())
    for this, following in (("0", "1"), ("1", "2")):
        kept = strongest(branch.get_submodule(f"{this}.1"), state[f"{following}.0.weight"], middle)
        for key, tensor in state.items():
            if key.startswith(f"{this}.") and tensor.ndim:
                state[key] = tensor[kept]
        state[f"{following}.0.weight"] = state[f"{following}.0.weight"][:, kept]
    return state


def strongest(norm: nn.Module, weight: Tensor, count: int) -> Tensor:
    """Indices, ascending, of the `count` channels that weigh most in the convolution (outputs, inputs, h, w) behind.

    A channel's weight is the root mean square of relu(N(beta, gamma^2)), which is what normalisation and ReLU leave of
    it, times the norm of the kernels that read it.
    """
    import torch
    from torch import nn

    assert isinstance(norm, nn.BatchNorm2d)
    if count > norm.num_features:
        raise ValueError(f"a middle of {norm.num_features} channels cannot become one of {count}")
    mean, deviation = norm.bias.detach(), norm.weight.detach().abs().clamp_min(1e-6)
    normal = torch.distributions.Normal(0.0, 1.0)
    ratio = mean / deviation
    square = (mean**2 + deviation**2) * normal.cdf(ratio) + mean * deviation * normal.log_prob(ratio).exp()
    strength = square.clamp_min(0).sqrt() * weight.detach().square().sum((0, 2, 3)).sqrt()
    return strength.topk(count).indices.sort().values


def main(arguments: list[str] | None = None) -> int:
    from models import checkpoint
    from models.variant import get

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("variant", help="its name; python bench.py variants lists them")
    parser.add_argument("--out", type=Path, required=True, help="where the slimmed checkpoint goes")
    options = parser.parse_args(arguments)
    try:
        known, variant = checkpoint.load(options.checkpoint), get(options.variant)
        small = slim(known.network(), variant)
    except ValueError as error:
        print(f"training.slim: {error}", file=sys.stderr)
        return 2
    middles = [", ".join(str(v.middle(width)) for width in v.widths) for v in (known.variant, variant)]
    done = {"samples": 0, "seconds": 0, "slimmed": f"middles of {middles[0]} slimmed to {middles[1]}"}
    card = {**known.card, "training": [*known.card.get("training", []), done]}
    checkpoint.save(options.out, options.variant, variant, small.state_dict(), card)
    print(f"wrote {options.out}: {done['slimmed']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
