"""The public networks whose times on phones were published, from their papers and code, with random weights.

Speed depends on the architecture, not on the weights. Names are NETWORK-WIDTH-SIZE. The sources:

- MobileNet v1: Howard et al. 2017, arXiv 1704.04861, table 1; 1001 classes.
- MobileNet v2: Sandler et al. 2018, arXiv 1801.04381, table 2, and TF-slim's nets/mobilenet/mobilenet_v2.py.
- MobileNet v3, also minimalistic: Howard et al. 2019, arXiv 1905.02244, tables 1 and 2, and TF-slim's mobilenet_v3.py.
- MnasNet A1 and B1: Tan et al. 2018, arXiv 1807.11626, and tensorflow/tpu's models/official/mnasnet.
- Paddle's v2 and v3: PaddleClas's mobilenet_v2.py and mobilenet_v3.py, which expand in the first block too.
- PoseNet: TensorFlow's multi_person_mobilenet_v1_075_float, MobileNet v1 0.75 at output stride 16 on 353x257 with four
  heads; Papandreou et al. 2018, arXiv 1803.08225.

Normalisation is folded into the convolutions, as it is in the files that were timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.estimate.graph import Graph

CLASSES = 1001
Make = Callable[["Graph"], list[int]]
"""Adds a network to a graph and returns its outputs."""


@dataclass(frozen=True)
class Known:
    """A network that others timed, and the height and width of its input."""

    make: Make
    size: tuple[int, int]

    def graph(self) -> tuple[Graph, list[int]]:
        """The network and its outputs."""
        from devices.estimate.graph import Graph

        graph = Graph(*self.size)
        return graph, self.make(graph)


@dataclass(frozen=True)
class Block:
    """An inverted residual: `middle` channels when expanded, `squeeze` in its squeeze and excite, 0 for none."""

    kernel: int
    middle: int
    outputs: int
    stride: int
    squeeze: int
    act: str


def divisible(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and at least 0.9 of `channels`, as all of these papers round."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def inverted(graph: Graph, x: int, block: Block, gate: Callable[[int], int], expand: bool) -> int:
    """Expand, depthwise, perhaps squeeze, project; `expand` False leaves out an expansion that adds no channels."""
    inner = x
    if expand or block.middle != graph.channels(x):
        inner = graph.conv(x, block.middle, act=block.act)
    inner = graph.depthwise(inner, block.kernel, block.stride, block.act)
    if block.squeeze:
        narrow = graph.conv(graph.pool(inner), block.squeeze, act="relu")
        inner = graph.multiply(inner, gate(graph.conv(narrow, block.middle)))
    inner = graph.conv(inner, block.outputs)
    return graph.add(x, inner) if block.stride == 1 and graph.channels(x) == block.outputs else inner


def v1_body(graph: Graph, width: float, output_stride: int = 32) -> int:
    """Table 1 of v1 up to its pooling; beyond `output_stride`, dilation stands in for stride, as in PoseNet."""
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    x = graph.conv(graph.input, int(32 * width), 3, 2, "relu6")
    reached, dilation = 2, 1
    for outputs, stride in plan:
        rate = dilation
        if reached == output_stride:
            dilation *= stride
            stride = 1
        reached *= stride
        x = graph.depthwise(x, 3, stride, "relu6", rate)
        x = graph.conv(x, int(outputs * width), act="relu6")
    return x


def v1(graph: Graph, width: float) -> list[int]:
    return [graph.conv(graph.pool(v1_body(graph, width)), CLASSES)]


def posenet(graph: Graph) -> list[int]:
    """Heat maps, offsets, and displacements both ways: 17, 34, 32 and 32 channels."""
    features = v1_body(graph, 0.75, output_stride=16)
    heat, *rest = (graph.conv(features, channels) for channels in (17, 34, 32, 32))
    return [graph.sigmoid(heat), *rest]


# Lines (kernel, expansion, channels, repeats, first stride, 1 where a quarter of the input's channels is squeezed).
V2 = [
    (3, 1, 16, 1, 1, 0),
    (3, 6, 24, 2, 2, 0),
    (3, 6, 32, 3, 2, 0),
    (3, 6, 64, 4, 2, 0),
    (3, 6, 96, 3, 1, 0),
    (3, 6, 160, 3, 2, 0),
    (3, 6, 320, 1, 1, 0),
]
MNASNET_A1 = [
    (3, 1, 16, 1, 1, 0),
    (3, 6, 24, 2, 2, 0),
    (5, 3, 40, 3, 2, 1),
    (3, 6, 80, 4, 2, 0),
    (3, 6, 112, 2, 1, 1),
    (5, 6, 160, 3, 2, 1),
    (3, 6, 320, 1, 1, 0),
]
MNASNET_B1 = [
    (3, 1, 16, 1, 1, 0),
    (3, 3, 24, 3, 2, 0),
    (5, 3, 40, 3, 2, 0),
    (5, 6, 80, 3, 2, 0),
    (3, 6, 96, 2, 1, 0),
    (5, 6, 192, 4, 2, 0),
    (3, 6, 320, 1, 1, 0),
]


def repeated(plan: Iterable[tuple[int, ...]], stem: int, width: float, act: str) -> list[Block]:
    """The blocks of such lines behind a stem of `stem` channels."""
    blocks, channels = [], stem
    for kernel, factor, outputs, repeats, stride, squeeze in plan:
        for i in range(repeats):
            wide = divisible(outputs * width)
            blocks.append(
                Block(kernel, channels * factor, wide, stride if i == 0 else 1, squeeze * (channels // 4), act)
            )
            channels = wide
    return blocks


def v2(graph: Graph, width: float, expand: bool = False, classes: int = CLASSES) -> list[int]:
    stem = divisible(32 * width)
    x = graph.conv(graph.input, stem, 3, 2, "relu6")
    for block in repeated(V2, stem, width, "relu6"):
        x = inverted(graph, x, block, graph.sigmoid, expand)
    x = graph.conv(x, divisible(1280 * max(width, 1.0)), act="relu6")
    return [graph.conv(graph.pool(x), classes)]


def mnasnet(graph: Graph, plan: Iterable[tuple[int, ...]], width: float) -> list[int]:
    stem = divisible(32 * width)
    x = graph.conv(graph.input, stem, 3, 2, "relu")
    for block in repeated(plan, stem, width, "relu"):
        x = inverted(graph, x, block, graph.sigmoid, expand=False)
    return [graph.conv(graph.pool(graph.conv(x, 1280, act="relu")), 1000)]


# Lines (kernel, expanded channels, channels, 1 where squeezed, 1 where hard-swish, stride) of v3's tables 1 and 2.
LARGE = [
    (3, 16, 16, 0, 0, 1),
    (3, 64, 24, 0, 0, 2),
    (3, 72, 24, 0, 0, 1),
    (5, 72, 40, 1, 0, 2),
    (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1),
    (3, 240, 80, 0, 1, 2),
    (3, 200, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1),
    (3, 672, 112, 1, 1, 1),
    (5, 672, 160, 1, 1, 2),
    (5, 960, 160, 1, 1, 1),
    (5, 960, 160, 1, 1, 1),
]
SMALL = [
    (3, 16, 16, 1, 0, 2),
    (3, 72, 24, 0, 0, 2),
    (3, 88, 24, 0, 0, 1),
    (5, 96, 40, 1, 1, 2),
    (5, 240, 40, 1, 1, 1),
    (5, 240, 40, 1, 1, 1),
    (5, 120, 48, 1, 1, 1),
    (5, 144, 48, 1, 1, 1),
    (5, 288, 96, 1, 1, 2),
    (5, 576, 96, 1, 1, 1),
    (5, 576, 96, 1, 1, 1),
]


def v3(
    graph: Graph,
    plan: Iterable[tuple[int, ...]],
    last: int,
    hidden: int,
    width: float,
    minimalistic: bool = False,
    expand: bool = False,
    classes: int = CLASSES,
) -> list[int]:
    """`last` channels before the pooling, `hidden` after it; minimalistic has no squeeze, no swish and no 5x5."""
    outer = "relu" if minimalistic else "hard_swish"
    x, inputs = graph.conv(graph.input, divisible(16 * width), 3, 2, outer), 16
    for kernel, middle, outputs, squeeze, swish, stride in plan:
        # An expansion is a factor of the table's inputs, applied to the rounded inputs.
        wide = divisible(middle / inputs * divisible(inputs * width))
        act = "hard_swish" if swish else "relu"
        block = Block(kernel, wide, divisible(outputs * width), stride, squeeze * divisible(wide / 4), act)
        if minimalistic:
            block = Block(3, wide, block.outputs, stride, 0, "relu")
        x = inverted(graph, x, block, graph.hard_sigmoid, expand)
        inputs = outputs
    x = graph.conv(x, divisible(last * width), act=outer)
    return [graph.conv(graph.conv(graph.pool(x), hidden, act=outer), classes)]


def _networks() -> dict[str, Known]:
    known: dict[str, Known] = {}

    def add(name: str, width: float, size: int, make: Callable[..., list[int]]) -> None:
        known[f"{name}-{width:g}-{size}"] = Known(partial(make, width=width), (size, size))

    for width, size in ((1.0, 224), (1.0, 128), (0.25, 224)):
        add("mobilenet-v1", width, size, v1)
    for size in (224, 160, 128, 96):
        add("mobilenet-v2", 1.0, size, v2)
    for width, size in ((1.0, 128), (1.0, 96), (0.5, 224), (0.35, 224)):
        add("mnasnet-a1", width, size, partial(mnasnet, plan=MNASNET_A1))
    for width, size in ((1.0, 128), (1.0, 96), (0.5, 224)):
        add("mnasnet-b1", width, size, partial(mnasnet, plan=MNASNET_B1))
    large = partial(v3, plan=LARGE, last=960, hidden=1280)
    small = partial(v3, plan=SMALL, last=576, hidden=1024)
    for width in (1.0, 0.75):
        add("mobilenet-v3-large", width, 224, large)
        add("mobilenet-v3-small", width, 224, small)
    add("mobilenet-v3-large-minimalistic", 1.0, 224, partial(large, minimalistic=True))
    add("mobilenet-v3-small-minimalistic", 1.0, 224, partial(small, minimalistic=True))
    add("paddle-v2", 1.0, 224, partial(v2, expand=True, classes=1000))
    add("paddle-v3-large", 1.0, 224, partial(large, expand=True, classes=1000))
    add("paddle-v3-small", 1.0, 224, partial(small, hidden=1280, expand=True, classes=1000))
    known["posenet-0.75-353x257"] = Known(posenet, (353, 257))
    return known


NETWORKS = _networks()


def tflite(name: str, precision: str = "fp32") -> bytes:
    """The network as a TFLite file in "fp32" or "int8". KeyError when there is none of that name."""
    from devices.estimate.graph import int8

    graph, outputs = NETWORKS[name].graph()
    model = graph.tflite(outputs)
    return int8(model, graph.shapes[graph.input]) if precision == "int8" else model
