"""What patches of one image share: the bookkeeping of `repro.dense`, for one axis at a time.

A layer's unit sees some rows and some columns of its input, and the two are independent of each other; so rows are
numbered here, and columns in the same way. Two units, of one patch or of two, whose rows have one number get
the same input rows all the way down to the image. *Keys* say so: ``keys[patch, unit]`` is the number of the row that
this unit of this patch reads, or -1 where the patch has ended and zeros are read.

An example: patches of four pixels, the second one pixel below the first, and a convolution of size 3 padded by 1::

    keys of the image   windows of three, padded                      numbered: keys of the result
    patch 0:  0 1 2 3   (-1 0 1)  ( 0 1 2)  ( 1 2 3)  ( 2  3 -1)      0 2 3 5
    patch 1:  1 2 3 4   (-1 1 2)  ( 1 2 3)  ( 2 3 4)  ( 3  4 -1)      1 3 4 6

Of eight rows seven differ, and only (1 2 3) is shared. A convolution that slid over the whole image would have a true
pixel wherever a patch reads a zero past its border, -1: another function. The next layer's windows are made of the
numbers 0 to 6, and so on.

Numbers are given so that the work comes in *runs*. First come the first units of all patches (0 and 1 above), for they
see their patch's border and are shared by none, then what lies inside in the order of the image, then the last units.
In each of these parts the next row's window is as a rule this one's, one further: so whole slices of rows are
multiplied and added, and nothing is gathered.
"""

from dataclasses import dataclass

import keras
import numpy as np

OUTSIDE = -1
# An input that is shared costs this much more than one inside a convolution of whole patches, because what differs is
# more at the layers above and products go through memory. With 1.88 times fewer inputs than patch by patch, conv4 at
# 131 pixels takes the same time in both ways; with 1.23 times fewer, conv3 of torchvision at 99 pixels is slower.
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
    places : ndarray of shape (patches, units), int
        Where in the image each unit looks: only their order counts.
    border : ndarray of shape (units,), bool
        Units that what is outside a patch has reached.
    """

    windows: np.ndarray | None
    keys: np.ndarray
    places: np.ndarray
    border: np.ndarray


@dataclass(frozen=True)
class Run:
    """Distinct rows of a result, one after the other, whose inputs follow one another too.

    Attributes
    ----------
    start, stop : int
        The rows of the result.
    inputs : dict of int to slice
        By the number of the tap, the input's rows, as many; taps that lie outside are left out.
    repeated : frozenset of int
        Taps by which these inputs are multiplied for other rows of the result too.
    """

    start: int
    stop: int
    inputs: dict[int, slice]
    repeated: frozenset[int]


def whole_patches(starts, size):
    """Return the sight of the image itself: `size` pixels from each of `starts`."""
    pixels = np.asarray(starts)[:, None] + np.arange(size)
    return Sight(None, pixels, pixels, np.zeros(size, bool))


def number_windows(sight, size, stride=1, padding=(0, 0)):
    """Find the distinct windows among those that slide over each patch, and number them.

    Parameters
    ----------
    sight : Sight
        Of the layer below.
    size, stride : int
        Of the window.
    padding : tuple of int
        Units outside the patch, before and after.

    Returns
    -------
    Sight
    """
    keys = _slide(np.pad(sight.keys, ((0, 0), padding), constant_values=OUTSIDE), size, stride)
    places = _slide(np.pad(sight.places, ((0, 0), padding), mode="edge"), size, stride)[..., 0]
    border = _slide(np.pad(sight.border, padding, constant_values=True)[None], size, stride)[0].any(axis=-1)
    windows, first, numbers = np.unique(keys.reshape(-1, size), axis=0, return_index=True, return_inverse=True)
    # The part that a unit belongs to: itself at the border, one for all inside.
    part = np.where(border, np.arange(len(border)), np.argmin(border))
    order = np.lexsort((places.ravel()[first], part[first % len(border)]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Sight(windows[order], rank[numbers].reshape(keys.shape[:2]), places, border)


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
    found = [whole_patches(starts, size)]
    for layer in layers:
        below = found[-1]
        if isinstance(layer, keras.layers.ZeroPadding2D):
            found.append(_pad(below, layer.padding[0]))
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D):
            kernel = layer.kernel_size if isinstance(layer, keras.layers.Conv2D) else layer.pool_size
            padding = _padding(layer, kernel[0], below.keys.shape[1])
            found.append(number_windows(below, kernel[0], layer.strides[0], padding))
        else:
            found.append(Sight(None, below.keys, below.places, below.border))
    return found


def find_runs(windows, longest):
    """Cut distinct rows into runs.

    Parameters
    ----------
    windows : ndarray of shape (distinct, size of the kernel), int
        As in `Sight`.
    longest : int
        Rows of a run at most.

    Returns
    -------
    list of Run
        In order, all rows.
    """
    outside, repeated = windows == OUTSIDE, _repeated(windows)
    steps = np.diff(windows, axis=0)
    on = np.all((steps > 0) | outside[1:], axis=1)
    on &= np.all((outside[1:] == outside[:-1]) & (repeated[1:] == repeated[:-1]), axis=1)
    bounds = [0]
    for row in range(1, len(windows)):
        start = bounds[-1]
        as_before = row == start + 1 or np.array_equal(steps[row - 1], steps[start])
        if not (on[row - 1] and as_before and row - start < longest):
            bounds.append(row)
    pairs = zip(bounds, [*bounds[1:], len(windows)], strict=True)
    return [
        Run(start, stop, _slices(windows[start:stop]), frozenset(np.flatnonzero(repeated[start]).tolist()))
        for start, stop in pairs
    ]


def _repeated(windows):
    """Say of each row of the result and each tap whether the same input meets the same tap in another row."""
    counts = [np.bincount(tap + 1)[tap + 1] for tap in windows.T]
    return (np.stack(counts, axis=1) > 1) & (windows != OUTSIDE)


def _slices(windows):
    """Say for each tap inside which rows a run reads."""
    firsts, lasts = windows[0], windows[-1]
    steps = windows[1] - firsts if len(windows) > 1 else np.ones_like(firsts)
    taps = np.flatnonzero(firsts != OUTSIDE)
    return {int(tap): slice(int(firsts[tap]), int(lasts[tap]) + 1, int(steps[tap])) for tap in taps}


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


def _slide(units, size, stride):
    """Return windows over the last axis: one axis more, of `size`."""
    return np.lib.stride_tricks.sliding_window_view(units, size, axis=-1)[:, ::stride]


def _pad(sight, padding):
    """Add units outside, before and after."""
    keys = np.pad(sight.keys, ((0, 0), padding), constant_values=OUTSIDE)
    places = np.pad(sight.places, ((0, 0), padding), mode="edge")
    return Sight(None, keys, places, np.pad(sight.border, padding, constant_values=True))


def _padding(layer, size, units):
    """Say how many units Keras pads before and after: the odd one after."""
    if layer.padding == "valid":
        return 0, 0
    stride = layer.strides[0]
    missing = max((-(-units // stride) - 1) * stride + size - units, 0)
    return missing // 2, missing - missing // 2
