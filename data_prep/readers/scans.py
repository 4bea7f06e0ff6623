"""From the files of one carotid image to a `Scan`, and from scans to a `Cohort`; for every layout."""

from functools import partial

from data_prep.cohort import Cohort, Scan, Subject
from data_prep.readers.images import GREY_MODES, natural_key, read_grey, read_size
from data_prep.readers.rois import LEAST_COLUMNS, rois_from_span

MAX_FAULTS_SHOWN = 20


def build_scan(path, read, files, mm_per_pixel, place_rois=rois_from_span):
    """Read an image's header and boundaries, and lay its ROIs.

    Parameters
    ----------
    path : Path
        Of the image.
    read : callable
        Called as read(*files, (height, width)); returns the interfaces, shape (2, width).
    files : tuple of Path
    mm_per_pixel : float
    place_rois : callable
        Called as place_rois(interfaces, (height, width)).

    Returns
    -------
    Scan
    """
    shape = read_size(path, GREY_MODES)
    read_interfaces = partial(read, *files, shape)
    rois = place_rois(read_interfaces(), shape)
    return Scan(path.stem, partial(read_grey, path), read_interfaces, mm_per_pixel, rois)


def build_cohort(name, scans, subject_of, caveats, anonymous=False):
    """Put the scans of each subject together; scans without ROI are left out, and counted in a caveat."""
    subjects = {}
    for scan in scans:
        if scan.rois:
            subjects.setdefault(subject_of[scan.name], []).append(scan)
    left_out = sum(not scan.rois for scan in scans)
    if left_out:
        caveats = [
            *caveats,
            f"{left_out} images left out: fewer than {LEAST_COLUMNS} columns delineated without a break",
        ]
    if not subjects:
        raise ValueError(f"{name}: expected images that can be used. Received: {len(scans)}; {'; '.join(caveats)}.")
    ordered = sorted(subjects, key=natural_key)
    return Cohort(
        name, tuple(Subject(key, tuple(subjects[key])) for key in ordered), tuple(caveats), anonymous=anonymous
    )


def read_each(read, items):
    """Read every item, and only then complain: the one fault as it is, several in one list."""
    found, faults = [], []
    for item in items:
        try:
            found.append(read(item))
        except (ValueError, OSError) as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        shown = "\n".join(map(str, faults[:MAX_FAULTS_SHOWN]))
        more = f"\n... and {len(faults) - MAX_FAULTS_SHOWN} more" if len(faults) > MAX_FAULTS_SHOWN else ""
        raise ValueError(f"{len(faults)} of {len(items)} images cannot be used:\n{shown}{more}")
    return found


def require_file(path, image):
    """Refuse a missing file, naming it and the image that needs it."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected this file beside the image {image.name}. Received: no such file.")
