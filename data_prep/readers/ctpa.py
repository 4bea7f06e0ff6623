"""CT pulmonary angiograms with their emboli as users download them, each data set read into a Cohort of volumes.

Opening a data set reads headers; voxels and labels are read, and checked, when asked for. Layouts: METHODS part C.
"""

import re
from functools import partial

from data_prep.cohort import Cohort, Subject, Volume
from data_prep.readers.dicom import find_series, rank_by_name
from data_prep.readers.images import natural_key
from data_prep.readers.labels import open_labels, open_mat_labels, open_read_labels
from data_prep.readers.layout import child, describe, open_folder, unknown_layout
from data_prep.readers.scans import read_each
from data_prep.readers.tables import read_phantom, read_rows, require_complete
from data_prep.readers.volumes import NO_IDENTITY, SUFFIXES, list_volumes, open_volume

KNOWN_LAYOUTS = (
    f"volumes/NAME + labels/NAME ({', '.join(SUFFIXES)}; a volume may be a folder of DICOM files) and, if you like, "
    "subjects.csv (header volume,subject; your own data too); "
    "FUMPE: CT_scans/PAT001/*.dcm + GroundTruth/PAT001.mat; "
    "CAD-PE: images/001.nrrd + rs/0001RefStd.nrrd; "
    "READ: images/GE (DICOM files)/01GE/ + rs/01GE.nii.gz"
)
READ_IMAGES, READ_LABELS = ("images", "ct scans (dicom files)"), ("rs", "ground truth")


def read_ctpa(folder):
    """Recognise which data set a folder holds, and read it.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Cohort
        Images are `Volume`, with truth; subjects are patients. Where nothing names patients, every volume is a subject,
        `anonymous` is true and a caveat says so.

    Raises
    ------
    FileNotFoundError
        When the folder, or a file that it should hold, is missing.
    ValueError
        When the layout is unknown, or a file is not what its place says; the message names it, and lists the faults
        of all volumes where there are several.
    ImportError
        When SimpleITK is needed and not installed; `.npz` files need it not.
    """
    folder = open_folder(folder, KNOWN_LAYOUTS)
    if child(folder, "volumes"):
        return read_listed_volumes(folder)
    if child(folder, "CT_scans") and child(folder, "GroundTruth"):
        return read_fumpe(folder)
    if child(folder, "rs") and any(child(folder, "images").glob("*.nrrd") if child(folder, "images") else ()):
        return read_cad_pe(folder)
    if _starting(folder, READ_IMAGES) and _starting(folder, READ_LABELS):
        return read_read(folder)
    raise unknown_layout(folder, f"{KNOWN_LAYOUTS}; volumes without truth: read_volumes")


def read_listed_volumes(folder):
    """Read `volumes/NAME`, `labels/NAME` and `subjects.csv`: phantoms on disk, a user's own data.

    A volume is an `.npz` (arrays `voxels` in HU and `to_patient`, see `cohort.Volume`), a NIfTI, NRRD or MetaImage
    file, or a folder of DICOM files; its label map a file (`.npz`: array `labels`, laid on its `.npz` volume index by
    index, the value is the number of the embolus). For the other formats see `labels.number_emboli`. Every volume has a
    label map, an empty one where there is no embolus. A `phantom.json` beside them with the key `caveat` hands that
    caveat on, and its `name`.
    """
    volumes = list_volumes(child(folder, "volumes"))
    labels = list_volumes(child(folder, "labels")) if child(folder, "labels") else {}
    pairs = _pair(volumes, labels, child(folder, "volumes"), folder / "labels")
    table = folder / "subjects.csv"
    rows = read_rows(table, ("volume", "subject")) if table.is_file() else [(0, name, name) for name in volumes]
    require_complete(table, [row[:2] for row in rows], volumes, "volume")
    unnamed = [line for line, _, subject in rows if not subject]
    if unnamed:
        raise ValueError(f"{table}, line {unnamed[0]}: expected a subject. Received: ''.")
    opened = read_each(_listed_volume, pairs)
    phantom = read_phantom(folder)
    caveats = ([phantom["caveat"]] if phantom else []) + [NO_IDENTITY] * (not table.is_file())
    subject_of = {name: subject for _, name, subject in rows}
    return _cohort(phantom.get("name", folder.name), opened, subject_of, caveats, anonymous=not table.is_file())


def read_fumpe(folder):
    """Read FUMPE: `CT_scans/PAT001/*.dcm` and `GroundTruth/PAT001.mat`; emboli are the mask's connected parts.

    The slices of the mask follow the names of the DICOM files, which in some patients run against the position: both
    are ordered by file name, then sorted by position together.
    """
    series = list_volumes(child(folder, "CT_scans"))
    truth = child(folder, "GroundTruth")
    masks = {path.stem: path for path in truth.iterdir() if path.suffix.lower() == ".mat" and path.name[0] != "."}
    volumes = read_each(_fumpe_volume, _pair(series, masks, child(folder, "CT_scans"), truth))
    return _cohort("FUMPE", volumes, {name: name for name in series})


def read_cad_pe(folder):
    """Read CAD-PE: `images/001.nrrd` (or `e0032.nrrd`) and `rs/0001RefStd.nrrd`; a label's value is an embolus."""
    images, truth = child(folder, "images"), child(folder, "rs")
    labels = {re.sub("refstd$", "", name, flags=re.IGNORECASE): path for name, path in list_volumes(truth).items()}
    pairs = _pair(_by_id(list_volumes(images)), _by_id(labels), images, truth)
    volumes = read_each(partial(_listed_volume, numbered=True), pairs)
    return _cohort("CAD-PE", volumes, {volume.name: volume.name for volume in volumes})


def read_read(folder):
    """Read READ: series in `images/GE (DICOM files)/01GE/`, label maps `rs/01GE.nii.gz`.

    The folders may also have the names of the first release, `CT scans (DICOM files)` and `Ground truth ...`, with a
    folder for each maker in both. Emboli are the label maps' connected parts. Where a label map's header disagrees with
    its series, its slices are laid on by number, from the head, and a caveat counts them; see
    `labels.open_read_labels`.
    """
    images, truth = _starting(folder, READ_IMAGES), _starting(folder, READ_LABELS)
    series = {path.name: path for path in find_series(images)}
    labels = {}
    for place in sorted([truth, *(path for path in truth.rglob("*") if path.is_dir())]):
        labels |= {name: path for name, path in list_volumes(place).items() if path.is_file()}
    found = read_each(_read_volume, _pair(series, labels, images, truth))
    passed_over = sum(by_index for _, by_index in found)
    caveats = [f"label maps of {passed_over} volumes laid on by slice number: their headers disagree with the series"]
    volumes = [volume for volume, _ in found]
    return _cohort("READ", volumes, {volume.name: volume.name for volume in volumes}, caveats * bool(passed_over))


def _listed_volume(item, numbered=False):
    name, path, label = item
    grid, read_voxels = open_volume(path)
    numbered = numbered or label.suffix.lower() == ".npz"
    return Volume(name, read_voxels, open_labels(label, path, grid, numbered), grid.to_patient)


def _fumpe_volume(item):
    name, path, mask = item
    grid, read_voxels = open_volume(path)
    rank = rank_by_name(read_voxels.args[1:], path)
    return Volume(name, read_voxels, open_mat_labels(mask, path, grid, rank), grid.to_patient)


def _read_volume(item):
    name, path, label = item
    grid, read_voxels = open_volume(path)
    read_truth, by_index = open_read_labels(label, path, grid)
    return Volume(name, read_voxels, read_truth, grid.to_patient), by_index


def _cohort(name, volumes, subject_of, caveats=(), anonymous=False):
    """Put the volumes of each subject together, subjects and volumes in natural order."""
    subjects = {}
    for volume in sorted(volumes, key=lambda volume: natural_key(volume.name)):
        subjects.setdefault(subject_of[volume.name], []).append(volume)
    ordered = sorted(subjects, key=natural_key)
    return Cohort(
        name, tuple(Subject(key, tuple(subjects[key])) for key in ordered), tuple(caveats), anonymous=anonymous
    )


def _pair(volumes, labels, volumes_folder, labels_folder):
    """List (name, volume, label map); each must have the other."""
    if not volumes:
        raise FileNotFoundError(f"{volumes_folder}: expected volumes. Received: {describe(volumes_folder)}.")
    for files, others, missing in ((volumes, labels, f"label map in {labels_folder}"), (labels, volumes, "volume")):
        alone = [path for name, path in files.items() if name not in others]
        if alone:
            raise FileNotFoundError(
                f"{alone[0]}: expected a {missing} of the same name. Received: none, and {len(alone) - 1} more are "
                "without. A patient without emboli has an empty label map; volumes without truth: read_volumes."
            )
    return [(name, path, labels[name]) for name, path in volumes.items()]


def _by_id(files):
    """Rename 001, 0001 and 1 to 001, so that volume and label map have one name; e0032 stays."""
    return {f"{int(name):03d}" if name.isdecimal() else name: path for name, path in files.items()}


def _starting(folder, names):
    """Return the folder whose name begins with one of these, whatever the case; None where there is none."""
    found = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name.lower().startswith(names)]
    return found[0] if found else None
