"""Haralick's and wavelets' textures of small grey pictures, the same for a picture and its mirror image."""

from itertools import product

import numpy as np
import pywt
from skimage.feature import graycomatrix, graycoprops

HARALICK = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "entropy")
"""Names of what `haralick` returns of each picture."""

# Grey levels that are told apart.
GREYS = 32
# Nearest neighbours are often interpolated from the same voxels.
OFFSET_PX = 2

LEVELS = 2
# What changes down the rows, along the columns, and both; as PyWavelets calls it.
SUBBANDS = {"vertical": "da", "horizontal": "ad", "diagonal": "dd"}
DETAILS = tuple(f"level {level} {what}" for level in range(1, LEVELS + 1) for what in SUBBANDS)
"""Names of what `wavelet_energies` returns of each picture, the finest level first."""


def haralick(planes):
    """Compute Haralick's textures, each the mean of four directions (Haralick et al. 1973).

    Parameters
    ----------
    planes : ndarray of shape (n, p, size, size), uint8
        p pictures of each of n candidates.

    Returns
    -------
    ndarray of shape (n, p * 6)
        The six of `HARALICK` for each picture.
    """
    angles, found = np.arange(4) * np.pi / 4, []
    for plane in planes.reshape(-1, *planes.shape[2:]) // (256 // GREYS):
        pairs = graycomatrix(plane, [OFFSET_PX], angles, levels=GREYS, symmetric=True, normed=True)
        found.append([graycoprops(pairs, what).mean() for what in HARALICK])
    return np.reshape(found, (len(planes), -1))


def wavelet_energies(planes):
    """Compute the energies of wavelet details (db2, two levels), the mean of the four mirrored planes.

    Parameters
    ----------
    planes : ndarray of shape (n, p, size, size), uint8

    Returns
    -------
    ndarray of shape (n, p * 6)
        Natural logarithm of the root mean square (and 1, so that it is finite) of `DETAILS`, for each picture.
    """
    energies = np.zeros((*planes.shape[:2], LEVELS, len(SUBBANDS)))
    # The filters of db2 are not symmetric: unlike the vessel, they know left from right.
    for rows, columns in product((1, -1), repeat=2):
        coarse = planes[..., ::rows, ::columns].astype(float)
        for level in range(LEVELS):
            parts = pywt.dwtn(coarse, "db2", mode="symmetric", axes=(-2, -1))
            coarse = parts["aa"]
            squares = [np.square(parts[key]).mean(axis=(-2, -1)) for key in SUBBANDS.values()]
            energies[:, :, level] += np.stack(squares, axis=-1)
    return np.log(np.sqrt(energies / 4) + 1).reshape(len(planes), -1)
