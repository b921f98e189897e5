"""A store of label maps in one small file: python -m training.parts_pack STORE --out FILE

For a machine without the data: `python -m training.parts --pack FILE` opens it. It is a safetensors file: `index` is
JSON (zlib, as uint8), `bytes` holds WebP pictures and lossless WebP maps of codes (training/partly.py), one after the
other, equal ones once.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.arguments import ArgumentParser
from training import store
from training.datasets import Photo, Pixels, Policy

FORMAT = "labels-pack-1"
WITHOUT_LOSS = 101
"""What WebP means by a quality above 100."""


class Bytes:
    """Coded pictures one after the other, equal ones once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._known: dict[bytes, tuple[int, int]] = {}
        self._end = 0

    def add(self, pixels: Pixels, quality: int) -> tuple[int, int]:
        """Offset and length of the picture (H, W, 3) BGR or (H, W)."""
        import cv2

        coded = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if coded not in self._known:
            self._known[coded] = self._end, len(coded)
            self.parts.append(coded)
            self._end += len(coded)
        return self._known[coded]


def save(path: Path, data: store.Store, numbers: Sequence[int], side: int, quality: int) -> Counter[str]:
    """Write the pictures `numbers`, of at most `side` pixels on the longer side; how many bytes each source took."""
    import cv2
    import torch
    from safetensors.torch import save_file

    blob, index = Bytes(), []
    sizes: Counter[str] = Counter()
    for number in numbers:
        entry, pixels = data.entries[number], data[number]
        colours = store.shrink(np.ascontiguousarray(pixels[..., :3]), side)
        codes = cv2.resize(pixels[..., 3], colours.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        picture = blob.add(np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2BGR), np.uint8), quality)
        label = blob.add(np.asarray(codes, np.uint8), WITHOUT_LOSS)
        index.append([entry.source, entry.name, entry.group, entry.kind, picture, label])
        sizes[entry.source] += picture[1] + label[1]
    coded = zlib.compress(json.dumps(index).encode(), 9)
    tensors = {"index": torch.frombuffer(bytearray(coded), dtype=torch.uint8)}
    tensors["bytes"] = torch.frombuffer(bytearray(b"".join(blob.parts)), dtype=torch.uint8)
    save_file(tensors, path, {"format": FORMAT})
    return sizes


def photos(path: Path) -> Iterator[Photo]:
    """The pictures of a pack with their codes, decoded when they are read. ValueError when the file is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise ValueError(f"{path}: is no pack of label maps ({FORMAT})")
            index = json.loads(zlib.decompress(file.get_tensor("index").tobytes()))
            blob = file.get_tensor("bytes")
    except (SafetensorError, OSError, KeyError, zlib.error) as error:
        raise ValueError(f"{path}: is not a pack that can be read ({error})") from None
    policy: Policy = "main person"
    for source, name, group, kind, picture, label in index:
        yield Photo(source, name, group, kind, policy, partial(_read, blob, picture, label))


def _read(blob: NDArray[np.uint8], picture: Sequence[int], label: Sequence[int]) -> tuple[Pixels, Pixels]:
    import cv2

    colours, codes = (blob[at : at + length] for at, length in (picture, label))
    rgb = cv2.cvtColor(cv2.imdecode(colours, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
    return np.asarray(rgb, np.uint8), np.asarray(cv2.imdecode(codes, cv2.IMREAD_GRAYSCALE), np.uint8)


def main(arguments: list[str] | None = None) -> int:
    from training.parts import chosen

    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="what training.parts decoded the data to (its --store)")
    parser.add_argument("--out", type=Path, required=True, help="the pack")
    parser.add_argument("--side", type=int, default=224, help="longest side of a picture (default 224)")
    parser.add_argument("--quality", type=int, default=50, help="of WebP, 1 to 100 (default 50)")
    words = "sources of which every second picture goes in"
    parser.add_argument("--half", nargs="*", default=[], metavar="SOURCE", help=words)
    options = parser.parse_args(arguments)
    data = store.Store.open(options.store)
    numbers = [
        number
        for place, number in enumerate(chosen(data, options.store))
        if place % 2 == 0 or data.entries[number].source not in options.half
    ]
    sizes = save(options.out, data, numbers, options.side, options.quality)
    for source, size in sizes.most_common():
        print(f"{source:<20}{size:>12}")
    print(f"wrote {options.out}: {len(numbers)} pictures, {options.out.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
