"""Colonoscopy frames that are informative or not: public data sets as users download them, each read into a Cohort.

Opening a data set lists its files, holds them against its tables and reads their headers, so that a wrong file is
found before a training; pixels are decoded when a frame is read (`data_prep.readers.checks.check` reads all of them).
Frames are named as their files are, below the folder. Layouts: METHODS part C.
"""

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

from data_prep.readers.duplicates import group_alike
from data_prep.readers.frames import cohort_by_subject, list_frames, make_cohort, match_rows, require_class
from data_prep.readers.images import list_images, natural_key
from data_prep.readers.layout import child, describe, open_folder, unknown_layout
from data_prep.readers.tables import read_phantom, read_rows

# Folders of frames, and whether these are informative.
CLASSES = {
    **{"informative": True, "qualified": True},
    **{"uninformative": False, "non-informative": False, "unqualified": False},
}
ENDO_ANGEL = {"DCNN1/qualified": True, "DCNN1/unqualified": False, "DCNN2/BBPS_23": True, "DCNN2/BBPS_01": False}
HYPER_KVASIR = {"bbps-2-3": True, "bbps-0-1": False, "impacted-stool": False}
OPTIONAL = ("impacted-stool",)
NERTHUS = {"3": True, "2": True, "1": False, "0": False}
NERTHUS_FOLDER = "nerthus-dataset-frames"

SPLIT_FILE = "2_fold_split.csv"
SPLIT_HEADER = "file-name;class-name;split-index"

STAND_IN = "bowel-preparation scores (BBPS 2, 3 against 0, 1) stand in for informative and uninformative"
KNOWN_LAYOUTS = (
    "informative/ + uninformative/ (also qualified/ + unqualified/), with a subjects.csv (header file,subject) where "
    "subjects are known; endo-angel: DCNN1/ + DCNN2/ + labels.csv; HyperKvasir: bbps-0-1/ + bbps-2-3/ somewhere below, "
    f"and {SPLIT_FILE}; Nerthus: {NERTHUS_FOLDER}/ of 0/ 1/ 2/ 3/"
)


def read_frames(folder):
    """Recognise which data set of informative and uninformative frames a folder holds, and read it.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Cohort
        Of `data_prep.cohort.Frame`. Subjects are videos or procedures. A frame of which the data set does not say
        the subject is a subject of its own, named as the frame; the cohort is then `anonymous`, and a caveat says so.

    Raises
    ------
    FileNotFoundError
        When the folder, or a file that it should hold, is missing.
    ValueError
        When the layout is unknown, a table and the folder disagree, a frame is not 8-bit RGB, or frames of one
        subject differ in size; the message names the file, and the line of a table.
    """
    folder = open_folder(folder, KNOWN_LAYOUTS)
    if child(folder, "DCNN1") or child(folder, "DCNN2"):
        return read_endo_angel(folder)
    if any(path.is_dir() and path.name.lower() in CLASSES for path in folder.iterdir()):
        return read_classes(folder)
    if _nerthus_root(folder):
        return read_nerthus(folder)
    if any(name in HYPER_KVASIR for name in _find_hyper_kvasir(folder)):
        return read_hyper_kvasir(folder)
    raise unknown_layout(folder, KNOWN_LAYOUTS)


def read_classes(folder):
    """Read a folder for each class: a user's own data, and phantoms on disk.

    `subjects.csv` (header file,subject) names each frame once, as informative/a.png; an empty subject is unknown, as
    all are without the table. A `phantom.json` with the key `caveat` hands that caveat on, and its `name`.
    """
    files = list_frames(_find_classes(folder))
    table = child(folder, "subjects.csv")
    if table:
        known = match_rows(table, read_rows(table, ("file", "subject")), files)
        files = [replace(file, subject=known[file.name][1]) for file in files]
    phantom = read_phantom(folder)
    caveats = [phantom["caveat"]] if phantom else []
    return cohort_by_subject(phantom.get("name", folder.name), files, caveats)


def read_endo_angel(folder):
    """Read endo-angel: `DCNN1/{qualified,unqualified}`, `DCNN2/{BBPS_01,BBPS_23}`, `labels.csv` (file,label,procedure).

    A procedure is a subject; an empty one is unknown. A file that repeats another byte by byte is left out.
    """
    files = list_frames({name: (folder / name, informative) for name, informative in ENDO_ANGEL.items()})
    table = child(folder, "labels.csv")
    if not table:
        raise FileNotFoundError(
            f"{folder}: expected a labels.csv (header file,label,procedure). Received: {describe(folder)}."
        )
    known = match_rows(table, read_rows(table, ("file", "label", "procedure")), files)
    for name, (line, label, _) in known.items():
        require_class(table, line, name, label)
    files, caveats = _drop_copies([replace(file, subject=known[file.name][2]) for file in files])
    return cohort_by_subject("endo-angel", files, [STAND_IN + " in DCNN2", *caveats])


def read_hyper_kvasir(folder):
    """Read the quality classes of HyperKvasir's labelled images; other classes are passed over.

    There is no subject identity: near-identical frames make one subject, but never across the official split, which
    tests with its fold 1 (`2_fold_split.csv` lies in `official_splits` of the data set's repository, and is looked
    for anywhere below the folder).
    """
    found = {name: _require_single(name, paths) for name, paths in _find_hyper_kvasir(folder).items()}
    missing = [name for name in HYPER_KVASIR if name not in found and name not in OPTIONAL]
    if missing:
        raise FileNotFoundError(f"{folder}: expected folders bbps-0-1 and bbps-2-3 below. Received: no {missing[0]}.")
    table = found.pop(SPLIT_FILE, None)
    files = list_frames({name: (path, HYPER_KVASIR[name]) for name, path in found.items()})
    folds = _read_folds(table, files, found) if table else dict.fromkeys((file.name for file in files), "0")
    groups = _group_within_folds(files, folds)
    caveats = [
        f"no subject identity: near-identical frames count as one subject ({len(files)} frames, "
        f"{len(set(groups.values()))} subjects)",
        STAND_IN + (", impacted stool for uninformative too" if OPTIONAL[0] in found else ""),
        "official split: fold 0 trains, fold 1 tests" if table else f"not the official split: no {SPLIT_FILE} found",
    ]
    test = sorted({groups[name] for name, fold in folds.items() if fold == "1"}, key=natural_key)
    files = [replace(file, subject=groups[file.name]) for file in files]
    return make_cohort("HyperKvasir", files, caveats, test, anonymous=True)


def read_nerthus(folder):
    """Read Nerthus: `nerthus-dataset-frames/<0..3>/bowel_<video>_score_<score>-<part>_<8 digits>.jpg`."""
    root = _nerthus_root(folder)
    files = list_frames({name: (root / name, informative) for name, informative in NERTHUS.items()})
    for number, file in enumerate(files):
        found = re.fullmatch(r"bowel_(\d+)_score_(\d)-\d+_\d{8}", file.path.stem)
        if not found or found[2] != file.path.parent.name:
            raise ValueError(
                f"{file.path}: expected bowel_<video>_score_{file.path.parent.name}-<part>_<8 digits>, the score as "
                f"its folder's name. Received: {file.path.name}."
            )
        files[number] = replace(file, subject=str(int(found[1])))
    caveats = [STAND_IN + "; a score is that of a whole clip", "videos, not patients, are kept apart"]
    return cohort_by_subject("Nerthus", files, caveats)


def _group_within_folds(files, folds):
    """Name the group of near-identical frames of its own fold that each frame belongs to."""
    groups = {}
    for fold in sorted(set(folds.values())):
        groups |= group_alike({file.name: file.path for file in files if folds[file.name] == fold})
    return groups


def _find_classes(folder):
    """List the folders of the known classes, {name: (folder, informative)}; others must hold no images."""
    known = "Known: informative or qualified against uninformative, non-informative or unqualified"
    classes = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith("."):
            continue
        informative = CLASSES.get(path.name.lower())
        if informative is None and not list_images(path):
            continue
        if informative is None or informative in [label for _, label in classes.values()]:
            raise ValueError(f"{path}: expected one folder of images for each of two classes. {known}.")
        classes[path.name] = path, informative
    if len(classes) < 2:
        raise FileNotFoundError(
            f"{folder}: expected a folder for each of two classes. Received: only {next(iter(classes))}. {known}."
        )
    return classes


def _find_hyper_kvasir(folder):
    """Look for the quality classes and the official split anywhere below: {name: [paths]}."""
    found = {}
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [*(name for name in folders if name.lower() in HYPER_KVASIR), *({SPLIT_FILE} & set(names))]:
            found.setdefault(name.lower(), []).append(Path(root) / name)
    return found


def _require_single(name, paths):
    if len(paths) > 1:
        raise ValueError(
            f"{paths[0]}: expected one {name}. Received another: {paths[1]}. Give a folder that holds one."
        )
    return paths[0]


def _nerthus_root(folder):
    """Find the folder that holds 0 to 3; archives nest it in folders of the same name. None where there is none."""
    while inner := child(folder, NERTHUS_FOLDER):
        folder = inner
    return folder if any((folder / name).is_dir() for name in NERTHUS) else None


def _drop_copies(files):
    """Leave out files that repeat another byte by byte, and say so; a copy with another label is an error."""
    kept, copies = {}, []
    for file in files:
        first = kept.setdefault(hashlib.blake2b(file.path.read_bytes()).digest(), file)
        if (first.informative, first.subject) != (file.informative, file.subject):
            raise ValueError(
                f"{file.path}: expected the class and procedure of {first.name}, of which it is a copy. Received: "
                f"{_tell(file)} instead of {_tell(first)}. Correct the table or take one of them away."
            )
        if first is not file:
            copies.append(f"{file.name} repeats {first.name}")
    caveat = f"{len(copies)} of {len(files)} files left out as copies, first: {copies[0]}" if copies else ""
    return list(kept.values()), [caveat] if copies else []


def _tell(file):
    return f"{'informative' if file.informative else 'uninformative'}, procedure {file.subject!r}"


def _read_folds(table, files, classes):
    """Read the fold of each frame, "0" or "1", from the official split, which lists the frames of other classes too."""
    names = {file.path.name: file.name for file in files}
    rows = []
    for line, text in read_rows(table, (SPLIT_HEADER,)):
        file, label, fold = text.split(";") if text.count(";") == 2 else ("", "", "")
        if fold not in ("0", "1"):
            raise ValueError(f"{table}, line {line}: expected {SPLIT_HEADER}, the last 0 or 1. Received: {text!r}.")
        if file in names:
            require_class(table, line, names[file], label)
        if file in names or label.lower() in classes:
            rows.append((line, names.get(file, f"{label}/{file}"), fold))
    folds = {name: fold for name, (_, fold) in match_rows(table, rows, files).items()}
    if len(set(folds.values())) < 2:
        raise ValueError(f"{table}: expected frames in fold 0 and in fold 1. Received: only fold {rows[0][2]}.")
    return folds
