"""Where the voxels of a file lie in the patient, and how its array is turned into the order of `cohort.Volume`."""

from dataclasses import dataclass, replace

import numpy as np

# A chest CT is axial; a table a little turned keeps true millimetres in `to_patient`. Beyond this "front to back" would
# no longer be said of rows.
MAX_TILT_DEG = 10
# Between a volume and its mask. Formats round: NIfTI to 7 digits, READ's label maps .625 to .62598 (0.2 %).
MAX_SPACING_CHANGE = 0.01
MAX_SHIFT_VOXELS = 0.5
MAX_TURN_DEG = 1
# Millimetres: outside of this the unit is another (METHODS C: .52 to .79 in plane, .5 to 1.5 between slices).
SPACING_MM = (0.1, 10)


@dataclass(frozen=True)
class Grid:
    """The voxels of a file, in the order of `cohort.Volume`, and the way there from the file's own array.

    Attributes
    ----------
    shape : tuple of int
        Slices, rows, columns.
    to_patient : tuple of tuple of float
        As a `Volume` has it.
    axes : tuple of int
        Which axis of the file's array slices, rows and columns are.
    flipped : tuple of bool
        Which of slices, rows and columns run the other way there.
    """

    shape: tuple[int, int, int]
    to_patient: tuple[tuple[float, float, float, float], ...]
    axes: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)

    @property
    def spacing_mm(self):
        """Between slices, rows and columns, in millimetres, ndarray of shape (3,)."""
        return np.linalg.norm(np.array(self.to_patient)[:, :3], axis=0)

    @property
    def stored_shape(self):
        """Of the file's own array."""
        return tuple(self.shape[self.axes.index(axis)] for axis in range(3))

    def arrange(self, array):
        """Turn the file's array: slices feet to head, rows front to back, columns right to left. A view."""
        turned = np.transpose(array, self.axes)
        return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flipped)]


def orient(shape, matrix, place):
    """Find the order of the axes, and which of them to flip.

    Parameters
    ----------
    shape : tuple of int
        Of the file's array.
    matrix : ndarray of shape (3, 4)
        From an index of that array (and 1) to x, y, z in mm, as DICOM has them: to the left, the back, the head.
    place : Path or str
        For the text of an error.

    Returns
    -------
    Grid
        `to_patient` keeps a small tilt: a voxel has the same millimetres as in the file.

    Raises
    ------
    ValueError
        When the spacing is no number of millimetres, axes are not at right angles, or none is near the patient's.
    """
    matrix = np.asarray(matrix, float) + 0.0  # no minus zeros
    _require_millimetres(matrix, place)
    directions = matrix[:, :3] / np.linalg.norm(matrix[:, :3], axis=0)
    nearest = np.abs(directions).argmax(axis=1)  # the array's axis that runs along x, y, z
    _require_axial(directions, nearest, place)
    axes = tuple(nearest[::-1].tolist())
    flipped = tuple(bool(directions[2 - number, axis] < 0) for number, axis in enumerate(axes))
    steps, corner = matrix[:, axes], matrix[:, 3].copy()
    for number, flip in enumerate(flipped):
        corner += flip * (shape[axes[number]] - 1) * steps[:, number]
    signs = np.where(flipped, -1, 1)
    to_patient = np.column_stack([steps * signs, corner])
    return Grid(tuple(shape[axis] for axis in axes), tuple(map(tuple, to_patient.tolist())), axes, flipped)


def from_the_head(grid, place):
    """Return the grid of a label map whose array starts at the head, rows and columns as in the volume's file."""
    if grid.axes != (0, 1, 2):
        raise ValueError(
            f"{place}: expected axial slices, one after the other. Received: axes in the order {grid.axes}."
        )
    return replace(grid, flipped=(True, *grid.flipped[1:]))


def require_same(mask, mask_grid, volume, volume_grid):
    """Refuse a mask that does not lie on its volume voxel by voxel.

    Parameters
    ----------
    mask, volume : Path
        For the text of an error.
    mask_grid, volume_grid : Grid

    Raises
    ------
    ValueError
        Says whether shape, spacing, orientation or position differ. A mask that is stored in another order of axes
        is none of these.
    """
    fault = difference(mask_grid, volume_grid)
    if fault:
        raise ValueError(
            f"{mask}: expected the grid of {volume.name}. Received: {fault}. Is it the mask of another series, or was "
            "one of them resampled? Resample the mask onto the volume (nearest neighbour), or take the pair away."
        )


def difference(mask, volume):
    """Say in what two grids differ; "" where they do not."""
    if mask.shape != volume.shape:
        return f"{mask.shape} slices, rows, columns, the volume has {volume.shape}"
    if np.abs(mask.spacing_mm / volume.spacing_mm - 1).max() > MAX_SPACING_CHANGE:
        return f"a spacing of {_numbers(mask.spacing_mm)} mm, the volume has {_numbers(volume.spacing_mm)} mm"
    ours, theirs = (np.array(grid.to_patient)[:, :3] / grid.spacing_mm for grid in (mask, volume))
    turn_deg = np.degrees(np.arccos(np.clip((ours * theirs).sum(axis=0), -1, 1))).max()
    if turn_deg > MAX_TURN_DEG:
        return f"axes turned by {turn_deg:.1f} degrees against the volume's (orientation)"
    shift_mm = np.array(mask.to_patient)[:, 3] - np.array(volume.to_patient)[:, 3]
    if (np.abs(shift_mm @ theirs) > MAX_SHIFT_VOXELS * volume.spacing_mm).any():
        return f"a first voxel that lies {_numbers(shift_mm)} mm (x, y, z) from the volume's (position)"
    return ""


def _require_millimetres(matrix, place):
    spacing_mm = np.linalg.norm(matrix[:, :3], axis=0)
    if not np.isfinite(matrix).all() or spacing_mm.min() < SPACING_MM[0] or spacing_mm.max() > SPACING_MM[1]:
        raise ValueError(
            f"{place}: expected a spacing of {SPACING_MM[0]} to {SPACING_MM[1]} mm between voxels. "
            f"Received: {_numbers(spacing_mm)}. Is its unit millimetres?"
        )


def _require_axial(directions, nearest, place):
    cosines = np.abs(directions[[0, 1, 2], nearest])
    sheared_deg = np.degrees(np.abs(np.arcsin(np.clip(directions.T @ directions - np.eye(3), -1, 1)))).max()
    if sheared_deg > MAX_TURN_DEG:
        raise ValueError(
            f"{place}: expected axes at right angles. Received: axes that are off by {sheared_deg:.1f} degrees, a scan "
            "with a tilted gantry. Resample it to a straight grid."
        )
    tilt_deg = np.degrees(np.arccos(np.clip(cosines.min(), -1, 1)))
    if len(set(nearest.tolist())) < 3 or tilt_deg > MAX_TILT_DEG:
        raise ValueError(
            f"{place}: expected axes along the patient's, at most {MAX_TILT_DEG} degrees off. Received: {tilt_deg:.0f} "
            "degrees. Resample it, or use the axial series."
        )


def _numbers(values):
    return ", ".join(f"{value:.4g}" for value in values)
