"""Emboli as filling defects inside arteries, as many, as large and where real ones are.

They follow the masks of FUMPE (Masoudi et al., Sci Data 2018; 35 patients, CC BY 4.0). An embolus there is a component
of a mask, voxels joined by 26 neighbours; 4 of 95 components, of less than `CRUMB_MM3` (.8 to 4.8 mm3), are slips
of the pen and left out. A clot that reaches from the trunk into the lobes is one component, so a few are huge.

The phantom beside it, 410 emboli of 150 patients, 12 trees, measured in the same way: "all" with voxels of
2 x 1.5 x 1.5 mm of the whole chest, "crop" with 100 x 200 x 200 voxels of 1 x .75 x .75 mm about the hila.

=====================================  =====  =====  =====  =====  =====  =====  =====  =====  =====
quantile                                   0    5 %   10 %   25 %   50 %   75 %   90 %   95 %  100 %
=====================================  =====  =====  =====  =====  =====  =====  =====  =====  =====
volume, mm3: FUMPE                         9     50    142    345   1127   5286  18271  26504  46271
drawn                                     10     56    200    410   1407   5463  17246  27326  44148
phantom, all                               9     56    198    393   1379   4669  17208  27692  42350
phantom, crop                             10     56    195    389   1329   4679  17100  27733  41928
depth of the deepest voxel, mm: FUMPE    1.0    1.1    1.8    2.4    3.1    4.7    7.2    7.6   10.0
phantom, all                             1.5    1.5    2.0    2.5    3.4    4.9    7.0    8.2   11.8
phantom, crop                             .8    1.5    1.8    2.4    3.5    5.0    7.0    8.0   12.0
longest side of its box, mm: FUMPE         4      8     12     17     31     56     89    108    147
phantom, all                               3      9     14     22     40     63    100    114    146
phantom, crop                              3      9     14     22     35     59     92    108    146
length over width: FUMPE                 1.1    1.4    1.4    1.7    2.2    2.9    3.8    4.5    9.6
phantom, all                             1.0    1.4    1.5    1.9    2.6    3.6    4.6    5.4    9.4
phantom, crop                            1.0    1.3    1.5    2.0    2.7    3.5    4.7    5.6    8.8
=====================================  =====  =====  =====  =====  =====  =====  =====  =====  =====

Length over width is the ratio of the two largest standard deviations of the voxels' places. FUMPE has 2.6 emboli a
patient (median 2, up to 14), 2 of 35 patients have none; 57 % lie right of the image's middle. In the crop large emboli
find less room: between 1000 and 10,000 mm3 one in twenty stays below 58 % of the drawn volume (all: 89 %).
"""

import numpy as np
from scipy.ndimage import binary_dilation

from data_prep.phantoms.ctpa_branching import unit
from data_prep.phantoms.ctpa_clots import Manner, fit_length, lay_worm
from data_prep.phantoms.ctpa_tubes import paint

CRUMB_MM3 = 5.0
PATIENTS = {0: 2, 1: 11, 2: 11, 3: 4, 4: 1, 5: 3, 6: 1, 7: 1, 14: 1}  # how many of the 35 have how many emboli
MANY = 5  # patients with this many emboli or more have small ones
SHARES = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1)
# Quantiles of the volumes at SHARES: 49 emboli of patients with 1 to 4, 42 of patients with MANY.
FEW_MM3 = (180, 284, 479, 1048, 3676, 10249, 25827, 35999, 46271)
MANY_MM3 = (9, 22, 48, 190, 417, 1109, 2154, 3267, 8021)
MOST_MM3 = 62229  # all emboli of one patient together
# Radius at the seat, mm: a * volume^b and its scatter (of the logarithm); a and b are what gave the phantom's emboli
# FUMPE's depths, .144 is the scatter of those around .47 mm * volume^.273.
RADIUS_LAW, RADIUS_SD = (0.485, 0.2526), 0.144
RIGHT = 0.57  # share of emboli right of the image's middle
OFFSIDE_MM = 50.0, 16.0  # distance from it: median, spread
SADDLE_MM3 = 2500.0  # half of the larger ones enter every branch they pass
TRIES = 8


def draw_number(rng):
    """Draw how many emboli a patient has."""
    return int(rng.choice(list(PATIENTS), p=np.array(list(PATIENTS.values())) / sum(PATIENTS.values())))


def draw_volumes(rng, number):
    """Draw the volumes of a patient's emboli in mm3, the largest first: ndarray of shape (number,), float64."""
    table = np.log(MANY_MM3 if number >= MANY else FEW_MM3)
    for _ in range(20):
        drawn = np.sort(np.exp(np.interp(rng.random(number), SHARES, table)))[::-1]
        if drawn.sum() <= MOST_MM3:
            break
    return drawn


def draw_manner(rng, volume_mm3, difficulty):
    """Draw how an embolus lies in its artery.

    Parameters
    ----------
    rng : numpy.random.Generator
    volume_mm3 : float
    difficulty : float
        0 for emboli with a rim of blood all round; 1 for the whole mix: 35 % occluding, 30 % eccentric, else central;
        any of them may sit astride a fork.

    Returns
    -------
    Manner
    """
    kind = rng.random() / max(difficulty, 1e-9)
    saddle = volume_mm3 > SADDLE_MM3 and rng.random() < 0.5
    branching = 1.0 if saddle else rng.uniform(0.35, 0.8)
    if kind < 0.35:
        return Manner(1.05, 0.0, branching)
    if kind < 0.65:
        return Manner(rng.uniform(0.55, 0.8), rng.uniform(0.85, 1.0), branching)
    return Manner(rng.uniform(0.6, 0.82), rng.uniform(0, 0.35), branching)


def place(rng, tree, grid, difficulty=1.0, lumen=None, number=None):
    """Place a patient's emboli in the arteries that lie within a grid.

    Parameters
    ----------
    rng : numpy.random.Generator
    tree : ctpa_trees.Tree
        Arteries.
    grid : ctpa_tubes.Grid
    difficulty : float
        See `draw_manner`.
    lumen : ndarray of the grid's shape, float32, optional
        The arteries as `ctpa_tubes.paint` paints them, if that has been done.
    number : int, optional
        Emboli; drawn by default. Fewer where the arteries have no more room.

    Returns
    -------
    fraction : ndarray of the grid's shape, float32
        How much of each voxel lies inside emboli; never more than inside the arteries.
    labels : ndarray of the grid's shape, int32
        1, 2, ... for the voxels at least half inside an embolus, from the largest wanted to the smallest; 0 elsewhere.
        Each is connected (26 neighbours), and no two touch.
    """
    lumen = paint(*tree.tubes, grid) if lumen is None else lumen
    fraction, labels = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.int32)
    taken = np.zeros(grid.shape, bool)
    count = 0
    for volume in draw_volumes(rng, draw_number(rng) if number is None else number):
        found = _place_one(rng, tree, (volume, difficulty), (lumen, taken), grid)
        if found is None:
            continue
        part, mask, window = found
        count += 1
        fraction[window] = np.maximum(fraction[window], part)
        labels[window][mask] = count
        _take(taken, mask, window)
    return fraction, labels


def _place_one(rng, tree, wanted, lumen_taken, grid):
    """Try seats until an embolus has about its volume; the best of them, None where there is no room."""
    volume, difficulty = wanted
    lumen, taken = lumen_taken
    free = _free(tree, taken, grid)
    radius_mm = RADIUS_LAW[0] * volume ** RADIUS_LAW[1] * rng.lognormal(0, RADIUS_SD)
    best = None
    for _ in range(TRIES):
        manner = draw_manner(rng, volume, difficulty)
        seat = _choose_seat(rng, tree, free, radius_mm / min(manner.share, 1))
        if seat is None:
            return None
        found = fit_length(lay_worm(rng, tree, seat, manner, free), volume, lumen, taken, grid)
        error = abs(np.log(max(found[1].sum(), 1e-3) * grid.voxel_mm3 / volume))
        if found[1].any() and (best is None or error < best[0]):
            best = error, found
        if best is not None and best[0] < 0.15:
            break
    return None if best is None else best[1]


def _free(tree, taken, grid):
    """Find the segments that lie within the grid and away from other emboli."""
    free = np.ones(len(tree), bool)
    ahead = np.maximum(tree.radius_start, tree.radius_end)[:, None] * unit(tree.end - tree.start)
    top = np.array(grid.shape) - 1
    for place, edge in ((tree.start, -ahead), (tree.start, 0), (tree.end, 0), (tree.end, ahead)):
        voxels = np.round(grid.to_voxels(place)).astype(int)
        free &= ((voxels >= 0) & (voxels <= top)).all(axis=1)
        voxels = np.clip(np.round(grid.to_voxels(place + edge)).astype(int), 0, top)
        free &= ~taken[tuple(voxels.T)]
    return free


def _choose_seat(rng, tree, free, radius_mm):
    """Draw a segment about as wide as wanted; right and left, and as far from the midline, as FUMPE's emboli lie."""
    if not free.any():
        return None
    radius = (tree.radius_start + tree.radius_end) / 2
    column = (tree.start[:, 2] + tree.end[:, 2]) / 2
    misfit = np.abs(np.log(radius / radius_mm))
    fits = free & (misfit < max(0.2, misfit[free].min() + 0.05))
    weight = tree.length_mm * np.where(column < 0, RIGHT, 1 - RIGHT) * fits
    weight *= np.exp(-(((np.abs(column) - OFFSIDE_MM[0]) / OFFSIDE_MM[1]) ** 2) / 2) + 0.02
    return int(rng.choice(len(tree), p=weight / weight.sum()))


def _take(taken, mask, window):
    """Keep other emboli two voxels away."""
    low, high = (np.array([getattr(part, end) for part in window]) for end in ("start", "stop"))
    above = np.minimum(low, 2)
    wider = tuple(slice(first, last) for first, last in zip(low - above, high + 2, strict=True))
    grown = np.zeros(taken[wider].shape, bool)
    grown[tuple(slice(first, first + size) for first, size in zip(above, mask.shape, strict=True))] = mask
    taken[wider] |= binary_dilation(grown, np.ones((3, 3, 3)), iterations=2)
