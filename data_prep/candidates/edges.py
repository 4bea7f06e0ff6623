"""Step 1 of the polyp candidates: a crude edge map of a colonoscopy frame, with the normal of each edge point.

After Tajbakhsh, Gurudu and Liang, "Automated polyp detection in colonoscopy videos using shape and context information",
IEEE TMI 35(2), 2016 (ref. 42 of the paper; METHODS.md A1): Canny edges of each colour channel, merged. Ours: one working
width for every frame, the structure tensor for the normals (ref. 42: ball tensor voting), the masks of what is no
tissue.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.feature import canny
from skimage.morphology import convex_hull_image

# Every frame is reduced to this width, so that all lengths below are shares of the frame's width.
WORKING_WIDTH_PX = 288
CANNY_SIGMA_PX = 2.0
CANNY_THRESHOLDS = (0.02, 0.05)
TENSOR_SIGMA_PX = 2.5
DARKEST_TISSUE = 0.08
SPECULAR_RIM_PX = 2
BORDER_MARGIN_PX = 6
# One edge point in each square of this side: neighbours on one line say the same.
SPACING_PX = 3


@dataclass(frozen=True)
class Edges:
    """Edge points of one frame, in pixels of the reduced frame.

    Attributes
    ----------
    points : ndarray of shape (n, 2), float32
        Row, column.
    normals : ndarray of shape (n, 2), float32
        Unit vectors (row, column) across the edge; which of the two sides they point to has no meaning.
    """

    points: np.ndarray
    normals: np.ndarray


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
    narrow = np.matmul(columns, pixels.astype(np.float32))
    frame = np.tensordot(rows, narrow, axes=1) / np.float32(255)
    return frame, scale


def _area_weights(before, after):
    """Return the (after, before) matrix that averages a line of `before` pixels down (or stretches it) to `after`."""
    edges = np.linspace(0, before, after + 1)
    pixel = np.arange(before)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
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
    """
    height, width = frame.shape[:2]
    coarse = frame.max(axis=2)[::4, ::4] > DARKEST_TISSUE
    parts, count = ndimage.label(ndimage.binary_opening(coarse, iterations=2))
    if count == 0:
        return np.zeros((height, width), bool)
    largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
    hull = convex_hull_image(parts == largest)
    return np.kron(hull, np.ones((4, 4), bool))[:height, :width]


def specular(frame):
    """Find the mirror reflections of the lamp: nearly white, with a rim of `SPECULAR_RIM_PX`."""
    high, low = frame.max(axis=2), frame.min(axis=2)
    spots = (high > 0.95) & (high - low < 0.2 * high)
    # Reflections in dim parts are not white, only much brighter than what lies around them.
    spots |= low > ndimage.uniform_filter(low, 15) + 0.15
    return ndimage.binary_dilation(spots, iterations=SPECULAR_RIM_PX)


def tissue(frame):
    """Replace all that is no tissue (border, reflections) by the nearest tissue.

    Returns
    -------
    ndarray of shape (h, w, 3), float32
        The frame without reflections and without border.
    ndarray of shape (h, w), bool
        Where it is real.
    """
    real = field_of_view(frame)
    real = ndimage.binary_erosion(real, iterations=BORDER_MARGIN_PX) & ~specular(frame)
    if not real.any():
        return frame, real
    nearest = ndimage.distance_transform_edt(~real, return_distances=False, return_indices=True)
    return frame[tuple(nearest)], real


def find_edges(frame, real):
    """Find the edge points of a frame and their normals.

    Parameters
    ----------
    frame, real : ndarray
        As `tissue` returns them.

    Returns
    -------
    Edges
    """
    mask = np.zeros(real.shape, bool)
    for channel in range(3):
        mask |= canny(frame[:, :, channel], CANNY_SIGMA_PX, *CANNY_THRESHOLDS, mask=real)
    rows, columns = np.nonzero(mask)
    squares = (rows // SPACING_PX) * real.shape[1] + columns // SPACING_PX
    first = np.unique(squares, return_index=True)[1]
    rows, columns = rows[first], columns[first]
    normals = _normals(frame)[rows, columns]
    return Edges(np.column_stack([rows, columns]).astype(np.float32), normals)


def _normals(frame):
    """Return the (h, w, 2) unit normals: the main axis of the structure tensor of all three channels."""
    smooth = [ndimage.gaussian_filter(frame[:, :, c], 1.0) for c in range(3)]
    down = np.stack([ndimage.sobel(s, axis=0) for s in smooth])
    right = np.stack([ndimage.sobel(s, axis=1) for s in smooth])
    blur = [
        ndimage.gaussian_filter(product.sum(axis=0), TENSOR_SIGMA_PX)
        for product in (down * down, right * right, down * right)
    ]
    angle = 0.5 * np.arctan2(2 * blur[2], blur[1] - blur[0])
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)
