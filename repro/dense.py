"""Class probabilities at every pixel of a region: those of one forward pass for each pixel's patch, but faster.

Patches around neighbouring pixels overlap, and most of what a network computes for one it computes for the others
too. To be exact it must not slide over the image as a whole: conv2 to conv5 pad *each patch* with zeros, which spread
until, in conv5, only the middle 5x5 of 13x13 units are free of them. `repro.dense_plan` numbers the rows and the
columns that differ, with an example; here each layer is computed once for each pair of a distinct row and a
distinct column. As soon as hardly any are shared, and for the fully connected layers, where none are, the patches
go through the network's own layers in batches.

A convolution multiplies each distinct *input* by each tap of its kernel, once, and adds the products up where outputs
need them: zero borders make more distinct outputs than inputs. At 227 pixels conv4 has 150,000 distinct inputs
and 283,000 outputs for a region of 92x60 pixels, where patch by patch it has 933,000 of both. In all such a
region takes 10 s instead of 42 s on 2 cores, 3 s of them in the fully connected layers (4096 units;
`benchmarks/dense_maps.py`).
"""

from functools import reduce

import keras
import numpy as np
from keras import ops

from repro.dense_plan import count_shared_layers, sights

# Values of a result that a convolution works on at a time, 64 MiB of float32. conv5 of 30 columns at 227 pixels
# takes 2.9 s of one core in blocks of 2**22, in ever more small operations, 2.0 s in blocks of 2**24 and of 2**25.
BLOCK = 2**24
BATCH = 250


def dense_probabilities(model, canvas, zoom, rows, columns, columns_at_once=30):
    """Class probabilities of the patches of pixels of a region.

    The patch of the region's pixel (i, j) is ``canvas[i * zoom : i * zoom + size, j * zoom : j * zoom + size]``, where
    size is that of the model's input. Results equal those of `repro.inference.probabilities` on these patches
    to rounding. Most is shared where the network's strides divide zoom or zoom divides them.

    Parameters
    ----------
    model : keras.Model
        From `repro.alexnet.build_alexnet`, or another chain of such layers up to one named "flatten"; ends in logits.
    canvas : ndarray of shape (h, w) or (h, w, 3), uint8
        The region and what surrounds it, enlarged `zoom` times. Grey is repeated.
    zoom : int
        Pixels of the canvas from one pixel of the region to the next.
    rows, columns : sequence of int
        Pixels of the region to evaluate: all pairs of one of each.
    columns_at_once : int
        Bounds memory: at 227 pixels and 92 rows, 30 columns take about 1 GB.

    Returns
    -------
    ndarray of shape (len(rows), len(columns), classes), float32

    Raises
    ------
    ValueError
        For a canvas that is not uint8 or does not hold every patch.
    """
    rows, columns = np.asarray(rows, int), np.asarray(columns, int)
    size = model.input_shape[1]
    canvas = _checked(canvas, rows * zoom, columns * zoom, size)
    layers = model.layers[1:]
    spatial = layers[: [layer.name for layer in layers].index("flatten")]
    row_sights = sights(spatial, rows * zoom, size)
    maps = []
    for some in np.array_split(columns, -(-len(columns) // columns_at_once)):
        column_sights = sights(spatial, some * zoom, size)
        shared = count_shared_layers(spatial, row_sights, column_sights)
        x = _shared_layers(canvas, spatial[:shared], row_sights, column_sights)
        maps.append(_patch_by_patch(x, layers[shared:], row_sights[shared].keys, column_sights[shared].keys))
    return np.concatenate(maps, axis=1)


def _checked(canvas, first_rows, first_columns, size):
    """Return the canvas with three channels, or say what is wrong with it."""
    if canvas.dtype != np.uint8 or canvas.ndim not in (2, 3):
        raise ValueError(f"A canvas is (h, w) or (h, w, 3), uint8. Received: {canvas.shape}, {canvas.dtype}.")
    if not (first_rows.size and first_columns.size):
        raise ValueError(f"Nothing to evaluate. Received: {first_rows.size} rows and {first_columns.size} columns.")
    needed = (first_rows.max() + size, first_columns.max() + size)
    if min(first_rows.min(), first_columns.min()) < 0 or np.any(np.less(canvas.shape[:2], needed)):
        raise ValueError(
            f"Every patch must lie on the canvas. Received: a canvas of {canvas.shape[0]}x{canvas.shape[1]} pixels; "
            f"patches take rows {first_rows.min()} to {needed[0]}, columns {first_columns.min()} to {needed[1]}. "
            "Enlarge more of the region's surroundings."
        )
    return canvas if canvas.ndim == 3 else np.repeat(canvas[..., None], 3, axis=2)


def _shared_layers(canvas, layers, row_sights, column_sights):
    """Compute layers for distinct rows and columns only: (rows, columns, channels)."""
    x = ops.convert_to_tensor(canvas)
    for layer, row, column in zip(layers, row_sights[1:], column_sights[1:], strict=False):
        if isinstance(layer, keras.layers.Conv2D):
            x = _convolve(x, row.windows, column.windows, layer)
        elif isinstance(layer, keras.layers.MaxPooling2D):
            x = _pool(x, row.windows, column.windows)
        elif not isinstance(layer, keras.layers.ZeroPadding2D):  # The plan's -1 are these zeros already.
            x = layer(x[None])[0]
    return x


def _convolve(x, rows, columns, layer):
    """Convolve distinct rows and columns, in blocks of columns.

    `rows` of shape (distinct, size of the kernel) and `columns` alike say what each output is made of.
    """
    kernel, bias = (ops.cast(ops.stop_gradient(weights), x.dtype) for weights in (layer.kernel, layer.bias))
    x, rows, columns = _with_outside(x, rows, columns, 0.0)
    groups = list(zip(ops.split(x, layer.groups, -1), ops.split(kernel, layer.groups, -1), strict=True))
    # At stride 4 windows share little, and conv1's 121 taps of 3 channels make poor matrices: it is cut out whole.
    strided = layer.strides[0] > 1
    method = _cut_windows if strided else _share_products
    values = int(np.prod(kernel.shape[:3])) if strided else kernel.shape[3]
    at_once = max(1, BLOCK // (len(rows) * values // layer.groups))
    blocks = []
    for start in range(0, len(columns), at_once):
        block = columns[start : start + at_once]
        blocks.append(ops.concatenate([method(*group, rows, block) for group in groups], -1) + bias)
    return ops.concatenate(blocks, 1)


def _share_products(x, kernel, rows, columns):
    """Multiply each input by each tap once; gather and add along rows, then along columns."""

    def one_column_of_taps(number):
        needed, places = np.unique(columns[:, number], return_inverse=True)
        inputs = ops.take(x, needed, axis=1)
        pairs = zip(kernel[:, number], rows.T, strict=True)
        products = (ops.take(_multiply(inputs, tap), row, axis=0) for tap, row in pairs)
        return ops.take(reduce(ops.add, products), places, axis=1)

    return reduce(ops.add, map(one_column_of_taps, range(kernel.shape[1])))


def _cut_windows(x, kernel, rows, columns):
    """Cut out the whole window of each output and multiply."""
    windows = _cut(x, rows[:, None, :, None], columns[:, None, :])
    return _multiply(ops.reshape(windows, (*windows.shape[:2], -1)), ops.reshape(kernel, (-1, kernel.shape[-1])))


def _multiply(x, matrix):
    """Multiply (rows, columns, channels) by a matrix as one flat product; TensorFlow is slow at three axes."""
    product = ops.matmul(ops.reshape(x, (-1, matrix.shape[0])), matrix)
    return ops.reshape(product, (*x.shape[:2], matrix.shape[1]))


def _with_outside(x, rows, columns, value):
    """Append to x a last row and column of what is outside a patch; rows and columns -1 become their numbers."""
    x = ops.pad(x, [(0, 1), (0, 1), (0, 0)], constant_values=value)
    return x, rows % x.shape[0], columns % x.shape[1]


def _cut(x, rows, columns):
    """Take ``x[rows, columns]``, whose shapes broadcast, with all channels."""
    return ops.take(ops.reshape(x, (-1, x.shape[-1])), rows * x.shape[1] + columns, axis=0)


def _pool(x, rows, columns):
    """Take maxima along rows, then along columns; what is outside never wins."""
    x, rows, columns = _with_outside(x, rows, columns, -np.inf)
    x = reduce(ops.maximum, [ops.take(x, tap, axis=0) for tap in rows.T])
    return reduce(ops.maximum, [ops.take(x, tap, axis=1) for tap in columns.T])


def _patch_by_patch(x, layers, row_keys, column_keys):
    """Put each patch's map together and lead it through the rest of the network: (rows, columns, classes)."""
    x, row_keys, column_keys = _with_outside(x, row_keys, column_keys, 0.0)
    row, column = (grid.ravel() for grid in np.indices((len(row_keys), len(column_keys))))
    found = []
    for start in range(0, len(row), BATCH):
        batch = slice(start, start + BATCH)
        maps = _cut(x, row_keys[row[batch]][:, :, None], column_keys[column[batch]][:, None, :])
        logits = reduce(lambda values, layer: layer(values), layers, maps)
        found.append(ops.convert_to_numpy(ops.softmax(logits)))
    return np.concatenate(found).reshape(len(row_keys), len(column_keys), -1)
