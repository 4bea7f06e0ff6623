"""Patches centred at the pixels of a region of interest, all of them windows of one upsampled canvas.

A patch is the canvas of its ROI from `zoom` times its pixel's row and column on. Training cuts such windows, testing
hands the whole canvas to the dense path (`repro.dense`): both see the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from data_prep.recent import Recent

WHITE = 255


def roi_canvas(pixels, roi, size, zoom, gamma=1.0):
    """Upsample an ROI with the surroundings that the patches of its pixels reach into.

    Parameters
    ----------
    pixels : ndarray of shape (height, width), uint8
        The image. Past its edges the nearest pixel is repeated.
    roi : tuple of int
        Top row, left column, height, width, in pixels.
    size : int
        Side of a patch, in canvas pixels.
    zoom : int
        Canvas pixels for one pixel of the image, interpolated bilinearly.
    gamma : float
        Power that the grey values, from 0 to 1, are raised to: below 1 it spreads the dark ones, where LI is.

    Returns
    -------
    ndarray of shape ((height - 1) * zoom + size, (width - 1) * zoom + size), uint8
        The patch of ROI pixel (i, j), whose middle is that pixel's, is canvas[i * zoom :, j * zoom :][:size, :size].
    """
    if zoom < 1 or size < 1 or not gamma > 0:
        raise ValueError(
            "A canvas needs a whole zoom and size of at least 1, and a gamma above 0. "
            f"Received: zoom={zoom}, size={size}, gamma={gamma}."
        )
    top, first, height, width = roi
    rows, row_weights = _sources(top, height, size, zoom, pixels.shape[0])
    columns, column_weights = _sources(first, width, size, zoom, pixels.shape[1])
    upper, lower = (pixels[chosen].astype(np.float32) for chosen in rows)
    down = upper + (lower - upper) * row_weights[:, None]
    left, right = (down[:, chosen] for chosen in columns)
    smooth = np.clip(left + (right - left) * column_weights, 0, WHITE)
    return np.round(WHITE * (smooth / WHITE) ** gamma).astype(np.uint8)


def _sources(start, length, size, zoom, limit):
    """Find the two image rows (or columns) behind each of a canvas, (2, n), and the second one's weight, (n,)."""
    place = start + (np.arange((length - 1) * zoom + size) - (size - 1) / 2) / zoom
    first = np.floor(place).astype(int)
    return np.clip([first, first + 1], 0, limit - 1), (place - first).astype(np.float32)


class CanvasCache:
    """Canvases of ROIs, made when asked for, the most recently used kept.

    Parameters
    ----------
    rois : sequence of (callable, tuple of int)
        For each ROI what reads its image's pixels, and its place.
    size, zoom : int
    gamma : float
        See `roi_canvas`.
    most : int
        How many canvases stay in memory; one of 92x60 pixels takes .2 MB at 99 px and zoom 4, .7 MB at 227 and 8.
    """

    def __init__(
        self, rois: tuple[tuple[Callable, tuple], ...], size: int, zoom: int, gamma: float = 1.0, most: int = 300
    ):
        self.rois, self.size, self.zoom, self.gamma = tuple(rois), size, zoom, gamma
        self._recent = Recent(most)

    def __getitem__(self, number):
        """Return the canvas of an ROI."""
        return self._recent.get(number, partial(self._make, number))

    def __len__(self):
        return len(self.rois)

    def _make(self, number):
        read_pixels, roi = self.rois[number]
        return roi_canvas(read_pixels(), roi, self.size, self.zoom, self.gamma)


@dataclass(frozen=True)
class RoiPatches:
    """Patches of ROI pixels and what they show; the counterpart of `data_prep.patches.PatchTable`.

    Attributes
    ----------
    canvases : CanvasCache
        The ROIs that `roi` indexes.
    roi, row, column : ndarray of shape (n,), int
        ROI of each patch, and its pixel within it.
    labels : ndarray of shape (n,), int
        Class of each patch.
    """

    canvases: CanvasCache
    roi: np.ndarray
    row: np.ndarray
    column: np.ndarray
    labels: np.ndarray

    cuts_fast = True
    """There is no gain in remembering its patches (`data_prep.kept_patches`)."""

    def __len__(self):
        return len(self.roi)

    def cut(self, rows):
        """Cut the patches of some rows: an ndarray of shape (len(rows), size, size, 3), uint8, grey three times."""
        size, zoom = self.canvases.size, self.canvases.zoom
        patches = np.empty((len(rows), size, size, 3), np.uint8)
        for slot, row in enumerate(rows):
            top, left = self.row[row] * zoom, self.column[row] * zoom
            window = self.canvases[self.roi[row]][top : top + size, left : left + size]
            # NumPy would write the three equal bytes of a pixel one by one, five times slower.
            cv2.cvtColor(window, cv2.COLOR_GRAY2RGB, dst=patches[slot])
        return patches


BACKGROUND, LI, MA = range(3)
"""Classes of ROI pixels; 0 is what the validation AUC holds against the two others."""


def label_pixels(interfaces, roi, far_px):
    """Tell the class of every pixel of an ROI (PAPER section 2: on LI, on MA, background far from both).

    Parameters
    ----------
    interfaces : ndarray of shape (2, width), float
        Rows of LI and MA in every column of the image; NaN where unknown.
    roi : tuple of int
        Top row, left column, height, width, in pixels.
    far_px : float
        Background lies further than this from both.

    Returns
    -------
    ndarray of shape (height, width), int
        BACKGROUND, LI (the pixel nearest to the interface), MA, or -1 for what is none of these: near an interface but
        not on it, or in a column without truth.
    """
    top, left, height, width = roi
    lines = interfaces[:, left : left + width] - top
    distance = np.abs(np.arange(height)[:, None] - lines[:, None])
    labels = np.where((distance > far_px).all(axis=0), BACKGROUND, -1)
    known = np.flatnonzero(np.isfinite(lines).all(axis=0))
    for kind, line in zip((LI, MA), lines, strict=True):
        nearest = np.floor(line[known] + 0.5).astype(int)
        inside = (nearest >= 0) & (nearest < height)
        labels[nearest[inside], known[inside]] = kind
    return labels
