"""Carotid ultrasound data sets as users download them, each read into a Cohort of scans.

Opening a data set lists its files, reads scales, boundaries and the images' sizes, and lays the ROIs; pixels are
decoded, and checked, when an image is read. Layouts: METHODS part C and the read-me file of the Cyprus data base.
"""

import re
from functools import partial

from data_prep.readers.images import list_images, natural_key
from data_prep.readers.interfaces import read_columns, read_cyprus, read_profiles, read_scl, require_scale
from data_prep.readers.layout import child, describe, open_folder, unknown_layout
from data_prep.readers.rois import read_rois, rois_from_span
from data_prep.readers.scans import build_cohort, build_scan, read_each, require_file
from data_prep.readers.tables import read_phantom, read_rows, require_complete

EXPERT = "Manual-A1"
PROFILE_FOLDERS = ("LIMA-Profiles", "SEGMENTATIONS", "LIMA-Profiles-interpolated")

NO_IDENTITY = "no subject identity: every image counts as a subject of its own"
CYPRUS_CAVEATS = (
    "burnt-in text and caliper crosses, some of them on the wall",
    "points were clicked in a smaller window: the truth stands on a grid of 1.57 pixels, about 94 um",
)
KNOWN_LAYOUTS = (
    "images/ + interfaces/ + scans.csv (header scan,subject,mm_per_pixel,rois; your own data too); "
    "Cyprus IMT: folders ID/ of ID.CRI + ID.scl, exams.csv (header id,exam) beside them; "
    "CUBS: IMAGES/ + CF/ + LIMA-Profiles/<method>/ or SEGMENTATIONS/<method>/"
)


def read_carotid(folder, method=EXPERT):
    """Recognise which data set a folder holds, and read it.

    Parameters
    ----------
    folder : str or Path
    method : str
        CUBS only: whose boundaries are the truth, a folder of LIMA-Profiles (or SEGMENTATIONS, or
        LIMA-Profiles-interpolated, searched in this order; "LIMA-Profiles-interpolated/Manual-A1" names one).

    Returns
    -------
    Cohort
        Images are `Scan`; subjects are patients or exams. Where a data set names none, every image is a subject,
        `anonymous` is true and a caveat says so. Images delineated over fewer than 40 columns are left out, and
        counted in a caveat.

    Raises
    ------
    FileNotFoundError
        When the folder, or a file that it should hold, is missing.
    ValueError
        When the layout is unknown, or a file is not what its place says; the message names it, and lists the faults
        of all images where there are several.
    """
    folder = open_folder(folder, KNOWN_LAYOUTS)
    if child(folder, "images") and child(folder, "interfaces"):
        return read_listed_scans(folder)
    if child(folder, "images") and child(folder, "CF"):
        return read_cubs(folder, method)
    if _cyprus_folders(folder):
        return read_cyprus_imt(folder)
    raise unknown_layout(folder, KNOWN_LAYOUTS)


def read_listed_scans(folder):
    """Read `images/NAME.png`, `interfaces/NAME.csv` and `scans.csv`: phantoms on disk, a user's own data.

    The header of `scans.csv` is scan,subject,mm_per_pixel,rois; an ROI is `top left height width` in pixels, several
    are joined by `;`, and where the field is empty they are laid over the delineation. A `phantom.json` beside it with
    the key `caveat` hands that caveat on, and its `name`.
    """
    images, table = list_images(child(folder, "images")), folder / "scans.csv"
    if not table.is_file():
        raise FileNotFoundError(f"{table}: expected a table (scan,subject,mm_per_pixel,rois). Received: no such file.")
    rows = read_rows(table, ("scan", "subject", "mm_per_pixel", "rois"))
    require_complete(table, [row[:2] for row in rows], images, "scan")
    scans = read_each(partial(_listed_scan, folder, images), rows)
    phantom = read_phantom(folder)
    subject_of = {name: subject for _, name, subject, _, _ in rows}
    caveats = [phantom["caveat"]] if phantom else []
    return build_cohort(phantom.get("name", folder.name), scans, subject_of, caveats)


def read_cubs(folder, method=EXPERT):
    """Read CUBS, clinical or technical: `IMAGES/ID.tiff`, `CF/ID_CF.txt`, `LIMA-Profiles/METHOD/ID-LI.txt`, `-MA.txt`.

    Left and right images of a patient (clin_XXXX_L, clin_XXXX_R) make one subject; technical images (tech_XXX) name no
    patient. Images for which the method has neither file are left out, and counted in a caveat; one file without the
    other is an error. Boundaries without an image are passed over, so that a part of the images can be used.
    """
    images, boundaries = list_images(child(folder, "images")), _method_folder(folder, method)
    subject_of = {name: _cubs_subject(name, path) for name, path in images.items()}
    drawn = [path for path in images.values() if any(file.is_file() for file in _profiles(boundaries, path.stem))]
    if not drawn:
        raise FileNotFoundError(
            f"{boundaries}: expected <image>-LI.txt and <image>-MA.txt of at least one of the {len(images)} images. "
            f"Received: {describe(boundaries)}."
        )
    scans = read_each(partial(_cubs_scan, folder, boundaries), drawn)
    anonymous = any(path.stem.lower().startswith("tech") for path in drawn)
    caveats = [f"{len(images) - len(drawn)} images left out: not delineated by {method}"] * (len(drawn) < len(images))
    caveats += [f"boundaries by {method}"] * (method != EXPERT)
    caveats += [f"technical images: {NO_IDENTITY}"] * anonymous
    return build_cohort("CUBS", scans, subject_of, caveats, anonymous)


def read_cyprus_imt(folder):
    """Read the IMT data base of the University of Cyprus: `ID/ID.CRI`, `ID/ID.scl`, and `exams.csv` (header id,exam).

    A subject is an exam; without `exams.csv` every image is one, and the cohort anonymous. Images in which nothing was
    measured (`imt_thikn` is 0) and whose points are those of another image are left out and named in a caveat: there
    the drawing program kept old points (AAACX holds those of AAACK, a different exam, and they follow no wall; AAAFI
    holds those of AAAFH, and they lie above the wall).
    """
    files = {cri.stem: (cri, scl) for cri, scl in map(_cyprus_files, _cyprus_folders(folder))}
    table = child(folder, "exams.csv")
    rows = read_rows(table, ("id", "exam")) if table else [(0, name, name) for name in files]
    require_complete(table, [row[:2] for row in rows], files, "image")
    unnamed = [line for line, _, exam in rows if not exam]
    if unnamed:
        raise ValueError(f"{table}, line {unnamed[0]}: expected an exam. Received: ''.")
    scans = read_each(_cyprus_scan, files.values())
    copied = _copied({name: scl for name, (_, scl) in files.items()})
    scans = [scan for scan in scans if scan.name not in copied]
    caveats = list(CYPRUS_CAVEATS) + [NO_IDENTITY] * (not table)
    if copied:
        caveats.append(f"left out, delineated with another image's points: {', '.join(copied)}")
    return build_cohort("Cyprus IMT", scans, {name: exam for _, name, exam in rows}, caveats, anonymous=not table)


def _listed_scan(folder, images, row):
    line, name, subject, scale, rois = row
    place, boundaries = f"{folder / 'scans.csv'}, line {line}", child(folder, "interfaces") / f"{name}.csv"
    if not subject:
        raise ValueError(f"{place}: expected a subject. Received: ''.")
    mm_per_pixel = require_scale(scale, place)
    require_file(boundaries, images[name])
    place_rois = partial(read_rois, rois, place=place) if rois else rois_from_span
    return build_scan(images[name], read_columns, (boundaries,), mm_per_pixel, place_rois)


def _cubs_scan(folder, boundaries, path):
    calibration = child(folder, "CF") / f"{path.stem}_CF.txt"
    profiles = _profiles(boundaries, path.stem)
    for file in (calibration, *profiles):
        require_file(file, path)
    text = calibration.read_text(encoding="utf-8-sig", errors="replace").strip()
    mm_per_pixel = require_scale(text, f"{calibration}, line 1")
    return build_scan(path, read_profiles, profiles, mm_per_pixel)


def _cyprus_scan(files):
    path, scl = files
    return build_scan(path, read_cyprus, (scl,), read_scl(scl)[1])


def _profiles(boundaries, name):
    return boundaries / f"{name}-LI.txt", boundaries / f"{name}-MA.txt"


def _cubs_subject(name, path):
    clinical = re.fullmatch(r"(clin_\d+)_[LR]", name, re.IGNORECASE)
    if not clinical and not re.fullmatch(r"tech_\d+", name, re.IGNORECASE):
        raise ValueError(
            f"{path}: expected an image named clin_<number>_L, clin_<number>_R or tech_<number>. Received: {name!r}. "
            "Data of your own: images/, interfaces/ and scans.csv."
        )
    return clinical[1].lower() if clinical else name


def _method_folder(folder, method):
    roots = [root for root in (child(folder, name) for name in PROFILE_FOLDERS) if root]
    found = [folder / method] if "/" in method else [root / method for root in roots]
    chosen = next((path for path in found if path.is_dir()), None)
    if chosen is None:
        there = [f"{root.name}/{path.name}" for root in roots for path in sorted(root.iterdir()) if path.is_dir()]
        raise FileNotFoundError(
            f"{folder}: expected the boundaries of {method!r} in {', '.join(PROFILE_FOLDERS)}. "
            f"Received: {', '.join(there) or describe(folder)}. Name one of them as `method`."
        )
    return chosen


def _cyprus_folders(folder):
    """List the folders that hold a `.CRI` or an `.scl`, by name."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    found = [path for path in found if any(file.suffix.lower() in (".cri", ".scl") for file in path.iterdir())]
    return sorted(found, key=lambda path: natural_key(path.name))


def _cyprus_files(folder):
    files = [child(folder, folder.name + suffix) for suffix in (".cri", ".scl")]
    if None in files:
        raise FileNotFoundError(
            f"{folder}: expected {folder.name}.CRI and {folder.name}.scl. Received: {describe(folder)}."
        )
    return files


def _copied(scl):
    """Name the images without a measurement of their own whose points are another image's."""
    read = {name: read_scl(path) for name, path in scl.items()}
    points = [points.tobytes() for points, _, _ in read.values()]
    return [name for name, (own, _, imt_mm) in read.items() if imt_mm == 0 and points.count(own.tobytes()) > 1]
