"""Checkpoints: a safetensors file that carries its variant, where it was trained and how good it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.files import refuse_special
from models.variant import Variant

if TYPE_CHECKING:
    from torch import Tensor

    from models.hourglass import Hourglass

FOLDER = Path(__file__).parent / "checkpoints"
FORMAT = "hourglass-1"


class BadCheckpoint(ValueError):
    """A file that is no checkpoint of ours, or one that contradicts itself; its text is one sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their card.

    `card` holds JSON values: `data` (names of the training sets with their hashes), `training` (samples, minutes,
    seed, schedule), `metrics` ({set: {mode: {iou, ...}}}), `licence`, `note`.
    """

    name: str
    variant: Variant
    sha256: str
    state: Mapping[str, Tensor] = field(repr=False)
    card: dict[str, Any] = field(default_factory=dict, repr=False)

    def network(self) -> Hourglass:
        """A fresh network with these weights, in eval mode, batch normalisation not yet folded."""
        from models.hourglass import Hourglass

        network = Hourglass(self.variant)
        network.load_state_dict(dict(self.state))
        return network.eval()


def find(variant_name: str) -> Path | None:
    """The shipped checkpoint of a variant, or None."""
    path = FOLDER / f"{variant_name}.safetensors"
    return path if path.is_file() else None


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(path: Path, name: str, variant: Variant, state: Mapping[str, Tensor], card: dict[str, Any]) -> None:
    """Write whole or not at all."""
    from safetensors.torch import save_file

    metadata = {
        "format": FORMAT,
        "name": name,
        "variant": json.dumps(variant.to_dict(), sort_keys=True),
        "card": json.dumps(card, sort_keys=True),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({k: v.contiguous() for k, v in state.items()}, partial, metadata)
    partial.chmod(0o644)
    partial.replace(path)


def load(path: Path) -> Checkpoint:
    """Read and check: the variant must parse, and every tensor must be there, finite, of the network's shape."""
    from safetensors import SafetensorError, safe_open

    refuse_special(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise BadCheckpoint(f"{path}: there is no such file") from None
    except (SafetensorError, OSError) as error:
        raise BadCheckpoint(f"{path}: not a safetensors file ({error})") from None
    if metadata.get("format") != FORMAT:
        raise BadCheckpoint(f"{path}: carries no variant; a checkpoint of this project says format {FORMAT}")
    try:
        variant = Variant.from_dict(json.loads(metadata["variant"]))
        card = json.loads(metadata["card"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise BadCheckpoint(f"{path}: its metadata cannot be read ({error})") from None
    _check(path, variant, state)
    return Checkpoint(metadata.get("name", path.stem), variant, sha256(path), state, card)


def check_name(path: Path, name: str, variant: Variant) -> None:
    """BadCheckpoint when the file says that it is of another network than `variant`, which is called `name`.

    The resolution that it was trained for does not count. A file that says nothing is left to `load`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            stored = Variant.from_dict(json.loads((file.metadata() or {})["variant"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError):
        return
    shape = [f.name for f in fields(Variant) if f.name != "resolution"]
    if shown := next((one for one in shape if getattr(stored, one) != getattr(variant, one)), None):
        raise BadCheckpoint(
            f"{path}: is no checkpoint of {name}: its {shown} is {getattr(stored, shown)}, and {name} has"
            f" {getattr(variant, shown)}"
        )


def _check(path: Path, variant: Variant, state: Mapping[str, Tensor]) -> None:
    import torch

    from models.hourglass import Hourglass

    with torch.device("meta"):
        wanted = {k: v.shape for k, v in Hourglass(variant).state_dict().items()}
    if missing := sorted(set(wanted) - set(state)):
        raise BadCheckpoint(f"{path}: lacks {len(missing)} tensors of its variant, {missing[0]} the first")
    if extra := sorted(set(state) - set(wanted)):
        raise BadCheckpoint(f"{path}: has {len(extra)} tensors its variant does not, {extra[0]} the first")
    for key, tensor in state.items():
        if tensor.shape != wanted[key]:
            raise BadCheckpoint(f"{path}: {key} is {tuple(tensor.shape)}, its variant asks {tuple(wanted[key])}")
        if not torch.isfinite(tensor).all():
            raise BadCheckpoint(f"{path}: {key} is not finite")
