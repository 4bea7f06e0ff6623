"""Regions of interest of a carotid image: given by the data set, or laid over the delineated span.

The paper's ROIs have 92x60 pixels (columns, rows), and an expert placed them on the far wall. Here they are centred
on the delineated wall. To the network this is no hint, because it sees patches, and where a patch lies in its ROI is no
input. A rival that uses rows counted in the ROI (a prior on depth, a search that starts in the middle) would read the
truth from the position: such a rival needs ROIs from elsewhere.
"""

import numpy as np

SIZE = (60, 92)
MOST = 3
LEAST_COLUMNS = 40
MARGIN_PX = 8


def rois_from_span(interfaces, shape, size=SIZE, most=MOST):
    """Lay windows over the columns in which both interfaces are known.

    Parameters
    ----------
    interfaces : ndarray of shape (2, width), float
        Rows of LI and MA, NaN where not delineated.
    shape : tuple of int
        Height and width of the image.
    size : tuple of int
        Rows and columns of a window. It grows in height where the wall inside comes nearer than 8 pixels to its
        upper or lower side; where the delineation is shorter, at least 40 columns, it is narrower.
    most : int
        Windows at most: those of the longest unbroken parts of the delineation first.

    Returns
    -------
    tuple of tuple of int
        Top row, left column, height, width, by ascending column; they do not overlap, and are spread over each
        unbroken part with equal gaps, also at its ends. Empty where no part has 40 columns.
    """
    windows = []
    for start, length in sorted(_runs(np.isfinite(interfaces).all(axis=0)), key=lambda run: -run[1]):
        width = min(size[1], length)
        count = min(length // width, most - len(windows)) if width >= min(LEAST_COLUMNS, size[1]) else 0
        gap = (length - count * width) / (count + 1)
        windows += [(int(start + gap + number * (gap + width)), width) for number in range(count)]
    return tuple(_window(interfaces, left, width, shape[0], size[0]) for left, width in sorted(windows))


def read_rois(text, interfaces, shape, place="ROIs"):
    """Read ROIs written as `top left height width`, joined by `;`.

    Parameters
    ----------
    text : str
    interfaces : ndarray of shape (2, width), float
        Must be known in all columns of an ROI, and lie inside of it.
    shape : tuple of int
        Height and width of the image.
    place : str
        File and line, for the text of an error.

    Returns
    -------
    tuple of tuple of int

    Raises
    ------
    ValueError
    """
    rois = []
    for part in text.split(";"):
        words = part.split()
        if len(words) != 4 or not all(word.isdecimal() for word in words):
            raise ValueError(f"{place}: expected 'top left height width' joined by ';', in pixels. Received: {part!r}.")
        rois.append(_require_wall(tuple(map(int, words)), interfaces, shape, place))
    return tuple(rois)


def _runs(known):
    """List start and length of each unbroken part."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def _window(interfaces, left, width, image_height, height):
    """Return the ROI of some columns, centred on the interfaces inside of it as far as the image allows."""
    inside = interfaces[:, left : left + width]
    upper, lower = inside.min(), inside.max()
    needed = int(np.ceil(lower) - np.floor(upper)) + 1 + 2 * MARGIN_PX
    height = min(max(height, needed), image_height)
    top = round((upper + lower) / 2 - (height - 1) / 2)
    return int(np.clip(top, 0, image_height - height)), left, height, width


def _require_wall(roi, interfaces, shape, place):
    top, left, height, width = roi
    inside = interfaces[:, left : left + width]
    if not (height and width) or top + height > shape[0] or left + width > shape[1]:
        raise ValueError(f"{place}: expected an ROI inside the image of {shape} rows and columns. Received: {roi}.")
    if not ((inside >= top) & (inside <= top + height - 1)).all():
        raise ValueError(
            f"{place}: expected an ROI that holds LI and MA in all of its columns. Received: {roi}, in which they are "
            "not delineated everywhere or lie outside. Leave the field empty to lay ROIs over the delineation."
        )
    return roi
