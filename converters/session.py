"""A loaded artifact, the same to its callers in every format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.labels import BACKGROUND, LABELS
from models.segmenter import ResizeMode
from models.variant import Resolution

Array = NDArray[Any]
Layout = Literal["NHWC", "NCHW"]


@dataclass(frozen=True)
class Quantisation:
    """real = scale * (integer - zero_point), integers being int8."""

    scale: float
    zero_point: int

    def encode(self, real: NDArray[np.float32]) -> NDArray[np.int8]:
        return np.clip(np.rint(real / self.scale) + self.zero_point, -128, 127).astype(np.int8)

    def decode(self, integer: NDArray[np.int8]) -> NDArray[np.float32]:
        return (integer.astype(np.float32) - self.zero_point) * np.float32(self.scale)


class Session(ABC):
    """An artifact in its runtime.

    Convention: `native` is what the number `model_fps` times. It takes and gives contiguous arrays in the artifact's
    own layout and type, made by `encode_frame` and `encode_mask`, and returns a new array. The native mask is itself a
    valid native previous mask, so feeding it back costs nothing. A network without a previous mask ignores it.
    Calling the session is the same thing in float32 NHWC: a `models.segmenter.Step`. A network of labels has its nine
    channels in place of the mask (`LabelSession`).
    """

    layout: Layout
    resolution: Resolution
    resize_mode: ResizeMode = "stretch"
    """How pictures are brought to the resolution; only reference models use another mode."""
    labels: tuple[str, ...] = ()
    """Of a network whose answer has the nine channels of `models.labels`, those labels that it can give."""
    facts: dict[str, Any]
    """How it runs, in flat words: runtime, threads, compute precision."""
    frame_quantisation: Quantisation | None = None
    mask_quantisation: Quantisation | None = None

    @abstractmethod
    def native(self, frame: Array, prev_mask: Array) -> Array:
        """One inference: tensors in, a tensor out."""

    def copy(self) -> Session | None:
        """The same network again, in memory of its own; None where opening the artifact again is as fast."""
        return None

    def encode_frame(self, frame: NDArray[np.float32]) -> Array:
        """(1, H, W, 3) float32 in [0, 1] to the native frame."""
        return self._encode(frame, self.frame_quantisation)

    def encode_mask(self, mask: NDArray[np.float32]) -> Array:
        """(1, H, W, 1) float32 in [0, 1] to the native previous mask."""
        return self._encode(mask, self.mask_quantisation)

    def decode_mask(self, mask: Array) -> NDArray[np.float32]:
        """The native mask to (1, H, W, 1) float32 in [0, 1]."""
        real = self.mask_quantisation.decode(mask) if self.mask_quantisation else mask
        return real.reshape(1, *self.resolution, 1)

    def decode_person(self, mask: Array) -> NDArray[np.float32]:
        """The person's mask (1, H, W, 1) float32 in [0, 1] of what `native` gave."""
        return self.decode_mask(mask)

    def __call__(self, frame: NDArray[np.float32], prev_mask: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.decode_mask(self.native(self.encode_frame(frame), self.encode_mask(prev_mask)))

    def _encode(self, real: NDArray[np.float32], quantisation: Quantisation | None) -> Array:
        values = quantisation.encode(real) if quantisation else real.astype(np.float32, copy=False)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if self.layout == "NCHW" else values)


class LabelSession(Session):
    """An artifact whose answer is the nine labels of `models.labels`, in any runtime.

    Its native answer has nine channels, and is a valid native previous mask all the same: `native` takes the person
    out of it, as an application must.
    """

    labels = LABELS

    def __init__(self, runtime: Session, answer: Quantisation | None = None) -> None:
        """`runtime` runs the artifact and gives nine channels, quantised as `answer` says."""
        self.runtime = runtime
        self.layout, self.resolution, self.facts = runtime.layout, runtime.resolution, runtime.facts
        self.frame_quantisation, self.mask_quantisation = runtime.frame_quantisation, runtime.mask_quantisation
        self.answer = answer

    def copy(self) -> LabelSession | None:
        runtime = self.runtime.copy()
        return LabelSession(runtime, self.answer) if runtime else None

    def native(self, frame: Array, prev_mask: Array) -> Array:
        answers = prev_mask.shape[self._channels] == len(LABELS)
        return self.runtime.native(frame, self.encode_mask(self.decode_person(prev_mask)) if answers else prev_mask)

    def decode_mask(self, mask: Array) -> NDArray[np.float32]:
        """The native answer to (1, H, W, 9) float32 in [0, 1]."""
        real = self.answer.decode(mask) if self.answer else mask
        return real.transpose(0, 2, 3, 1) if self.layout == "NCHW" else real

    def decode_person(self, mask: Array) -> NDArray[np.float32]:
        background = mask[:, BACKGROUND : BACKGROUND + 1] if self.layout == "NCHW" else mask[..., BACKGROUND, None]
        real = self.answer.decode(background) if self.answer else background
        return (1 - real).reshape(1, *self.resolution, 1)

    @property
    def _channels(self) -> int:
        return 1 if self.layout == "NCHW" else 3


def with_labels(session: Session, channels: int, answer: Quantisation | None = None) -> Session:
    """`session` as it is for a mask of one channel, or as one of labels. ValueError for any other number."""
    if channels == 1:
        return session
    if channels != len(LABELS):
        raise ValueError(f"it gives {channels} channels, and a network of ours gives 1 or {len(LABELS)}")
    return LabelSession(session, answer)
