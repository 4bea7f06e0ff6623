"""The direction of the vessel at a candidate embolus, by principal components of what lies around it.

Points are (slice, row, column) in voxels; directions are unit vectors of the same order in millimetres, so that voxels
need not be cubes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

REACH_MM = 7.5
"""Half of the local box of 15 mm (METHODS A3); a ball of this radius, because a box's corners pull the axis."""

BRANCHING = 1.5
"""Elongation below which no axis stands out (METHODS A3)."""

CONTRAST_HU, TISSUE_HU, FAT_HU = 130, 50, -50
"""Voxels above the first hold contrast agent; clots, muscle and nodes lie about the second, and above the third."""

CLOT_MM = 3.0
"""Where no region is given, soft voxels as near as this to a candidate in the dark count as its clot."""

THIN_MM, THIN_HU = 4.0, 400
"""What is narrower than the first and by the second brighter than its surroundings is a vessel in lung, though its
peak be below half of the blood's: one of 2 mm reaches 0 HU or so. The chest wall and the hilum are wider."""

BLUR_MM = 1.0
"""Added to a vessel's extent along every direction, so that a few noisy voxels have none that stands out."""


@dataclass(frozen=True, eq=False)
class Axes:
    """Local directions of vessels.

    Attributes
    ----------
    directions : ndarray of shape (n, 3, 3), float32
        Rows v1 (along the vessel), v2 and v3 (across it, the wider way first): unit vectors in millimetres of (slice,
        row, column), with determinant 1. The largest component of v1 and of v2 is positive.
    elongation : ndarray of shape (n,), float32
        Variance along v1 over variance along v2, at least 1.
    """

    directions: np.ndarray
    elongation: np.ndarray

    @property
    def branching(self):
        """Whether no axis stands out: at a branching, or in a vessel as wide as the ball; (n,), bool."""
        return self.elongation < BRANCHING

    def __len__(self):
        return len(self.directions)


def find_axes(voxels, spacing_mm, points, regions=None, reach_mm=REACH_MM):
    """Find the direction of the vessel at each candidate (METHODS A3), the clot included.

    Within a ball, a vessel is what is brighter than 130 HU and than half way from soft tissue (50 HU) to the local
    blood, the third quartile of what passes the first, and what is thin in lung. The candidate's clot joins it, so
    that it does not hollow the vessel, and the connected part that holds the candidate is taken. The ball is centred
    at the candidate, not at the vessel: what it cuts from a straight tube is symmetric about the tube's cross-section,
    so a candidate beside the axis does not tilt it. Where no axis stands out, a ball of twice the radius is tried:
    arteries of 12 mm and more fill the small one.

    Tubes of 1 to 7 mm radius at random angles, in lung or tissue, with noise of a tenth of their contrast and with or
    without a clot: 0.6 degrees of error in the median, less than 3 at most. Three arms of 2 mm, 120 degrees apart,
    have an elongation of 1.0; an artery of 2 mm with a side branch as wide has 2.1 and is not flagged.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns)
        Hounsfield units.
    spacing_mm : tuple of float
        Between slices, rows and columns.
    points : array_like of shape (n, 3)
        Candidates, in voxels.
    regions : sequence of n ndarrays of shape (m, 3), int, or None
        Voxels of each candidate's clot, as the candidate generator finds them. Without, the soft voxels about a
        candidate that is not itself in blood, as far as the nearest blood and at least 3 mm.
    reach_mm : float
        Radius of the ball.

    Returns
    -------
    Axes
    """
    spacing = check_spacing(spacing_mm)
    points = check_points(points, voxels.shape)
    if regions is not None and len(regions) != len(points):
        raise ValueError(f"Expected a region for each of {len(points)} points. Received: {len(regions)}.")
    directions = np.empty((len(points), 3, 3), np.float32)
    elongation = np.empty(len(points), np.float32)
    for number, point in enumerate(points):
        region = None if regions is None else np.asarray(regions[number])
        for radius_mm in (reach_mm, 2 * reach_mm):
            places = _vessel_mm(voxels, spacing, point, region, radius_mm)
            directions[number], elongation[number] = _principal(places)
            if elongation[number] >= BRANCHING:
                break
    return Axes(directions, elongation)


def check_spacing(spacing_mm):
    """Return a spacing as an array of shape (3,), float64; raise a ValueError where it is none."""
    spacing = np.asarray(spacing_mm, float)
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise ValueError(
            "A spacing is three positive distances in mm, between slices, rows and columns. "
            f"Received: {spacing_mm!r}. Give one for each axis of the volume."
        )
    return spacing


def check_points(points, shape):
    """Return points as an array of shape (n, 3), float64; raise a ValueError where one is outside the volume."""
    points = np.atleast_2d(np.asarray(points, float)).reshape(-1, np.shape(points)[-1] if np.size(points) else 3)
    if points.shape[1] != 3 or len(shape) != 3:
        raise ValueError(
            "Points are (slice, row, column) in a volume of three axes. "
            f"Received: points of shape {points.shape}, a volume of shape {tuple(shape)}."
        )
    outside = ~((points >= -0.5) & (points <= np.asarray(shape) - 0.5)).all(axis=1)
    if outside.any():
        raise ValueError(
            f"Points must lie in the volume of shape {tuple(shape)}. Received: {points[outside][0].tolist()}. "
            "They are (slice, row, column) in voxels, not millimetres."
        )
    return points


def _vessel_mm(voxels, spacing, point, region, reach_mm):
    """Find the voxels of the vessel and clot at a candidate: their places about it in mm, (m, 3)."""
    low = np.maximum(np.ceil(point - reach_mm / spacing), 0).astype(int)
    high = np.minimum(np.floor(point + reach_mm / spacing) + 1, voxels.shape).astype(int)
    box = voxels[tuple(map(slice, low, high))].astype(np.int32)
    axes = [(np.arange(a, b) - p) * step for a, b, p, step in zip(low, high, point, spacing, strict=True)]
    distance = np.sqrt(sum(np.square(along) for along in np.ix_(*axes)))
    inside = distance <= reach_mm
    here = tuple(np.clip(np.rint(point).astype(int) - low, 0, np.array(box.shape) - 1))
    vessel = _bright(box, inside, spacing) & inside
    if region is not None:
        vessel |= _mask(region - low, box.shape) & inside
    elif not vessel[here]:
        # A millimetre into the blood, so that the clot is connected with it.
        nearest = distance[vessel].min() + 1 if vessel.any() else 0
        vessel |= inside & (box > FAT_HU) & (distance <= max(CLOT_MM, nearest))
    vessel[here] = True
    parts, _ = ndimage.label(vessel, np.ones((3, 3, 3)))
    return np.stack([along[k] for along, k in zip(axes, np.nonzero(parts == parts[here]), strict=True)], axis=1)


def _bright(box, inside, spacing):
    """Tell which voxels of a box are blood; the local blood is looked for inside."""
    blood = box[inside & (box > CONTRAST_HU)]
    threshold = max(CONTRAST_HU, (TISSUE_HU + np.percentile(blood, 75)) / 2 if blood.size else 0)
    opening = 2 * np.rint(THIN_MM / spacing / 2).astype(int) + 1
    return (box > threshold) | (box - ndimage.grey_opening(box, opening) > THIN_HU)


def _mask(places, shape):
    mask = np.zeros(shape, bool)
    mask[tuple(places[((places >= 0) & (places < shape)).all(axis=1)].T)] = True
    return mask


def _principal(places):
    """Find directions by descending variance, right-handed, and the ratio of the two largest variances."""
    spread = places - places.mean(axis=0)
    covariance = spread.T @ spread / len(places) + BLUR_MM**2 * np.eye(3)
    variances, vectors = np.linalg.eigh(covariance)
    first, second = (vector * np.sign(vector[np.abs(vector).argmax()]) for vector in vectors.T[:0:-1])
    return np.stack([first, second, np.cross(first, second)]), variances[2] / variances[1]
