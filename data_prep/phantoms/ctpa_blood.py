"""Vessels and airways of the lungs in HU, and what looks like an embolus but is none.

Look-alikes: veins that the medium has not reached, blood that mixes in an artery (a soft dark cloud without an edge),
lymph nodes beside arteries.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.phantoms.ctpa_chest import AIR
from data_prep.phantoms.ctpa_shapes import STEP_MM, ellipsoid
from data_prep.phantoms.ctpa_tissue import organ
from data_prep.phantoms.ctpa_tubes import paint

# Places of mediastinal nodes: beside the windpipe, below its bifurcation, in the aortopulmonary window, in front.
NODES = (18, 8, -17), (4, 14, -22), (-22, 26, 4), (-30, 32, 2), (8, 8, 30), (22, -34, 10), (10, 24, 22), (-12, 38, -12)


@dataclass(frozen=True, eq=False)
class Clouds:
    """Blood that mixes: dark clouds along the middle of arteries.

    Attributes
    ----------
    centre : ndarray of shape (n, 3)
        In mm.
    along : ndarray of shape (n, 3)
        Unit vectors: they are three times as long as wide.
    width_mm : ndarray of shape (n,)
        Standard deviation across.
    share : ndarray of shape (n,)
        Of the medium's HU that is missing in the middle.
    """

    centre: np.ndarray
    along: np.ndarray
    width_mm: np.ndarray
    share: np.ndarray


def draw_clouds(rng, artery, difficulty):
    """Draw the flow artefacts of a patient's arteries."""
    wide = np.flatnonzero((artery.radius_start > 2.0) & (artery.radius_start < 9))
    chosen = rng.choice(wide, min(len(wide), rng.poisson(5 * difficulty)), replace=False)
    step = artery.end[chosen] - artery.start[chosen]
    along = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-6)
    width = artery.radius_start[chosen] * rng.uniform(0.5, 0.9, len(chosen))
    return Clouds(artery.start[chosen] + 0.5 * step, along, width, rng.uniform(0.2, 0.45, len(chosen)))


def draw_nodes(rng, body, artery, difficulty):
    """Draw lymph nodes: in the mediastinum, and beside the arteries of the hila.

    Returns
    -------
    list of (centre, half axes, axes, HU)
        For `ctpa_shapes.ellipsoid`.
    """
    beside = np.flatnonzero((artery.radius_start > 2.5) & (artery.radius_start < 7.5))
    beside = rng.choice(beside, min(len(beside), rng.poisson(2 + 5 * difficulty)), replace=False)
    nodes = []
    for segment in beside:
        long = rng.uniform(2.5, 6.5)
        half = np.array([long, long * rng.uniform(0.5, 0.9), long * rng.uniform(0.45, 0.8)])
        along = artery.end[segment] - artery.start[segment]
        axes = _turn(rng, along)
        centre = artery.start[segment] + 0.5 * along + axes[1] * (artery.radius_start[segment] + 0.8 * half[1])
        nodes.append((centre, half, axes, rng.uniform(42, 88)))
    for place in NODES:
        half = np.array([rng.uniform(3, 9), rng.uniform(2.5, 5), rng.uniform(2.5, 5)])
        nodes.append((place * body.scale + rng.normal(0, 2.5, 3), half, _turn(rng, [1, 0, 0]), rng.uniform(42, 88)))
    return nodes


def _turn(rng, along):
    """Draw an orthogonal frame whose first axis lies along a direction."""
    frame = np.c_[np.asarray(along, float), rng.normal(size=(3, 2))]
    frame, _ = np.linalg.qr(frame)
    return frame.T


def node_organs(nodes, lattice):
    """Make the nodes that reach into a lattice organs."""
    made = []
    for centre, half, axes, hu in nodes:
        reach = max(half) + 3 * STEP_MM
        window = lattice.window(centre - reach, centre + reach)
        if window is not None:
            made.append(organ(window, ellipsoid(window, centre, half, axes), (0, hu)))
    return made


def paint_airways(hu, windpipe, bronchus, grid):
    """Paint the windpipe (centre line and radius) and the bronchi, in place: walls, as deep as real ones, then air."""
    pipe = windpipe[:-1, :3], windpipe[1:, :3], windpipe[:-1, 3], windpipe[1:, 3]
    starts, ends, first, last = (np.concatenate(pair) for pair in zip(pipe, bronchus.tubes, strict=True))
    _blend(hu, paint(starts, ends, 0.5 + 1.12 * first, 0.5 + 1.12 * last, grid), 25.0)
    _blend(hu, paint(starts, ends, first, last, grid), AIR)


def paint_veins(hu, veins, levels, atrium, grid):
    """Paint the veins, in place.

    Parameters
    ----------
    hu : ndarray of the grid's shape, float32
    veins : sequence of Tree
        One for each pulmonary vein.
    levels : sequence of float
        HU of what flows through each.
    atrium : (centre, half axes, axes)
        The left atrium, whose own blood covers the veins' ends.
    grid : Grid
    """
    centre, half, axes = atrium
    for vein, level in zip(veins, levels, strict=True):
        outside = np.linalg.norm((vein.end - centre) @ axes.T / half, axis=1) > 1
        _blend(hu, paint(*vein.take(outside).tubes, grid), level)


def paint_arteries(hu, fraction, level, clouds, grid):
    """Paint arteries, of which `fraction` says how much of each voxel they fill, in place."""
    blood = np.float32(level)
    if len(clouds.share):
        blood = np.full(grid.shape, level, np.float32)
        for cloud in zip(clouds.centre, clouds.along, clouds.width_mm, clouds.share, strict=True):
            _dim(blood, *cloud, grid)
    _blend(hu, fraction, blood)


def _dim(blood, centre, along, width, share, grid):
    """Take a share of the medium away in a soft spindle."""
    reach = 7 * width
    low, high = grid.to_voxels(centre - reach), grid.to_voxels(centre + reach)
    if (high < 0).any() or (low > np.array(grid.shape) - 1).any():
        return
    part, window = grid.crop(np.floor(low), np.ceil(high) + 1)
    away = part.points_mm - centre
    lengthwise = away @ along
    square = (away**2).sum(axis=-1) - lengthwise**2 * (1 - 1 / 9)
    blood[window] *= 1 - share * np.exp(-square / (2 * width**2))


def _blend(hu, fraction, level):
    """Replace a fraction of each voxel."""
    for target, share, blood in zip(hu, fraction, level if np.ndim(level) else [level] * len(hu), strict=True):
        target += share * (blood - target)
