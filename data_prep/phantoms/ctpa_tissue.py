"""From solids to Hounsfield units: every organ is painted over those before it, slice by slice.

An organ is a depth on the patient's lattice and layers: at depth 0 its first tissue begins, at the next inset the next.
A voxel that a surface cuts takes a share of both tissues (partial volume).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array

from data_prep.phantoms.ctpa_shapes import STEP_MM, Field, Lattice

PERIOD = 64  # random fields repeat after so many numbers: 16 cm or more


@dataclass(frozen=True, eq=False)
class Organ:
    """What is painted.

    Attributes
    ----------
    depth : Field
        In mm, positive inside.
    layers : tuple of (float, float or Field)
        From the outside: depth in mm where a tissue begins, and its HU.
    """

    depth: Field
    layers: tuple


def trim(field, outside_mm=-2.0):
    """Cut a field of depths to the box where it is more than `outside_mm`; None where it is nowhere."""
    within = field.values > outside_mm
    parts = []
    for axis in range(3):
        kept = np.flatnonzero(within.any(axis=tuple(k for k in range(3) if k != axis)))
        if not kept.size:
            return None
        parts.append(slice(max(kept[0] - 1, 0), kept[-1] + 2))
    first = tuple(one + part.start for one, part in zip(field.lattice.first, parts, strict=True))
    values = np.ascontiguousarray(field.values[tuple(parts)])
    return Field(Lattice(first, values.shape), values)


def organ(lattice, depth, *layers):
    """Make an organ of a depth on a lattice; None where the lattice holds nothing of it."""
    margin = min(0.0, *(inset for inset, _ in layers)) - 2.0
    field = trim(Field(lattice, np.asarray(depth, np.float32)), margin)
    return None if field is None else Organ(field, layers)


class Sampler:
    """Interpolates a field in the slices of a grid; where the field's lattice ends, it gives nothing.

    Attributes
    ----------
    window : tuple of slice
        Columns and rows of the grid that the field reaches; slices are computed with columns first, as sparse
        products leave them.
    """

    def __init__(self, field, grid):
        lattice = field.lattice
        self._values, self._first = field.values, lattice.first[0]
        self.window, self._weights = (), []
        for axis in (2, 1):
            where = grid.axes_mm[axis] / STEP_MM - lattice.first[axis]
            inside = np.flatnonzero((where >= 0) & (where <= lattice.shape[axis] - 1))
            part = slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0)
            self.window += (part,)
            self._weights.append(_weights(where[part], lattice.shape[axis]))

    def at(self, z_mm):
        """Interpolate one slice: ndarray of shape (columns, rows) of the window, or None beyond the lattice."""
        where = z_mm / STEP_MM - self._first
        below = int(np.floor(where))
        if not 0 <= below < len(self._values) - 1 or 0 in (self._weights[0].shape[0], self._weights[1].shape[0]):
            return None
        share = np.float32(where - below)
        plane = (1 - share) * self._values[below] + share * self._values[below + 1]
        return self._weights[0] @ np.ascontiguousarray((self._weights[1] @ plane).T)


def _weights(where, size):
    """Write linear interpolation at places of a line of values as a matrix; sparse, so that no thread is needed."""
    below = np.clip(np.floor(where).astype(int), 0, size - 2)
    share = (where - below).astype(np.float32)
    rows = np.arange(len(where))
    entries = np.r_[1 - share, share], (np.r_[rows, rows], np.r_[below, below + 1])
    return csr_array(entries, shape=(len(where), size), dtype=np.float32)


class Painter:
    """Paints organs into slices of a grid.

    Parameters
    ----------
    organs : sequence of Organ or None
        Later ones cover earlier ones.
    grid : Grid
    """

    def __init__(self, organs, grid):
        self._width = float(np.mean(grid.spacing_mm))
        self._shape = grid.shape[:0:-1]
        self._work = []
        for one in organs:
            if one is not None:
                layers = [(inset, Sampler(hu, grid) if isinstance(hu, Field) else hu) for inset, hu in one.layers]
                self._work.append((Sampler(one.depth, grid), layers))

    def slice_at(self, z_mm):
        """Paint one slice: ndarray of shape (rows, columns), float32, HU."""
        painted = np.full(self._shape, -1000, np.float32)
        for sampler, layers in self._work:
            depth = sampler.at(z_mm)
            if depth is None:
                continue
            target = painted[sampler.window]
            for inset, hu in layers:
                share = np.clip((depth - np.float32(inset)) * np.float32(1 / self._width) + np.float32(0.5), 0, 1)
                target += share * ((self._level(hu, z_mm, sampler.window) if isinstance(hu, Sampler) else hu) - target)
        return painted.T

    def _level(self, hu, z_mm, window):
        """Interpolate HU in the window of an organ; beyond its lattice the nearest value holds."""
        values = hu.at(z_mm)
        columns, rows = (slice(w.start - h.start, w.stop - h.start) for w, h in zip(window, hu.window, strict=True))
        return values[columns, rows]


def smooth_noise(seed, length_mm, lattice):
    """Draw a random field of mean 0 and standard deviation 1, correlated over about `length_mm`.

    Parameters
    ----------
    seed : sequence of int
    length_mm : float
    lattice : Lattice
        The part of the patient that is wanted; the same seed gives the same field in any part.

    Returns
    -------
    ndarray of the lattice's shape, float32
    """
    white = np.random.default_rng(seed).standard_normal((PERIOD,) * 3, np.float32)
    every = max(1, int(length_mm / STEP_MM / 2))  # long waves need few numbers
    sigma = length_mm / STEP_MM / every / 2
    reach = int(np.ceil(3 * sigma)) + 1
    starts = [first // every - reach for first in lattice.first]
    sizes = [(n + every - 1) // every + 2 * reach + 2 for n in lattice.shape]
    values = white[np.ix_(*[(start + np.arange(size)) % PERIOD for start, size in zip(starts, sizes, strict=True)])]
    values = gaussian_filter(values, sigma, truncate=3) * np.float32((2 * np.sqrt(np.pi) * max(sigma, 0.4)) ** 1.5)
    for axis, (first, start, n) in enumerate(zip(lattice.first, starts, lattice.shape, strict=True)):
        where = (first + np.arange(n)) / every - start
        below = np.floor(where).astype(int)
        share = (where - below).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        values = np.take(values, below, axis) * (1 - share) + np.take(values, below + 1, axis) * share
    return values
