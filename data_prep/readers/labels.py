"""Label maps of emboli: laid on their volume's grid, and numbered, one number an embolus."""

from functools import partial

import numpy as np
import scipy.io
from scipy import ndimage

from data_prep.readers.grids import difference, from_the_head, require_same
from data_prep.readers.volumes import files_of, read_grid, read_numbers

# Of the 95 connected parts in FUMPE's masks four are smaller: .8, 2.2, 2.2 and 4.8 mm3, one slice thick each, slips of
# the brush; the next have 8.9, 10.3 and 20.9 mm3. A candidate generator keeps nothing below 5 mm3 either (METHODS A3).
MIN_EMBOLUS_MM3 = 5
MAT_KEY = "Mask"
# Of 16 bits; a patient has some dozens of emboli at most.
MAX_LABEL = 65535


def open_labels(path, volume, grid, numbered=False):
    """Check that a label map lies on its volume, from the headers, and say how to read it.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD, MetaImage or `.npz` (array `labels`). An `.npz` beside an `.npz` volume needs no place in the
        patient: its array is laid on the volume's, index by index.
    volume : Path
        For the text of an error.
    grid : Grid
        Of the volume.
    numbered : bool
        Whether values are numbers of emboli even where there is one value only.

    Returns
    -------
    callable
        As a `Volume`'s `read_truth`.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
    """
    if path.suffix.lower() == ".npz" and volume.suffix.lower() == ".npz":
        return partial(read_labels, grid, numbered, path)
    label_grid, _ = read_grid(path, "labels")
    require_same(path, label_grid, volume, grid)
    return partial(read_labels, label_grid, numbered, *files_of(path))


def open_read_labels(path, volume, grid):
    """As `open_labels`, for READ, whose headers say another direction of slices than the series they were drawn on.

    Where header and series agree, as anywhere, to half a voxel, the header counts. Where they do not, though the sizes
    and the spacing do, the array lies on the series index by index, its first slice at the head: read through SimpleITK
    the series has the direction -1 and the label map, of which slice k belongs to slice k, +1 (METHODS C; so does the
    converter of FairPE, arXiv 2608.24486). `checks.check` sees where that is wrong: emboli would lie in lung.

    Returns
    -------
    read_truth : callable
    by_index : bool
        Whether the header was passed over.
    """
    label_grid, _ = read_grid(path, "labels", placed=False)
    if not difference(label_grid, grid):
        return partial(read_labels, label_grid, False, path), False
    if label_grid.shape != grid.shape or "spacing" in difference(label_grid, grid):
        require_same(path, label_grid, volume, grid)
    return partial(read_labels, from_the_head(grid, path), False, path), True


def open_mat_labels(path, volume, grid, rank):
    """Check the size of a FUMPE mask.

    Parameters
    ----------
    path : Path
        MATLAB file with `Mask`, (row, column, slice); its slices follow the names of the DICOM files.
    volume : Path
    grid : Grid
        Of the series.
    rank : tuple of int
        Place among the file names of each slice of the series, by position.

    Returns
    -------
    callable
        As a `Volume`'s `read_truth`.
    """
    try:
        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
    except (ValueError, NotImplementedError, TypeError, OSError, KeyError) as error:
        raise _no_mat(path, error) from error
    rows, columns = grid.stored_shape[1:]
    if shapes.get(MAT_KEY) != (rows, columns, len(rank)):
        raise ValueError(
            f"{path}: expected {MAT_KEY} of {(rows, columns, len(rank))} rows, columns, slices, as the DICOM files of "
            f"{volume.name}. Received: {shapes or 'nothing'}. Are files missing, or is it another patient's mask?"
        )
    return partial(read_mat_labels, grid, rank, path)


def read_labels(grid, numbered, path, *_more):
    """Read a label map, in the order of a `Volume`; `_more` are the files that belong to it.

    Returns
    -------
    ndarray of shape grid.shape, int32
        See `number_emboli`.
    """
    labels = read_numbers(path, "labels")
    if labels.shape != grid.stored_shape:
        raise ValueError(f"{path}: expected labels of shape {grid.stored_shape}. Received: {labels.shape}.")
    return number_emboli(grid.arrange(labels), grid.spacing_mm, path, numbered)


def read_mat_labels(grid, rank, path):
    """Read a FUMPE mask: axes to (slice, row, column), slices from the order of file names to that of positions."""
    try:
        mask = scipy.io.loadmat(path, variable_names=[MAT_KEY])[MAT_KEY]
    except Exception as error:  # SciPy's parser raises half a dozen kinds on a damaged file
        raise _no_mat(path, error) from error
    by_position = np.moveaxis(mask, 2, 0)[list(rank)]
    return number_emboli(grid.arrange(by_position), grid.spacing_mm, path)


def number_emboli(labels, spacing_mm, place, numbered=False):
    """Give each embolus a number of its own.

    Parameters
    ----------
    labels : ndarray of shape (slices, rows, columns)
        Whole numbers from 0, background; any integer or floating type.
    spacing_mm : sequence of float
        Between slices, rows, columns.
    place : Path or str
        For the text of an error.
    numbered : bool
        Whether values are numbers of emboli even where there is one value only.

    Returns
    -------
    ndarray of the same shape, int32
        The values as they are where there are several, or where `numbered`; they need not follow each other. With one
        value (a mask) the parts connected over faces, edges and corners (26 neighbours), from 1; parts smaller than
        5 mm3 are background.

    Raises
    ------
    ValueError
        When values are negative or no whole numbers.
    """
    numbers = np.zeros(labels.shape, np.int32)
    box = _box(labels, place)  # emboli fill a small part of a chest: ten times as fast
    numbers[box] = labels[box]
    if not np.array_equal(numbers[box], labels[box]):
        raise _no_labels(labels, place)
    inside = numbers[box]
    if not numbered and len(np.unique(inside[inside > 0])) == 1:
        numbers[box] = _connected(inside, np.prod(spacing_mm))
    return numbers


def _box(labels, place):
    """Return slices around all that is not background."""
    if not 0 <= labels.min() <= labels.max() <= MAX_LABEL:  # also nan
        raise _no_labels(labels, place)
    present = labels > 0
    box = []
    for axis in range(3):
        known = np.flatnonzero(present.any(axis=tuple({0, 1, 2} - {axis})))
        box.append(slice(known[0], known[-1] + 1) if len(known) else slice(0))
    return tuple(box)


def _connected(mask, voxel_mm3):
    """Give each connected part of a mask a number, crumbs none."""
    parts, count = ndimage.label(mask, np.ones((3, 3, 3), int), output=np.int32)
    kept = np.bincount(parts.ravel(), minlength=count + 1) * voxel_mm3 >= MIN_EMBOLUS_MM3
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[parts]


def _no_labels(labels, place):
    return ValueError(
        f"{place}: expected labels, whole numbers from 0 to {MAX_LABEL}. Received: {labels.dtype}, {labels.min()} to "
        f"{labels.max()}. Is it the volume, or a map of probabilities?"
    )


def _no_mat(path, error):
    return ValueError(
        f"{path}: expected a MATLAB file up to version 7 with {MAT_KEY}. Received: {type(error).__name__}: {error}. "
        "Download it again, or save it with '-v7'."
    )
