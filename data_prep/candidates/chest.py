"""Lungs, blood and what may be a clot in a CT pulmonary angiogram: where emboli are looked for (METHODS.md A2).

Thresholds and distances only, nothing is learnt. Whole chests and reduced fields of view, whose lungs touch the border
of the volume, are treated alike: beyond its border lungs and tissue go on as they are there.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

COARSE_MM = 2.5
"""The lungs are large: they are found on a grid of this step."""

AIR_HU = -400
"""Halfway between lung and soft tissue (METHODS.md A2)."""

OUTSIDE_HU = -940
"""Denser is lung, which holds blood; thinner is the air around the body, or the scanner's padding."""

LEAST_LUNG_MM3 = 5000
HILUM_MM = 10
"""Radius of the closing that brings the vessels of the hila back into the lungs (METHODS.md A2)."""

INSIDE_MM = 3
"""Deeper than this in the lungs lie vessels, and neither ribs nor pleura."""

SOFT_HU = 50
"""Soft tissue and clots."""

FAT_HU = -50
"""What is thinner is no clot (METHODS.md A2)."""

NEIGHBOURS = np.array([step for step in np.ndindex(3, 3, 3) if step != (1, 1, 1)]) - 1
"""Steps to the 26 voxels around a voxel."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A volume sampled with the same step in millimetres along all axes.

    Attributes
    ----------
    values : ndarray of shape (slices, rows, columns), float32
    origin : ndarray of shape (3,)
        The first sample, in voxels of the volume that was sampled.
    step : ndarray of shape (3,)
        From one sample to the next, in voxels of that volume.
    """

    values: np.ndarray
    origin: np.ndarray
    step: np.ndarray

    def on(self, other):
        """Interpolate at the samples of another grid of the same volume.

        Parameters
        ----------
        other : Grid

        Returns
        -------
        ndarray of shape `other.values.shape`, float32
            Beyond this grid's own border, what is at the border.
        """
        values = self.values
        for axis, length in enumerate(other.values.shape):
            places = other.origin[axis] + other.step[axis] * np.arange(length)
            values = _interpolate(values, axis, (places - self.origin[axis]) / self.step[axis])
        return values


def sample(voxels, spacing_mm, step_mm, blur_mm, box=None):
    """Blur a part of a volume and sample it with one step along all axes.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int or float
        Hounsfield units; padding below -1024 is taken for air.
    spacing_mm : sequence of 3 floats
    step_mm : float
        From sample to sample.
    blur_mm : float
        Standard deviation of the Gaussian.
    box : tuple of 3 slices, optional
        The part, as bounds in voxels; by default the whole volume.

    Returns
    -------
    Grid
        Centred in the part, so that the mirrored volume has the mirrored samples.
    """
    box = box or tuple(slice(0, length) for length in voxels.shape)
    values = np.maximum(voxels[box], -1024, dtype=np.float32)
    step, origin = step_mm / np.asarray(spacing_mm, float), np.zeros(3)
    for axis, length in enumerate(values.shape):
        count = int((length - 1) / step[axis] + 1e-6) + 1
        origin[axis] = (length - 1 - (count - 1) * step[axis]) / 2
        values = ndimage.gaussian_filter1d(values, blur_mm / spacing_mm[axis], axis, mode="nearest", truncate=3)
        values = _interpolate(values, axis, origin[axis] + step[axis] * np.arange(count))
    return Grid(values, origin + [bounds.start for bounds in box], step)


def _interpolate(values, axis, places):
    """Interpolate linearly along one axis."""
    last = values.shape[axis] - 1
    places = np.clip(places, 0, last)
    below = np.minimum(places.astype(int), max(last - 1, 0))
    weight = np.float32(places - below).reshape([-1 if a == axis else 1 for a in range(3)])
    lower = values.take(below, axis)
    upper = values.take(np.minimum(below + 1, last), axis)
    upper -= lower
    upper *= weight
    lower += upper
    return lower


def measure_depth(voxels, spacing_mm):
    """Measure how deep inside the lungs each place lies.

    The lungs are all air inside the body, windpipe and bronchi included, and what a closing of 10 mm adds: vessels,
    walls of bronchi, hila.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int16
        Hounsfield units.
    spacing_mm : sequence of 3 floats

    Returns
    -------
    Grid
        Of millimetres to the surface of the lungs: positive inside, negative outside.

    Raises
    ------
    ValueError
        Where there is no lung.
    """
    coarse = sample(voxels, spacing_mm, COARSE_MM, COARSE_MM / 2.5)
    margin = int(HILUM_MM / COARSE_MM) + 1
    lungs = np.pad(find_lungs(coarse.values), margin, mode="edge")
    closed = _distance(_distance(~lungs) <= HILUM_MM) > HILUM_MM
    depth = np.where(closed, _distance(closed), -_distance(~closed)).astype(np.float32)
    return Grid(depth, coarse.origin - margin * coarse.step, coarse.step)


def find_lungs(values):
    """Find air inside the body.

    Parameters
    ----------
    values : ndarray of shape (slices, rows, columns), float32
        Hounsfield units, sampled every `COARSE_MM`.

    Returns
    -------
    ndarray of the same shape, bool

    Raises
    ------
    ValueError
        Where the largest part is under 5 ml.
    """
    outside = _find_outside(values)
    air = (values < AIR_HU) & ~outside
    parts, count = ndimage.label(air)
    # Sizes of the cores: a strip of blurred air along the border has none.
    sizes = np.bincount(parts[ndimage.binary_erosion(air)], minlength=count + 1)
    if outside.any():
        large = np.flatnonzero(sizes > sizes.max() / 20)
        shares = _share_of_body(parts, large, _find_body(values, outside))
        # Of a real slice: lungs .70 and .84, the foam of the table .39.
        sizes[large[(shares < 0.5) & (shares < 0.6 * shares.max(initial=0))]] = 0
    largest_mm3 = sizes.max() * COARSE_MM**3
    if largest_mm3 < LEAST_LUNG_MM3:
        raise ValueError(
            f"Expected a chest: at least {LEAST_LUNG_MM3 / 1000:g} ml of air below {AIR_HU} inside the body. Received: "
            f"{largest_mm3 / 1000:.1f} ml, in values from {values.min():.0f} to {values.max():.0f}. Check that the "
            "voxels are Hounsfield units (slope and intercept applied) and that the spacing is in millimetres."
        )
    return (sizes > sizes.max() / 20)[parts]


def _find_outside(values):
    """Find the air that reaches the sides of the volume, and the skin, whose blurred edge looks like lung."""
    parts, _ = ndimage.label(values < OUTSIDE_HU)
    at_sides = np.zeros(parts.max() + 1, bool)
    at_sides[parts[:, [0, -1]]] = at_sides[parts[:, :, [0, -1]]] = True
    at_sides[0] = False
    # Where all of it is little, the field of view is reduced and this is emphysema at its border.
    if (np.bincount(parts.ravel()) * at_sides).max() < values.size / 200:
        return np.zeros(values.shape, bool)
    return spread(spread(at_sides[parts]))


def _find_body(values, outside):
    """Find the largest thing that is 5 mm thick or more, unlike the shell of a table, whose foam looks like lung."""
    thick = ndimage.binary_opening((values > AIR_HU) & ~outside)
    parts, _ = ndimage.label(thick)
    sizes = np.bincount(parts.ravel(), minlength=2)
    sizes[0] = 0
    return spread(parts == sizes.argmax()) if thick.any() else thick


def _share_of_body(parts, numbers, body):
    """Return how much of the voxels next to each numbered part is of the body."""
    shares = []
    for number in numbers:
        part = parts == number
        rim = spread(part) & ~part
        shares.append((body & rim).sum() / rim.sum())
    return np.array(shares)


def _distance(mask):
    """Return the distance in millimetres of each True to the nearest False; 100 where there is none."""
    return np.full(mask.shape, 100.0) if mask.all() else ndimage.distance_transform_edt(mask, COARSE_MM)


def spread(mask):
    """Add to a mask the 18 nearest neighbours of each of its voxels."""
    wide = mask.copy()
    for step in NEIGHBOURS[np.abs(NEIGHBOURS).sum(1) < 3]:
        to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(step, mask.shape, strict=True))
        source = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(step, mask.shape, strict=True))
        wide[to] |= mask[source]
    return wide


def darken(values, depth_mm):
    """Measure how far each voxel is from the level of blood to that of a clot.

    Parameters
    ----------
    values : ndarray of shape (slices, rows, columns), float32
        Hounsfield units.
    depth_mm : ndarray of the same shape
        As `measure_depth` has it.

    Returns
    -------
    darkness : ndarray of the same shape, float32
        0 for blood, 1 for soft tissue; 0 too for lung and fat.
    blood : ndarray of the same shape, bool
        Vessels filled with contrast.
    """
    solid = ~spread(values < AIR_HU)
    level = estimate_blood(values[solid & (depth_mm > INSIDE_MM)])
    blood = keep_vessels(solid & (values > (SOFT_HU + level) / 2), depth_mm)
    darkness = np.clip((level - values) / (level - SOFT_HU), 0, 1)
    darkness[values < FAT_HU] = 0
    return darkness, blood


def keep_vessels(bright, depth_mm):
    """Drop bones from what is bright: connected parts of which less than a hundredth lies in the lungs.

    Parameters
    ----------
    bright : ndarray of shape (slices, rows, columns), bool
    depth_mm : ndarray of the same shape
        As `measure_depth` has it.

    Returns
    -------
    ndarray of the same shape, bool
    """
    parts, count = ndimage.label(bright)
    labels = parts[bright]
    inside = np.bincount(labels, depth_mm[bright] > INSIDE_MM, minlength=count + 1)
    return (inside > np.bincount(labels, minlength=count + 1) / 100)[parts]


def estimate_blood(values):
    """Estimate the level of blood with contrast.

    Starts from what is denser than 100 HU, then repeats: the median of what is denser than halfway between soft tissue
    and blood. Vessels with a clot or blurred into the lung fall below.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        Hounsfield units of voxels in the lungs, hila included, ribs and spine excluded.

    Returns
    -------
    float
        Hounsfield units; 100 where nothing is denser.
    """
    level = 150.0
    for _ in range(10):
        bright = values[values > (SOFT_HU + level) / 2]
        level = float(np.median(bright)) if bright.size else 100.0
    return max(level, 100.0)
