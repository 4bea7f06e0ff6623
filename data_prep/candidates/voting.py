"""Step 3 of the polyp candidates: edges vote for the centres that they may surround.

From ref. 42 (see `edges`; METHODS.md A1): each edge votes inside a cone round its inward normal; votes are kept by
orientation, and the maps of different orientations are multiplied and summed, so that only curved boundaries score.
Ours: votes at seven radii with maxima in each (polyps of CVC-ColonDB are 5 to 75 % of the frame's width), the
square root that turns products back into votes, and the rule that spreads the candidates. The numbers were
chosen on CVC-ColonDB with every sequence left out in turn; recall hardly depends on them.
"""

import numpy as np
from scipy import ndimage

RADII_PX = np.array([9, 14, 21, 32, 48, 72, 100], np.float32)
"""Voting radii in pixels of the reduced frame, a factor of about 1.5 apart."""

ORIENTATIONS = 4
GRID_PX = 3
# Distances of votes as shares of the radius, and the spread of their weights.
REACH = np.array([0.6, 0.8, 1.0, 1.2, 1.4], np.float32)
REACH_SPREAD = 0.3
# Half opening of the cone, as a Gaussian blur in shares of the radius.
CONE = 0.35
FIRST_DISTANCE_PX = 8
FURTHER_PX = 4
OVERLAP = 0.6


def accumulate(edges, weights, shape):
    """Let every edge vote for the centres that it may surround.

    Parameters
    ----------
    edges : Edges
    weights : ndarray of shape (2 n,), float
        Of each vote, in [0, 1].
    shape : tuple of int
        Height, width of the reduced frame.

    Returns
    -------
    ndarray of shape (radii, ceil(h / GRID_PX), ceil(w / GRID_PX)), float
        Square roots of the summed products of the maps of two different orientations.
    """
    grid = tuple(-(-side // GRID_PX) for side in shape)
    angle = np.arctan2(edges.inward[:, 0], edges.inward[:, 1]) % np.pi
    orientation = np.minimum(angle * (ORIENTATIONS / np.pi), ORIENTATIONS - 1).astype(int)
    return np.stack([_vote(edges, weights, orientation, grid, radius) for radius in RADII_PX])


def _vote(edges, weights, orientation, grid, radius):
    """Return the votes at one radius, shape `grid`."""
    target = edges.points[:, None] + radius * REACH[:, None] * edges.inward[:, None]
    row, column = np.moveaxis(np.rint(target / GRID_PX).astype(int), -1, 0)
    inside = (row >= 0) & (row < grid[0]) & (column >= 0) & (column < grid[1])
    layer = np.broadcast_to(orientation[:, None], row.shape)
    cell = np.ravel_multi_index((layer[inside], row[inside], column[inside]), (ORIENTATIONS, *grid))
    vote = weights[:, None] * np.exp(-0.5 * ((REACH - 1) / REACH_SPREAD) ** 2)
    maps = np.bincount(cell, vote[inside], minlength=ORIENTATIONS * grid[0] * grid[1])
    blur = CONE * radius / GRID_PX
    maps = ndimage.gaussian_filter(maps.reshape(ORIENTATIONS, *grid), (0, blur, blur), truncate=2.5)
    # Sum of products of all pairs = (square of the sum - sum of the squares) / 2.
    return np.sqrt(np.clip(maps.sum(axis=0) ** 2 - (maps**2).sum(axis=0), 0, None) / 2)


def find_maxima(votes, most):
    """Find where the votes are highest, spread over the frame.

    Parameters
    ----------
    votes : ndarray of shape (radii, rows, columns), float
        As `accumulate` returns them.
    most : int
        Number of maxima, at most.

    Returns
    -------
    centres : ndarray of shape (m, 2), float32
        Row, column in pixels of the reduced frame, by falling votes.
    radii : ndarray of shape (m,), float32
        The voting radius of each, in pixels of the reduced frame.
    """
    found = [_maxima_at(plane, radius) for plane, radius in zip(votes, RADII_PX, strict=True)]
    level, row, column = (
        np.concatenate(part)
        for part in zip(*[(np.full(len(r), k), r, c) for k, (r, c) in enumerate(found)], strict=True)
    )
    order = np.argsort(-votes[level, row, column], kind="stable")
    centres = np.column_stack([row, column])[order].astype(np.float32) * GRID_PX
    radii = RADII_PX[level[order]]
    kept = _spread(centres, radii, most)
    return centres[kept], radii[kept]


def _maxima_at(plane, radius):
    """Return the rows and columns of the local maxima at one radius."""
    side = 2 * int(max(1, 0.35 * radius / GRID_PX)) + 1
    return np.nonzero((plane == ndimage.maximum_filter(plane, side)) & (plane > 0))


def _spread(centres, radii, most):
    """Return the indices of at most `most` centres, the best first, each apart from all before it.

    The distance asked for grows from one to the next: the first may share a large polyp, the last
    must look elsewhere. It is no less than .6 radii of the smaller one of a pair, so that a small polyp
    on a large fold stays a candidate of its own.
    """
    kept = []
    apart = np.full(len(radii), np.inf)
    free = np.ones(len(radii), bool)
    while len(kept) < most:
        allowed = free & (apart > FIRST_DISTANCE_PX + FURTHER_PX * len(kept))
        if not allowed.any():
            break
        best = int(np.argmax(allowed))
        kept.append(best)
        distance = np.hypot(*(centres - centres[best]).T)
        apart = np.minimum(apart, distance)
        free &= distance > OVERLAP * np.minimum(radii, radii[best])
    return kept
