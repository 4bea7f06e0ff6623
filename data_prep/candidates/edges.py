"""Step 1 of the polyp candidates: a crude edge map of a colonoscopy frame, with the normals of each edge point.

After Tajbakhsh, Gurudu and Liang, "Automated polyp detection in colonoscopy videos using shape and context
information", IEEE TMI 35(2), 2016 (ref. 42 of the paper; METHODS.md A1): Canny edges of each colour channel,
merged. Ours: one working width for all frames, normals from the structure tensor (ref. 42: ball tensor voting),
and the masks of what is no tissue.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.feature import canny
from skimage.morphology import convex_hull_image
from threadpoolctl import threadpool_limits

WORKING_WIDTH_PX = 288
"""Every frame is reduced to this width, so that all lengths below are shares of a frame's width."""

CANNY_SIGMA_PX = 2.0
CANNY_THRESHOLDS = (0.02, 0.05)
TENSOR_SIGMA_PX = 2.5
# One edge point in each square of this side: neighbours on a line repeat each other.
SPACING_PX = 3
# The black border is below this in every channel, after JPEG too.
DARKEST_TISSUE = 0.08
# The border's own edge is blurred over several pixels.
BORDER_MARGIN_PX = 6
FIELD_STEP_PX = 4
SPECULAR_RIM_PX = 2


@dataclass(frozen=True)
class Edges:
    """Edge points of one frame, each listed twice: once for each side that may be the inside of a polyp.

    Attributes
    ----------
    points : ndarray of shape (2 n, 2), float32
        Row, column in pixels of the reduced frame; `points[i]` equals `points[n + i]`.
    inward : ndarray of shape (2 n, 2), float32
        Unit vectors (row, column) across the edge to the supposed inside; `inward[i]` is `-inward[n + i]`.
    """

    points: np.ndarray
    inward: np.ndarray


def shrink(pixels):
    """Reduce a frame to `WORKING_WIDTH_PX` by averaging areas.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3), uint8

    Returns
    -------
    frame : ndarray of shape (h, WORKING_WIDTH_PX, 3), float32
        In [0, 1].
    scale : float
        Pixels of the original in one pixel of `frame`.
    """
    height, width = pixels.shape[:2]
    scale = width / WORKING_WIDTH_PX
    rows = _area_weights(height, max(1, round(height / scale)))
    columns = _area_weights(width, WORKING_WIDTH_PX)
    # On one thread: without AVX-512 a product's last bits depend on how many there are, and candidates with them.
    with threadpool_limits(1, "blas"):
        narrow = np.matmul(columns, pixels.astype(np.float32))
        return np.tensordot(rows, narrow, axes=1) / np.float32(255), scale


def _area_weights(before, after):
    """Return the (after, before) matrix that averages a line of `before` pixels to `after`."""
    ends = np.linspace(0, before, after + 1)
    pixel = np.arange(before)
    overlap = np.minimum(ends[1:, None], pixel + 1) - np.maximum(ends[:-1, None], pixel)
    return (np.clip(overlap, 0, None) * (after / before)).astype(np.float32)


def field_of_view(frame):
    """Find the part of a frame that shows tissue: a convex area inside the black border with its cut corners.

    Parameters
    ----------
    frame : ndarray of shape (h, w, 3), float32
        As `shrink` returns it.

    Returns
    -------
    ndarray of shape (h, w), bool
        Without the margin along its rim, where the border shines through.
    """
    bright = frame.max(axis=2)[::FIELD_STEP_PX, ::FIELD_STEP_PX] > DARKEST_TISSUE
    # Opening cuts off text that some scopes write into the border.
    parts, count = ndimage.label(ndimage.binary_opening(bright, np.ones((5, 5))))
    if count == 0:
        return np.zeros(frame.shape[:2], bool)
    largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
    # The hull takes in the dark lumen, which is tissue far away.
    hull = convex_hull_image(parts == largest)
    whole = np.kron(hull, np.ones((FIELD_STEP_PX, FIELD_STEP_PX), bool))[: frame.shape[0], : frame.shape[1]]
    return ndimage.binary_erosion(whole, iterations=BORDER_MARGIN_PX)


def specular(frame):
    """Find the lamp's reflections, with a rim: nearly white, or far brighter than what lies around.

    The first rule is METHODS.md A1 (value over .95, saturation under .2); the second is ours, for
    reflections in dim parts.
    """
    high, low = frame.max(axis=2), frame.min(axis=2)
    white = (high > 0.95) & (high - low < 0.2 * high)
    standing_out = low > ndimage.uniform_filter(low, 15) + 0.15
    return ndimage.binary_dilation(white | standing_out, iterations=SPECULAR_RIM_PX)


def keep_tissue(frame):
    """Replace what is no tissue (border, reflections) by the nearest tissue.

    Parameters
    ----------
    frame : ndarray of shape (h, w, 3), float32

    Returns
    -------
    filled : ndarray of shape (h, w, 3), float32
    real : ndarray of shape (h, w), bool
        Where `filled` is the frame itself; all False for a black frame, which stays as it is.
    """
    real = field_of_view(frame) & ~specular(frame)
    if not real.any():
        return frame, real
    nearest = ndimage.distance_transform_edt(~real, return_distances=False, return_indices=True)
    return frame[tuple(nearest)], real


def find_edges(filled, real):
    """Find the edge points of a frame and their normals.

    Parameters
    ----------
    filled, real : ndarray
        As `keep_tissue` returns them.

    Returns
    -------
    Edges
    """
    mask = np.zeros(real.shape, bool)
    for channel in range(3):
        mask |= canny(filled[:, :, channel], CANNY_SIGMA_PX, *CANNY_THRESHOLDS, mask=real)
    rows, columns = np.nonzero(mask)
    square = (rows // SPACING_PX) * real.shape[1] + columns // SPACING_PX
    kept = np.unique(square, return_index=True)[1]
    rows, columns = rows[kept], columns[kept]
    points = np.column_stack([rows, columns]).astype(np.float32)
    across = _normals(filled)[rows, columns]
    return Edges(np.concatenate([points, points]), np.concatenate([across, -across]))


def _normals(filled):
    """Return the (h, w, 2) unit normals: the main axis of the structure tensor, summed over the channels."""
    smooth = ndimage.gaussian_filter(filled, (1, 1, 0))
    down, right = ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1)
    products = np.stack([down * down, right * right, down * right]).sum(axis=-1)
    down2, right2, mixed = ndimage.gaussian_filter(products, (0, TENSOR_SIGMA_PX, TENSOR_SIGMA_PX))
    angle = 0.5 * np.arctan2(2 * mixed, right2 - down2)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)
