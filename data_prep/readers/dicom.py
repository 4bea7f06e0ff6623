"""A folder of DICOM files, one CT slice each, as one volume: sorted by position, in Hounsfield units.

A series is sorted by ImagePositionPatient, never by file name or InstanceNumber, which run against the position in some
data sets (METHODS C). What does not make one even stack is an error with the names of the files.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.readers.grids import orient
from data_prep.readers.hounsfield import require_lung, to_hu
from data_prep.readers.images import natural_key
from data_prep.readers.itk import open_header, read_array
from data_prep.readers.layout import describe
from data_prep.readers.stacks import require_one_series, stack

SUFFIXES = (".dcm", ".dicom", ".ima")
IO = "GDCMImageIO"
TAGS = {
    "series": "0020|000e",
    "modality": "0008|0060",
    "position": "0020|0032",
    "orientation": "0020|0037",
    "spacing": "0028|0030",
}
MIN_SLICES = 3
# Of the median distance between slices. Positions are rounded to .01 mm by some scanners, 2 % of .5 mm.
MAX_UNEVENNESS = 0.1
# Positions that differ by less are the same.
SAME_POSITION_MM = 0.01
MAX_SHIFT_BETWEEN_SLICES = 0.02  # of the distance: a gantry tilted by 1 degree
MAX_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Slice:
    """What the header of one DICOM file says.

    Attributes
    ----------
    path : Path
    series, modality : str
        SeriesInstanceUID; CT, MR and so on.
    shape : tuple of int
        Rows, columns.
    position_mm : ndarray of shape (3,)
        Centre of the first pixel: x, y, z.
    along_row, along_column : ndarray of shape (3,)
        Unit vectors in which a row, and a column, of the image runs.
    spacing_mm : ndarray of shape (2,)
        Between rows, and between columns.
    """

    path: Path
    series: str
    modality: str
    shape: tuple[int, int]
    position_mm: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray
    spacing_mm: np.ndarray


def list_dicom(folder):
    """List the DICOM files that lie in a folder itself, by name: those with DICOM's mark or suffix, hidden ones not."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return sorted((path for path in files if _is_dicom(path)), key=lambda path: natural_key(path.name))


def find_series(folder):
    """List the folders that hold DICOM files, this one and all below it, in natural order.

    Returns
    -------
    list of Path
    """
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    found = [path for path in folders if not path.name.startswith(".") and list_dicom(path)]
    return sorted(found, key=lambda path: natural_key(path.as_posix()))


def open_series(folder):
    """Read the headers of the one series in a folder (or in a folder below it), and check that it is one stack.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    grid : Grid
    read_voxels : callable
        Reads the series; its arguments name the files by ascending position.

    Raises
    ------
    FileNotFoundError
        When there is no DICOM file.
    ValueError
        When files belong to several series, are no CT, lack a position, differ in shape, spacing or orientation, lie
        at the same position, leave a gap, are unevenly spaced or tilted; the message names them.
    """
    slices = [_read_header(path) for path in list_dicom(_only_series(folder))]
    require_one_series(slices, folder)
    slices, matrix = stack(slices, folder)
    grid = orient((len(slices), *slices[0].shape), matrix, folder)
    return grid, partial(read_series, grid, *(one.path for one in slices))


def read_series(grid, *paths):
    """Read the slices of a series, in the order given, and turn them into the order of a `Volume`.

    Slope and intercept of each file are applied. See `hounsfield.to_hu` for padding and for values that cannot be HU.

    Returns
    -------
    ndarray of shape grid.shape, int16, HU
    """
    stored = np.empty(grid.stored_shape, np.int16)
    for number, path in enumerate(paths):
        values = read_array(path, IO)[0]
        if values.shape != stored.shape[1:]:
            raise ValueError(f"{path}: expected {stored.shape[1:]} rows and columns. Received: {values.shape}.")
        stored[number] = np.clip(values if values.dtype.kind in "iu" else np.rint(values), -32768, 32767)
    voxels = np.ascontiguousarray(grid.arrange(to_hu(stored, paths[0].parent)))
    require_lung(voxels, paths[0].parent)
    return voxels


def rank_by_name(paths, folder):
    """Return the place of each file among the file names, for labels whose slices follow the names.

    Parameters
    ----------
    paths : sequence of Path
        By position.
    folder : Path
        For the text of an error.

    Returns
    -------
    tuple of int
        From 0.

    Raises
    ------
    ValueError
        When 10.dcm comes before 2.dcm or after it, depending on who sorts.
    """
    names = [path.name for path in paths]
    ordered = sorted(names)
    if ordered != sorted(names, key=natural_key):
        odd = next(pair for pair in zip(ordered, sorted(names, key=natural_key), strict=True) if pair[0] != pair[1])
        raise ValueError(
            f"{folder}: expected file names with one order, numbers with leading zeros. Received: {odd[0]} or "
            f"{odd[1]} next, by letters or by numbers. The slices of the mask follow the names: rename the files as "
            "the data set has them."
        )
    place = {name: number for number, name in enumerate(ordered)}
    return tuple(place[name] for name in names)


def _only_series(folder):
    """Return the folder itself where it holds DICOM files, else the only one below it that does."""
    found = [folder] if list_dicom(folder) else find_series(folder)
    if len(found) != 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in found[:MAX_SHOWN]) or describe(folder)
        raise FileNotFoundError(f"{folder}: expected one DICOM series. Received: {len(found)} such folders: {names}.")
    return found[0]


def _is_dicom(path):
    if path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() in SUFFIXES


def _read_header(path):
    with open_header(path, IO) as reader:
        size, channels = reader.GetSize(), reader.GetNumberOfComponents()
        values = {name: reader.GetMetaData(tag).strip() for name, tag in TAGS.items() if reader.HasMetaDataKey(tag)}
    lacking = [f"{name} ({tag})" for name, tag in TAGS.items() if not values.get(name)]
    if lacking or channels > 1 or size[2] > 1:
        received = f"no {', '.join(lacking)}" if lacking else f"{size[2]} images in one file, {channels} channels"
        raise ValueError(
            f"{path}: expected one CT slice with its place in the patient. Received: {received}. "
            "Convert the series to NIfTI (dcm2niix), or take the file away."
        )
    position_mm = _numbers(values, "position", 3, path)
    along = _numbers(values, "orientation", 6, path).reshape(2, 3)
    spacing_mm = _numbers(values, "spacing", 2, path)
    return Slice(path, values["series"], values["modality"], (size[1], size[0]), position_mm, *along, spacing_mm)


def _numbers(values, name, count, path):
    try:
        numbers = np.array(values[name].split("\\"), float)
    except ValueError:
        numbers = np.array([])
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ValueError(f"{path}: expected {count} numbers as {name} ({TAGS[name]}). Received: {values[name]!r}.")
    return numbers
