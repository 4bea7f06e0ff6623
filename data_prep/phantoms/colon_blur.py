"""Blur and smooth random fields of phantom colonoscopy frames: what moves, is out of focus, or lies on the lens.

All of it works on linear light with the channels last, on the whole rectangle of a frame; quick enough for ten
frames a second.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from data_prep.phantoms.colon_camera import HALF_DIAGONAL

# Standard deviations of the blurs that `soften` mixes, in pixels; from COARSE_FROM on they are computed on half
# the rows and columns, which a blur as wide as that cannot tell.
LEVELS_PX = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
COARSE_FROM = 3


@lru_cache(maxsize=16)
def _bumps(size, count):
    """Place `count` Gaussian bumps along an axis; (size, count), rows of unit length so that noise keeps its spread."""
    place = np.linspace(-0.5, count - 0.5, size)[:, None] - np.arange(count)
    bumps = np.exp(-0.5 * (place / 0.7) ** 2)
    return (bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True))).astype(np.float32)


def smooth_field(rng, shape, waves):
    """Draw a smooth random field, the same whatever the size of the frame.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Height, width.
    waves : int
        About how many bumps lie across the height.

    Returns
    -------
    ndarray of that shape, float32
        Mean 0, standard deviation 1 over many draws.
    """
    rows, columns = _bumps(shape[0], waves), _bumps(shape[1], int(np.ceil(1.4 * waves)))
    draw = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return rows @ draw @ columns.T


def enlarge(field, shape):
    """Double the rows and columns of a field linearly: its samples stay on the even rows and columns.

    Parameters
    ----------
    field : ndarray of shape (ceil(height / 2), ceil(width / 2), ...)
    shape : tuple of int
        Height, width.

    Returns
    -------
    ndarray of shape (height, width, ...)
    """
    height, width = shape
    pad = [(0, 1), (0, 1)] + [(0, 0)] * (field.ndim - 2)
    field = np.pad(field, pad, mode="edge")
    across = np.empty((len(field), width, *field.shape[2:]), field.dtype)
    across[:, ::2] = field[:, : (width + 1) // 2]
    across[:, 1::2] = 0.5 * (field[:, : width // 2] + field[:, 1 : width // 2 + 1])
    whole = np.empty((height, *across.shape[1:]), field.dtype)
    whole[::2] = across[: (height + 1) // 2]
    whole[1::2] = 0.5 * (across[: height // 2] + across[1 : height // 2 + 1])
    return whole


def image_flow(depth, rays, velocity, turn):
    """Follow the image points through a camera's motion, seen through the lens of `colon_camera.lens`.

    Parameters
    ----------
    depth : ndarray of shape (height, width)
        Along each pixel's ray, in colon radii.
    rays : ndarray of shape (3, height, width)
        Unit vectors of the pixels in the camera: right, down, forward.
    velocity : ndarray of shape (3,)
        What the camera moves by while the shutter is open, in colon radii, in its own axes.
    turn : ndarray of shape (3,)
        What it turns by, in radians about its own axes.

    Returns
    -------
    ndarray of shape (2, height, width), float32
        Rows and columns that the image of each point moves by, as parts of half the frame's diagonal.
    """
    points = (depth * rays).reshape(3, -1)
    half = 0.5 * (np.asarray(velocity)[:, None] + np.cross(turn, points, axis=0))
    moved = _project(points - half) - _project(points + half)
    return moved.reshape(2, *depth.shape).astype(np.float32)


def _project(points):
    """Map points (3, n) to rows and columns from the middle, in half diagonals: equal angles, equal lengths."""
    aside = np.hypot(points[0], points[1])
    stretch = np.arctan2(aside, points[2]) / (HALF_DIAGONAL * np.maximum(aside, 1e-9))
    return points[1::-1] * stretch


def shift(light, rows, columns):
    """Read an image at the nearest pixel to each place moved by `rows` and `columns`, kept within the frame.

    Parameters
    ----------
    light : ndarray of shape (height, width, channels)
    rows, columns : ndarray of shape (height, width)
        In pixels.

    Returns
    -------
    ndarray like `light`
    """
    height, width = light.shape[:2]
    row = np.clip(np.rint(rows).astype(np.int32) + np.arange(height, dtype=np.int32)[:, None], 0, height - 1)
    column = np.clip(np.rint(columns).astype(np.int32) + np.arange(width, dtype=np.int32), 0, width - 1)
    return light.reshape(height * width, -1).take(row * width + column, axis=0)


def smear(light, flow_px):
    """Average an image along each pixel's own motion.

    A box of length |flow| by doubling: the mean of the image and itself moved by half the motion, then by a quarter,
    and so on to a pixel; the motion hardly changes over its own length.

    Parameters
    ----------
    light : ndarray of shape (height, width, channels)
    flow_px : ndarray of shape (2, height, width)
        Rows and columns.

    Returns
    -------
    ndarray like `light`
    """
    passes = int(np.ceil(np.log2(max(float(np.abs(flow_px).max()), 1.0))))
    for k in range(1, passes + 1):
        light = 0.5 * (light + shift(light, *(flow_px / 2**k)))
    middle = -0.5 * (1 - 0.5**passes) * flow_px
    return shift(light, *middle) if passes else light


def soften(light, sigma_px):
    """Blur an image by another width at each pixel: a mix of the two nearest of a few Gaussian blurs.

    Parameters
    ----------
    light : ndarray of shape (height, width, channels), float32
    sigma_px : ndarray of shape (height, width)
        Standard deviation; what exceeds the last of `LEVELS_PX` gets that one.

    Returns
    -------
    ndarray like `light`
    """
    level = np.interp(sigma_px, LEVELS_PX, np.arange(len(LEVELS_PX))).astype(np.float32)
    low, high = int(level.min()), int(np.ceil(level.max()))
    if high == 0:
        return light
    sharper = _blur(light, low)
    total = np.zeros_like(light)
    for k in range(low, high + 1):
        blurred = sharper if k == low else _blur(light, k)
        total += np.maximum(1 - np.abs(level - k), 0)[:, :, None] * blurred
    return total


def _blur(light, level):
    """Blur by one of the levels."""
    sigma = LEVELS_PX[level]
    if level < COARSE_FROM:
        return gaussian_filter(light, (sigma, sigma, 0), mode="nearest", truncate=2.5) if level else light
    coarse = gaussian_filter(light, (1, 1, 0), mode="nearest", truncate=2)[::2, ::2]
    rest = np.sqrt(sigma**2 - 1) / 2
    return enlarge(gaussian_filter(coarse, (rest, rest, 0), mode="nearest", truncate=2.5), light.shape[:2])
