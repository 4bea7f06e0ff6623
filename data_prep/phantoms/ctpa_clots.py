"""The shape of one embolus: a worm that follows its artery from a seat in both directions, as far as it is long."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label as find_parts

from data_prep.phantoms.ctpa_branching import unit
from data_prep.phantoms.ctpa_tubes import paint

CLOSE = 0.08  # relative error of the volume at which an embolus is long enough
ROUNDS = 5
THIN = 0.35  # of its seat's radius: it does not reach into thinner branches


@dataclass(frozen=True)
class Manner:
    """How an embolus lies in its artery.

    Attributes
    ----------
    share : float
        Its radius over the artery's.
    aside : float
        How far it lies off the axis, over what room there is: 1 touches the wall.
    branching : float
        Probability that it enters the thinner of two branches.
    """

    share: float
    aside: float
    branching: float


@dataclass(frozen=True)
class Worm:
    """An embolus of any length: pieces of its axis, each reached from the seat at its near end; arrays over n pieces.

    Attributes
    ----------
    near, far : ndarray of shape (n, 3), float64
        In mm.
    radius_near, radius_far : ndarray of shape (n,), float64
    distance : ndarray of shape (n,), float64
        Of the near end from the seat along the artery, in mm.
    """

    near: np.ndarray
    far: np.ndarray
    radius_near: np.ndarray
    radius_far: np.ndarray
    distance: np.ndarray

    @property
    def reach_mm(self):
        """How far it can get from its seat."""
        return float((self.distance + np.linalg.norm(self.far - self.near, axis=1)).max())

    def cut(self, reach_mm):
        """Cut it off at a distance from its seat: starts, ends and radii for `ctpa_tubes.paint`."""
        chosen = self.distance < reach_mm
        near, far, first, last, distance = (getattr(self, name)[chosen] for name in self.__dataclass_fields__)
        part = np.clip((reach_mm - distance) / np.maximum(np.linalg.norm(far - near, axis=1), 1e-6), 0, 1)
        return near, near + part[:, None] * (far - near), first, first + part * (last - first)


def lay_worm(rng, tree, seat, manner, free):
    """Lay an embolus along its artery.

    Parameters
    ----------
    rng : numpy.random.Generator
    tree : ctpa_trees.Tree
    seat : int
        The segment in whose middle it begins to grow, up and down.
    manner : Manner
    free : ndarray of shape (n,), bool
        Segments that it may enter.

    Returns
    -------
    Worm
    """
    free = free & (tree.radius_start > THIN * tree.radius_start[seat])
    pieces = _walk(tree, seat, rng.random(len(tree)) < manner.branching, free)
    segment, upwards, distance = (np.array(part) for part in zip(*pieces, strict=True))
    near, far = (np.where(up[:, None], tree.start[segment], tree.end[segment]) for up in (~upwards, upwards))
    radius = np.where(~upwards, tree.radius_start[segment], tree.radius_end[segment])
    radius_far = np.where(upwards, tree.radius_start[segment], tree.radius_end[segment])
    near[:2] = (tree.start[seat] + tree.end[seat]) / 2
    radius[:2] = (tree.radius_start[seat] + tree.radius_end[seat]) / 2
    thickest = 1.2 * manner.share * radius[0]
    side, length = rng.normal(size=3), np.linalg.norm(far - near, axis=1)
    wave = rng.uniform(0.05, 0.15), rng.uniform(4, 9) * radius[0], rng.uniform(0, 2 * np.pi)

    def lay(place, lumen, away):
        """Set one end of every piece aside, and its radius."""
        swell = 1 - wave[0] * (1 + np.sin(2 * np.pi * away / wave[1] + wave[2])) / 2
        worm = np.minimum(manner.share * lumen, thickest) * (swell if manner.share < 1 else 1)
        heading = unit(tree.end[segment] - tree.start[segment])
        across = unit(side - (heading @ side)[:, None] * heading)
        return place + (manner.aside * np.maximum(lumen - worm, 0))[:, None] * across, worm

    (near, first), (far, last) = lay(near, radius, distance), lay(far, radius_far, distance + length)
    return Worm(near, far, first, last, distance)


def _walk(tree, seat, lucky, free):
    """Go from a seat up and down the tree: segment, whether upwards, distance at its near end, of each piece."""
    order = np.argsort(tree.parent, kind="stable")
    bounds = np.searchsorted(tree.parent[order], np.arange(len(tree) + 1))
    length = tree.length_mm

    def onward(segment):
        """Choose the branches below a segment that are entered: the thickest, and others by luck."""
        below = order[bounds[segment] : bounds[segment + 1]].tolist()
        thickest = max(below, key=lambda k: tree.radius_start[k], default=None)
        return [k for k in below if free[k] and (k == thickest or lucky[k])]

    pieces = [(seat, True, 0.0), (seat, False, 0.0)]
    for segment, upwards, distance in pieces:  # grows as it goes
        distance += length[segment] * (0.5 if segment == seat else 1)
        above = int(tree.parent[segment])
        if not upwards:
            pieces += [(k, False, distance) for k in onward(segment)]
        elif above >= 0:
            if free[above]:
                pieces.append((above, True, distance))
            pieces += [(k, False, distance) for k in onward(above) if k != segment and lucky[k]]
    return pieces


def fit_length(worm, volume_mm3, lumen, taken, grid):
    """Paint an embolus of the wanted volume.

    Parameters
    ----------
    worm : Worm
    volume_mm3 : float
    lumen : ndarray of the grid's shape, float32
        Fraction of each voxel inside arteries.
    taken : ndarray of the grid's shape, bool
        Voxels that it must leave.
    grid : ctpa_tubes.Grid

    Returns
    -------
    fraction : ndarray, float32
        Of each voxel of the window inside the embolus; at most the lumen's.
    mask : ndarray, bool
        Voxels at least half inside, all connected; at least one unless nothing can be painted.
    window : tuple of slice
        Where they lie in the grid.
    """
    pieces = np.linalg.norm(worm.far - worm.near, axis=1)
    swept = np.cumsum((np.pi * ((worm.radius_near + worm.radius_far) / 2) ** 2 * pieces)[np.argsort(worm.distance)])
    reach = np.interp(volume_mm3, swept, np.sort(worm.distance)) + 0.1
    best = None
    for _ in range(ROUNDS):
        reach = min(reach, worm.reach_mm)
        painted = _paint(worm.cut(reach), lumen, taken, grid)
        found = max(painted[1].sum(), 1) * grid.voxel_mm3
        error = abs(np.log(found / volume_mm3))
        if best is None or error < best[0]:
            best = error, painted
        if error < CLOSE or (reach == worm.reach_mm and found < volume_mm3):
            break
        reach *= np.clip(volume_mm3 / found, 0.4, 2.5)
    return best[1]


def _paint(tubes, lumen, taken, grid):
    """Paint pieces of a worm into the part of the grid that they touch."""
    widest = max(tubes[2].max(), tubes[3].max()) + max(grid.spacing_mm)
    corners = np.concatenate(tubes[:2])
    low = np.floor(grid.to_voxels(corners.min(axis=0) - widest))
    part, window = grid.crop(low, np.ceil(grid.to_voxels(corners.max(axis=0) + widest)) + 1)
    fraction = np.where(taken[window], 0, np.minimum(paint(*tubes, part), lumen[window])).astype(np.float32)
    if not fraction.any():
        return fraction, fraction > 0, window
    mask = fraction >= min(0.5, fraction.max())
    parts, number = find_parts(mask, np.ones((3, 3, 3)))
    if number > 1:
        largest = np.argmax(np.bincount(parts.ravel())[1:]) + 1
        fraction[mask & (parts != largest)] = 0
        mask = parts == largest
    return fraction, mask, window
