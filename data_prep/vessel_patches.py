"""Views of candidate emboli aligned with their vessel, and tables of such patches that are cut when needed.

A view has two planes: along the vessel and across it (METHODS A3). A table keeps a cube of voxels for each candidate,
not the volumes, and not the patches.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.vessel_axes import Axes, check_points, check_spacing, find_axes
from data_prep.vessel_crops import Crops, cut_crops, join
from data_prep.vessel_planes import grey_plane

__all__ = [
    "Axes",
    "Crops",
    "VesselGrid",
    "VesselTable",
    "cut_crops",
    "find_axes",
    "join",
    "orthogonal_views",
    "views",
]

WINDOW_HU = (-100.0, 900.0)
"""What black and white stand for (METHODS A3)."""

UPRIGHT = np.array([[[0, 1, 0], [0, 0, 1]], [[-1, 0, 0], [0, 1, 0]], [[-1, 0, 0], [0, 0, 1]]], np.float32)
"""Axial, sagittal and coronal plane: directions down and to the right of the picture, head up."""


@dataclass(frozen=True)
class VesselGrid:
    """The views that are taken of every candidate (PAPER section 2, pulmonary embolism).

    Attributes
    ----------
    widths_mm : tuple of float
        Sides of the square views.
    shift : float
        Largest translation along the vessel, as a share of the width.
    translations : int
        From -shift to shift, evenly; 1 takes the untranslated view alone.
    rotations : int
        Of the planes about the vessel, evenly over half a turn; the first is none.
    """

    widths_mm: tuple[float, ...] = (10.0, 15.0, 20.0)
    shift: float = 0.2
    translations: int = 3
    rotations: int = 5

    def __post_init__(self):
        if not self.widths_mm or min(self.widths_mm) <= 0 or self.shift < 0:
            raise ValueError(
                "widths_mm must be positive and shift at least 0. "
                f"Received: widths_mm={self.widths_mm}, shift={self.shift}."
            )
        if self.translations < 1 or self.rotations < 1:
            raise ValueError(
                "translations and rotations count from 1, which is none. "
                f"Received: translations={self.translations}, rotations={self.rotations}."
            )

    @property
    def offsets(self):
        """Translations along the vessel, in widths."""
        return np.linspace(-self.shift, self.shift, self.translations) if self.translations > 1 else np.zeros(1)

    @property
    def angles(self):
        """Rotations about the vessel, in radians."""
        return np.arange(self.rotations) * np.pi / self.rotations

    @property
    def reach_mm(self):
        """Distance from a candidate to the farthest corner of a view."""
        return float(max(self.widths_mm) * np.hypot(0.5 + np.abs(self.offsets).max(), 0.5))

    def __len__(self):
        return len(self.widths_mm) * self.translations * self.rotations

    def locate(self, view):
        """Split a view's number, or an array of them, into its width's, translation's and rotation's."""
        return np.unravel_index(view, (len(self.widths_mm), self.translations, self.rotations))


@dataclass(frozen=True, eq=False)
class VesselTable:
    """Where vessel-aligned patches come from and what they show; the counterpart of `data_prep.patches.PatchTable`.

    Attributes
    ----------
    crops : Crops
        The cubes that `candidate` indexes.
    candidate : ndarray of shape (n,), int
    view : ndarray of shape (n,), int
        Number of the view within `grid`.
    labels : ndarray of shape (n,), int
        Class of each patch.
    grid : VesselGrid
    size : int
        Side of a patch in pixels.
    window_hu : tuple of float
        What black and white stand for.
    """

    crops: Crops
    candidate: np.ndarray
    view: np.ndarray
    labels: np.ndarray
    grid: VesselGrid = VesselGrid()
    size: int = 227
    window_hu: tuple[float, float] = WINDOW_HU

    def __post_init__(self):
        reach = self.crops.reach_mm.min(initial=np.inf)
        if reach < self.grid.reach_mm * (1 - 1e-4):
            raise ValueError(
                f"The grid's views reach {self.grid.reach_mm:.1f} mm from a candidate. Received: crops that hold "
                f"{reach:.1f} mm. Cut them with reach_mm=grid.reach_mm."
            )

    def __len__(self):
        return len(self.candidate)

    def cut(self, rows):
        """Cut the patches of some rows: an ndarray of shape (len(rows), size, size, 3), uint8, in their order.

        Channels are the plane along the vessel, which runs from left to right, and twice the plane across it; the
        pictures' rows go along the same direction in both.
        """
        rows = np.asarray(rows)
        patches = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        candidates, views = self.candidate[rows], self.view[rows]
        # One after the other: threads wait for the interpreter's lock, and two of them took half as long again.
        for patch, candidate, view in zip(patches, candidates, views, strict=True):
            self._cut_into(patch, candidate, view)
        return patches

    def _cut_into(self, patch, candidate, view):
        """Fill one patch."""
        width, translation, rotation = self.grid.locate(view)
        width, angle = self.grid.widths_mm[width], self.grid.angles[rotation]
        spacing = self.crops.spacing_mm[candidate]
        along, second, third = self.crops.directions[candidate] * width / spacing
        down = np.cos(angle) * second + np.sin(angle) * third
        across = np.cos(angle) * third - np.sin(angle) * second
        centre = self.crops.point[candidate] + self.grid.offsets[translation] * along
        cube = self.crops.cube(candidate)
        patch[..., 0] = grey_plane(cube, centre, (down, along), self.size, self.window_hu)
        patch[..., 1] = grey_plane(cube, centre, (down, across), self.size, self.window_hu)
        patch[..., 2] = patch[..., 1]


def views(
    volume,
    spacing,
    point,
    widths_mm=(10, 15, 20),
    shift=0.2,
    translations=3,
    rotations=5,
    size=227,
    *,
    axes=None,
    window_hu=WINDOW_HU,
):
    """Cut all vessel-aligned views of one candidate, or of many candidates of one volume.

    Parameters
    ----------
    volume : ndarray of shape (slices, rows, columns)
        Hounsfield units. Outside of it there is air: black.
    spacing : tuple of float
        Between slices, rows and columns, in millimetres.
    point : array_like of shape (3,) or (m, 3)
        Slice, row, column in voxels; fractions count.
    widths_mm, shift, translations, rotations
        See `VesselGrid`. The defaults are the paper's: 3 widths x 3 translations x 5 rotations.
    size : int
        Side of a view in pixels.
    axes : Axes or None
        Directions of the vessels; without, `find_axes` looks for them. With the candidates' clots it does so better.
    window_hu : tuple of float
        What black and white stand for.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8
        n = m times the number of views; width changes slowest within a candidate, rotation fastest. For the channels
        see `VesselTable.cut`.
    """
    grid = VesselGrid(tuple(widths_mm), shift, translations, rotations)
    axes = find_axes(volume, spacing, point) if axes is None else axes
    crops = cut_crops(volume, spacing, point, axes, grid.reach_mm)
    candidate = np.repeat(np.arange(len(crops)), len(grid))
    view = np.tile(np.arange(len(grid)), len(crops))
    table = VesselTable(crops, candidate, view, np.zeros(len(view), int), grid, size, window_hu)
    return table.cut(np.arange(len(table)))


def orthogonal_views(volume, spacing, point, width_mm=20.0, size=227, window_hu=WINDOW_HU):
    """Cut the axial, the sagittal and the coronal plane through one or many points (PAPER Figure 3).

    Parameters
    ----------
    volume, spacing, point, size, window_hu
        As of `views`.
    width_mm : float
        Side of a view.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8
        Channels axial (rows down, columns to the right), sagittal (rows to the right) and coronal (columns to the
        right), the last two with the head up, where the volume's slices go from the feet to the head.
    """
    points = check_points(point, volume.shape)
    upright = Axes(np.tile(np.eye(3, dtype=np.float32), (len(points), 1, 1)), np.ones(len(points), np.float32))
    crops = cut_crops(volume, spacing, points, upright, width_mm / np.sqrt(2))
    patches = np.empty((len(points), size, size, 3), np.uint8)
    sides = UPRIGHT * width_mm / check_spacing(spacing)
    for number, channel in np.ndindex(len(points), 3):
        plane = grey_plane(crops.cube(number), crops.point[number], sides[channel], size, window_hu)
        patches[number, ..., channel] = plane
    return patches
