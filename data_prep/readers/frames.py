"""Frames on disk, held against a data set's tables, put together into a cohort; for every layout of frame quality."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data_prep.cohort import Cohort, Frame, Subject
from data_prep.readers.images import SUFFIXES, list_images, natural_key, read_pixels, read_size
from data_prep.readers.layout import describe

MODES = ("RGB",)
# A size caveat is given where guessing the label from the image size alone is right for so many more of the frames than
# always guessing the larger class.
MIN_SIZE_GAIN = 0.05


@dataclass(frozen=True)
class FrameFile:
    """One frame on disk, known from its name, its header and the data set's tables.

    Attributes
    ----------
    name : str
        Its path below the data set's folder, with suffix, as tables write it.
    path : Path
    informative : bool
    size : tuple of int
        Height and width in pixels.
    subject : str
        "" where it is unknown.
    """

    name: str
    path: Path
    informative: bool
    size: tuple[int, int]
    subject: str = ""


def list_frames(classes):
    """List the frames of each class and read their headers.

    Parameters
    ----------
    classes : dict of str to tuple
        By name below the data set's folder: the folder, and whether its frames are informative.

    Returns
    -------
    list of FrameFile
        In the order of the classes, then in natural order.

    Raises
    ------
    FileNotFoundError
        When a folder is missing, holds no image, or holds folders.
    ValueError
        When a file is not an 8-bit RGB image.
    """
    files = []
    for name, (folder, informative) in classes.items():
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: expected a folder of frames. Received: {describe(folder.parent)}.")
        paths = list_images(folder).values()
        nested = any(path.is_dir() and not path.name.startswith(".") for path in folder.iterdir())
        if nested or not paths:
            raise FileNotFoundError(
                f"{folder}: expected images ({', '.join(SUFFIXES)}), and no folders. Received: {describe(folder)}."
            )
        files += [FrameFile(f"{name}/{path.name}", path, informative, read_size(path, MODES)) for path in paths]
    return files


def match_rows(table, rows, files):
    """Hold a table against the folder: each frame on disk stands in it once, and it names no other.

    Parameters
    ----------
    table : Path
    rows : list of tuple
        Line, name of the frame, and more values.
    files : list of FrameFile

    Returns
    -------
    dict of str to tuple
        Line and the further values of each frame.

    Raises
    ------
    ValueError
        When a name is missing, or stands there twice.
    FileNotFoundError
        When the table names a frame that is not on disk, or leaves one out.
    """
    names = {file.name for file in files}
    known = {}
    for line, written, *more in rows:
        name = written.replace("\\", "/").removeprefix("./")
        if not name or name in known:
            raise ValueError(
                f"{table}, line {line}: expected each frame once. Received: {written!r}{' again' * bool(name)}."
            )
        if name not in names:
            raise FileNotFoundError(
                f"{table}, line {line}: expected a frame on disk, as {files[0].name!r}. Received: {written!r}, no such "
                "image."
            )
        known[name] = line, *more
    unlisted = [file.name for file in files if file.name not in known]
    if unlisted:
        raise FileNotFoundError(
            f"{table}: expected every frame on disk in the table. Received: {len(unlisted)} without a line, first "
            f"{unlisted[0]!r}. Add them or take the files away."
        )
    return known


def require_class(table, line, name, label):
    """Raise a ValueError when a table's label is not the name of the frame's folder."""
    folder = name.split("/")[-2]
    if label.lower() != folder.lower():
        raise ValueError(
            f"{table}, line {line}: expected the label {folder!r}, the folder of {name!r}. Received: {label!r}."
        )


def cohort_by_subject(name, files, caveats):
    """Make a cohort of frames whose subjects are known, or some of them.

    Parameters
    ----------
    name : str
    files : list of FrameFile
        Where the subject is unknown, the frame becomes a subject of its own, and a caveat says so.
    caveats : list of str

    Returns
    -------
    Cohort

    Raises
    ------
    ValueError
        When frames of one subject differ in size: a procedure has one endoscope.
    """
    _require_one_size(files)
    unknown = sum(not file.subject for file in files)
    if unknown:
        caveat = f"no subject identity for {unknown} of {len(files)} frames: each counts as a subject of its own"
        caveats = [*caveats, caveat]
    return make_cohort(name, files, caveats, anonymous=unknown > 0)


def make_cohort(name, files, caveats, test=(), anonymous=False):
    """Make a cohort, its subjects and each subject's frames in natural order.

    Parameters
    ----------
    name : str
    files : list of FrameFile
    caveats : list of str
        Another is added where the size of the images gives the label away.
    test, anonymous
        As those of a `Cohort`.

    Returns
    -------
    Cohort
    """
    groups = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        groups.setdefault((bool(file.subject), file.subject or file.name), []).append(file)
    subjects = [
        Subject(subject, tuple(_frame(file) for file in groups[known, subject]))
        for known, subject in sorted(groups, key=lambda key: natural_key(key[1]))
    ]
    return Cohort(name, tuple(subjects), (*caveats, *_size_caveat(files)), tuple(test), anonymous)


def _require_one_size(files):
    first = {}
    for file in files:
        other = first.setdefault(file.subject or file.name, file)
        if other.size != file.size:
            raise ValueError(
                f"{file.path}: expected {_pixels(other.size)}, as {other.name} of the same subject {file.subject!r}. "
                f"Received: {_pixels(file.size)}. Are they of one endoscope? Correct the subjects or the images."
            )


def _frame(file):
    return Frame(file.name, partial(read_pixels, file.path, modes=MODES), file.informative)


def _size_caveat(files):
    """Say so when the label can be guessed from the image size, which a network may then learn instead."""
    total = Counter(file.size for file in files)
    informative = Counter(file.size for file in files if file.informative)
    right = sum(max(informative[size], total[size] - informative[size]) for size in total)
    larger = max(informative.total(), total.total() - informative.total())
    if right - larger <= MIN_SIZE_GAIN * len(files):
        return []
    common = [f"{_pixels(size)}: {informative[size]} of {number} informative" for size, number in total.most_common(2)]
    return [
        f"image size alone tells the label of {right} of {len(files)} frames ({'; '.join(common)}), so that a network "
        "may learn the resolution"
    ]


def _pixels(size):
    return f"{size[1]}x{size[0]} pixels"
