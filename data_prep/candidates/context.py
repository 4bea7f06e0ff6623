"""Step 2 of the polyp candidates, what the two forests see: an edge's own looks, then those of its surroundings.

From ref. 42 (see `edges`; METHODS.md A1): patches turned so that the edge is upright, for both normals, cut into
sub-patches that are averaged along the edge to one line each; the first DCT coefficients of every line; a second
stage that sees the first stage's probabilities all round. Ours: lines are read from blurred images at two scales,
colours are logarithms less the frame's median (ref. 42 divides by the DC term; both cancel the light), and the
second stage also sees how many votes lie ahead.
"""

import math

import numpy as np
from scipy import fft, ndimage

from data_prep.candidates.voting import GRID_PX, RADII_PX, accumulate

SAMPLES = 16
COEFFICIENTS = 6
SCALES = ((1.0, 2.0, 6.0), (3.0, 6.0, 16.0))
"""Blur, step of the samples across the edge, distance of the sub-patches along it; pixels of the reduced frame."""

# Colour noise in the dark must not look like colour.
DARK_OFFSET = 0.03

AROUND = ((8, 2), (-12, 2), (20, 4), (45, 7))
"""Distance ahead in pixels of the reduced frame and blur in grid cells of the places whose edges count as context."""

ASIDE = (-0.7, 0.0, 0.7)


def log_colours(filled, real):
    """Return light, red/green and green/blue as logarithms, each less its median over the tissue.

    Parameters
    ----------
    filled, real : ndarray
        As `edges.keep_tissue` returns them.

    Returns
    -------
    ndarray of shape (3, h, w), float32
    """
    red, green, blue = np.moveaxis(np.log(filled + DARK_OFFSET), -1, 0)
    colours = np.stack([(red + green + blue) / 3, red - green, green - blue])
    if not real.any():
        return colours
    return colours - np.median(colours[:, real], axis=1)[:, None, None]


def describe(colours, edges):
    """Describe every edge point as seen along its inward normal.

    Parameters
    ----------
    colours : ndarray of shape (3, h, w), float32
    edges : Edges

    Returns
    -------
    ndarray of shape (2 n, f), float32
        DCT coefficients of 3 colours on 3 sub-patches at 2 scales.
    """
    half = len(edges.points) // 2
    lines = np.concatenate([_lines(colours, edges, half, scale) for scale in SCALES], axis=1)
    # Seen from the other side, the lines run backwards (odd coefficients change sign), the last sub-patch first.
    turned = lines[:, :, ::-1] * np.where(np.arange(COEFFICIENTS) % 2, -1, 1)
    return _flat(np.concatenate([lines, turned])).astype(np.float32)


def _flat(rows):
    """Return (n, all the rest); `reshape(n, -1)` refuses a frame without edges."""
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def _lines(colours, edges, half, scale):
    """Return the coefficients of the first `half` sides at one scale: (half, colours, sub-patches, coefficients)."""
    blur, step, aside = scale
    smooth = ndimage.gaussian_filter(colours, (0, blur, blur))
    across = (np.arange(SAMPLES) - (SAMPLES - 1) / 2) * step
    along = np.array([-aside, 0, aside])
    places = _places(edges.points[:half], edges.inward[:half], across, along[:, None])
    values = smooth[:, *_cells(places, smooth.shape[1:])]
    coefficients = fft.dct(values, axis=-1, norm="ortho")[..., :COEFFICIENTS]
    return np.moveaxis(coefficients, 0, 1)


def _places(points, inward, ahead, aside):
    """Return the places `ahead` along the normals and `aside` along the edges: (n, *broadcast, 2)."""
    ahead, aside = np.broadcast_arrays(np.asarray(ahead, np.float32), np.asarray(aside, np.float32))
    lead = (slice(None), *[None] * ahead.ndim)
    along = inward[:, ::-1] * np.array([1, -1], np.float32)
    return points[lead] + ahead[..., None] * inward[lead] + aside[..., None] * along[lead]


def _cells(places, shape):
    """Return the nearest rows and columns inside `shape`."""
    row = np.clip(np.rint(places[..., 0]).astype(int), 0, shape[0] - 1)
    return row, np.clip(np.rint(places[..., 1]).astype(int), 0, shape[1] - 1)


def surroundings(edges, probabilities, shape):
    """Describe the surroundings of every edge point by what the first forest said of the edges there.

    Parameters
    ----------
    edges : Edges
    probabilities : ndarray of shape (2 n, classes), float32
        Of the first stage; class 1 is the boundary of a polyp seen along the inward normal.
    shape : tuple of int
        Height, width of the reduced frame.

    Returns
    -------
    ndarray of shape (2 n, g), float32
        The probabilities of both sides of the point, the votes ahead at each radius (as they are, and as a
        share of the frame's highest), and mean probabilities and number of the edges around.
    """
    other_side = np.roll(probabilities, len(probabilities) // 2, axis=0)
    votes = _votes_ahead(edges, accumulate(edges, probabilities[:, 1], shape))
    around = _edges_around(edges, probabilities, shape)
    return np.concatenate([probabilities, other_side, votes, around], axis=1).astype(np.float32)


def _votes_ahead(edges, votes):
    """Return the votes at the centre that each side would have at each radius: (2 n, 2 x radii)."""
    centres = _places(edges.points, edges.inward, RADII_PX, 0.0) / GRID_PX
    ahead = votes[np.arange(len(RADII_PX)), *_cells(centres, votes.shape[1:])]
    return np.concatenate([ahead, ahead / (votes.max() + 1e-9)], axis=1)


def _edges_around(edges, probabilities, shape):
    """Return mean class probabilities and number of edges at the places of `AROUND`: (2 n, places x classes)."""
    half = len(edges.points) // 2
    grid = tuple(-(-side // GRID_PX) for side in shape)
    cell = np.ravel_multi_index(_cells(edges.points[:half] / GRID_PX, grid), grid)
    # Which side an edge far away faces says little: take the likelier one.
    best = np.maximum(probabilities[:half, 1:], probabilities[half:, 1:])
    sums = [np.bincount(cell, weight, grid[0] * grid[1]) for weight in (np.ones(half), *best.T)]
    sums = np.stack(sums).reshape(-1, *grid)
    parts = []
    for ahead, blur in AROUND:
        count, *classes = ndimage.gaussian_filter(sums, (0, blur, blur))
        seen = np.stack([count, *(total / (count + 1e-3) for total in classes)])
        places = _places(edges.points, edges.inward, ahead, ahead * np.array(ASIDE)) / GRID_PX
        parts.append(_flat(np.moveaxis(seen[:, *_cells(places, grid)], 0, 1)))
    return np.concatenate(parts, axis=1)
