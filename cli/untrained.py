"""What a network costs before it is trained: weights as PyTorch draws them, for its speed alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from models.files import read_toml

if TYPE_CHECKING:
    from devices.plan import Weights
    from models.variant import Variant

SEED = 0


def untrained(asked: str) -> dict[str, Weights]:
    """Untrained checkpoints by name, of the variants that a glob matches, or of the one that a TOML file describes.

    Such a file has the fields of `models.variant.Variant` that differ from its defaults; the network is called as the
    file. They are made once and kept in the cache. ValueError, one sentence, for what matches or describes nothing.
    """
    from models.variant import VARIANTS, match

    path = Path(asked)
    if path.suffix == ".toml":
        VARIANTS[path.stem] = _described(path)
        names = [path.stem]
    else:
        names = match(asked)
    return {name: _drawn(name) for name in names}


def _described(path: Path) -> Variant:
    from models.variant import VARIANTS, Variant

    if path.stem in VARIANTS:
        raise ValueError(f"{path}: {path.stem} is the name of a variant already; give the file another")
    values = read_toml(path)
    try:
        return Variant.from_dict(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _drawn(name: str) -> Weights:
    import torch
    from platformdirs import user_cache_path

    from devices.plan import Weights
    from models.checkpoint import save, sha256
    from models.hourglass import Hourglass
    from models.variant import get

    variant = get(name)
    drawn = hashlib.sha256(json.dumps([variant.to_dict(), SEED, torch.__version__]).encode()).hexdigest()[:16]
    path = user_cache_path("segmentation-bench") / "untrained" / drawn / f"{name.replace('/', '-')}.safetensors"
    if not path.is_file():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            state = Hourglass(variant).state_dict()
        save(path, name, variant, state, {"note": "untrained"})
    return Weights(path, sha256(path), untrained=True)
