"""Candidates of pulmonary embolism: dark voxels of bright vessels slide to where it is darkest and gather there.

After the concentration-oriented tobogganing of Liang and Bi, IPMI 2007 (ref. 63 of the paper; METHODS.md A2): only
voxels that may be a clot are visited, each slides to the darkest of its 26 neighbours and on to a local minimum, and
all that end in one are a region (`basins`). What that source does not tell is ours. The landscape has a pit where it is
dark and flat (`dig`), so that an embolus is a pit whose bottom is its core, while the blurred wall of a vessel, as dark
but steep, is none. Regions are ranked by the depth of the pit and by how much of their surroundings is blood or lung
(`rate`); nothing is learnt.

The constants were set by hand on the phantom's training patients (24 windows about the hila and 24 small ones of a
lung, seed 1); benchmarks/tobogganing.py measures others. Where no number stands beside a constant, its neighbours that
were tried changed the sensitivity at 60 candidates by .02 at most.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from data_prep.candidates.basins import bottoms, merge, slide
from data_prep.candidates.chest import AIR_HU, NEIGHBOURS, darken, measure_depth, sample

STEP_MM = 0.8
"""The landscape's grid; .7 and 1.0 were tried."""

BLUR_MM = 0.3
"""Of the volume before it is sampled. .5 lost .04 of the emboli of the small windows, in thin vessels."""

CORE_MM = 1.0
"""Standard deviation of the Gaussian that makes one pit of a noisy clot; .6 and .8 were tried."""

REACH_MM = 15
"""Emboli are looked for this far outside the lungs (hila closed in) too: in the pulmonary trunk."""

LEAST_DARKNESS = 0.5
"""Halfway from blood to soft tissue; .4 and .6 were tried."""

NEAR_MM, LEAST_BLOOD = 6, 0.002
"""Ten samples of blood in the cube that reaches so far to each side: a clot that fills its vessel has them at its ends.
With five times as many, .07 of the emboli of the small windows were lost."""

FLAT_HU_MM = 60
"""Where the gradient is as steep a pit is half as deep; 40 and 90 were tried."""

MERGE_MM = 3.0
RAY_MM = 10
"""7 and 14 were tried."""

OUTSIDE = 0.3
"""Weight of what lies outside the lungs: few emboli, and much fat and muscle between large vessels. With 1, .03 of the
emboli of the hila were not among the first 60."""

CORE_SHARE = 0.3
"""A region is what is deeper than this share of its bottom: of an embolus were .69 of the voxels of whole basins, in
the median, and .99 of these."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of one volume, by falling score.

    Attributes
    ----------
    points : ndarray of shape (n, 3), float32
        Slice, row, column in voxels; each is one of its region's voxels.
    regions : tuple of n ndarrays of shape (m, 3), int32
        The voxels of each toboggan region: the core of a clot, rarely all of it.
    depth_mm : ndarray of shape (n,), float32
        How deep inside the lungs, hila closed in; negative outside.
    scores : ndarray of shape (n,), float32
        In [0, 1]: ranks the candidates of a volume; no probability.
    """

    points: np.ndarray
    regions: tuple[np.ndarray, ...]
    depth_mm: np.ndarray
    scores: np.ndarray


def propose(voxels, spacing_mm, most=60):
    """Propose candidates in one volume.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int16
        Hounsfield units.
    spacing_mm : sequence of 3 floats
        Between slices, rows and columns.
    most : int
        Number of candidates, at most.

    Returns
    -------
    Candidates
        Empty where no vessel has a dark place.

    Raises
    ------
    ValueError
        For anything but a volume, for spacings that are not positive, and where there is no lung.
    """
    _check(voxels, spacing_mm)
    depth = measure_depth(voxels, spacing_mm)
    grid = sample(voxels, spacing_mm, STEP_MM, BLUR_MM, _box(depth, voxels.shape))
    depth_mm = depth.on(grid)
    height, visited, blood = dig(grid.values, depth_mm)
    if not visited.size:
        return Candidates(np.zeros((0, 3), np.float32), (), np.zeros(0, np.float32), np.zeros(0, np.float32))
    basins = merge(slide(height, visited), visited, height, MERGE_MM / STEP_MM)
    samples, heights = np.column_stack(np.unravel_index(visited, height.shape)), height.ravel()[visited]
    lowest = bottoms(heights, basins)
    cores, pits = samples[lowest], -heights[lowest]
    scores = rate(pits, look_around(grid.values, blood, cores), depth_mm[tuple(cores.T)])
    kept = np.argsort(-scores, kind="stable")[: min(most, (scores > 0).sum())]
    deep = -heights >= CORE_SHARE * pits[basins]
    points = np.rint(grid.origin + cores[kept] * grid.step).astype(np.int32)
    regions = [_voxels_of(samples[deep & (basins == k)], grid, point) for k, point in zip(kept, points, strict=True)]
    depth_mm = depth_mm[tuple(cores[kept].T)]
    return Candidates(points.astype(np.float32), tuple(regions), depth_mm, scores[kept].astype(np.float32))


def _check(voxels, spacing_mm):
    spacing_mm = np.asarray(spacing_mm, float)
    if voxels.ndim != 3 or voxels.dtype.kind not in "iuf":
        raise ValueError(
            "Expected a volume of shape (slices, rows, columns) of Hounsfield units. "
            f"Received: {voxels.shape}, {voxels.dtype}."
        )
    if spacing_mm.shape != (3,) or not (np.isfinite(spacing_mm) & (spacing_mm > 0)).all():
        raise ValueError(
            "Expected the distances between slices, rows and columns: three positive numbers of millimetres. "
            f"Received: {spacing_mm.tolist()}."
        )


def _box(depth, shape):
    """Return the bounds, in voxels, of the lungs and what is near."""
    near = np.argwhere(depth.values > -REACH_MM)
    start = np.floor(depth.origin + (near.min(0) - 1) * depth.step).astype(int)
    stop = np.ceil(depth.origin + (near.max(0) + 1) * depth.step).astype(int) + 1
    return tuple(slice(max(a, 0), min(b, n)) for a, b, n in zip(start, stop, shape, strict=True))


def dig(values, depth_mm):
    """Turn a volume into a landscape with a pit at each place that may be the core of a clot.

    Parameters
    ----------
    values : ndarray of shape (slices, rows, columns), float32
        Hounsfield units, sampled every `STEP_MM`.
    depth_mm : ndarray of the same shape
        In the lungs, negative outside.

    Returns
    -------
    height : ndarray of the same shape, float32
        From 0 to -1.
    visited : ndarray of shape (n,), int
        Flat indices, ascending, of the voxels that may be of a clot.
    blood : ndarray of shape (slices, rows, columns), bool
    """
    darkness, blood = darken(values, depth_mm)
    nearby = ndimage.uniform_filter(blood.astype(np.float32), 2 * round(NEAR_MM / STEP_MM) + 1)
    may_be = (darkness > LEAST_DARKNESS) & (nearby > LEAST_BLOOD) & (depth_mm > -REACH_MM)
    visited = np.flatnonzero(may_be)
    height = np.zeros(values.shape, np.float32)
    height.ravel()[visited] = -darkness[may_be] / (1 + (_steepness(values, visited) / FLAT_HU_MM) ** 2)
    return ndimage.gaussian_filter(height, CORE_MM / STEP_MM, truncate=3), visited, blood


def _steepness(values, visited):
    """Return the gradient's magnitude by central differences, in HU per millimetre."""
    at = np.unravel_index(visited, values.shape)
    squares = np.zeros(len(visited), np.float32)
    for axis in range(3):
        before, after = list(at), list(at)
        before[axis] = np.maximum(at[axis] - 1, 0)
        after[axis] = np.minimum(at[axis] + 1, values.shape[axis] - 1)
        squares += (values[tuple(after)] - values[tuple(before)]) ** 2
    return np.sqrt(squares) / (2 * STEP_MM)


def rate(pits, enclosed, depth_mm):
    """Score basins: deep pits that blood and lung enclose; outside the lungs, less.

    Parameters
    ----------
    pits : ndarray of shape (n,), float
        How deep their lowest voxels lie, 0 to 1: dark, flat and not too small.
    enclosed : ndarray of shape (n,), float
        As `look_around` has it.
    depth_mm : ndarray of shape (n,), float
        In the lungs, negative outside.

    Returns
    -------
    ndarray of shape (n,), float
        In [0, 1].
    """
    return pits * enclosed**2 * np.where(depth_mm < 0, OUTSIDE, 1)


def look_around(values, blood, cores):
    """Return how much of what is seen from each core is blood or lung.

    Parameters
    ----------
    values : ndarray of shape (slices, rows, columns), float
        Hounsfield units, sampled every `STEP_MM`.
    blood : ndarray of the same shape, bool
    cores : ndarray of shape (n, 3), int

    Returns
    -------
    ndarray of shape (n,), float
        The share of 26 rays of `RAY_MM` that meet one of them.
    """
    directions = NEIGHBOURS / np.linalg.norm(NEIGHBOURS, axis=1)[:, None]
    met = np.zeros((len(cores), len(NEIGHBOURS)), bool)
    last = np.array(values.shape) - 1
    for step in range(1, round(RAY_MM / STEP_MM) + 1):
        at = np.rint(cores[:, None] + directions * step).astype(int)
        inside = ((at >= 0) & (at <= last)).all(-1)
        at = tuple(np.moveaxis(np.clip(at, 0, last), -1, 0))
        met |= inside & (blood[at] | (values[at] < AIR_HU))
    return met.mean(1)


def _voxels_of(samples, grid, point):
    """Return the voxels of the volume whose nearest sample is one of a region's, and the point that stands for it."""
    low, high = samples.min(0), samples.max(0)
    region = np.zeros(high - low + 1, bool)
    region[tuple((samples - low).T)] = True
    nearest, first = [], []
    for axis, (origin, step) in enumerate(zip(grid.origin, grid.step, strict=True)):
        start, stop = np.floor(origin + (low[axis] - 0.5) * step), np.ceil(origin + (high[axis] + 0.5) * step)
        places = np.rint((np.arange(start, stop + 1) - origin) / step).astype(int) - low[axis]
        within = (places >= 0) & (places < region.shape[axis])
        nearest.append(places[within])
        first.append(int(start) + within.argmax())
    voxels = np.argwhere(region[np.ix_(*nearest)]) + first
    return np.unique(np.concatenate([voxels, point[None]]), axis=0).astype(np.int32)


def hit(points, truth, spacing_mm, within_mm=0.0):
    """Find the embolus under each point, or the nearest within reach.

    Parameters
    ----------
    points : array_like of shape (n, 3), float
        Slice, row, column in voxels.
    truth : ndarray of shape (slices, rows, columns), int
        0 for background, k for the voxels of embolus k.
    spacing_mm : sequence of 3 floats
        Between slices, rows and columns.
    within_mm : float
        How far from the centre of an embolus's voxel a point may lie that lies in none.

    Returns
    -------
    ndarray of shape (n,), int32
        The embolus's number; -1 where there is none.
    """
    points = np.asarray(points, float).reshape(-1, 3)
    at = np.rint(points).astype(int)
    inside = ((at >= 0) & (at < truth.shape)).all(1)
    found = np.zeros(len(points), np.int32)
    found[inside] = truth[tuple(at[inside].T)]
    emboli = np.argwhere(truth) if within_mm > 0 else np.zeros((0, 3), int)
    if emboli.size and points.size:
        away_mm, nearest = cKDTree(emboli * spacing_mm).query(points * spacing_mm)
        near = (found == 0) & (away_mm <= within_mm)
        found[near] = truth[tuple(emboli[nearest[near]].T)]
    return np.where(found > 0, found, np.int32(-1))
