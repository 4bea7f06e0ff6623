"""Whether numbers can be the Hounsfield units of a chest."""

import numpy as np
from scipy import ndimage

# The scale of 12 bits. Below it stands padding outside of the scanner's circle (-2000, -3024 and others), above it
# metal on scanners with an extended scale.
LOWEST_HU, HIGHEST_HU = -1024, 3071
MAX_SHARE_ABOVE = 0.01
# A chest holds air, about -1000, and lung, -950 to -600.
MAX_MINIMUM_HU = -200
LUNG_HU = -970, -500
BODY_HU = -400
# Of lung and body together: two litres of lung in a large patient (40 l in the field of view) are 5 %.
MIN_LUNG_SHARE = 0.03
COARSE_VOXELS = 96


def to_hu(values, place):
    """Hold values against what HU can be, and clip them to the scale of CT.

    Parameters
    ----------
    values : ndarray of shape (slices, rows, columns), any number
    place : Path or str
        For the text of an error.

    Returns
    -------
    ndarray of the same shape, int16
        Rounded; below -1024 (padding outside of the scanner's circle) set to -1024, above 3071 to 3071.

    Raises
    ------
    ValueError
        When a value is not finite, none is as low as air (slope and intercept not applied, a window of 8 bits,
        values scaled to 0..1), or more than 1 % lie above 3071.
    """
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{place}: expected Hounsfield units. Received: values that are not finite (nan or inf).")
    if low > MAX_MINIMUM_HU:
        raise ValueError(
            f"{place}: expected Hounsfield units, air near -1000. Received: {low:g} to {high:g}. {_hint(low, high)}"
        )
    share = np.mean(values > HIGHEST_HU) if high > HIGHEST_HU else 0
    if share > MAX_SHARE_ABOVE:
        raise ValueError(
            f"{place}: expected Hounsfield units, at most {MAX_SHARE_ABOVE:.0%} of them above {HIGHEST_HU} (metal). "
            f"Received: {share:.0%}, up to {high:g}. Apply the slope and intercept that belong to the series."
        )
    rounded = values if values.dtype.kind in "iu" else np.rint(values)
    return np.clip(rounded, LOWEST_HU, HIGHEST_HU).astype(np.int16)


def require_lung(voxels, place):
    """Refuse a volume without lungs: another part of the body, or values that are no HU after all.

    Lung is what lies between -970 and -500 HU, whether it reaches the volume's edge, as in a cut-out, or not; the skin
    of the body, where air and tissue share voxels, is taken away by a morphological opening. Lung must be 3 % of lung
    and body together. Looked at on a coarse grid of up to 96 to 191 voxels a side.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int16, HU
    place : Path or str

    Raises
    ------
    ValueError
    """
    strides = [max(1, length // COARSE_VOXELS) for length in voxels.shape]
    coarse = voxels[tuple(slice(None, None, stride) for stride in strides)]
    low, high = LUNG_HU
    lung = np.count_nonzero(ndimage.binary_opening((coarse > low) & (coarse < high)))
    body = np.count_nonzero(coarse > BODY_HU)
    if lung < MIN_LUNG_SHARE * (lung + body) or not lung:
        raise ValueError(
            f"{place}: expected a chest; no lung found. Received: {lung / max(1, lung + body):.1%} of lung and body "
            f"lies between {low} and {high} HU, at least {MIN_LUNG_SHARE:.0%} is expected. Is it another part of the "
            "body, a cut-out without lungs, or are slope and intercept wrong?"
        )


def _hint(low, high):
    if high <= 1:
        return "They look normalised: give the volume before that."
    if low >= 0 and high <= 255:
        return "They look like a window of 8 bits, or a label map: give the CT in Hounsfield units."
    return "Were slope and intercept applied? Stored values of 0 to 4095 are HU after 1024 is taken off."
