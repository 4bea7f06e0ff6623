"""One patient's chest as a volume before the scanner's noise: organs, airways, veins, arteries, emboli, streaks."""

import numpy as np

from data_prep.phantoms import ctpa_blood as blood
from data_prep.phantoms.ctpa_chest import chest_organs
from data_prep.phantoms.ctpa_mediastinum import draw_contrast
from data_prep.phantoms.ctpa_scanner import blur_plane, streak
from data_prep.phantoms.ctpa_shapes import STEP_MM, cover
from data_prep.phantoms.ctpa_tissue import Painter

SLAB = 24  # slices painted at a time


def cut_trees(trees, grid):
    """Keep what may reach into a grid.

    Parameters
    ----------
    trees : dict of Tree
        As `ctpa_trees.grow_lung_trees` gives them.
    grid : Grid

    Returns
    -------
    dict
        "artery", "bronchus": Tree. "veins": list of four, one for each root: right upper, right lower, left upper, left
        lower.
    """
    vein = trees["vein"]
    veins = [_near(vein.take(vein.root == root), grid) for root in range(vein.root.max() + 1)]
    return {name: _near(trees[name], grid) for name in ("artery", "bronchus")} | {"veins": veins}


def _near(tree, grid):
    """Keep the segments that may reach into a grid."""
    low, high = np.array(grid.origin_mm), grid.to_mm(np.array(grid.shape) - 1)
    reach = np.maximum(tree.radius_start, tree.radius_end)[:, None] + 4
    above, below = np.maximum(tree.start, tree.end) + reach, np.minimum(tree.start, tree.end) - reach
    kept = ((above > low) & (below < high)).all(axis=1)
    return tree.take(kept)


def compose(rng, anatomy, fillings, view, difficulty):
    """Paint a whole volume, slab by slab.

    Parameters
    ----------
    rng : numpy.random.Generator
    anatomy : (Body, Lungs, dict)
        The last as `cut_trees` makes it.
    fillings : (ndarray, ndarray) of the grid's shape, float32
        How much of each voxel arteries fill, and emboli.
    view : (Scanner, Grid)
    difficulty : float

    Returns
    -------
    ndarray of the grid's shape, float32
        HU, blurred in the plane as the scanner does.
    """
    (body, lungs, trees), (lumen, clots), (scanner, grid) = anatomy, fillings, view
    contrast = draw_contrast(rng, difficulty)
    clouds = blood.draw_clouds(rng, trees["artery"], difficulty)
    nodes = blood.draw_nodes(rng, body, trees["artery"], difficulty)
    clot_hu = rng.uniform(35, 75)
    corners = np.array(grid.origin_mm) - 2 * STEP_MM, grid.to_mm(np.array(grid.shape) - 1) + 2 * STEP_MM
    lattice = cover(*corners)
    organs = chest_organs(body, contrast, lungs, lattice) + blood.node_organs(nodes, lattice)
    painter = Painter(organs, grid)
    hu = np.empty(grid.shape, np.float32)
    for first in range(0, grid.shape[0], SLAB):
        part, window = grid.crop((first, 0, 0), (first + SLAB, *grid.shape[1:]))
        slab = hu[window]
        for target, height in zip(slab, part.axes_mm[0], strict=True):
            target[:] = painter.slice_at(height)
        blood.paint_airways(slab, body.tubes["trachea"], trees["bronchus"], part)
        blood.paint_veins(slab, trees["veins"], contrast.veins, body.chambers["left atrium"], part)
        blood.paint_arteries(slab, lumen[window], contrast.artery, clouds, part)
        slab += clots[window] * (clot_hu - slab)
        _add_streaks(rng, slab, body, contrast.streaks, part)
        blur_plane(slab, scanner, grid.spacing_mm)
    return hu


def _add_streaks(rng, slab, body, strength, grid):
    """Add the streaks of the upper vena cava, in place."""
    cava = body.tubes["cava"][::-1]
    for target, height in zip(slab, grid.axes_mm[0], strict=True):
        if strength > 1 and cava[0, 0] - 5 < height < cava[-1, 0] + 5:
            centre = [np.interp(height, cava[:, 0], cava[:, k]) for k in (1, 2)]
            drawn, window = streak(rng, centre, strength, 18.0, grid)
            target[window] += drawn
