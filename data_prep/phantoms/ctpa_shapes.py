"""Smooth solids on a lattice: how deep every point lies inside them, in millimetres.

Anatomy is smooth, so it is computed every `STEP_MM` on a lattice that is fixed to the patient, and interpolated: a
small window and the whole chest see the same patient, and a fine grid costs no more geometry than a coarse one. A
depth is positive inside, negative outside, and linear near the surface, where it must be right.
Points are (slice, row, column) = (z, y, x) in millimetres: z to the head, y to the back, x to the left.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import Akima1DInterpolator
from scipy.ndimage import map_coordinates

STEP_MM = 2.5
FAR_MM = -12.0  # a depth that is known only to be less than this


@dataclass(frozen=True)
class Lattice:
    """Where a field is known.

    Attributes
    ----------
    first : tuple of int
        The lowest corner, in steps of `STEP_MM` from the patient's origin.
    shape : tuple of int
    """

    first: tuple[int, int, int]
    shape: tuple[int, int, int]

    @property
    def axes_mm(self):
        """Coordinates along each axis, float32, shaped to broadcast over the lattice."""
        lines = [STEP_MM * (first + np.arange(n)) for first, n in zip(self.first, self.shape, strict=True)]
        return tuple(np.ix_(*[line.astype(np.float32) for line in lines]))

    def box(self, low_mm, high_mm):
        """Slice out the part between two corners, as far as the lattice reaches; None where it does not."""
        parts = []
        for low, high, first, n in zip(low_mm, high_mm, self.first, self.shape, strict=True):
            start = max(int(np.floor(low / STEP_MM)) - first, 0)
            stop = min(int(np.ceil(high / STEP_MM)) + 1 - first, n)
            if stop <= start:
                return None
            parts.append(slice(start, stop))
        return tuple(parts)

    def window(self, low_mm, high_mm):
        """Shrink to the part between two corners; None where there is none."""
        part = self.box(low_mm, high_mm)
        if part is None:
            return None
        first = tuple(first + one.start for first, one in zip(self.first, part, strict=True))
        return Lattice(first, tuple(one.stop - one.start for one in part))


def cover(low_mm, high_mm):
    """Make the lattice that covers the box between two corners."""
    first = np.floor(np.asarray(low_mm) / STEP_MM).astype(int)
    last = np.ceil(np.asarray(high_mm) / STEP_MM).astype(int)
    return Lattice(tuple(first.tolist()), tuple((last - first + 1).tolist()))


@dataclass(frozen=True, eq=False)
class Field:
    """Values on a lattice, interpolated linearly between its points.

    Attributes
    ----------
    lattice : Lattice
    values : ndarray of the lattice's shape, float32
    """

    lattice: Lattice
    values: np.ndarray

    def at(self, points_mm):
        """Interpolate at points of shape (n, 3); beyond the lattice its border's values hold."""
        where = np.asarray(points_mm, float).T / STEP_MM - np.asarray(self.lattice.first)[:, None]
        return map_coordinates(self.values, where, order=1, mode="nearest")


def smooth(points, step_mm=8.0):
    """Lay a curve through points.

    Parameters
    ----------
    points : ndarray of shape (n, k), float64
        The first three columns are places in mm; others, such as a radius, are interpolated with them.
    step_mm : float
        About how far apart the new points lie.

    Returns
    -------
    ndarray of shape (m, k), float64
    """
    points = np.asarray(points, float)
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1))]
    number = max(2, int(np.ceil(along[-1] / step_mm)) + 1)
    if len(points) == 2:
        return points[0] + np.linspace(0, 1, number)[:, None] * (points[1] - points[0])
    return Akima1DInterpolator(along, points)(np.linspace(0, along[-1], number))


def tube(lattice, points, far_mm=FAR_MM):
    """Measure depth inside a tube.

    Parameters
    ----------
    lattice : Lattice
    points : ndarray of shape (n, 4)
        Centre line and radius, in mm; between two of them the tube tapers.
    far_mm : float
        The depth where the tube is farther than that.

    Returns
    -------
    ndarray of the lattice's shape, float32
    """
    depth = np.full(lattice.shape, far_mm, np.float32)
    axes = lattice.axes_mm
    for start, end in pairwise(points):
        reach = max(start[3], end[3]) - far_mm
        part = lattice.box(np.minimum(start, end)[:3] - reach, np.maximum(start, end)[:3] + reach)
        if part is None:
            continue
        z, y, x = (
            line[tuple(part[k] if k == axis else slice(None) for k in range(3))] for axis, line in enumerate(axes)
        )
        offsets = [line - np.float32(at) for line, at in zip((z, y, x), start[:3], strict=True)]
        step = (end - start).astype(np.float32)
        share = sum(away * along for away, along in zip(offsets, step[:3], strict=True))
        share = np.clip(share / max(np.sum(step[:3] ** 2), np.float32(1e-6)), 0, 1)
        squares = sum((away - share * along) ** 2 for away, along in zip(offsets, step[:3], strict=True))
        inside = np.float32(start[3]) + share * step[3] - np.sqrt(squares)
        np.maximum(depth[part], inside, out=depth[part])
    return depth


def ellipsoid(lattice, centre, half_mm, axes=None):
    """Measure depth inside an ellipsoid; right to first order at its surface.

    Parameters
    ----------
    lattice : Lattice
    centre, half_mm : array_like of shape (3,)
        In mm.
    axes : ndarray of shape (3, 3), optional
        Unit vectors along the half axes, in rows; the patient's axes by default.

    Returns
    -------
    ndarray of the lattice's shape, float32
    """
    axes = np.eye(3) if axes is None else np.asarray(axes, float)
    offsets = [line - np.float32(at) for line, at in zip(lattice.axes_mm, centre, strict=True)]
    turned = [sum(np.float32(share) * away for share, away in zip(axis, offsets, strict=True)) for axis in axes]
    scaled = [line / np.float32(half) for line, half in zip(turned, half_mm, strict=True)]
    size = np.sqrt(sum(line**2 for line in scaled))
    slope = np.sqrt(sum((line / np.float32(half)) ** 2 for line, half in zip(scaled, half_mm, strict=True)))
    small = np.float32(1e-3)  # the centre has no direction
    return (1 - size) * (size + small) / (slope + small / np.float32(min(half_mm)))


def join(first, second, round_mm):
    """Unite two solids and fill the crease between them with a fillet about `round_mm` wide."""
    near = np.maximum(round_mm - np.abs(first - second), 0)
    return np.maximum(first, second) + near * near / np.float32(4 * round_mm)


def meet(first, second, round_mm):
    """Intersect two solids and round their edge."""
    return -join(-first, -second, round_mm)


def join_tube(depth, lattice, points, round_mm):
    """Unite a solid with a tube as `join` does, in place, computing only the part that changes."""
    far = -10.0 - round_mm
    reach = points[:, 3].max() - far
    part = lattice.box(points[:, :3].min(axis=0) - reach, points[:, :3].max(axis=0) + reach)
    if part is not None:
        low = tuple(first + one.start for first, one in zip(lattice.first, part, strict=True))
        window = Lattice(low, tuple(one.stop - one.start for one in part))
        depth[part] = join(depth[part], tube(window, points, far), np.float32(round_mm))


def normalise(level):
    """Turn a function that is positive inside into a depth near its zero: divide it by its slope."""
    slope = np.sqrt(sum(part**2 for part in np.gradient(level, STEP_MM)))
    return (level / np.maximum(slope, 1e-4)).astype(np.float32)
