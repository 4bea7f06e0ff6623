"""Paint tapered tubes into a volume: how much of each voxel lies inside their union.

Points are (slice, row, column) in millimetres of the patient's frame throughout; a `Grid` says where the voxels lie.
"""

from dataclasses import dataclass

import numpy as np

BATCH = 1 << 14  # voxels computed at a time: their dozen float32 arrays stay in a processor's cache


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie.

    Attributes
    ----------
    shape : tuple of int
        Slices, rows, columns.
    spacing_mm, origin_mm : tuple of float
        Distance of voxels, and the centre of voxel (0, 0, 0), in the order slice, row, column.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    def __post_init__(self):
        if min(self.shape) < 1 or min(self.spacing_mm) <= 0:
            raise ValueError(f"A grid needs at least one voxel and spacings above 0. Received: {self}")

    @property
    def axes_mm(self):
        """Coordinates of the slices, rows and columns: three arrays of shape (slices,), (rows,), (columns,)."""
        steps = zip(self.shape, self.spacing_mm, self.origin_mm, strict=True)
        return tuple(origin + spacing * np.arange(size) for size, spacing, origin in steps)

    @property
    def points_mm(self):
        """Centres of all voxels: ndarray of shape (slices, rows, columns, 3), float64."""
        return np.stack(np.meshgrid(*self.axes_mm, indexing="ij"), axis=-1)

    @property
    def voxel_mm3(self):
        """Volume of a voxel."""
        return float(np.prod(self.spacing_mm))

    def to_voxels(self, points_mm):
        """Turn millimetres, shape (..., 3), into voxels, 0 at a voxel's centre."""
        return (np.asarray(points_mm, float) - self.origin_mm) / self.spacing_mm

    def to_mm(self, voxels):
        """Turn voxels, shape (..., 3), into millimetres."""
        return np.asarray(voxels, float) * self.spacing_mm + self.origin_mm

    def crop(self, low, high):
        """Cut out the voxels from `low` to before `high`.

        Parameters
        ----------
        low, high : array_like of shape (3,), int
            Slice, row, column; cut off at the grid's borders. At least one voxel stays.

        Returns
        -------
        part : Grid
        window : tuple of slice
            Where it lies in this grid's arrays.
        """
        low = np.clip(low, 0, np.array(self.shape) - 1).astype(int)
        high = np.clip(high, low + 1, self.shape).astype(int)
        shape = tuple((high - low).tolist())
        window = tuple(slice(first, last) for first, last in zip(low.tolist(), high.tolist(), strict=True))
        return Grid(shape, self.spacing_mm, tuple(self.to_mm(low).tolist())), window


def paint(starts, ends, radii_start, radii_end, grid):
    """Compute how much of each voxel lies inside the union of tapered segments with round ends.

    Parameters
    ----------
    starts, ends : array_like of shape (n, 3)
        Ends of the segments' axes, in mm. Segments may touch, overlap, be points, or lie outside of the grid.
    radii_start, radii_end : array_like of shape (n,)
        In mm.
    grid : Grid

    Returns
    -------
    ndarray of the grid's shape, float32
        From 0 to 1; the largest over all segments.

    Notes
    -----
    A voxel cut by a wall counts as the width of the box across the wall says: with the wall's normal n and spacings
    s, a box's coordinate along n has the variance sum((n s)^2) / 12, as a ramp of width w = sqrt(sum((n s)^2)) has.
    The ramp runs over (q^2 - r^2) / (2 r), q the distance from the axis, instead of over q - r, and is lowered by
    4 r w / (r + w)^2 where r < w: so a straight tube's volume is pi r^2 h, even if it is thinner than a voxel.
    """
    tubes = _Tubes.sort(starts, ends, radii_start, radii_end, grid)
    painted = np.zeros(grid.shape, np.float32)
    size = np.prod(tubes.box, axis=1)
    first = 0
    while first < len(size):
        last = first + max(1, BATCH // int(size[first]))
        _paint_batch(painted, tubes.take(slice(first, last)), grid)
        first = last
    return painted


@dataclass(frozen=True)
class _Tubes:
    """Segments that reach into a grid, the largest first, each with its box of voxels."""

    start: np.ndarray
    along: np.ndarray
    length: np.ndarray
    radius: np.ndarray
    slope: np.ndarray
    low: np.ndarray
    box: np.ndarray

    @classmethod
    def sort(cls, starts, ends, radii_start, radii_end, grid):
        starts, ends = (np.asarray(points, float).reshape(-1, 3) for points in (starts, ends))
        radii = np.stack([np.asarray(radii_start, float), np.asarray(radii_end, float)])
        reach = radii.max(axis=0)[:, None] + np.max(grid.spacing_mm)
        low = np.ceil(grid.to_voxels(np.minimum(starts, ends) - reach)).astype(int)
        high = np.floor(grid.to_voxels(np.maximum(starts, ends) + reach)).astype(int) + 1
        inside = ((low < grid.shape) & (high > 0) & (high > low)).all(axis=1) & (radii.max(axis=0) > 0)
        low, high = np.maximum(low, 0), np.minimum(high, grid.shape)
        order = np.argsort(-np.prod(high - low, axis=1), kind="stable")
        order = order[inside[order]]
        along = ends - starts
        length = np.linalg.norm(along, axis=1)
        safe = np.maximum(length, 1e-6)
        slope = np.clip((radii[1] - radii[0]) / safe, -0.9, 0.9)
        parts = starts, along / safe[:, None], length, radii[0], slope, low, high - low
        return cls(*(part[order] for part in parts))

    def take(self, chosen):
        return _Tubes(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def _paint_batch(painted, tubes, grid):
    """Paint segments whose boxes are about equally large: all grow to the largest."""
    size = tubes.box.max(axis=0)
    low = np.minimum(tubes.low, np.array(grid.shape) - size)
    share = _coverage(tubes, low, size, grid)
    if len(low) == 1:
        window = tuple(slice(first, first + length) for first, length in zip(low[0], size, strict=True))
        np.maximum(painted[window], share[0], out=painted[window])
        return
    where = np.nonzero(share)
    places = tuple(low[where[0], axis] + where[1 + axis] for axis in range(3))
    np.maximum.at(painted.reshape(-1), np.ravel_multi_index(places, grid.shape), share[where])


def _coverage(tubes, low, size, grid):
    """Compute what each segment covers of the voxels of its box: ndarray of shape (n, *size), float32."""

    def spread(terms):
        """Add three arrays of shape (n, slices), (n, rows), (n, columns) to (n, slices, rows, columns)."""
        return terms[0][:, :, None, None] + terms[1][:, None, :, None] + terms[2][:, None, None, :]

    def lift(values):
        return values.astype(np.float32)[:, None, None, None]

    spacing = np.array(grid.spacing_mm)
    offsets = [low[:, axis, None] + np.arange(size[axis]) for axis in range(3)]
    offsets = [offset * spacing[k] + grid.origin_mm[k] - tubes.start[:, k, None] for k, offset in enumerate(offsets)]
    steps = [offset.astype(np.float32) for offset in offsets]
    along = tubes.along.astype(np.float32)
    weights = (spacing**2).astype(np.float32)
    square = spread([step**2 for step in steps])
    axial = spread([step * along[:, k, None] for k, step in enumerate(steps)])
    # On a cone the nearest sphere of the axis lies a little towards the thick end.
    lean = lift(tubes.slope / np.sqrt(1 - tubes.slope**2))
    foot = axial + lean * np.sqrt(np.maximum(square - axial**2, 0)) if np.any(tubes.slope) else axial
    foot = np.clip(foot, 0, lift(tubes.length))
    radius = np.maximum(lift(tubes.radius) + lift(tubes.slope) * foot, 0)
    square += foot * (foot - 2 * axial)
    # The same square with each axis weighted by its spacing: square * width^2.
    width = spread([weights[k] * step**2 for k, step in enumerate(steps)])
    mixed = spread([weights[k] * along[:, k, None] * step for k, step in enumerate(steps)])
    width += foot * (foot * lift(along**2 @ weights) - 2 * mixed)
    mean_width = np.float32(np.cbrt(np.prod(spacing)))
    width = np.where(square > 1e-4, np.sqrt(np.maximum(width, 0) / np.maximum(square, 1e-4)), mean_width)
    share = np.clip(0.5 - (square - radius**2) / np.maximum(2 * radius * width, 1e-6), 0, 1)
    wide = np.maximum(radius, width)
    return share * (4 * radius * wide / (radius + wide) ** 2)
