"""Volumes in one file (.npz, NIfTI, NRRD, MetaImage) or in a folder of DICOM slices; any folder of them as a Cohort.

Opening reads headers only. Voxels come out in the order of `cohort.Volume`; `to_patient` keeps the file's millimetres.
"""

import re
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.cohort import Cohort, Subject, Volume
from data_prep.readers.dicom import find_series, open_series
from data_prep.readers.grids import orient
from data_prep.readers.hounsfield import require_lung, to_hu
from data_prep.readers.images import natural_key
from data_prep.readers.itk import array_geometry, open_header, read_array, require_placed, require_sitk
from data_prep.readers.layout import describe
from data_prep.readers.scans import read_each

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".npz")
KNOWN = f"{', '.join(SUFFIXES)}, or DICOM files, the slices of one series in one folder"
NO_IDENTITY = "no subject identity: every volume counts as a patient of its own"


def read_volumes(folder):
    """Read every volume in a folder, without truth: one's own scans.

    Parameters
    ----------
    folder : str or Path
        Holds, itself or in folders below, `.nii`, `.nii.gz`, `.nrrd`, `.mha`, `.mhd`, `.npz` (arrays `voxels` and
        `to_patient`) files, or DICOM files, one series a folder. Other files are passed over.

    Returns
    -------
    Cohort
        Each volume a subject, named as its path below the folder, without suffix and with `_` for `/`; `read_truth` is
        None. The files do not say which of them are one patient's, so `anonymous` is true, with a caveat.

    Raises
    ------
    FileNotFoundError
        When there is no folder, or nothing in it that is known; the message lists what was seen.
    ValueError
        When a volume cannot be used; several in one list.
    ImportError
        When SimpleITK is needed and not installed.
    """
    volumes = read_each(lambda item: build_volume(*item), list(find_volumes(folder).items()))
    subjects = tuple(Subject(volume.name, (volume,)) for volume in volumes)
    return Cohort(Path(folder).resolve().name, subjects, (NO_IDENTITY,), anonymous=True)


def find_volumes(folder):
    """List the volumes in a folder and below it, opening none but to tell DICOM files.

    Parameters
    ----------
    folder : str or Path
        As for `read_volumes`, which says what is raised.

    Returns
    -------
    dict of str to Path
        Files and folders of DICOM slices, by name.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder. Give one that holds volumes: {KNOWN}.")
    found = _named_below(folder)
    if not found:
        raise FileNotFoundError(f"{folder}: expected volumes. Received: {describe(folder)}. Known: {KNOWN}.")
    return found


def build_volume(name, path, read_truth=None):
    """Open one volume, and put it together with its truth."""
    grid, read_voxels = open_volume(path)
    return Volume(name, read_voxels, read_truth, grid.to_patient)


def open_volume(path):
    """Read where the voxels of a volume lie, and how to read them.

    Parameters
    ----------
    path : Path
        A file of SUFFIXES, or a folder of DICOM files.

    Returns
    -------
    grid : Grid
    read_voxels : callable
        As a `Volume` has it; all its files are among its positional arguments.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
    """
    if path.is_dir():
        return open_series(path)
    grid, kind = read_grid(path, "voxels")
    if kind in ("uint8", "int8", "bool"):
        raise ValueError(
            f"{path}: expected Hounsfield units, which need 16 bits. Received: {kind}. Is it a label map or a window? "
            "Keep label maps in a folder of their own."
        )
    return grid, partial(read_volume, grid, *files_of(path))


def read_volume(grid, path, *_more):
    """Read the voxels of a file; `_more` are the files that belong to it.

    Returns
    -------
    ndarray of shape grid.shape, int16, HU
        See `hounsfield.to_hu` for padding and for values that cannot be HU.
    """
    voxels = np.ascontiguousarray(grid.arrange(to_hu(read_numbers(path, "voxels"), path)))
    require_lung(voxels, path)
    return voxels


def read_grid(path, key, placed=True):
    """Read the header of a volume or a label map.

    Parameters
    ----------
    path : Path
    key : str
        Name of the array in an `.npz`.
    placed : bool
        Whether a NIfTI header must say where the voxels lie.

    Returns
    -------
    grid : Grid
    kind : str
        Type of the numbers, as NumPy names it.
    """
    if path.suffix.lower() == ".npz":
        shape, kind, matrix = _read_npz_header(path, key)
    else:
        with open_header(path) as reader:
            kind = require_sitk().GetPixelIDValueAsString(reader.GetPixelID())
            dimension, channels = reader.GetDimension(), reader.GetNumberOfComponents()
            if dimension != 3 or channels != 1:
                raise ValueError(
                    f"{path}: expected one volume, 3 dimensions. Received: {dimension} dimensions, {channels} channels."
                )
            if placed:
                require_placed(reader, path)
            shape, matrix = array_geometry(reader)
        kind = {"8-bit unsigned integer": "uint8", "8-bit signed integer": "int8"}.get(kind, kind)
    return orient(shape, matrix, path), kind


def read_numbers(path, key):
    """Read the array of a file as it is stored."""
    if path.suffix.lower() != ".npz":
        return read_array(path)
    try:
        with np.load(path) as arrays:
            return arrays[key]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged_npz(path, key, error) from error


def list_volumes(folder):
    """List the volumes or label maps of a folder by name: files without suffix, and folders.

    Hidden files, and files of other formats (of MATLAB's, say), are passed over.

    Raises
    ------
    ValueError
        When two share a name, such as 1.nii and 1.nrrd.
    """
    found = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        suffix = suffix_of(path)
        if path.name.startswith(".") or not (suffix or path.is_dir()):
            continue
        name = path.name[: len(path.name) - len(suffix)]
        if name in found:
            raise ValueError(f"Two volumes named {name!r}. Received: {found[name]} and {path.name}. Keep one of them.")
        found[name] = path
    return found


def suffix_of(path):
    """Return which of SUFFIXES a file has; "" for none, and for folders."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix) and path.is_file()), "")


def files_of(path):
    """Return a file and those that hold its voxels: the `.raw` of an `.mhd`."""
    if path.suffix.lower() != ".mhd":
        return (path,)
    named = re.search(r"^ElementDataFile\s*=\s*(\S.*?)\s*$", path.read_text(errors="replace"), re.MULTILINE)
    data = path.parent / named[1] if named else path
    if not data.is_file():
        raise FileNotFoundError(
            f"{path}: expected its voxels beside it. Received: no file {data.name}. Copy both files."
        )
    return path, data


def _named_below(folder):
    files = [path for path in folder.rglob("*") if suffix_of(path) and not path.name.startswith(".")]
    found = {}
    for path in sorted([*files, *find_series(folder)], key=lambda path: natural_key(path.as_posix())):
        inside = path.relative_to(folder).as_posix().replace("/", "_") if path != folder else folder.name
        name = inside[: len(inside) - len(suffix_of(path))]
        if name in found:
            raise ValueError(f"Two volumes named {name!r}. Received: {found[name]} and {path}. Keep or rename one.")
        found[name] = path
    return found


def _read_npz_header(path, key):
    """Read shape, type and `to_patient` without the voxels."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(file)
        with np.load(path) as arrays:
            matrix = arrays["to_patient"]
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise _damaged_npz(path, key, error) from error
    if len(shape) != 3 or matrix.shape != (3, 4):
        raise ValueError(
            f"{path}: expected {key} of 3 dimensions and to_patient of shape (3, 4). Received: {shape}, {matrix.shape}."
        )
    return shape, kind.name, matrix


def _damaged_npz(path, key, error):
    return ValueError(f"{path}: expected an .npz with the arrays {key} and to_patient. Received: {error}.")
