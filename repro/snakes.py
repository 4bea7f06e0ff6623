"""From confidence maps to lines: the row of the maximum in each column, then an open snake (paper, section 2).

One map and one line for each interface. As in the paper LI and MA are found apart: nothing keeps MA below LI, so that
a network that confuses the two is measured, not helped. Rows and columns are in pixels, 0 at the centre of the first.

`skimage.segmentation.active_contour` (0.26) needs care with free ends. The rows of its matrix for them come from no
energy: they leave one negative eigenvalue (-2.0 at the default stiffness of .1, -.33 at 1, -.0002 at 10), and the last
points slide along a bright line out of the image, by thousands of pixels at the default weights. Hence a stiffness
of 10 with the other weights scaled to it, columns brought to one height, and columns stretched (`STRETCH`).
"""

import numpy as np
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import gaussian_filter, median_filter
from skimage.segmentation import active_contour

# Over how many pixels a line is held straight. With the median below, a wave of 60 px keeps 93 % of its height, one
# of 20 px 11 %.
STIFF_OVER_PX = 4.0
# Columns that jump to another layer are outvoted while they are fewer than half of a window this wide.
MEDIAN_PX = 15
# Gives a saturated map (a plateau of ones) slopes, and reaches over the steps of the maximum.
BLUR_PX = 2.0

# The snake. A ridge with a standard deviation of 3 px pulls with w_line / (3 ** 2 + BLUR_PX ** 2) = .03 a pixel, which
# holds the snake straight over (10 / .03) ** (1 / 4) = 4.3 px, about as the spline. The fourth root forgives: ridges
# of 1.5 to 6 px give 3.5 to 5.6. No tension: it would only draw the free ends in.
TENSION, STIFFNESS, LINE_WEIGHT = 0.0, 10.0, 0.4
# A step is 1 / gamma; at .1 the ends run. The snake stops when no point has moved by more than CONVERGED_PX.
GAMMA, MAX_STEPS, CONVERGED_PX = 0.3, 500, 0.01
# Columns are stretched so often before the snake sees them. It treats the two coordinates apart, so rows do not
# notice, but the pull on a point along the line shrinks by the square. Slides of the ends on 160 synthetic maps,
# 95th percentile and largest: 15 and 31 px at 1, .6 and 3.2 px at 4, .1 and 2.2 px at 8.
STRETCH = 8
# How far an end may still slide before the snake counts as having left.
MAX_SLIDE_PX = 2.0


def thin(confidence):
    """Find the row of highest confidence in each column.

    Parameters
    ----------
    confidence : ndarray of shape (rows, columns), float
        Finite.

    Returns
    -------
    ndarray of shape (columns,), int
        Of tied rows the middle one (of an even number the upper of the two). A network that is sure of itself ends
        in a plateau of exact ones; taking its first row would lift the line by half the plateau.
    """
    confidence = _checked_map(confidence)
    tied = confidence == confidence.max(axis=0)
    reached = np.cumsum(tied, axis=0)
    return np.argmax(reached >= (reached[-1] + 1) // 2, axis=0)


def open_snake(confidence, start_rows, columns=None):
    """Smooth the stepped line of the maxima by an open snake on its confidence map.

    The snake starts from a smoothing spline through the running median of the line. Where it folds, leaves the map
    or slides off its ends, that spline, clipped to the map, is the answer.

    Parameters
    ----------
    confidence : ndarray of shape (rows, columns), float
        Finite and not negative; bright on the interface.
    start_rows : array of shape (columns,), float
        As `thin` returns them.
    columns : array of shape (columns,), int
        Where the map's columns lie in the image, in pixels, ascending; at least 5. Stiffness is in pixels of the
        image, so a map of every fourth column gives about the same line. Default: every column from 0.

    Returns
    -------
    rows : ndarray of shape (columns,), float
    fell_back : bool
        Whether the spline stands in for the snake.
    """
    confidence = _checked_map(confidence)
    columns = _checked_columns(columns, start_rows, confidence.shape[1])
    every = np.arange(columns[0], columns[-1] + 1)
    start = _spline(np.asarray(start_rows, dtype=float), columns, every)
    rows = _snake(_ridge(_at(confidence, columns, every)), start)
    fell_back = rows is None
    line = start if fell_back else rows
    return np.clip(line, 0, len(confidence) - 1)[columns - columns[0]], fell_back


def trace(maps, row0, columns, start=None):
    """Find LI and MA in the confidence maps of an ROI.

    Parameters
    ----------
    maps : ndarray of shape (rows, columns, 2), float
        Of LI and MA, from a network or from the handcrafted rival.
    row0 : int
        Row of the image that the maps' first row is.
    columns : array of shape (columns,), int
        Columns of the image that the maps' columns are.
    start : array of shape (2, columns), float
        Rows of LI and MA in the maps to start from, where something better is known than each column's maximum: the
        rival's paths. Default: `thin` of each map.

    Returns
    -------
    found : ndarray of shape (columns, 2), float
        Rows of LI and MA in the image.
    fell_back : ndarray of shape (2,), bool
        Whether a spline stands in for the snake of LI, of MA.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or maps.shape[2] != 2:
        raise ValueError(
            f"maps must be of shape (rows, columns, 2): LI, then MA. Received: {maps.shape}. "
            "Leave the background's map out."
        )
    start = [thin(maps[..., side]) for side in range(2)] if start is None else start
    lines = [open_snake(maps[..., side], start[side], columns) for side in range(2)]
    found = row0 + np.stack([rows for rows, _ in lines], axis=1)
    return found, np.array([fell_back for _, fell_back in lines])


def _spline(rows, columns, every):
    """Smooth a stepped line and read it at every column; all in pixels."""
    step = float(np.median(np.diff(columns)))
    window = 2 * int(MEDIAN_PX / step / 2) + 1
    # Mirrored, not repeated: an outlier in the last column would else be eight of fifteen.
    calm = median_filter(rows, window, mode="mirror")
    # The spline's sum runs over the columns that there are: divided by their spacing it holds straight over the same.
    return make_smoothing_spline(columns.astype(float), calm, lam=STIFF_OVER_PX**4 / step)(every)


def _at(confidence, columns, positions):
    """Interpolate a map linearly to other column positions; (rows, columns) to (rows, positions)."""
    place = np.interp(positions, columns, np.arange(columns.size))
    left = np.minimum(place.astype(int), columns.size - 2)
    share = place - left
    return confidence[:, left] * (1 - share) + confidence[:, left + 1] * share


def _ridge(confidence):
    """Blur a map, and bring each column to height 1: the maximum too asks where it is, not how high."""
    blurred = gaussian_filter(confidence, BLUR_PX, mode="nearest")
    height = blurred.max(axis=0)
    return blurred / np.where(height > 0, height, 1)


def _snake(ridge, start):
    """Let a snake settle on a map of every column; rows (columns,), or None where it folded or left."""
    every = np.arange(start.size)
    stretched = _at(ridge, every, np.arange((start.size - 1) * STRETCH + 1) / STRETCH)
    points = active_contour(
        stretched,
        np.stack([start, STRETCH * every], axis=1),
        alpha=TENSION,
        beta=STIFFNESS,
        gamma=GAMMA,
        w_line=LINE_WEIGHT,
        w_edge=0,
        max_num_iter=MAX_STEPS,
        convergence=CONVERGED_PX,
        boundary_condition="free",
    )
    rows, places = points[:, 0], points[:, 1] / STRETCH
    return np.interp(every, places, rows) if _usable(rows, places, ridge.shape) else None


def _usable(rows, places, shape):
    """Tell whether a snake runs on from column to column inside a map of that shape."""
    if not (np.isfinite(rows).all() and np.isfinite(places).all()):
        return False
    inside = rows.min() >= -0.5 and rows.max() <= shape[0] - 0.5
    slide = max(abs(places[0]), abs(places[-1] - (shape[1] - 1)))
    return bool(inside and slide <= MAX_SLIDE_PX and np.all(np.diff(places) > 0))


def _checked_map(confidence):
    confidence = np.asarray(confidence, dtype=float)
    if confidence.ndim != 2 or confidence.size == 0 or not np.isfinite(confidence).all():
        raise ValueError(
            "A confidence map must be of shape (rows, columns) and finite. "
            f"Received: {confidence.shape}, {np.sum(~np.isfinite(confidence))} NaN or infinite. "
            "Look for a network that diverged."
        )
    return confidence


def _checked_columns(columns, start_rows, width):
    columns = np.arange(width) if columns is None else np.asarray(columns)
    if not columns.shape == np.shape(start_rows) == (width,):
        raise ValueError(
            "A map, its start and its columns must be equally wide. "
            f"Received: a map of {width} columns, {np.shape(start_rows)} start rows, {columns.shape} columns."
        )
    if width < 5 or not np.issubdtype(columns.dtype, np.integer) or np.any(np.diff(columns) <= 0):
        raise ValueError(
            "A snake needs at least 5 columns, whole numbers in ascending order. "
            f"Received: {columns.size} columns, {columns[:6]} ... Evaluate more columns of the ROI."
        )
    return columns
