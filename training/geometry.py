"""Geometry as one sampling grid: affine, mirror and thin plate spline composed, pixels touched once.

Convention: a grid is (S, S, 2) float32, for each output pixel the (x, y) to read in the source, in pixels. Affine maps
are 2x3 and go from output pixels to source pixels.
"""

from __future__ import annotations

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
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    inverse = np.diag([(-1 if mirror else 1) / scale_x, 1 / scale_y]) @ turn
    shift = np.array(centre_in) - inverse @ np.array(centre_out)
    return np.hstack([inverse, shift[:, None]])


@lru_cache(maxsize=8)
def _positions(size: int) -> tuple[Grid, Grid]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return x, y


def affine_grid(matrix: Affine, size: int) -> Grid:
    x, y = _positions(size)
    a, b, c, d, e, f = matrix.astype(np.float32).ravel()
    return np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)


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


def sample(pixels: Pixels, grid: Grid, outside: int | None = None) -> Pixels:
    """Read `pixels` (H, W[, C]) at the grid, bilinearly. Outside it: mirrored, or the constant `outside`."""
    import cv2

    border = cv2.BORDER_REFLECT_101 if outside is None else cv2.BORDER_CONSTANT
    value = (outside or 0,) * 4
    return cv2.remap(pixels, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=border, borderValue=value)  # type: ignore


def compose(grid: Grid, offsets: Grid) -> Grid:
    """The grid read at displaced positions: first the displacement in output space, then the grid."""
    import cv2

    x, y = _positions(grid.shape[0])
    return cv2.remap(grid, x + offsets[..., 0], y + offsets[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore
