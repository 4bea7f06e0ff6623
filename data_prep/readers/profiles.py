"""Boundary files as text: numbers in one of the three forms in use, with the place of each for an error's text."""

import numpy as np

# MATLAB puts the centre of the top left pixel at (1, 1), the rest of this package at (0, 0).
MATLAB_ORIGIN = 1


def read_points(path, width):
    """Read one boundary file in the form that the counts of its numbers tell.

    Parameters
    ----------
    path : Path
        See `data_prep.readers.interfaces.read_profiles`.
    width : int
        Of the image: the length of a file that holds rows only.

    Returns
    -------
    columns, rows : ndarray of shape (n,), float64
        Of the points, counted from 0; the row is NaN where the file has 0 or nan.
    places : list of str
        File and line of each point.

    Raises
    ------
    ValueError
        When the file has none of the three forms, or another length than the image is wide.
    """
    numbers = _read_numbers(path)
    lengths = {len(values) for _, values in numbers}
    if lengths == {1} or len(numbers) == 1:
        rows = [value for _, values in numbers for value in values]
        require_length(path, len(rows), width)
        places = [f"{path}, line {line}" for line, values in numbers for _ in values]
        return np.arange(width, dtype=np.float64), _missing(rows), places
    if len(numbers) == 2 and len(lengths) == 1 and min(lengths) > 2:
        (_, columns), (line, rows) = numbers
        places = [f"{path}, line {line}, value {number} (counted from 1)" for number in range(1, len(rows) + 1)]
        return np.array(columns) - MATLAB_ORIGIN, _missing(rows) - MATLAB_ORIGIN, places
    if len(numbers) > 2 and lengths == {2}:
        columns, rows = np.array([values for _, values in numbers]).T
        return columns, _missing(rows), [f"{path}, line {line}" for line, _ in numbers]
    raise _unknown_form(path, numbers)


def require_length(path, length, width):
    """Refuse a dense boundary, one row for every column, of another length than the image is wide."""
    if length != width:
        raise ValueError(f"{path}: expected one row for each of the image's {width} columns. Received: {length}.")


def _unknown_form(path, numbers):
    forms = "two lines (columns, rows) of three or more numbers, or a column and a row on each of three or more lines"
    counts = [(line, len(values)) for line, values in numbers]
    odd = next(((line, count) for line, count in counts[1:] if count != counts[0][1]), None)
    where = f", line {odd[0]}" if odd else ""
    received = f"{odd[1]} numbers, {counts[0][1]} in the first line" if odd else f"lines and numbers {counts}"
    return ValueError(f"{path}{where}: expected {forms}, or one row for every column. Received: {received}.")


def _read_numbers(path):
    """Read (line, numbers) of every line that is not blank."""
    found = []
    for line, text in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        try:
            values = [float(word) for word in text.split()]
        except ValueError as error:
            raise ValueError(
                f"{path}, line {line}: expected numbers with a decimal point, separated by blanks. Received: {error}."
            ) from error
        if values:
            found.append((line, values))
    return found


def _missing(rows):
    """Replace 0, by which CUBS and caroSegDeep mark columns without boundary, by NaN."""
    rows = np.array(rows)
    return np.where(rows == 0, np.nan, rows)
