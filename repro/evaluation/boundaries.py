"""Errors of the lumen-intima (LI) and media-adventitia (MA) interface, and of the thickness between them (IMT).

The paper's error is the mean distance in micrometres to the experts' line, each interface apart; its thickness is
the mean vertical distance of the two lines (section 2). Rows are in pixels; NaN where a line was not drawn.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Contours:
    """Found and true interfaces of all ROIs of a test set: plain arrays, for `numpy.savez`.

    Attributes
    ----------
    subject : ndarray of shape (rois,), int
        Index into `subjects` of each ROI.
    roi : ndarray of shape (rois,), str
        Names.
    um_per_pixel : ndarray of shape (rois,), float
        Side of a pixel.
    fallback : ndarray of shape (rois, 2), bool
        Whether a spline stood in for the snake of LI, of MA.
    point_roi : ndarray of shape (points,), int
        ROI of each point.
    column : ndarray of shape (points,), int
        Column of the image.
    found : ndarray of shape (points, 2), float
        Rows of LI, MA in the image; finite.
    truth : ndarray of shape (points, 2), float
        The experts' rows; NaN where they drew none.
    subjects : tuple of str
    example : ndarray of shape (rows, columns, 2), float
        The confidence maps of the first ROI in all of its columns, for Figure 8; no columns where they were not kept.

    Raises
    ------
    ValueError
        When shapes differ, an index points nowhere, a found row is not finite, a pixel has no size, or an ROI has
        no true point of one of the interfaces.
    """

    subject: np.ndarray
    roi: np.ndarray
    um_per_pixel: np.ndarray
    fallback: np.ndarray
    point_roi: np.ndarray
    column: np.ndarray
    found: np.ndarray
    truth: np.ndarray
    subjects: tuple[str, ...]
    example: np.ndarray

    def __post_init__(self):
        rois, points = len(self.roi), len(self.point_roi)
        _check_shape((rois,), subject=self.subject, roi=self.roi, um_per_pixel=self.um_per_pixel)
        _check_shape((rois, 2), fallback=self.fallback)
        _check_shape((points,), point_roi=self.point_roi, column=self.column)
        _check_shape((points, 2), found=self.found, truth=self.truth)
        _check_index("subject", self.subject, len(self.subjects))
        _check_index("point_roi", self.point_roi, rois)
        if not np.all(np.isfinite(self.found)) or not np.all(np.asarray(self.um_per_pixel) > 0):
            raise ValueError(
                f"Found rows must be finite and pixels have a size. Received: {np.sum(~np.isfinite(self.found))} rows "
                f"that are not, smallest um_per_pixel {np.min(self.um_per_pixel)}. Look for a snake that diverged."
            )
        self._check_truth()

    def _check_truth(self):
        drawn = [
            np.bincount(self.point_roi, weights=np.isfinite(line), minlength=len(self.roi)) for line in self.truth.T
        ]
        missing = np.asarray(self.roi)[np.min(drawn, axis=0) == 0]
        if missing.size:
            raise ValueError(
                f"Every ROI needs a true point of LI and of MA. Received none for: {missing[:5].tolist()}. "
                "Leave out ROIs that the experts did not delineate."
            )


def boundary_error(found, truth, um_per_pixel):
    """Compute the mean vertical distance of a found line to the true one.

    Parameters
    ----------
    found, truth : array of shape (columns,), float
        Rows of one interface in the same columns, in pixels. Columns without truth (NaN) are left out.
    um_per_pixel : float

    Returns
    -------
    float
        In micrometres.

    Raises
    ------
    ValueError
        When shapes differ, there is no truth, or a found row is missing where there is.
    """
    found, truth = _lines(found, truth)
    drawn = np.isfinite(truth)
    if not drawn.any() or not np.isfinite(found[drawn]).all():
        raise ValueError(
            "The error of a line needs a found row in each column that has a true one, and at least one. "
            f"Received: {np.sum(drawn)} true rows, {np.sum(~np.isfinite(found[drawn]))} of them without a found one."
        )
    return float(np.mean(np.abs(found[drawn] - truth[drawn])) * um_per_pixel)


def imt(li, ma, um_per_pixel, kind="vertical", columns=None):
    """Compute the intima-media thickness.

    Parameters
    ----------
    li, ma : array of shape (columns,), float
        Rows of the interfaces in the same columns, in pixels; columns where one is NaN are left out.
    um_per_pixel : float
    kind : {"vertical", "polyline"}
        The paper's mean vertical distance; negative where MA lies above LI. Or the distance of polylines that
        CUBS reports: the mean distance from the vertices of each line to the nearest segment of the other (Suri et
        al., Pattern Anal. Appl. 2000). By it a wall that slopes is thinner by the cosine of its angle, and no
        thickness is negative.
    columns : array of shape (columns,), float
        Where the columns lie, in pixels, for polylines. Default: one beside the other.

    Returns
    -------
    float
        In micrometres.
    """
    li, ma = _lines(li, ma)
    both = np.isfinite(li) & np.isfinite(ma)
    if not both.any():
        raise ValueError("Thickness needs a column that has LI and MA. Received none.")
    if kind == "vertical":
        return float(np.mean(ma[both] - li[both]) * um_per_pixel)
    if kind != "polyline":
        raise ValueError(f'kind must be "vertical" or "polyline". Received: {kind!r}.')
    columns = np.arange(li.size) if columns is None else np.asarray(columns)
    upper, lower = (np.stack([line[both], columns[both]], axis=1).astype(float) for line in (li, ma))
    distances = np.concatenate([_to_polyline(upper, lower), _to_polyline(lower, upper)])
    return float(np.mean(distances) * um_per_pixel)


def roi_errors(contours):
    """Compute the `boundary_error` of each ROI; ndarray of shape (rois, 2), float: LI, MA in micrometres."""
    return np.array(
        [
            [boundary_error(found[:, side], truth[:, side], um) for side in range(2)]
            for found, truth, um, _ in _by_roi(contours)
        ]
    )


def roi_imts(contours, kind="vertical"):
    """Compute the thickness found in each ROI and the true one.

    Parameters
    ----------
    contours : Contours
    kind : {"vertical", "polyline"}
        See `imt`. Both thicknesses are taken over the columns in which both true lines were drawn.

    Returns
    -------
    ndarray of shape (rois, 2), float
        Found and true, in micrometres.
    """
    thickness = []
    for found, truth, um, columns in _by_roi(contours):
        drawn = np.isfinite(truth).all(axis=1)
        thickness.append([imt(*line[drawn].T, um, kind, columns[drawn]) for line in (found, truth)])
    return np.array(thickness)


def imt_errors(contours, kind="vertical"):
    """Compute by how much the thickness found in each ROI exceeds the true one; parameters as for `roi_imts`.

    Returns
    -------
    ndarray of shape (rois,), float
        In micrometres; below zero where the wall was found too thin.
    """
    found, true = roi_imts(contours, kind).T
    return found - true


def _by_roi(contours):
    """Yield found (points, 2), truth (points, 2), um_per_pixel and columns (points,) of each ROI, left to right."""
    for number, um in enumerate(contours.um_per_pixel):
        own = np.flatnonzero(contours.point_roi == number)
        own = own[np.argsort(contours.column[own], kind="stable")]
        yield contours.found[own], contours.truth[own], um, contours.column[own]


def _to_polyline(points, line):
    """Return the distance of points (n, 2) to the nearest segment of a line with vertices (m, 2); (n,)."""
    start, along = line[:-1], np.diff(line, axis=0)
    if not len(along):
        return np.linalg.norm(points - line[0], axis=1)
    offset = points[:, None] - start
    share = np.clip(np.sum(offset * along, axis=2) / np.sum(along**2, axis=1), 0, 1)
    return np.linalg.norm(offset - share[..., None] * along, axis=2).min(axis=1)


def _lines(first, second):
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            "Lines are rows, one in each of the same columns. "
            f"Received shapes: {first.shape} and {second.shape}. Hand over one interface at a time."
        )
    return first, second


def _check_shape(expected, **columns):
    wrong = {name: np.shape(column) for name, column in columns.items() if np.shape(column) != expected}
    if wrong:
        raise ValueError(f"Expected shape {expected}: one entry for each ROI or point. Received: {wrong}.")


def _check_index(name, index, size):
    index = np.asarray(index)
    if index.size == 0 or not np.issubdtype(index.dtype, np.integer) or index.min() < 0 or index.max() >= size:
        raise ValueError(
            f"{name} must be whole numbers from 0 to {size - 1}, and there must be some. Received: {index.dtype}, "
            f"{index.size} entries, {index.min(initial=0)} to {index.max(initial=-1)}."
        )
