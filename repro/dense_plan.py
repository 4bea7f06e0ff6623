"""What patches of one image share: the bookkeeping of `repro.dense`, for one axis at a time.

A layer's unit sees some rows and some columns of its input, and the two are independent of each other; so rows are
numbered here, and columns in the same way. Two units, of one patch or of two, whose rows have one number get
the same input rows all the way down to the image. *Keys* say so: ``keys[patch, unit]`` is the number of the row that
this unit of this patch reads, or -1 where the patch has ended and zeros are read.

An example: patches of four pixels, the second one pixel below the first, and a convolution of size 3 padded by 1::

    keys of the image   windows of three, padded                      numbered: keys of the result
    patch 0:  0 1 2 3   (-1 0 1)  ( 0 1 2)  ( 1 2 3)  ( 2  3 -1)      0 2 3 4
    patch 1:  1 2 3 4   (-1 1 2)  ( 1 2 3)  ( 2 3 4)  ( 3  4 -1)      1 3 5 6

Of eight rows seven differ, and only (1 2 3) is shared. A convolution that slid over the whole image would have a true
pixel wherever a patch reads a zero past its border, -1: another function. The next layer's windows are made of the
numbers 0 to 6, and so on.
"""

from dataclasses import dataclass

import keras
import numpy as np

OUTSIDE = -1
# A product of a distinct row and column costs this much more than one inside a convolution of whole patches, because
# it is gathered and added in memory: 1.7 in conv4 and conv5 at 227 pixels (CPU time, TensorFlow), less what products
# with zero borders, left out, save.
PRICE_OF_SHARING = 1.6


@dataclass(frozen=True)
class Sight:
    """What the units of one layer see along one axis.

    Attributes
    ----------
    windows : ndarray of shape (distinct, size of the kernel), int, or None
        The rows of the input, by number, that each distinct row of the result is made of; -1 is outside. None for
        layers that treat each place by itself.
    keys : ndarray of shape (patches, units), int
        The distinct row of the result that each unit is.
    """

    windows: np.ndarray | None
    keys: np.ndarray


def number_windows(keys, size, stride=1, padding=(0, 0)):
    """Find the distinct windows among those that slide over each patch, and number them.

    Parameters
    ----------
    keys : ndarray of shape (patches, units), int
    size, stride : int
        Of the window.
    padding : tuple of int
        Units outside the patch, before and after.

    Returns
    -------
    Sight
        Windows are in the order of their middle, which keeps neighbours together in memory.
    """
    padded = np.pad(keys, ((0, 0), padding), constant_values=OUTSIDE)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::stride]
    middle_first = np.roll(windows, -(size // 2), axis=-1).reshape(-1, size)
    distinct, numbers = np.unique(middle_first, axis=0, return_inverse=True)
    return Sight(np.roll(distinct, size // 2, axis=1), numbers.reshape(windows.shape[:2]))


def sights(layers, starts, size):
    """Follow one axis through layers.

    Parameters
    ----------
    layers : list of keras.layers.Layer
        Of these convolutions, poolings and zero paddings act in space; all others are taken to treat each place alike.
    starts : ndarray of shape (patches,), int
        First pixel of each patch.
    size : int
        Pixels of a patch.

    Returns
    -------
    list of Sight
        One more than layers: the first is that of the image itself.
    """
    found = [Sight(None, np.asarray(starts)[:, None] + np.arange(size))]
    for layer in layers:
        keys = found[-1].keys
        if isinstance(layer, keras.layers.ZeroPadding2D):
            found.append(Sight(None, np.pad(keys, ((0, 0), layer.padding[0]), constant_values=OUTSIDE)))
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D):
            kernel = layer.kernel_size if isinstance(layer, keras.layers.Conv2D) else layer.pool_size
            padding = _padding(layer, kernel[0], keys.shape[1])
            found.append(number_windows(keys, kernel[0], layer.strides[0], padding))
        else:
            found.append(Sight(None, keys))
    return found


def count_shared_layers(layers, rows, columns):
    """Count the first layers, up to a convolution, that are faster shared than patch by patch.

    Parameters
    ----------
    layers : list of keras.layers.Layer
    rows, columns : list of Sight
        As `sights` returns them for these layers.

    Returns
    -------
    int
    """
    for number, (layer, row, column) in enumerate(zip(layers, rows, columns, strict=False)):
        shared = (row.keys.max() + 1) * (column.keys.max() + 1)
        if isinstance(layer, keras.layers.Conv2D) and shared * PRICE_OF_SHARING > row.keys.size * column.keys.size:
            return number
    return len(layers)


def _padding(layer, size, units):
    """Say how many units Keras pads before and after: the odd one after."""
    if layer.padding == "valid":
        return 0, 0
    stride = layer.strides[0]
    missing = max((-(-units // stride) - 1) * stride + size - units, 0)
    return missing // 2, missing - missing // 2
