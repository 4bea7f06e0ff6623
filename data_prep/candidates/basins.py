"""Tobogganing: voxels slide downhill to local minima, and those that end together are a basin.

Fairfield's toboggan as Liang and Bi use it on intensities, IPMI 2007 (METHODS.md A2), in 3-D and without a loop over
voxels: all take their first step at once, then pointers are followed by doubling.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from data_prep.candidates.chest import NEIGHBOURS

SADDLE = 0.95
"""Basins are one where one need climb no higher between them than this share of the shallower one's depth. On 24
phantom windows about the hila (seed 1) .9 lost .02 of the emboli, as chains of basins swallowed them, and .98 none."""


def slide(height, visited):
    """Let voxels slide downhill to local minima.

    Each visited voxel points to the lowest of itself and its visited neighbours, 26 at most; pointers to pointers are
    followed by doubling, so that the longest way takes the logarithm of its steps.

    Parameters
    ----------
    height : ndarray of shape (slices, rows, columns), float
    visited : ndarray of shape (n,), int
        Flat indices, ascending.

    Returns
    -------
    ndarray of shape (n,), int
        For each visited voxel, the place in `visited` of the minimum where it ends.
    """
    padded, at, steps = _pad(height, visited)
    lowest, target = padded[at], at.copy()
    for step in steps:
        beside = padded[at + step]
        lower = beside < lowest
        lowest[lower], target[lower] = beside[lower], at[lower] + step
    downhill = np.searchsorted(at, target)
    while not np.array_equal(downhill, further := downhill[downhill]):
        downhill = further
    return downhill


def merge(ends, visited, height, within):
    """Merge basins that noise alone keeps apart, and number them.

    Parameters
    ----------
    ends, visited : ndarray of shape (n,), int
        As `slide` has them.
    height : ndarray of shape (slices, rows, columns), float
        Not above 0.
    within : float
        Basins whose minima lie as close, in voxels, are one too.

    Returns
    -------
    ndarray of shape (n,), int
        For each visited voxel its basin, from 0.
    """
    minima, basin = np.unique(ends, return_inverse=True)
    points = np.column_stack(np.unravel_index(visited[minima], height.shape))
    close = cKDTree(points).query_pairs(within, output_type="ndarray")
    pairs = np.concatenate([close, _open_pairs(minima, basin, visited, height)])
    graph = coo_array((np.ones(len(pairs)), pairs.T), (len(minima), len(minima)))
    return connected_components(graph, directed=False)[1][basin]


def _open_pairs(minima, basin, visited, height):
    """Return the pairs of basins, shape (n, 2), whose saddle is hardly higher than the higher minimum."""
    padded, at, steps = _pad(height, visited)
    place = np.full(padded.size, -1, np.int32)
    place[at] = np.arange(len(at))
    pairs = []
    for step in steps[: len(steps) // 2]:  # the other half are the same pairs, turned round
        one = np.flatnonzero(place[at + step] >= 0)
        other = place[at[one] + step]
        saddle = np.maximum(padded[at[one]], padded[at[other]])
        higher = np.maximum(padded[at[minima[basin[one]]]], padded[at[minima[basin[other]]]])
        open_ = (basin[one] != basin[other]) & (saddle <= SADDLE * higher)
        pairs.append(np.unique(np.column_stack([basin[one[open_]], basin[other[open_]]]), axis=0))
    return np.concatenate(pairs)


def _pad(height, visited):
    """Put the visited voxels into a flat array with a border; return it, their places and the steps to 26 neighbours.

    What is not visited, the border included, is infinitely high.
    """
    shape = np.array(height.shape) + 2
    padded = np.full(shape.prod(), np.inf, height.dtype)
    at = np.ravel_multi_index(tuple(np.add(np.unravel_index(visited, height.shape), 1)), shape)
    padded[at] = height.ravel()[visited]
    return padded, at, NEIGHBOURS @ (shape[1] * shape[2], shape[2], 1)


def bottoms(height, basins):
    """Find the lowest voxel of each basin.

    Parameters
    ----------
    height : ndarray of shape (n,), float
        Of the visited voxels.
    basins : ndarray of shape (n,), int
        Of the same voxels, from 0.

    Returns
    -------
    ndarray of shape (basins,), int
        Places in `height`.
    """
    order = np.lexsort((height, basins))
    return order[np.flatnonzero(np.diff(basins[order], prepend=-1))]
