"""Which polyps of a phantom frame count, and their mask."""

import numpy as np
from skimage.measure import label

# A detector cannot be asked for less: about 9 pixels across, no sliver at the edge of the field, no black spot.
SMALLEST_PX = 60
THINNEST_PX = 8
DARKEST = 25


def find_spoilt(owner, bodies, pixels):
    """Find a polyp that shows in a frame but could not be asked for as one lesion.

    That is: its largest region has fewer than 60 pixels, or is less than 8 across, or holds less than nine
    tenths of what shows of it; or it is darker than 25 of 255 (median of red); or it touches another polyp
    and is the smaller one. Bits of less than a tenth stay visible beside their polyp and out of the truth.

    Parameters
    ----------
    owner : ndarray of shape (height, width), int
        0 for the wall, k for the k-th body.
    bodies : list of Body
    pixels : ndarray of shape (height, width, 3), uint8

    Returns
    -------
    int or None
        Its index in `bodies`.
    """
    regions, counts = _regions(owner, bodies)
    for index, count in counts.items():
        whole = regions == count.argmax()
        across = min(np.ptp(side) + 1 for side in np.nonzero(whole))
        if count.max() < max(SMALLEST_PX, 0.9 * count.sum()) or across < THINNEST_PX:
            return index
        if np.median(pixels[:, :, 0][whole]) < DARKEST:
            return index
        touching = [other for other, there in counts.items() if (there * count).any()]
        if len(touching) > 1:
            return min(touching, key=lambda other: counts[other].sum())
    return None


def truth_map(owner, bodies):
    """Map the lesions of a frame, numbered in reading order.

    Parameters
    ----------
    owner : ndarray of shape (height, width), int
        0 for the wall, k for the k-th body.
    bodies : list of Body

    Returns
    -------
    ndarray of shape (height, width), int32
        0 for background, k for the largest region of the k-th polyp. Each is a connected region (8
        neighbours) of its own, so that the numbers can be found again from a mask.
    """
    regions, counts = _regions(owner, bodies)
    largest = [int(count.argmax()) for count in counts.values()]
    return label(np.isin(regions, largest), connectivity=2).astype(np.int32)


def _regions(owner, bodies):
    """Label connected polyp pixels (8 neighbours); count each polyp's pixels in each region.

    Returns the labels and {index of the polyp in bodies: counts by label, 0 unused}; polyps that do not show
    are left out.
    """
    numbers = [k for k, body in enumerate(bodies, start=1) if body.kind == "polyp"]
    regions = label(np.isin(owner, numbers), connectivity=2)
    counts = {k - 1: np.bincount(regions[owner == k], minlength=regions.max() + 1) for k in numbers}
    return regions, {index: count for index, count in counts.items() if count.any()}
