"""What a network costs before it is trained: weights as PyTorch draws them, for its speed alone."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from models.files import read_toml

if TYPE_CHECKING:
    from devices.plan import Weights
    from models.variant import Variant

SEED = 0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of a network, which becomes part of file names, tables and globs."""
MOST_PARAMETERS = 100_000_000
"""Fifty times those of the largest network here; such a checkpoint has 0.4 GB."""


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
    from models.cost import parameters
    from models.reference import read
    from models.variant import VARIANTS, Variant

    name = path.stem
    if name in VARIANTS or name in read():
        raise ValueError(f"{path}: {name} is the name of a model already; give the file another")
    if name == "none" or not NAME.fullmatch(name):
        raise ValueError(f"{path}: gives the network its name, which is of letters, digits, dots and dashes alone")
    values = read_toml(path)
    try:
        variant = Variant.from_dict(values)
        if (number := parameters(variant)) > MOST_PARAMETERS:
            raise ValueError(f"it would have {number:,} parameters, more than {MOST_PARAMETERS // 10**6} million")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return variant


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
