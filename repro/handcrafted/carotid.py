"""The handcrafted rival of the intima-media boundaries: vertical gradient and two paths by dynamic programming.

Stands in for the paper's rival (its reference 73, a method whose details are not public); the plan is METHODS A5.
Lumen, intima, media and adventitia of the far wall are dark, bright, dark, bright from the top down: LI and MA are
the two edges from dark to bright. The pair of paths with the highest gradient under a limit of thickness and of
slope is found at once for both, exactly; the same snakes as for a network then smooth it.

Weak where the wall breaks the rule: where the LI echo fades, plaque or the adventitia's own layers offer a stronger
pair of edges, and blood with echoes, or a caliper burnt into the image, looks like an intima. Nothing is learnt. On
109 ROIs of 46 real images (University of Cyprus), after the snakes, LI was off by 125 um on average (median 93), MA by
115 (median 74), beside the experts' lines; the paper reports 98 and 107 for its rival, on images of its own.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

# Width of the derivative, and of the average along the wall, which lies nearly level: speckle is as high as the
# interface is thick, but not as long.
ACROSS_MM, ALONG_MM = 0.08, 0.3
# Intima and media together; .25 mm is under a healthy child's, above 1.5 mm it is called plaque (Mannheim consensus).
THICKNESS_MM = (0.25, 1.6)
# What a step of one row costs, in heights of the ROI's strongest edge: a path climbs for an edge, not for noise.
STEP_COST = 0.05


def interfaces(pixels, mm_per_pixel):
    """Find LI and MA of an ROI as the best pair of paths, and the maps that the snakes smooth them on.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns), uint8
        Lumen on top.
    mm_per_pixel : float

    Returns
    -------
    maps : ndarray of shape (rows, columns, 2), float
        Of LI and MA, in [0, 1]: the gradient, each one's own side of the middle between the two paths.
    start : ndarray of shape (2, columns), int
        Rows of LI and MA, for `repro.snakes.trace`.

    Raises
    ------
    ValueError
        When the ROI is not two-dimensional or too low to hold a wall of the least thickness.
    """
    pixels = np.asarray(pixels)
    thinnest, thickest = _thickness_px(pixels.shape, mm_per_pixel)
    edges = gradient(pixels, mm_per_pixel)
    start = best_pair(edges, thinnest, thickest)
    above = np.arange(len(edges))[:, None] < start.mean(axis=0)
    return np.stack([edges * above, edges * ~above], axis=-1), start


def gradient(pixels, mm_per_pixel):
    """Compute the Gaussian derivative from dark to bright downwards, as a share of the ROI's largest.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns), uint8
    mm_per_pixel : float

    Returns
    -------
    ndarray of shape (rows, columns), float
        In [0, 1]; 0 where it darkens.
    """
    sigma = np.array([ACROSS_MM, ALONG_MM]) / mm_per_pixel
    # The square root lifts the faint intima over the adventitia's texture. In plain grey values the best pair of edges
    # was often MA and something below it: on 57 real ROIs LI was off by .35 mm, with the root by .18.
    slope = gaussian_filter(np.sqrt(pixels, dtype=float), sigma, order=(1, 0), mode="nearest").clip(0)
    return slope / max(slope.max(), np.finfo(float).tiny)


def best_pair(edges, thinnest, thickest):
    """Find the two paths, one row a column, that gather the most edge.

    Viterbi's recursion over pairs (LI row, MA row): each path moves by at most one row a column, and MA minus LI
    stays within the limits. Both moves are independent, so the maximum over nine moves is one of three after one of
    three.

    Parameters
    ----------
    edges : ndarray of shape (rows, columns), float
    thinnest, thickest : int
        Least and largest MA minus LI, in pixels.

    Returns
    -------
    ndarray of shape (2, columns), int
        Rows of LI, MA.
    """
    rows, columns = edges.shape
    apart = np.arange(rows) - np.arange(rows)[:, None]
    forbidden = np.where((apart < thinnest) | (apart > thickest), -np.inf, 0)
    total = edges[:, 0, None] + edges[None, :, 0] + forbidden
    moves = np.zeros((columns, 2, rows, rows), dtype=np.int8)
    for column in range(1, columns):
        total, moves[column, 0] = _best_move(total)
        best, move = _best_move(total.T)
        total, moves[column, 1] = best.T, move.T
        total = total + edges[:, column, None] + edges[None, :, column] + forbidden
    return _walk_back(total, moves)


def _best_move(total):
    """Maximise over a step of -1, 0, 1 along the first axis; returns the totals and the steps, back to where from."""
    padded = np.pad(total, ((1, 1), (0, 0)), constant_values=-np.inf)
    stay, before, after = total, padded[:-2] - STEP_COST, padded[2:] - STEP_COST
    best = np.maximum(np.maximum(before, after), stay)
    return best, (best == after).astype(np.int8) * (best > stay) - (best == before) * (best > stay) * (best > after)


def _walk_back(total, moves):
    """Follow the moves from the best end; moves : (columns, 2, rows, rows), first LI's, then MA's."""
    columns = len(moves)
    path = np.empty((2, columns), dtype=int)
    intima, media = np.unravel_index(np.argmax(total), total.shape)
    for column in range(columns - 1, -1, -1):
        path[:, column] = intima, media
        # MA's move was the last to be chosen, at LI's final row; LI's was chosen at the MA row it came from.
        media += moves[column, 1, intima, media]
        intima += moves[column, 0, intima, media]
    return path


def _thickness_px(shape, mm_per_pixel):
    """Turn the limits of thickness into whole pixels, inside them; the upper one need not fit into the ROI."""
    if len(shape) != 2 or not mm_per_pixel > 0:
        raise ValueError(
            "An ROI is grey, of shape (rows, columns), with the side of its pixels in mm. "
            f"Received: shape {shape}, mm_per_pixel={mm_per_pixel}."
        )
    thinnest, thickest = (
        int(np.ceil(THICKNESS_MM[0] / mm_per_pixel)),
        int(THICKNESS_MM[1] / mm_per_pixel),
    )
    if thinnest >= shape[0] or thickest < 1:
        raise ValueError(
            f"An ROI must hold a wall of {THICKNESS_MM[0]} to {THICKNESS_MM[1]} mm. Received: {shape[0]} rows of "
            f"{mm_per_pixel} mm. Is mm_per_pixel in millimetres?"
        )
    return thinnest, thickest
