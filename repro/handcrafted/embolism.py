"""The handcrafted rival of pulmonary embolism: describe each candidate by numbers, for a multi-instance classifier.

The paper's rival (ref. 60, Liang and Bi 2007; METHODS A2) reads the same candidates as the networks by features of
vessel, shape, Haralick texture and wavelets. Its list of features is not public; this one says in numbers what a
radiologist looks for: a dark place (20 to 100 HU) inside a bright vessel, contrast on all of its sides, along the
vessel. What is dark on one side of a vessel only is a lymph node, a wall or the lung.

All is measured in millimetres around the candidate, on cubes of 20 mm, and nothing changes when the patient is
mirrored. `repro.handcrafted.multi_instance` learns from the numbers; its `fit` stands here, too.
"""

from itertools import product

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from data_prep.vessel_patches import views
from repro.handcrafted.multi_instance import fit
from repro.handcrafted.textures import DETAILS, HARALICK, haralick, wavelet_energies

__all__ = ["FEATURES", "GROUPS", "describe", "fit"]

SCALES_MM = (1.0, 1.75, 3.0)
PLANES = ("longitudinal", "cross-section")
_PARTS = {
    "intensity": (
        *(f"{part} {what}" for part in ("inside", "shell") for what in ("mean", "sd", "p5", "p50", "p95")),
        *("contrast", "contrast to noise", "bright shell", "air in shell", "one-sidedness"),
    ),
    "shape": ("log volume", "log length", "second axis", "third axis", "sphericity", "log alignment"),
    "vessel": (
        *("lumen radius", "tissue radius", "share of lumen", "depth", "log elongation"),
        *(f"{what} {scale} mm" for what in ("vesselness", "darkness") for scale in SCALES_MM),
    ),
    "Haralick": tuple(f"{plane} {what}" for plane in PLANES for what in HARALICK),
    "wavelet": tuple(f"{plane} {what}" for plane in PLANES for what in DETAILS),
}
GROUPS = {group: tuple(f"{group}: {name}" for name in names) for group, names in _PARTS.items()}
"""Names of the features by group, in their order."""
FEATURES = tuple(name for names in GROUPS.values() for name in names)
"""Names of the columns that `describe` returns."""

REACH_MM = 10.0
# The nearest millimetre is half clot, half contrast (the scanner's resolution).
SHELL_MM = (1.0, 3.0)
BRIGHT_HU, TISSUE_HU, AIR_HU = 150, -300, -400
# All above is contrast, all below is lung: else a vessel's edge to the lung would drown out any clot.
WINDOW_HU = (-100.0, 500.0)
# Of the scanner, about: keeps ratios of flat regions finite, and vesselness of noise low.
NOISE_HU = 10.0
SMOOTHING_MM = 0.5
NEAR_MM = 5.0

# The middle width of the networks' views, in pixels of half a millimetre.
WIDTH_MM, SIDE_PX = 15.0, 30

# Frangi et al. 1998: weights of plate against line, and of blob against line; the norm that counts as structure.
ALPHA, BETA, STRUCTURE_HU = 0.5, 0.5, 100.0


def describe(voxels, spacing_mm, candidates, axes):
    """Describe candidates by the features named in `FEATURES`.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int16
        Hounsfield units.
    spacing_mm : tuple of float
        Between slices, rows and columns.
    candidates : data_prep.candidates.tobogganing.Candidates
        Its `points`, `regions` and `depth_mm` are read.
    axes : data_prep.vessel_patches.Axes
        Of the same candidates; its `directions` and `elongation` are read.

    Returns
    -------
    ndarray of shape (n, len(FEATURES)), float32
        Finite; the volume is continued by its border's voxels.
    """
    spacing, number = _check(voxels, spacing_mm, candidates, axes), len(candidates.points)
    if not number:
        return np.empty((0, len(FEATURES)), np.float32)
    solid = [_measure(voxels, spacing, candidates, axes, row) for row in range(number)]
    # The middle one of the networks' views, upright; the third channel is the second again.
    one_view = {"widths_mm": (WIDTH_MM,), "shift": 0, "translations": 1, "rotations": 1, "size": SIDE_PX}
    planes = views(voxels, spacing, candidates.points, **one_view, axes=axes, window_hu=WINDOW_HU)
    planes = np.moveaxis(planes[..., :2], -1, 1)
    return np.hstack([solid, haralick(planes), wavelet_energies(planes)]).astype(np.float32)


def _measure(voxels, spacing_mm, candidates, axes, row):
    """Return a candidate's features of intensity, shape and vessel."""
    region = np.asarray(candidates.regions[row])
    cube, first = _cube(voxels, candidates.points[row], spacing_mm)
    return [
        *intensities(voxels, region, spacing_mm),
        *shape(region * spacing_mm, spacing_mm, axes.directions[row, 0]),
        *radii(cube, region - first, spacing_mm),
        candidates.depth_mm[row],
        np.log(np.clip(axes.elongation[row], 1, 1e3)),
        *vesselness(np.clip(cube, *WINDOW_HU), spacing_mm),
    ]


def intensities(voxels, region, spacing_mm):
    """Measure the HU of a region and of the shell around it.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int16
    region : ndarray of shape (m, 3), int
    spacing_mm : ndarray of shape (3,)

    Returns
    -------
    list of float
        Mean, SD and percentiles inside and in the shell's tissue; contrast (shell minus inside), in HU and in SDs;
        shares of the shell that are contrast-filled and air; how one-sided the contrast lies, from 0 to 1.
    """
    inside = voxels[tuple(region.T)].astype(float)
    places = _shell(region, voxels.shape, spacing_mm)
    values = voxels[tuple(places.T)].astype(float)
    tissue, bright = values[values > AIR_HU], values > BRIGHT_HU
    # Nothing around, as where the region fills the volume: then there is no contrast either.
    around = tissue if len(tissue) else inside
    contrast = around.mean() - inside.mean()
    noise = np.sqrt((inside.var() + around.var()) / 2 + NOISE_HU**2)
    shares = np.array([np.count_nonzero(bright), len(values) - len(tissue)]) / max(len(values), 1)
    rays = (places[bright] - region.mean(axis=0)) * spacing_mm
    return [*_statistics(inside), *_statistics(around), contrast, contrast / noise, *shares, _one_sidedness(rays)]


def shape(places_mm, spacing_mm, axis):
    """Measure a region's size and form by its second moments, which are right for any voxel and any direction.

    Sphericity is the compactness of Zunic, Hirota and Martinez-Ortiz 2012: 1 for a ball, less for all else.

    Parameters
    ----------
    places_mm : ndarray of shape (m, 3)
        The voxels' centres.
    spacing_mm : ndarray of shape (3,)
    axis : ndarray of shape (3,)
        Unit vector along the vessel.

    Returns
    -------
    list of float
        Logarithm of the volume (mm3) and of the longest axis' SD (mm), the other two axes as shares of it, sphericity,
        and the logarithm of the extent along the vessel over the extent across.
    """
    volume = len(places_mm) * np.prod(spacing_mm)
    # A voxel is a box, not a point.
    moments = np.cov(places_mm.T, bias=True) + np.diag(spacing_mm**2 / 12)
    third, second, longest = np.sqrt(np.linalg.eigvalsh(moments))
    sphericity = 0.6 * (3 * volume / (4 * np.pi)) ** (2 / 3) / np.trace(moments)
    along = axis @ moments @ axis
    alignment = np.log(along / ((np.trace(moments) - along) / 2)) / 2
    return [np.log(volume), np.log(longest), second / longest, third / longest, sphericity, alignment]


def radii(cube, region, spacing_mm):
    """Measure the vessel that a candidate lies in.

    Parameters
    ----------
    cube : ndarray of shape (s, r, c), float32
        HU around the candidate.
    region : ndarray of shape (m, 3), int
        The candidate's voxels, counted from the cube's first one; some may lie outside the cube.
    spacing_mm : ndarray of shape (3,)

    Returns
    -------
    list of float
        Largest distance (mm) in the region to the border of contrast and clot, and to that of all soft tissue, where
        a vessel meets the lung (at most `REACH_MM`); the clot's share of both within `NEAR_MM`.
    """
    clot = np.zeros(cube.shape, bool)
    clot[tuple(region[np.all((region >= 0) & (region < cube.shape), axis=1)].T)] = True
    smooth = gaussian_filter(cube, SMOOTHING_MM / spacing_mm, truncate=2)
    lumen = clot | (smooth > BRIGHT_HU)
    found = [_radius(mask, clot, spacing_mm) for mask in (lumen, clot | (smooth > TISSUE_HU))]
    near = sum(np.square(place) for place in np.ix_(*_places(cube.shape, spacing_mm))) <= NEAR_MM**2
    return [*found, np.count_nonzero(clot & near) / max(np.count_nonzero(lumen & near), 1)]


def vesselness(cube, spacing_mm):
    """Compute the line filter of Frangi et al. 1998 and the Hessian's middle eigenvalue at a cube's centre.

    The middle eigenvalue says "darkness": above 0 where it is dark in two directions at least, as a clot is, below 0
    on a bright line, near 0 on the wall between two tissues.

    Parameters
    ----------
    cube : ndarray of shape (s, r, c), float32
        Sides are odd.
    spacing_mm : ndarray of shape (3,)

    Returns
    -------
    ndarray of shape (6,)
        Vesselness in [0, 1], then darkness in HU, for each of `SCALES_MM`.
    """
    hessians = np.stack([_hessian(cube, spacing_mm, scale) * scale**2 for scale in SCALES_MM])
    values = np.linalg.eigvalsh(hessians)
    least, middle, most = np.take_along_axis(values, np.argsort(np.abs(values), axis=1), axis=1).T
    tiny = np.finfo(float).tiny
    plate, blob = middle**2 / np.maximum(most**2, tiny), least**2 / np.maximum(np.abs(middle * most), tiny)
    strength = np.square(values).sum(axis=1)
    line = (1 - np.exp(-plate / (2 * ALPHA**2))) * np.exp(-blob / (2 * BETA**2))
    line *= 1 - np.exp(-strength / (2 * STRUCTURE_HU**2))
    return np.concatenate([np.where((middle < 0) & (most < 0), line, 0), values[:, 1]])


def _shell(region, shape, spacing_mm):
    """Return the voxels, (k, 3) int, around a region and inside the volume."""
    margin = np.ceil(SHELL_MM[1] / spacing_mm).astype(int)
    low = np.maximum(region.min(axis=0) - margin, 0)
    outside = np.ones(np.minimum(region.max(axis=0) + margin + 1, shape) - low, bool)
    outside[tuple((region - low).T)] = False
    distance = distance_transform_edt(outside, spacing_mm)
    return np.argwhere((distance > SHELL_MM[0]) & (distance <= SHELL_MM[1])) + low


def _one_sidedness(rays):
    """Return the length of the mean direction of rays (k, 3): 0 where they go everywhere; 1 where there are none."""
    lengths = np.linalg.norm(rays, axis=1, keepdims=True)
    return np.linalg.norm(np.mean(rays / np.maximum(lengths, np.finfo(float).tiny), axis=0)) if len(rays) else 1.0


def _statistics(values):
    return [values.mean(), values.std(), *np.percentile(values, (5, 50, 95))]


def _radius(mask, clot, spacing_mm):
    """Return the largest distance of the clot from the outside of a mask, in mm."""
    if mask.all():
        return REACH_MM
    # To the nearest outer voxel's edge, not to its centre.
    depth = distance_transform_edt(mask, spacing_mm)[clot].max() - np.mean(spacing_mm) / 2
    return min(depth, REACH_MM)


def _hessian(cube, spacing_mm, sigma_mm):
    """Return the second derivatives (3, 3) at the cube's centre of its Gaussian smoothing, in HU/mm2."""
    kernels = [_derivatives(place, sigma_mm) for place in _places(cube.shape, spacing_mm)]
    by_column = cube.astype(float) @ kernels[2].T
    # (slice, row, column's order) to all combinations of orders.
    orders = np.einsum("as,br,src->abc", kernels[0], kernels[1], by_column, optimize=True)
    hessian = np.empty((3, 3))
    for one, other in product(range(3), repeat=2):
        hessian[one, other] = orders[tuple(np.eye(3, dtype=int)[one] + np.eye(3, dtype=int)[other])]
    return hessian


def _derivatives(places_mm, sigma_mm):
    """Return kernels (3, m) of the Gaussian and its derivatives, exact for parabolas however coarse the voxels."""
    # Voxels over twice as wide as the Gaussian would leave it one voxel, which has no derivative.
    gauss = np.exp(-0.5 * np.square(places_mm / max(sigma_mm, (places_mm[1] - places_mm[0]) / 2)))
    gauss /= gauss.sum()
    second, fourth = gauss @ places_mm**2, gauss @ places_mm**4
    curvature = 2 * gauss * (places_mm**2 - second) / (fourth - second**2)
    return np.stack([gauss, gauss * places_mm / second, curvature])


def _places(shape, spacing_mm):
    """Return the coordinates of a cube's voxels from its centre along each axis, in mm."""
    return [(np.arange(side) - side // 2) * step for side, step in zip(shape, spacing_mm, strict=True)]


def _cube(voxels, point, spacing_mm):
    """Return the voxels within `REACH_MM` along each axis, float32, and the place of the first one."""
    reach = np.ceil(REACH_MM / spacing_mm).astype(int)
    first = np.rint(point).astype(int) - reach
    steps = [
        np.clip(np.arange(2 * r + 1) + f, 0, side - 1) for f, r, side in zip(first, reach, voxels.shape, strict=True)
    ]
    return voxels[np.ix_(*steps)].astype(np.float32), first


def _check(voxels, spacing_mm, candidates, axes):
    """Return the spacing as an array, or raise where the parts do not fit together."""
    spacing = np.asarray(spacing_mm, float)
    if np.ndim(voxels) != 3 or spacing.shape != (3,) or not np.all(spacing > 0):
        raise ValueError(
            "Expected a volume (slices, rows, columns) and the three distances between them in mm. "
            f"Received: shape {np.shape(voxels)}, spacing_mm={spacing_mm}."
        )
    counts = [len(part) for part in (candidates.points, candidates.regions, candidates.depth_mm)]
    counts += [len(axes.directions), len(axes.elongation)]
    if len(set(counts)) > 1:
        raise ValueError(
            "Each candidate needs a point, a region, a depth, directions and an elongation. "
            f"Received: {counts}. Find the axes of these candidates."
        )
    return spacing
