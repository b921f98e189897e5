"""The one reader of picture and mask files: of an allow-list of formats, and strict.

A file that cannot be decoded to its end, in any way and for any reason, is `Unusable` with a sentence; nothing else is
raised. Compressed text and profiles are bounded by Pillow, pixels by `MOST_PIXELS`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from evaluation.clip import Picture
from models.files import SpecialFile, refuse_special

_LOADED = TiffImagePlugin, WebPImagePlugin
"""Pillow loads the other three by itself."""
# Pillow's own limit is higher than ours, and half of it a warning.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

T = TypeVar("T")

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
MASK_FORMATS = ("PNG",)
"""What is decoded, whatever a file's name says. Pillow knows some forty more, one of which starts Ghostscript."""
MOST_PIXELS = 100_000_000
"""Width times height. One picture then takes 0.3 GB, and up to 1.5 GB while its mask is looked into."""
TURN = 0x0112
"""EXIF's tag of how a picture is to be turned to be upright."""
UPRIGHT = 1


class Unusable(ValueError):
    """A file that cannot be used; its text is the reason."""


def read_picture(path: Path) -> Picture:
    """(H, W, 3) uint8 RGB, turned as its rotation mark says. Unusable when it cannot be read."""

    def rgb(image: Image.Image) -> Picture:
        turned = _upright(image)
        if turned.mode.startswith("I"):
            # Pillow would cut 16 bits off at 255.
            grey = np.asarray(turned).astype(np.float32)
            values = np.rint(grey / 257 if grey.max(initial=0) > 255 else grey).clip(0, 255).astype(np.uint8)
            return np.repeat(values[..., None], 3, axis=2)
        if turned.mode == "F":
            raise Unusable("holds floating-point pixels; a picture has 8 or 16 bits")
        return np.array(turned.convert("RGB"))

    return _read(path, PICTURE_FORMATS, rgb)


def check_picture(path: Path) -> tuple[tuple[int, int], int]:
    """(height, width) of a picture as it is shown, and its rotation mark, 1 to 8. Unusable unless it decodes whole."""

    def size(image: Image.Image) -> tuple[tuple[int, int], int]:
        width, height = image.size
        # A JPEG decoded at an eighth is read to its end all the same, in a fraction of the time.
        image.draft("RGB", (1, 1))
        image.load()
        mark = _mark(image)
        return ((width, height) if mark >= 5 else (height, width)), mark

    return _read(path, PICTURE_FORMATS, size)


def read_mask(
    path: Path, ids: bool = False, mark: int = UPRIGHT, of: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """(H, W) uint8 values, turned as the file's own rotation mark says, or else as `mark` does.

    Where the values are says the text of `evaluation.folder`. `ids`: an indexed file holds class ids. `of`: the (H, W)
    of its picture; one of another size is not decoded. Unusable when it is not such a mask.
    """

    def values(image: Image.Image) -> NDArray[np.uint8]:
        if of and sorted(image.size) != sorted(of):
            raise Unusable(f"is {image.width}x{image.height}, its picture {of[1]}x{of[0]}")
        deep = image.mode != "I;16" and any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
        turned = _upright(image, mark)
        if turned.mode == "P" and not ids:
            turned = _by_palette(turned)
        if turned.mode in ("P", "1", "L") or turned.mode.startswith("I"):
            found = np.asarray(turned)
        else:
            found = _grey(np.asarray(turned.convert("RGBA")))
        if deep and not found.any():
            # Of three channels of 16 bits Pillow keeps the upper half, where class ids and 0/1 are all zero.
            raise Unusable("has 16 bits a channel; a mask has 8")
        if found.max() > 255 and not (found % 257).any():
            found = found // 257
        if found.min() < 0 or found.max() > 255:
            raise Unusable(f"holds values up to {found.max()}; a mask has 8 bits")
        return found.astype(np.uint8)

    return _read(path, MASK_FORMATS, values)


def _read(path: Path, formats: tuple[str, ...], use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of the opened file; Unusable, whatever a decoder raises."""
    try:
        refuse_special(path)
        if not path.stat().st_size:
            raise Unusable("is an empty file")
        with Image.open(path, formats=formats) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unusable(f"has {image.width}x{image.height} pixels, more than {MOST_PIXELS // 10**6} million")
            return use(image)
    except Unusable:
        raise
    except SpecialFile as error:
        raise Unusable(error.reason) from None
    except UnidentifiedImageError:
        raise Unusable(f"cannot be read (not a picture of {', '.join(formats)})") from None
    except MemoryError:
        raise Unusable("cannot be read (it does not fit into memory)") from None
    # A damaged file makes Pillow raise nearly anything: OSError, SyntaxError, struct.error, zlib.error, KeyError, ...
    except Exception as error:
        raise Unusable(f"cannot be read ({error or type(error).__name__})") from None


def _upright(image: Image.Image, mark: int = UPRIGHT) -> Image.Image:
    image.load()
    own = _mark(image)
    if own != UPRIGHT:
        return ImageOps.exif_transpose(image)
    way = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(mark)
    return image if way is None else image.transpose(way)


def _mark(image: Image.Image) -> int:
    """The file's own rotation mark; damaged EXIF data is none."""
    with suppress(Exception):
        mark = image.getexif().get(TURN, UPRIGHT)
        return mark if isinstance(mark, int) and 1 <= mark <= 8 else UPRIGHT
    return UPRIGHT


def _by_palette(image: Image.Image) -> Image.Image:
    """An indexed file as what its palette shows, or as it is where its indices are class ids.

    The palette shows a mask when its colours in use are greys, and differ where the indices do.
    """
    used = np.unique(np.asarray(image))
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if used[-1] >= len(palette):
        raise Unusable("holds an index that its palette lacks")
    colours = palette[used]
    if np.ptp(colours.astype(int), axis=1).any():
        return image
    shown = image.convert("LA" if "transparency" in image.info else "L")
    varies = any(low != high for low, high in _extrema(shown))
    return image if len(used) > 1 and not varies else shown


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    return [band.getextrema() for band in image.split()]  # type: ignore[misc]


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask in (H, W, 4) RGBA: in its colours, or in its alpha."""
    grey, alpha = pixels[..., 0], pixels[..., 3]
    seen = alpha > 0
    if any(((pixels[..., channel] != grey) & seen).any() for channel in (1, 2)):
        raise Unusable("is a colour picture; a mask has one channel")
    grey = np.where(seen, grey, 0).astype(np.uint8)
    if (alpha == 255).all():
        return grey
    if not seen.any() or (grey[seen] == grey[seen][0]).all() or np.array_equal(grey, alpha):
        return alpha
    if (alpha == alpha.flat[0]).all():
        return grey
    raise Unusable("holds one mask in its colours and another in its alpha")
