"""Whether the slices of a DICOM folder make one even stack; what does not is an error with the names of the files."""

from collections import Counter

import numpy as np

MIN_SLICES = 3
# Of the median distance between slices. Positions are rounded to .01 mm by some scanners, 2 % of .5 mm.
MAX_UNEVENNESS = 0.1
# Positions that differ by less are the same.
SAME_POSITION_MM = 0.01
MAX_SHIFT_BETWEEN_SLICES = 0.02  # of the distance: a gantry tilted by 1 degree
MAX_SHOWN = 3


def require_one_series(slices, folder):
    """Refuse slices of several series, of another modality than CT, or of different size, spacing or orientation.

    Parameters
    ----------
    slices : list of data_prep.readers.dicom.Slice
    folder : Path
        For the text of an error.

    Raises
    ------
    ValueError
    """
    counts = Counter((one.series, one.modality) for one in slices)
    if len(counts) > 1:
        listed = "; ".join(
            f"{series} ({modality}): {count} files, first "
            + next(one.path.name for one in slices if one.series == series)
            for (series, modality), count in counts.most_common()
        )
        raise ValueError(
            f"{folder}: expected the files of one series. Received: {len(counts)}, by SeriesInstanceUID: {listed}. "
            "Put each into a folder of its own, and keep the CT angiogram."
        )
    [(_, modality)] = counts
    if modality != "CT":
        raise ValueError(
            f"{folder}: expected a CT series. Received: modality {modality!r}. Only CT is in Hounsfield units."
        )
    if len(slices) < MIN_SLICES:
        raise ValueError(
            f"{folder}: expected at least {MIN_SLICES} slices. Received: {len(slices)}. Is it a scout image?"
        )
    _require_alike(slices)


def _require_alike(slices):
    first = slices[0]
    for one in slices[1:]:
        for name in ("shape", "spacing_mm", "along_row", "along_column"):
            if not np.allclose(getattr(one, name), getattr(first, name), atol=1e-3):
                expected, received = (np.asarray(getattr(each, name)).tolist() for each in (first, one))
                raise ValueError(
                    f"{one.path}: expected {name} {expected}, as {first.path.name}. Received: {received}. "
                    "Put slices of one kind into a folder of their own."
                )


def stack(slices, folder):
    """Sort the slices of a series by position, along row x column.

    Parameters
    ----------
    slices : list of data_prep.readers.dicom.Slice
    folder : Path

    Returns
    -------
    slices : list of Slice
    matrix : ndarray of shape (3, 4), float64
        From (slice, row, column, 1) to x, y, z in mm.

    Raises
    ------
    ValueError
        When two slices lie at one position, one is missing, distances are uneven or the stack leans.
    """
    first = slices[0]
    normal = np.cross(first.along_row, first.along_column)
    slices = sorted(slices, key=lambda one: float(one.position_mm @ normal))
    positions = np.array([one.position_mm for one in slices])
    _require_even(slices, np.diff(positions @ normal), folder)
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    aside = step - (step @ normal) * normal
    if np.linalg.norm(aside) > MAX_SHIFT_BETWEEN_SLICES * np.linalg.norm(step):
        degrees = np.degrees(np.arctan2(np.linalg.norm(aside), step @ normal))
        raise ValueError(
            f"{folder}: expected slices straight above each other. Received: a stack that leans by {degrees:.1f} "
            "degrees, a scan with a tilted gantry. Resample it to a straight grid."
        )
    row_mm, column_mm = first.spacing_mm
    return slices, np.column_stack([step, first.along_column * row_mm, first.along_row * column_mm, positions[0]])


def _require_even(slices, gaps_mm, folder):
    """Refuse slices at the same position, and gaps; `gaps_mm` lie between each slice and the next."""
    doubled = np.flatnonzero(gaps_mm < SAME_POSITION_MM)
    if len(doubled):
        pairs = ", ".join(f"{slices[k].path.name} and {slices[k + 1].path.name}" for k in doubled[:MAX_SHOWN].tolist())
        raise ValueError(
            f"{folder}: expected each slice once. Received: {len(doubled)} doubled slices at the position of another: "
            f"{pairs}. Take copies away, and put two reconstructions into two folders."
        )
    step_mm = float(np.median(gaps_mm))
    uneven = np.flatnonzero(np.abs(gaps_mm - step_mm) > MAX_UNEVENNESS * step_mm)
    if len(uneven):
        missing = int(np.round(gaps_mm[uneven] / step_mm - 1).clip(0).sum())
        places = ", ".join(
            f"{gaps_mm[k]:.3g} mm between {slices[k].path.name} and {slices[k + 1].path.name}"
            for k in uneven[:MAX_SHOWN].tolist()
        )
        raise ValueError(
            f"{folder}: expected a slice every {step_mm:.3g} mm. Received: {places}; {missing} missing slices. "
            "Fetch the whole series again, or resample it to even distances."
        )
