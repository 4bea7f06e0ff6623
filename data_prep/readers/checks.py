"""Read a whole cohort once to find every fault, and describe a folder's content in a few letters."""

import functools
import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from data_prep.cohort import Image, Scan, Volume
from data_prep.readers.colonoscopy import read_colonoscopy
from data_prep.readers.hounsfield import BODY_HU

MAX_FAULTS_SHOWN = 20
# Emboli lie in vessels. An outline may take some lung along; half of it in air is one laid on other slices.
MAX_SHARE_IN_AIR = 0.5


def check(cohort, progress=None):
    """Read every image and its truth once, one after the other.

    What pixels and truth cannot say on their own is compared: their shapes, and whether the emboli of a volume lie in
    air, as they do when the label map belongs to other slices.

    Parameters
    ----------
    cohort : Cohort
    progress : callable, optional
        Called as progress(done, total) after each image.

    Returns
    -------
    int
        Number of images read.

    Raises
    ------
    ValueError
        Lists the faults of all images, the first 20 in full.
    """
    images = [(subject.name, image) for subject in cohort.subjects for image in subject.images]
    faults = []
    for done, (subject, image) in enumerate(images, 1):
        faults += _faults(subject, image)
        if progress:
            progress(done, len(images))
    if faults:
        more = f"\n... and {len(faults) - MAX_FAULTS_SHOWN} more" if len(faults) > MAX_FAULTS_SHOWN else ""
        shown = "\n".join(faults[:MAX_FAULTS_SHOWN])
        raise ValueError(f"{cohort.name}: {len(faults)} of {len(images)} images cannot be used:\n{shown}{more}")
    return len(images)


def fingerprint(folder, read=read_colonoscopy):
    """Describe what a reader takes from a folder, so that a run made from other data has another name.

    Parameters
    ----------
    folder : str or Path
    read : callable
        Turns the folder into a Cohort whose images read their files through `functools.partial`.

    Returns
    -------
    str
        16 hexadecimal digits of BLAKE2b over subjects, images, their files' names and contents, what else is known of
        each image (its label, its scale), and the data set's own split. Where the folder lies does not count, nor
        do files that are not read (contours, read-me files).
    """
    root = Path(folder).resolve()
    digest = hashlib.blake2b(digest_size=8)
    content = functools.cache(_content)  # all frames of a video share one file
    cohort = read(folder)
    for subject in cohort.subjects:
        for image in subject.images:
            sources, known = _sources(image)
            for path in sources:
                name = path.relative_to(root).as_posix()
                digest.update(f"{subject.name}\0{image.name}\0{name}\0".encode())
                digest.update(content(path))
            digest.update("".join(f"{value!r}\0" for value in known).encode())
    digest.update("\0".join(cohort.test).encode())
    return digest.hexdigest()


def _faults(subject, image):
    """Return what is wrong with one image, at most one sentence."""
    try:
        pixels = image.read_voxels() if isinstance(image, Volume) else image.read_pixels()
        kind, expected, truth = _truth(image, pixels)
    except (ValueError, OSError) as error:
        return [str(error)]
    if truth.shape != expected:
        return [f"{subject}/{image.name}: expected a {kind} of shape {expected}. Received: {truth.shape}."]
    if isinstance(image, Volume) and image.read_truth:
        return _misplaced(f"{subject}/{image.name}", pixels, truth)
    return []


def _misplaced(name, voxels, truth):
    """Return what is wrong with where the emboli lie, at most one sentence."""
    inside = voxels[truth > 0]
    share = np.mean(inside < BODY_HU) if inside.size else 0
    if share <= MAX_SHARE_IN_AIR:
        return []
    return [
        f"{name}: expected emboli in vessels. Received: {share:.0%} of their voxels below {BODY_HU} HU, in lung. "
        "Does the label map belong to this volume, with its slices in the same order?"
    ]


def _truth(image, pixels):
    """Read what an image holds beside its pixels: its kind, the shape it should have, and itself; a frame: pixels."""
    if isinstance(image, Image):
        return "mask", pixels.shape[:2], image.read_truth()
    if isinstance(image, Scan):
        return "pair of interfaces", (2, pixels.shape[1]), image.read_interfaces()
    if isinstance(image, Volume):
        return "label map", pixels.shape, image.read_truth() if image.read_truth else pixels
    return "frame", (*pixels.shape[:2], 3), pixels


def _sources(image):
    """Return the files behind an image, the paths handed to its readers, and what else is known of it."""
    values = [getattr(image, field.name) for field in fields(image) if field.name != "name"]
    paths = [part for value in values if callable(value) for part in value.args if isinstance(part, Path)]
    return paths, [value for value in values if not callable(value)]


def _content(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
