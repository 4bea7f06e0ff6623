"""Cubes of voxels around candidate emboli, as views are cut from them: whole volumes need not stay in memory.

They lie in one flat array, which may be a memory map of a file, so that thousands of candidates take no memory until
they are shown.
"""

import mmap
from dataclasses import dataclass

import numpy as np

from data_prep.vessel_axes import check_points, check_spacing

AIR_HU = -1024
"""Outside the volume."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Cubes of voxels around candidates, each with its vessel's direction.

    Attributes
    ----------
    voxels : ndarray of shape (number of voxels,), int16
        All cubes, one after the other, in Hounsfield units; may be a read-only memory map.
    start : ndarray of shape (n,), int64
        First voxel of each cube.
    shape : ndarray of shape (n, 3), int64
        Slices, rows and columns of each.
    point : ndarray of shape (n, 3), float32
        The candidate, in voxels of its cube.
    spacing_mm : ndarray of shape (n, 3), float32
    directions : ndarray of shape (n, 3, 3), float32
        As those of `Axes`.
    """

    voxels: np.ndarray
    start: np.ndarray
    shape: np.ndarray
    point: np.ndarray
    spacing_mm: np.ndarray
    directions: np.ndarray

    def __len__(self):
        return len(self.start)

    def cube(self, number):
        """Return the voxels of a candidate, a view into `voxels`."""
        start, shape = self.start[number], self.shape[number]
        return self.voxels[start : start + shape.prod()].reshape(shape)

    @property
    def reach_mm(self):
        """How far views may reach from each candidate, (n,)."""
        # A voxel on either side is for interpolation.
        inside = np.minimum(self.point, self.shape - 1 - self.point) - 1
        return (inside * self.spacing_mm).min(axis=1)

    def __getstate__(self):
        """Send a memory map to another process by its file's name, not by its voxels."""
        voxels = self.voxels
        # A part of a map has the offset of the whole; only the whole's own base is the mapping.
        if isinstance(voxels, np.memmap) and isinstance(voxels.base, mmap.mmap):
            voxels = (str(voxels.filename), voxels.dtype, "r", voxels.offset, voxels.shape)
        return self.__dict__ | {"voxels": voxels}

    def __setstate__(self, state):
        """Open the memory map again."""
        if isinstance(state["voxels"], tuple):
            state = state | {"voxels": np.memmap(*state["voxels"])}
        self.__dict__.update(state)


def cut_crops(voxels, spacing_mm, points, axes, reach_mm):
    """Cut cubes out of a volume.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns)
        Hounsfield units; outside of it there is air (-1024 HU). Other types than int16 are rounded.
    spacing_mm : tuple of float
        Between slices, rows and columns.
    points : array_like of shape (n, 3)
        Candidates, in voxels.
    axes : Axes
        Of the candidates.
    reach_mm : float
        How far views reach from a candidate: `VesselGrid.reach_mm`.

    Returns
    -------
    Crops
    """
    spacing, points = check_spacing(spacing_mm), check_points(points, voxels.shape)
    if len(axes.directions) != len(points):
        raise ValueError(f"Expected directions for each of {len(points)} points. Received: {len(axes.directions)}.")
    lows = np.floor(points - reach_mm / spacing).astype(int) - 1
    shapes = np.floor(points + reach_mm / spacing).astype(int) + 3 - lows
    sizes = shapes.prod(axis=1)
    start = np.cumsum(sizes) - sizes
    flat = np.full(sizes.sum(), AIR_HU, np.int16)
    for first, low, shape in zip(start, lows, shapes, strict=True):
        _copy(voxels, low, flat[first : first + shape.prod()].reshape(shape))
    placed = (points - lows).astype(np.float32)
    return Crops(flat, start, shapes, placed, np.tile(spacing, (len(points), 1)).astype(np.float32), axes.directions)


def join(crops):
    """Put the crops of several volumes, a list of Crops, one after the other."""
    offsets = np.cumsum([0] + [len(part.voxels) for part in crops])
    start = np.concatenate([part.start + offset for part, offset in zip(crops, offsets[:-1], strict=True)])
    names = ("shape", "point", "spacing_mm", "directions")
    rest = {name: np.concatenate([getattr(part, name) for part in crops]) for name in names}
    return Crops(voxels=np.concatenate([part.voxels for part in crops]), start=start, **rest)


def _copy(voxels, low, cube):
    """Fill a cube with a volume's voxels from `low` on, where the volume has any."""
    first, last = np.maximum(low, 0), np.minimum(low + cube.shape, voxels.shape)
    block = voxels[tuple(map(slice, first, last))]
    if block.dtype != np.int16:
        limits = np.iinfo(np.int16)
        block = np.clip(np.rint(block), limits.min, limits.max)
    cube[tuple(map(slice, first - low, last - low))] = block
