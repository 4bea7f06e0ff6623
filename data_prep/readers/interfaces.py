"""Files in which somebody drew LI and MA, each form read as the rows of both interfaces in every column.

Rows and columns count from 0 at the centre of the top left pixel. Between an expert's points the interface is the
straight line that the expert saw while drawing (the read-me file of the Cyprus data base draws `line(x, y)`); a
smooth curve (PCHIP) would differ from it by 9 um on average and 113 um at most over the 48 images, without evidence.
Outside of the points, and beside a point that is marked as missing, nothing is known: NaN.
"""

import numpy as np
import scipy.io

from data_prep.readers.profiles import MATLAB_ORIGIN, read_points, require_length

SCALES_MM = (0.001, 1.0)
HEADER = ["column", "li", "ma"]
INTERFACES = ("LI", "MA")


def trace(columns, rows, width):
    """Join points by straight lines.

    Parameters
    ----------
    columns, rows : ndarray of shape (n,), float
        In any order; a NaN row marks a point as missing. Points in one column become one at their mean row.
    width : int
        Of the image, in pixels.

    Returns
    -------
    ndarray of shape (width,), float64
        The row in every column; NaN outside of the points, and between a missing point and its neighbours.
    """
    columns, which = np.unique(columns, return_inverse=True)
    rows = np.bincount(which, rows) / np.bincount(which)
    return np.interp(np.arange(width), columns, rows, left=np.nan, right=np.nan)


def read_scl(path):
    """Read a Cyprus `.scl` file, MATLAB v5.

    Parameters
    ----------
    path : Path

    Returns
    -------
    points : ndarray of shape (2, n, 2), float64
        LI, then MA: column and row of each point, in the order of drawing, counted from 0.
    mm_per_pixel : float
    imt_mm : float
        What the drawing program measured, the mean distance of the pairs of points; 0 where it did not.

    Raises
    ------
    ValueError
        When the file is no such file, a field is missing, or the scale is none.
    """
    try:
        with path.open("rb") as file:
            fields = scipy.io.loadmat(file)
        columns, rows, scale, imt = (fields[name].ravel() for name in ("Param_3", "Param_4", "scale", "imt_thikn"))
    except FileNotFoundError:
        raise
    except Exception as error:  # SciPy raises a dozen kinds, few of which name the file
        raise ValueError(
            f"{path}: expected a MATLAB v5 file with Param_3, Param_4, scale and imt_thikn. Received: {error!r}."
        ) from error
    if len(columns) != len(rows) or len(rows) % 2 or len(rows) < 4 or len(scale) != 1 or len(imt) != 1:
        raise ValueError(
            f"{path}: expected pairs of points in Param_3 and Param_4 (LI, MA, LI, MA, ...), at least two, one scale "
            f"and one imt_thikn. Received: {len(columns)}, {len(rows)}, {len(scale)} and {len(imt)} values."
        )
    # All points of the 48 images lie at 0.5 + (k + 0.5) 768/488, k = 0, 1, ...: centres of the pixels of a smaller
    # window whose axes begin at 0.5, as those of MATLAB's imshow do.
    points = np.stack([columns, rows], axis=1).astype(np.float64) - MATLAB_ORIGIN
    return points.reshape(-1, 2, 2).swapaxes(0, 1), require_scale(scale[0], path), float(imt[0])


def read_cyprus(path, shape):
    """Read the interfaces of a `.scl` file; an image of `shape` (height, width) must hold all points.

    Returns
    -------
    ndarray of shape (2, width), float64
        Rows of LI and MA in every column, NaN where not delineated.
    """
    points, _, _ = read_scl(path)
    traced = []
    for name, (columns, rows) in zip(INTERFACES, points.swapaxes(1, 2), strict=True):
        places = [f"{path}, {name} point {number} (MATLAB counts from 1)" for number in range(1, len(rows) + 1)]
        _require_inside(columns, rows, shape, places)
        traced.append(trace(columns, rows, shape[1]))
    return _require_order(np.stack(traced), path)


def read_profiles(li_path, ma_path, shape):
    """Read the two boundary files of an image, as CUBS, caroSegDeep or a user's own program wrote them.

    Parameters
    ----------
    li_path, ma_path : Path
        Numbers separated by blanks, of which a row of 0 or nan means missing. Either two lines, columns and then
        rows (CUBS; counted from 1, because its experts drew in MATLAB: assumed, not stated there), or a column and
        a row on every line (caroSegDeep, which is Python: counted from 0), or only rows, one for every column of
        the image (counted from 0). Two lines of two numbers can be read both ways and are refused.
    shape : tuple of int
        Height and width of the image, which must hold all points.

    Returns
    -------
    ndarray of shape (2, width), float64
        Rows of LI and MA in every column, NaN where not delineated.

    Raises
    ------
    ValueError
        When a file is none of these, is of another length than the image is wide, has a point outside of the image,
        or MA is not below LI; the message names file, line and what was expected.
    """
    traced = []
    for path in (li_path, ma_path):
        columns, rows, places = read_points(path, shape[1])
        _require_inside(columns, rows, shape, places)
        traced.append(trace(columns, rows, shape[1]))
    return _require_order(np.stack(traced), ma_path)


def read_columns(path, shape):
    """Read `interfaces/NAME.csv`: header column,li,ma and one line for every column; empty = not delineated.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    ndarray of shape (2, width), float64
        Rows of LI and MA in every column, counted from 0, NaN where not delineated.

    Raises
    ------
    ValueError
        As `read_profiles`.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if not lines or [name.strip() for name in lines[0].split(",")] != HEADER:
        raise ValueError(f"{path}, line 1: expected the header column,li,ma. Received: {lines[:1]}.")
    table = [_parse_column(path, number, line) for number, line in enumerate(lines[1:], 2)]
    require_length(path, len(table), shape[1])
    columns, li, ma = np.array(table).T
    places = [f"{path}, line {number}" for number in range(2, len(lines) + 1)]
    odd = np.flatnonzero(columns != np.arange(shape[1]))
    if len(odd):
        raise ValueError(f"{places[odd[0]]}: expected column {odd[0]}. Received: {columns[odd[0]]:g}.")
    for rows in (li, ma):
        _require_inside(columns, rows, shape, places)
    return _require_order(np.stack([li, ma]), path, places)


def require_scale(value, place):
    """Return mm per pixel as float; a text that is no number, 0, NaN or more than 1 mm is an error naming `place`."""
    try:
        scale = float(value)
    except (TypeError, ValueError):
        scale = np.nan
    if not SCALES_MM[0] <= scale <= SCALES_MM[1]:
        raise ValueError(
            f"{place}: expected a scale of {SCALES_MM[0]} to {SCALES_MM[1]:g} mm per pixel, with a decimal point "
            f"(carotid ultrasound has about 0.06). Received: {value!s}."
        )
    return scale


def _parse_column(path, number, line):
    values = [value.strip() for value in line.split(",")]
    try:
        column, li, ma = (float(value or "nan") for value in values)
    except ValueError as error:
        raise ValueError(
            f"{path}, line {number}: expected column,li,ma, numbers or empty where not delineated. Received: {line!r}."
        ) from error
    return column, li, ma


def _require_inside(columns, rows, shape, places):
    """Refuse points beyond the borders of the outermost pixels; a missing row is no point."""
    height, width = shape
    inside = (columns >= -0.5) & (columns <= width - 0.5)
    inside &= np.isnan(rows) | ((rows >= -0.5) & (rows <= height - 0.5))
    if not inside.all():
        first = np.flatnonzero(~inside)[0]
        raise ValueError(
            f"{places[first]}: expected a point inside the image, columns 0 to {width - 1} and rows 0 to {height - 1}. "
            f"Received: column {columns[first]:g}, row {rows[first]:g}. Is this the boundary of another image?"
        )


def _require_order(interfaces, path, places=None):
    """Return the interfaces as they are when MA lies below LI wherever both are known; `places` name each column."""
    li, ma = interfaces
    wrong = np.flatnonzero(ma <= li)
    if len(wrong):
        first = wrong[0]
        place = places[first] if places else path
        raise ValueError(
            f"{place}: expected MA below LI, a greater row, in every column. Received: LI {li[first]:.2f}, "
            f"MA {ma[first]:.2f} in column {first}, and {len(wrong) - 1} more columns. Are the two swapped?"
        )
    return interfaces
