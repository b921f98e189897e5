"""What a network is, as data: the frozen config behind a name such as `s16-skip-dense`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args, get_type_hints

from models.bounds import MOST_SIDE
from models.fits import fits
from models.labels import LABELS

Head = Literal["plain", "light", "subpixel", "half", "dense", "dense-separable"]
Refine = Literal["full", "separable"]
Entry = Literal["concat", "add"]
Trunk = Literal["squeezed", "inverted"]
Resolution = tuple[int, int]
"""(height, width) in pixels."""
Middles = tuple[tuple[int, ...], ...]
"""Channels in the middle of each block of the inverted trunk that ends at strides 4, 8 and 16."""

MIDDLES: Middles = ((16,), (72, 88), (96, 128, 128, 96, 96))
"""Those of MediaPipe's network."""

MOST_CHANNELS, MOST_LAYERS, MOST_KERNEL = 4096, 256, 64
"""Of one layer, of a network and of one convolution's side: several times what any network here has."""

STRIDES: dict[Trunk, int] = {"squeezed": 32, "inverted": 16}
DEFAULT_RESOLUTION: Resolution = (256, 256)


def _check(resolution: Resolution, stride: int) -> None:
    if max(resolution) > MOST_SIDE:
        raise ValueError(f"{resolution[0]}x{resolution[1]}: a side has at most {MOST_SIDE} pixels")
    if any(side <= 0 or side % stride for side in resolution):
        height, width = resolution
        raise ValueError(f"{height}x{width}: both sides must be multiples of {stride}")


@dataclass(frozen=True)
class Variant:
    """One network of the family.

    `squeeze` divides a bottleneck's width to give its middle, of `narrowest` channels or more; `skips` adds encoder
    features to the decoder; `head` is what turns stride-4 features into the mask: bilinear only, one stage in half
    resolution (depthwise when light), sixteen sub-pixels each, or DenseNet layers in full resolution, over a bilinear
    logit or, when separable, over the sub-pixels. `refine` is the kernel that ends a decoder step: 3x3 over all
    channels, or a depthwise 3x3 and then 1x1. `entry` is how the previous mask joins the picture: as a fourth channel,
    or through a stem of its own that is added. `kernel` is the side of the first convolution, which strides by 4; a
    multiple of 4, so that TFLite needs no PAD for it. Widths and middles are multiples of 4, as mobile kernels like
    them. The `inverted` trunk (models/inverted.py) has a stem, widths and depths of its own: what shapes the squeezed
    one does not apply to it. It is shaped by `stem2`, its channels at stride 2, `middles`, the channels in the middle
    of each block, and `kernel16`, the depthwise kernel of the blocks at stride 16 that do not stride. `resolution` is
    what it was trained for, and is given where nobody asks for another. `outputs` is 1 for a mask, or 9 for the
    probabilities of models/labels.py.
    """

    squeeze: int = 16
    narrowest: int = 4
    skips: bool = True
    head: Head = "dense"
    previous_mask: bool = True
    entry: Entry = "concat"
    kernel: int = 8
    stem: int = 24
    widths: tuple[int, int, int] = (128, 128, 256)
    depths: tuple[int, int, int] = (2, 6, 4)
    decoder: tuple[int, int, int] = (64, 32, 24)
    refine: Refine = "full"
    growth: int = 4
    dense_layers: int = 2
    trunk: Trunk = "squeezed"
    resolution: Resolution = DEFAULT_RESOLUTION
    stem2: int = 16
    middles: Middles = MIDDLES
    kernel16: int = 5
    outputs: int = 1

    def __post_init__(self) -> None:
        if self.head not in get_args(Head):
            raise ValueError(f"head must be one of {', '.join(get_args(Head))}, not {self.head!r}")
        if self.refine not in get_args(Refine):
            raise ValueError(f"refine must be one of {', '.join(get_args(Refine))}, not {self.refine!r}")
        if self.entry not in get_args(Entry):
            raise ValueError(f"entry must be one of {', '.join(get_args(Entry))}, not {self.entry!r}")
        if self.trunk not in get_args(Trunk):
            raise ValueError(f"trunk must be one of {', '.join(get_args(Trunk))}, not {self.trunk!r}")
        if self.trunk == "inverted" and (self.entry != "add" or not self.skips):
            raise ValueError("the inverted trunk adds the previous mask and has skips")
        if self.outputs not in (1, len(LABELS)):
            raise ValueError(f"outputs must be 1 or {len(LABELS)}, not {self.outputs}")
        if self.outputs > 1 and (self.head != "subpixel" or self.trunk != "inverted"):
            raise ValueError("the head of a network with labels must be subpixel, and its trunk inverted")
        if self.kernel <= 0 or self.kernel % 4:
            raise ValueError(f"kernel must be a positive multiple of 4, not {self.kernel}")
        if self.kernel16 <= 0 or self.kernel16 % 2 == 0:
            raise ValueError(f"kernel16 must be odd, not {self.kernel16}")
        if len(self.middles) != 3 or len(self.middles[0]) != 1 or not all(self.middles):
            raise ValueError(
                f"middles must be of one block at stride 4, and of some at strides 8 and 16: {self.middles}"
            )
        middles = [middle for stage in self.middles for middle in stage]
        channels = (self.stem, *self.widths, *self.decoder, self.growth, self.narrowest, self.stem2, *middles)
        if any(c <= 0 or c % 4 for c in channels):
            raise ValueError(f"every width must be a positive multiple of 4: {channels}")
        if self.squeeze < 1 or min(self.depths) < 0 or self.dense_layers < 1:
            raise ValueError(f"squeeze and dense_layers start at 1, depths at 0: {self}")
        if max(channels) > MOST_CHANNELS or max(self.kernel, self.kernel16) > MOST_KERNEL:
            raise ValueError(f"a layer has at most {MOST_CHANNELS} channels and a kernel of {MOST_KERNEL}")
        if sum(self.depths) + self.dense_layers + len(middles) > MOST_LAYERS:
            raise ValueError(f"depths, dense_layers and middles are at most {MOST_LAYERS} layers")
        self.check_resolution(self.resolution)

    @property
    def stride(self) -> int:
        """The deepest down-sampling; height and width must be multiples of it."""
        return STRIDES[self.trunk]

    def middle(self, width: int) -> int:
        """Channels in the middle of a bottleneck of `width`: width / squeeze, never below `narrowest`."""
        return max(self.narrowest, width // self.squeeze // 4 * 4)

    def check_resolution(self, resolution: Resolution) -> None:
        """Raise ValueError unless both sides are positive multiples of `stride`."""
        _check(resolution, self.stride)

    def to_dict(self) -> dict[str, Any]:
        """All fields; `outputs` only where there are labels, so that what is kept by a mask network's hash is found."""
        return {key: value for key, value in asdict(self).items() if (key, value) != ("outputs", 1)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Variant:
        """The inverse of `to_dict`, also after a trip through JSON. ValueError for an unknown key or a wrong type."""
        if not isinstance(values, dict):
            raise ValueError(f"a variant is a table of fields, not {str(values)[:60]!r}")
        kinds = get_type_hints(cls)
        if unknown := sorted(set(values) - set(kinds)):
            raise ValueError(f"unknown variant fields: {', '.join(unknown)}")
        if wrong := next((key for key, value in values.items() if not fits(value, kinds[key])), None):
            kind = {int: "a whole number", bool: "true or false"}.get(kinds[wrong], f"as in {getattr(cls(), wrong)!r}")
            raise ValueError(f"{wrong} is {str(values[wrong])[:60]!r}, not {kind}")
        return cls(**{key: _tuples(value) for key, value in values.items()})


def _tuples(value: Any) -> Any:
    """JSON's lists, also those in lists, as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _twelve(base: Variant, dense: Head, plain: Head) -> dict[str, Variant]:
    """The factors on one trunk, by name."""
    return {
        f"s{squeeze}-{'skip' if skips else 'noskip'}-{name}": replace(base, squeeze=squeeze, skips=skips, head=head)
        for squeeze in (4, 16, 32)
        for skips in (True, False)
        for name, head in (("dense", dense), ("plain", plain))
    }


TRUNK = Variant(
    squeeze=4,
    narrowest=8,
    head="subpixel",
    entry="add",
    stem=16,
    widths=(64, 128, 256),
    decoder=(64, 32, 16),
    refine="separable",
    growth=8,
    resolution=(224, 192),
)
"""What the twelve share, chosen by counts of ARM instructions (docs/experiments.md)."""
REFERENCE: dict[str, Variant] = _twelve(TRUNK, dense="dense-separable", plain="subpixel")
"""The twelve: squeeze 4, 16 or 32; skips or none; dense head or none."""

LIVE = Variant(head="subpixel", entry="add", trunk="inverted", resolution=(256, 240))
"""The recommended network. Why this trunk and these sizes: docs/experiments.md."""

VARIANTS: dict[str, Variant] = {
    **REFERENCE,
    "live": LIVE,
    "live-fast": replace(LIVE, resolution=(176, 176)),
    "live-best": replace(LIVE, resolution=(256, 256)),
    "live-parts": replace(LIVE, outputs=len(LABELS), resolution=(240, 240)),
    "s4-skip-light": Variant(
        squeeze=4,
        head="light",
        entry="add",
        stem=16,
        widths=(64, 128, 256),
        decoder=(64, 32, 16),
        resolution=(192, 192),
    ),
    "s16-skip-half": replace(TRUNK, squeeze=16, head="half"),
    "s16-skip-plain-noprev": replace(TRUNK, squeeze=16, previous_mask=False),
}
"""Every named variant: the reference and those that joined."""


_THIN = replace(LIVE, middles=((8,), (48, 64), MIDDLES[2]))
"""Fewer channels at strides 2 to 8, where most pixels are."""
_DEEP = replace(LIVE, middles=(*MIDDLES[:2], (*MIDDLES[2], 128, 96)))
"""Two more blocks at stride 16, which take 9 % of the instructions."""

_STEM8 = replace(LIVE, stem2=8, middles=((8,), *MIDDLES[1:]))
"""Half of the channels at stride 2, whose convolutions are the largest operators."""
_SHALLOW = replace(LIVE, middles=(*MIDDLES[:2], MIDDLES[2][:4]))
"""One block at stride 16 less."""


CANDIDATES: dict[str, Variant] = {
    "try/live-a": replace(LIVE, resolution=(224, 192)),
    "try/live-b": replace(_THIN, resolution=(240, 208)),
    "try/live-c": replace(_DEEP, resolution=(208, 192)),
    "try/live-d": replace(LIVE, kernel16=3, resolution=(240, 192)),
    "try/live-e": replace(_STEM8, resolution=(224, 208)),
    "try/live-f": replace(_SHALLOW, resolution=(240, 192)),
    "try/live-g": replace(LIVE, resolution=(240, 176)),
    "try/live-best-a": replace(LIVE, resolution=(256, 240)),
    "try/live-best-b": replace(_THIN, resolution=(288, 256)),
    "try/live-best-c": replace(LIVE, resolution=(256, 256)),
    "try/live-noprev": replace(LIVE, previous_mask=False),
    "try/live-fast-a": replace(LIVE, resolution=(144, 144)),
    "try/live-fast-b": replace(_THIN, resolution=(160, 144)),
    "try/live-fast-c": replace(LIVE, stem2=8, middles=((8,), (40, 56), MIDDLES[2]), resolution=(160, 160)),
}
"""What may replace live, live-best and live-fast once trained, and live's twin without a previous mask. `get` knows
them, and `match` where a pattern begins with try/; they are not in `VARIANTS`."""


FORMER: dict[str, Variant] = {
    "live-best@7": replace(LIVE, resolution=(288, 288)),
}
"""Former versions whose checkpoints are kept: `get` knows them by name and version; they are not in `VARIANTS`."""


def get(name: str) -> Variant:
    """The variant called `name`; ValueError lists the names when there is none."""
    try:
        return next(pool[name] for pool in (CANDIDATES, FORMER, VARIANTS) if name in pool)
    except StopIteration:
        raise ValueError(f"no variant {name!r}; there are: {', '.join(VARIANTS)}") from None


def parse_resolution(text: str) -> Resolution:
    """(height, width) of a text such as 192x256. ValueError when it is none that the networks take."""
    height, by, width = text.partition("x")
    if not (by and height.isdecimal() and width.isdecimal()):
        raise ValueError(f"{text!r} is no size: write it HEIGHTxWIDTH, such as 256x256")
    if max(len(height), len(width)) > 9:
        raise ValueError(f"{text[:40]}: a side has at most {MOST_SIDE} pixels")
    _check((int(height), int(width)), min(STRIDES.values()))
    return int(height), int(width)


def match(pattern: str) -> list[str]:
    """Names that match a glob, or several separated by commas, in their listed order.

    `*` alone means the twelve of the reference set, `try/*` the candidates. A glob matches networks that give a mask;
    one that gives labels is compared with none of them, and is chosen by its whole name. ValueError when a part matches
    nothing.
    """
    chosen: set[str] = set()
    for part in pattern.split(","):
        pool = CANDIDATES if part.startswith("try/") else REFERENCE if part == "*" else VARIANTS
        hits = [name for name in pool if fnmatchcase(name, part) and (pool[name].outputs == 1 or name == part)]
        if not hits:
            raise ValueError(f"no variant matches {part!r}; there are: {', '.join(VARIANTS)}")
        chosen.update(hits)
    return [name for name in (*VARIANTS, *CANDIDATES) if name in chosen]


def with_head(variant: Variant, head: Head) -> Variant:
    """The same trunk under another head."""
    return replace(variant, head=head)
