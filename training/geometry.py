"""Geometry as one sampling grid: affine, mirror and thin plate spline composed, pixels touched once.

Convention: a grid is (S, S, 2) float32, for each output pixel the (x, y) to read in the source, in pixels. Affine maps
are 2x3 and go from output pixels to source pixels.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Grid = NDArray[np.float32]
Affine = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def about(
    centre_out: tuple[float, float],
    centre_in: tuple[float, float],
    scale_x: float,
    scale_y: float,
    degrees: float,
    mirror: bool = False,
) -> Affine:
    """The affine that puts `centre_in` of the source at `centre_out`, enlarged by the scales, turned, mirrored."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    across, down = (-1 if mirror else 1) / scale_x, 1 / scale_y
    a, b, c, d = across * cos, across * sin, -down * sin, down * cos
    x, y = centre_out
    return np.array([[a, b, centre_in[0] - a * x - b * y], [c, d, centre_in[1] - c * x - d * y]])


@lru_cache(maxsize=8)
def _positions(size: int) -> tuple[Grid, Grid]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return x, y


def affine_grid(matrix: Affine, size: int) -> Grid:
    along = np.arange(size, dtype=np.float32)
    a, b, c, d, e, f = matrix.astype(np.float32).ravel()
    grid = np.empty((size, size, 2), np.float32)
    np.add(a * along, (b * along + c)[:, None], out=grid[..., 0])
    np.add(d * along, (e * along + f)[:, None], out=grid[..., 1])
    return grid


@lru_cache(maxsize=8)
def spline_basis(size: int, knots: int = 4) -> NDArray[np.float32]:
    """(size * size, knots * knots): what each knot's unit displacement does to each pixel, thin plate spline.

    Knots form a regular grid over the picture, so the spline's linear system is solved once a size. Bookstein 1989.
    """
    axis = np.linspace(0, 1, knots)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        square = ((a[:, None] - b[None]) ** 2).sum(-1)
        return square * np.log(square + 1e-12)

    def linear(a: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.hstack([np.ones((len(a), 1)), a])

    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = kernel(points, points)
    system[:count, count:] = linear(points)
    system[count:, :count] = linear(points).T
    pixels = np.stack(np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size)), -1).reshape(-1, 2)
    at_pixels = np.hstack([kernel(pixels, points), linear(pixels)])
    return np.asarray(at_pixels @ np.linalg.inv(system)[:, :count], np.float32)


def spline_offsets(rng: Generator, size: int, strength: float, knots: int = 4) -> Grid:
    """(S, S, 2) displacement in pixels; `strength` is the knots' standard deviation as a share of the side."""
    moves = rng.normal(0, strength * size, (knots * knots, 2)).astype(np.float32)
    return (spline_basis(size, knots) @ moves).reshape(size, size, 2)


def sample(pixels: Pixels, grid: Grid | Affine, outside: int | None = None, size: int = 0) -> Pixels:
    """Read `pixels` (H, W[, C]) at the grid, bilinearly. Outside it: mirrored, or the constant `outside`.

    An affine (2, 3) in place of a grid is the same in less time; it needs the `size` of the square to make.
    """
    import cv2

    border = cv2.BORDER_REFLECT_101 if outside is None else cv2.BORDER_CONSTANT
    value = (outside or 0,) * 4
    if grid.ndim == 2:
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(pixels, grid, (size, size), flags=how, borderMode=border, borderValue=value)  # type: ignore
    return cv2.remap(pixels, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=border, borderValue=value)  # type: ignore


def compose(grid: Grid, offsets: Grid) -> Grid:
    """The grid read at displaced positions: first the displacement in output space, then the grid."""
    import cv2

    x, y = _positions(grid.shape[0])
    return cv2.remap(grid, x + offsets[..., 0], y + offsets[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore
