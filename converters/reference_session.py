"""Any described model as a session: what its description says is done before and after its runtime.

`native` ends at a mask in [0, 1], as ours does: a sigmoid or softmax that the graph lacks is timed with it.
`encode_frame` brings the frame into the model's layout and normalises it.
"""

from __future__ import annotations

from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.patience import patience
from converters.runtimes import OTHERS, RUNTIMES, Runtime, Tensor, Tensors, open_runtime
from converters.session import Array, Session
from models.labels import BACKGROUND, LABELS
from models.labels import person as the_person
from models.reference import OutputLayout, ReferenceModel
from models.segmenter import Floats, enlarge, no_mask
from models.variant import Resolution


class Carried(np.ndarray):
    """A native mask with the recurrent states that came with it.

    The next inference finds in its previous mask all that the model remembers, as it does with our own networks. A
    mask without states, such as an empty one, begins anew.
    """

    states: tuple[Array, ...]

    def __array_finalize__(self, other: Any) -> None:
        self.states = getattr(other, "states", ())


def open_reference(reference: ReferenceModel, path: Path, threads: int = 1) -> ReferenceSession:
    """The described model in its runtime, tried on one grey frame. BadReferenceModel names the field that is wrong."""
    try:
        with patience(path):
            loaded = open_runtime(reference.format, path, threads, open_shapes(reference))
    # Every runtime has errors of its own for a file it does not like, some of no common class.
    except Exception as error:
        raise reference.wrong("file", f"cannot be run by {runtime(reference)[0]}: {first_line(error)}") from None
    session = ReferenceSession(reference, loaded, threads)
    frame = np.full((1, *reference.resolution, 3), 0.5, np.float32)
    try:
        with patience(path):
            mask = session(frame, no_mask(reference.resolution))
    except ValueError:
        raise
    except Exception as error:
        raise reference.wrong("file", f"fails in {runtime(reference)[0]}: {first_line(error)}") from None
    if not np.all((mask >= -1e-3) & (mask <= 1 + 1e-3)):
        low, high = float(mask.min()), float(mask.max())
        raise reference.wrong("output", f"is {reference.output}, but it gives values from {low:g} to {high:g}")
    return session


def runtime(reference: ReferenceModel) -> tuple[str, str]:
    """The name and the version of what runs it."""
    _, name, package = RUNTIMES[reference.format]
    return name, version(package)


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def open_shapes(reference: ReferenceModel) -> dict[str, tuple[int, ...]]:
    """Shapes for inputs that the model leaves open."""
    named = {reference.input_name or OTHERS: _shape(reference, 4 if reference.stacked_mask else 3)}
    return named | ({reference.previous_mask: _shape(reference, 1)} if reference.previous_mask else {})


def _shape(reference: ReferenceModel, channels: int) -> tuple[int, ...]:
    height, width = reference.resolution
    return (1, channels, height, width) if reference.layout == "NCHW" else (1, height, width, channels)


class ReferenceSession(Session):
    """A described model in its runtime. Its native mask is (1, H, W, 1) float32 in [0, 1], whatever the graph gives."""

    def __init__(self, reference: ReferenceModel, loaded: Runtime, threads: int) -> None:
        self.reference = reference
        self.runtime = loaded
        self.layout = reference.layout
        self.resolution = reference.resolution
        self.resize_mode = reference.fit
        self.facts = {"runtime": loaded.name, "threads": threads}
        inputs, outputs = loaded.inputs, loaded.outputs
        self.frame, self.frame_tensor = self._find_frame(inputs)
        self.hint = inputs[reference.previous_mask] if reference.previous_mask else None
        self.out, self.out_tensor = self._find_output(outputs)
        self.wanted = [self.out, *(out for _, out in reference.states)]
        self.initial = tuple(inputs[name].filled() for name, _ in reference.states)
        self.constants = {name: inputs[name].filled(value) for name, value in reference.constants}
        self.mean, self.std = np.array(reference.mean, np.float32), np.array(reference.std, np.float32)
        self.plain = not any(reference.mean) and set(reference.std) == {1.0}
        if reference.labels:
            self.labels = tuple(name for name in LABELS if name in {"background", *reference.label_classes})

    def encode_frame(self, frame: NDArray[np.float32]) -> Array:
        picture = frame[..., ::-1] if self.reference.colour == "BGR" else frame
        picture = picture if self.plain else (picture - self.mean) / self.std
        if self.reference.stacked_mask:
            picture = np.concatenate([picture, np.zeros((*picture.shape[:3], 1), np.float32)], axis=-1)
        return self._lay(picture, self.frame_tensor)

    def feed(self, frame: Array, prev_mask: Array) -> dict[str, Array]:
        """What the runtime takes for a native frame and a native previous mask."""
        reference = self.reference
        states = getattr(prev_mask, "states", ()) or self.initial
        if prev_mask.shape[-1] == len(LABELS):
            prev_mask = the_person(np.asarray(prev_mask))
        feed = {self.frame: frame, **self.constants}
        feed |= {name: state for (name, _), state in zip(reference.states, states, strict=True)}
        if reference.previous_mask and self.hint:
            feed[reference.previous_mask] = self._lay(prev_mask, self.hint)
        if reference.stacked_mask:
            frame[(slice(None), 3) if self.layout == "NCHW" else (..., 3)] = self.frame_tensor.encode(
                np.asarray(prev_mask)[..., 0]
            )
        return feed

    def native(self, frame: Array, prev_mask: Array) -> Array:
        output, *states = self.runtime.infer(self.feed(frame, prev_mask), self.wanted)
        mask = self._labels(output)[None] if self.labels else self._mask(output)[None, :, :, None]
        if not states:
            return mask
        carried = mask.view(Carried)
        carried.states = tuple(states)
        return carried

    def encode_mask(self, mask: NDArray[np.float32]) -> Array:
        return mask

    def decode_mask(self, mask: Array) -> NDArray[np.float32]:
        return mask

    def decode_person(self, mask: Array) -> NDArray[np.float32]:
        return the_person(mask) if self.labels else mask

    def _lay(self, nhwc: NDArray[np.float32], tensor: Tensor) -> Array:
        values = tensor.encode(nhwc)
        values = values.transpose(0, 3, 1, 2) if self.layout == "NCHW" else values
        return np.ascontiguousarray(values[0] if len(tensor.shape) == 3 else values)

    def _mask(self, output: Array) -> NDArray[np.float32]:
        """The person in what came out, (H, W) in [0, 1]."""
        reference = self.reference
        channels = planes(output, reference.output_layout or reference.layout, self.resolution)
        if reference.output != "class-ids":
            channels = self.out_tensor.decode(channels)
            field = "person_classes" if reference.person_classes else "channel"
            asked = reference.person_classes or (reference.channel,)
            if not all(-len(channels) <= one < len(channels) for one in asked):
                told = f"is {getattr(reference, field)}, but the output has {len(channels)}: {tuple(output.shape)}"
                raise reference.wrong(field, told)
            if reference.person_classes and len({one % len(channels) for one in asked}) == len(channels):
                raise reference.wrong(field, f"leaves none of the {len(channels)} classes for the background")
        return person(channels, reference, self.resolution)

    def _labels(self, output: Array) -> NDArray[np.float32]:
        """The labels in what came out, (H, W, 9) in [0, 1]."""
        reference = self.reference
        channels = planes(output, reference.output_layout or reference.layout, self.resolution)
        asked = [one for classes in reference.label_classes.values() for one in classes]
        if reference.output != "class-ids":
            channels = self.out_tensor.decode(channels)
            if len(channels) < 2 or max(asked) >= len(channels):
                told = f"name class {max(asked)}, but the output has {len(channels)} channels: {tuple(output.shape)}"
                raise reference.wrong("labels", told)
        return label_probabilities(channels, reference, self.resolution)

    def _find_frame(self, inputs: Tensors) -> tuple[str, Tensor]:
        reference = self.reference
        used = {"previous_mask": [reference.previous_mask] if reference.previous_mask else []}
        used |= {
            "states": [name for name, _ in reference.states],
            "constants": [name for name, _ in reference.constants],
        }
        for field, names in used.items():
            for name in names:
                if name not in inputs:
                    raise reference.wrong(field, f"is {name!r}, but it takes {', '.join(inputs)}")
        others = {name for names in used.values() for name in names}
        frames = [reference.input_name] if reference.input_name else [name for name in inputs if name not in others]
        if len(frames) != 1 or len(others) + 1 != len(inputs):
            raise reference.wrong("previous_mask", f"names one input at most, but it takes {', '.join(inputs)}")
        if frames[0] not in inputs:
            raise reference.wrong("input_name", f"is {frames[0]!r}, but it takes {', '.join(inputs)}")
        self._check_shape(inputs[frames[0]].shape, 4 if reference.stacked_mask else 3)
        if reference.previous_mask:
            self._check_shape(inputs[reference.previous_mask].shape, 1)
        return frames[0], inputs[frames[0]]

    def _check_shape(self, found: tuple[int | None, ...], channels: int) -> None:
        reference, wanted = self.reference, _shape(self.reference, channels)
        whole = (1, *found) if len(found) == 3 else found
        if len(whole) == 4 and all(a in (None, b) for a, b in zip(whole, wanted, strict=True)):
            return
        told = f"but its input is {tuple('any' if side is None else side for side in found)}".replace("'", "")
        colours = found.index(channels) if channels in found else None
        if len(found) == 4 and colours not in (None, wanted.index(channels)):
            raise reference.wrong("layout", f"is {reference.layout}, {told}")
        if colours is None:
            field = "previous_mask" if channels == 1 else "file"
            raise reference.wrong(field, f"needs an input of {channels} channels, {told}")
        raise reference.wrong("resolution", f"is {reference.resolution[0]}x{reference.resolution[1]}, {told}")

    def _find_output(self, outputs: Tensors) -> tuple[str, Tensor]:
        reference, names = self.reference, ", ".join(outputs)
        name = reference.output_name or next(iter(outputs))
        if name not in outputs:
            raise reference.wrong("output_name", f"is {name!r}, but it gives {names}")
        if len(outputs) > 1 and not reference.output_name:
            raise reference.wrong("output_name", f"is missing, and it gives {names}")
        for _, out in reference.states:
            if out not in outputs:
                raise reference.wrong("states", f"is {out!r}, but it gives {names}")
        return name, outputs[name]


def planes(output: Array, layout: OutputLayout, resolution: Resolution) -> Array:
    """One output as (C, H, W). ValueError for a flat one that is no picture of the aspect of `resolution`."""
    if layout.startswith("flat"):
        channels, sides = flat(output.size, resolution)
        if layout == "flat-NCHW":
            return output.reshape(channels, *sides)
        return np.moveaxis(output.reshape(*sides, channels), -1, 0)
    if output.ndim == 2:
        return output[None]
    if layout == "NHWC" and output.ndim == 4:
        return np.moveaxis(output[0], -1, 0)
    if layout == "NHWC" and output.shape[0] != 1:
        return np.moveaxis(output, -1, 0)
    return output[0] if output.ndim == 4 else output


def flat(size: int, resolution: Resolution) -> tuple[int, Resolution]:
    """(channels, (H, W)) of a vector of `size` values: as few channels as possible, H and W those of `resolution` or
    both divided by 2, 4 or 8. ValueError where none is so."""
    height, width = resolution
    for channels in (1, 2, *range(3, 256)):
        for scale in (1, 2, 4, 8):
            if not (height % scale or width % scale) and size == channels * height * width // scale**2:
                return channels, (height // scale, width // scale)
    raise ValueError(f"{size} values are no picture of {height}x{width}, nor one at a whole fraction of its sides")


def person(channels: NDArray[Any], reference: ReferenceModel, resolution: Resolution) -> Floats:
    """The mask of `resolution` in what came out, (C, H, W): decoded values, or the numbers of classes.

    Logits are enlarged before they are squashed, as DeepLab's and BodyPix's own code does it: the edge lies elsewhere
    when probabilities are.
    """
    logits = reference.output in ("logits", "class-logits")
    mask = _margin(channels, reference) if logits else _share(channels, reference)
    mask = mask if mask.shape == resolution else enlarge(np.ascontiguousarray(mask, np.float32), resolution)
    mask = _sigmoid(mask) if logits else mask
    return 1 - mask if reference.inverted else mask


def label_probabilities(channels: NDArray[Any], reference: ReferenceModel, resolution: Resolution) -> Floats:
    """The labels' probabilities (H, W, 9) at `resolution` in what came out, (C, H, W): decoded values, or the numbers
    of classes. Logits are enlarged before their softmax; what no label names is background."""

    def enlarged(plane: NDArray[Any]) -> Floats:
        plane = np.ascontiguousarray(plane, np.float32)
        return plane if plane.shape == resolution else enlarge(plane, resolution)

    found = np.zeros((*resolution, len(LABELS)), np.float32)
    whole: NDArray[np.float32] | float = 1.0
    if reference.output in ("logits", "class-logits"):
        logits = np.stack([enlarged(plane) for plane in channels])
        channels = np.exp(logits - logits.max(axis=0))
        whole = channels.sum(axis=0)
    elif reference.output != "class-ids":
        whole = np.maximum(np.sum([enlarged(plane) for plane in channels], axis=0), np.float32(1e-12))
    for name, classes in reference.label_classes.items():
        if reference.output == "class-ids":
            found[..., LABELS.index(name)] = enlarged(np.isin(np.rint(channels[0]), classes))
        else:
            found[..., LABELS.index(name)] = np.sum([enlarged(channels[one]) for one in classes], axis=0) / whole
    found[..., BACKGROUND] = 0
    found[..., BACKGROUND] = np.clip(1 - found.sum(axis=-1), 0, 1)
    return found


def _share(channels: NDArray[Any], reference: ReferenceModel) -> Floats:
    """How sure the person is in values that are no logits, in [0, 1]."""
    if reference.output == "class-ids":
        return np.isin(np.rint(channels[0]), reference.person_classes or (1,)).astype(np.float32)
    if reference.person_classes:
        ours, theirs = _likeliest(channels, reference.person_classes)
        return ours / np.maximum(ours + theirs, np.float32(1e-12))
    mask = channels[reference.channel]
    return mask / np.float32(255) if reference.output == "pixels" else mask


def _margin(channels: Floats, reference: ReferenceModel) -> Floats:
    """The logit of the person: of one class, or of the likeliest person against the likeliest other class."""
    if reference.output == "logits":
        return channels[reference.channel]
    if reference.person_classes:
        ours, theirs = _likeliest(channels, reference.person_classes)
        return ours - theirs
    one = range(len(channels))[reference.channel]
    return channels[one] - reduce(np.logaddexp, (channels[i] for i in range(len(channels)) if i != one))


def _likeliest(channels: Floats, classes: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The values of the likeliest class of a person, and of the likeliest other one."""
    others = [one for one in range(len(channels)) if one not in classes]
    # One by one: to index with a list copies all the channels.
    ours, theirs = (reduce(np.maximum, (channels[one] for one in which)) for which in (classes, others))
    return ours, theirs


def _sigmoid(logits: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(logits, -80, 80)))).astype(np.float32)
