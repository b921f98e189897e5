"""The baseline of every table: the checkpoint itself, run by PyTorch eagerly."""

from __future__ import annotations

from pathlib import Path

from converters.session import Array, Session, with_labels
from models.checkpoint import load as load_checkpoint
from models.variant import Resolution


class Eager(Session):
    """The network of a checkpoint at `resolution`, or its variant's own: eager, nothing folded, channels last.

    A frame that lies in memory as NHWC is a channels-last tensor already, so nothing is transposed.
    """

    layout = "NHWC"

    def __init__(self, path: Path, threads: int, resolution: Resolution | None = None) -> None:
        import torch

        torch.set_num_threads(threads)
        checkpoint = load_checkpoint(path)
        self.resolution = resolution or checkpoint.variant.resolution
        self.network = checkpoint.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.facts = {"runtime": f"PyTorch {torch.__version__}", "threads": torch.get_num_threads(), "actual": "eager"}

    def native(self, frame: Array, prev_mask: Array) -> Array:
        import torch

        with torch.inference_mode():
            mask = self.network(*(torch.from_numpy(array).permute(0, 3, 1, 2) for array in (frame, prev_mask)))
        return mask.permute(0, 2, 3, 1).numpy()


def open_checkpoint(path: Path, threads: int, resolution: Resolution | None = None) -> Session:
    """A checkpoint as a session: of a mask, or of labels."""
    session = Eager(path, threads, resolution)
    return with_labels(session, session.network.variant.outputs)
