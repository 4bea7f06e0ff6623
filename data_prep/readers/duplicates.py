"""Near-identical images found by a perceptual hash, for data sets that do not say which images belong together.

Source: the DCT hash of Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, with a
block of 16x16 instead of 8x8 coefficients: colonoscopy frames share their dark corners and their colour, and 64
bits do not tell them apart.
"""

import numpy as np
import PIL.Image
from scipy.fft import dctn
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

SIDE_PX = 32
BLOCK = 16
# Measured on the 301 frames of CVC-ColonDB: two frames of different sequences differ in 22 of the 255 bits or more,
# 85 pairs within a sequence (repeated frames) in 8 or fewer.
MAX_DISTANCE = 12


def perceptual_hash(path):
    """Describe an image by the signs of its low frequencies.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray of shape (255,), bool
        Whether each of the 16x16 lowest cosine coefficients, without the mean, is above their median.
    """
    try:
        with PIL.Image.open(path) as image:
            image.draft("L", (2 * SIDE_PX, 2 * SIDE_PX))  # a JPEG decodes at an eighth of its size, many times faster
            grey = image.convert("L").resize((SIDE_PX, SIDE_PX), PIL.Image.Resampling.BOX)
    except Exception as error:  # Pillow's decoders raise a dozen kinds, none of which names the file
        raise ValueError(f"{path}: expected an image. Received: {type(error).__name__}: {error}.") from error
    low = dctn(np.asarray(grey, dtype=float), norm="ortho")[:BLOCK, :BLOCK].ravel()[1:]
    return low > np.median(low)


def group_alike(paths, max_distance=MAX_DISTANCE):
    """Group images that are nearly identical, directly or through a chain of others.

    Parameters
    ----------
    paths : dict of str to Path
        Images by name.
    max_distance : int
        Most bits of the hash in which two images of a pair differ.

    Returns
    -------
    dict of str to str
        For each name the first name of its group; an image like no other is its own group.
    """
    names = list(paths)
    # Bits as -1 and 1: the product of two hashes is their length less twice the number of different bits.
    signs = np.stack([perceptual_hash(path) for path in paths.values()]) * 2.0 - 1
    distances = (signs.shape[1] - signs @ signs.T) / 2
    groups = connected_components(csr_array(distances <= max_distance), directed=False)[1]
    _, first = np.unique(groups, return_index=True)
    return {name: names[first[group]] for name, group in zip(names, groups, strict=True)}
