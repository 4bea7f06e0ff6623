"""Step 4 of the polyp candidates: each gets a probability and a box from the edges that its rays meet.

From ref. 42 (see `edges`; METHODS.md A1): the probability is the share of rays from the candidate that meet a voter
in a narrow band; the box comes from that band. Ours: a soft share (the mean strength of the best voter on each ray
instead of a count of opposite pairs, which ranked worse), and two rounds in which a candidate settles in its box.
Forests on colour and shape of the candidates themselves were tried on CVC-ColonDB and ranked them no better.
"""

import numpy as np
from scipy import ndimage

RAYS = 24
# Distances as shares of the radius, and how fast a voter counts less off the radius.
BAND = (0.4, 1.8)
BAND_SPREAD = 0.35
# Least cosine between a voter's normal and the way to the centre.
FACING = 0.7
BOX_GROWTH = 1.1
# Weights of a ray and of its three neighbours on both sides.
RAY_BLUR = (0.2, 0.5, 0.8, 1.0, 0.8, 0.5, 0.2)
# What a ray that meets no voter weighs.
LEAST_TRUST = 0.02
ROUNDS = 2


def cast_rays(edges, weights, centres, radii):
    """Find the best voter on each ray from each centre.

    Parameters
    ----------
    edges : Edges
    weights : ndarray of shape (2 n,), float
        In [0, 1].
    centres : ndarray of shape (m, 2), float32
    radii : ndarray of shape (m,), float32

    Returns
    -------
    strength : ndarray of shape (m, RAYS), float
        Weight of the best voter, lowered where it does not face the centre or lies off the radius; 0
        where no voter meets the ray. Ray k points to the angle 2 pi (k + .5) / RAYS from right to down.
    reach : ndarray of shape (m, RAYS), float
        Its distance from the centre in pixels of the reduced frame; the radius where there is none.
    """
    apart = edges.points[None] - centres[:, None]
    distance = np.maximum(np.hypot(apart[..., 0], apart[..., 1]), 1e-6)
    facing = -(apart * edges.inward).sum(axis=-1) / distance
    share = distance / radii[:, None]
    centre, voter = np.nonzero((facing > FACING) & (share > BAND[0]) & (share < BAND[1]))
    meets = (centre, voter)
    weight = weights[voter] * facing[meets] * np.exp(-0.5 * ((share[meets] - 1) / BAND_SPREAD) ** 2)
    turn = np.arctan2(apart[..., 0][meets], apart[..., 1][meets]) / (2 * np.pi) % 1
    ray = centre * RAYS + (turn * RAYS).astype(int) % RAYS
    order = np.lexsort((weight, ray))
    # Of equal entries NumPy keeps the last one written: the best voter of each ray.
    strength, reach = np.zeros(len(radii) * RAYS), np.repeat(radii, RAYS).astype(float)
    strength[ray[order]] = weight[order]
    reach[ray[order]] = distance[meets][order]
    return strength.reshape(-1, RAYS), reach.reshape(-1, RAYS)


def boxes_of(strength, reach, centres):
    """Draw a box round the best voters of each centre.

    Parameters
    ----------
    strength, reach : ndarray of shape (m, RAYS)
        As `cast_rays` returns them.
    centres : ndarray of shape (m, 2), float32

    Returns
    -------
    ndarray of shape (m, 4), float
        Top, left, height, width in pixels of the reduced frame; may leave it.
    """
    # A mean over neighbouring rays, so that a gap is bridged and one stray edge does not move a side.
    trust = strength + LEAST_TRUST
    total = ndimage.convolve1d(trust, RAY_BLUR, axis=1, mode="wrap")
    smooth = ndimage.convolve1d(trust * reach, RAY_BLUR, axis=1, mode="wrap") / total
    angle = 2 * np.pi * (np.arange(RAYS) + 0.5) / RAYS
    rows, columns = smooth * np.sin(angle), smooth * np.cos(angle)
    low = np.percentile([rows, columns], 5, axis=2).T
    high = np.percentile([rows, columns], 95, axis=2).T
    size = (high - low) * BOX_GROWTH
    return np.concatenate([centres + (low + high) / 2 - size / 2, size], axis=1)


def settle(edges, weights, centres, radii):
    """Move each centre to the middle of its own box, take its radius from that box, and score it there.

    Parameters
    ----------
    edges : Edges
    weights : ndarray of shape (2 n,), float
        In [0, 1].
    centres : ndarray of shape (m, 2), float32
    radii : ndarray of shape (m,), float32

    Returns
    -------
    centres : ndarray of shape (m, 2), float
    boxes : ndarray of shape (m, 4), float
        Both in pixels of the reduced frame.
    scores : ndarray of shape (m,), float
        Mean strength of the rays: 1 where trusted voters face the centre all round at one distance.
    """
    # Votes of an oval are highest in its narrow ends and at a radius too small: two rounds mend that.
    for _ in range(ROUNDS):
        boxes = boxes_of(*cast_rays(edges, weights, centres, radii), centres)
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        radii = np.sqrt(boxes[:, 2] * boxes[:, 3]) / (2 * BOX_GROWTH)
    strength, reach = cast_rays(edges, weights, centres, radii)
    return centres, boxes_of(strength, reach, centres), strength.mean(axis=1)
