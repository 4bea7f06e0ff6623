"""Class probabilities at every pixel of a region: those of one forward pass for each pixel's patch, but faster.

Patches around neighbouring pixels overlap, and most of what a network computes for one it computes for the others
too. To be exact it must not slide over the image as a whole: conv2 to conv5 pad *each patch* with zeros, which spread
until, in conv5, only the middle 5x5 of 13x13 units are free of them. `repro.dense_plan` numbers the rows and the
columns that differ, with an example; here each layer is computed once for each pair of a distinct row and a
distinct column. As soon as hardly any are shared, and for the fully connected layers, where none are, the patches
go through the network's own layers in batches.

A convolution is computed in two ways at once. Along columns each output's whole window is cut out, so that a matrix
sums over it. Along rows products are shared: zero borders make more distinct outputs than inputs, and each row of
*input* is multiplied once by each tap of the kernel that any output needs, then slices of products are added up, a run
of rows after the other. At 227 pixels conv5 so has 1,176 products along rows for 60 patches, where its 548 distinct
rows would need 1,644 and patch by patch it is 2,340.

A region of 92x60 pixels, of 8 pixels of the canvas each, takes 8 to 9 s on 2 cores with AVX-512 and 16 s without;
patch by patch it is 41 to 44 s and 80 s, and in plain PyTorch 94 to 137 s and 223 s (227 pixels, 4096 units;
`benchmarks/dense_maps.py`). Of 8 s most is matrix products: 2.9 s in the fully connected layers, 600 GFLOP, and 3.4 s
in the convolutions, 700 GFLOP (patch by patch 7,300), all at 210 GFLOP/s. So it cannot be 8 times as fast as a Keras
that spends nearly all its time in products: 440 GFLOP are the least for convolutions, if products were shared along
columns too, and adding them up then took what that saved.
"""

from functools import reduce
from operator import add

import keras
import numpy as np
from keras import ops

from repro.dense_plan import OUTSIDE, count_shared_layers, find_runs, sights

# Values of a result that a convolution works on at a time, 32 MiB of float32: at 227 pixels 2**22 to 2**25 take the
# same time to 3 %; less is ever more small operations.
BLOCK = 2**23
# Patches in the fully connected layers at a time; their products reach 200 GFLOP/s at 250, 212 at 1000.
BATCH = 500


def dense_probabilities(model, canvas, zoom, rows, columns, columns_at_once=46):
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
        Bounds memory: at 227 pixels and 60 rows, 46 columns take 1.4 GB beside the network and 31 take 1 GB, and 4 %
        longer.

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
            # At stride 4 windows share little, and conv1's 11 taps of 3 channels make poor matrices.
            convolve = _convolve_whole_windows if layer.strides[0] > 1 and layer.groups == 1 else _convolve
            x = convolve(x, row.windows, column.windows, layer)
        elif isinstance(layer, keras.layers.MaxPooling2D):
            x = _pool(x, row.windows, column.windows)
        elif not isinstance(layer, keras.layers.ZeroPadding2D):  # The plan's -1 are these zeros already.
            x = layer(x[None])[0]
    return x


def _convolve(x, rows, columns, layer):
    """Convolve distinct rows and columns, group by group; bring the groups together a run of rows at a time.

    `rows` of shape (distinct, size of the kernel) and `columns` alike say what each output is made of.
    """
    kernel, bias = _weights(layer, x.dtype)
    runs = find_runs(rows, max(1, BLOCK // (len(columns) * kernel.shape[3] // layer.groups)))
    columns = np.where(columns == OUTSIDE, x.shape[1], columns)  # A column of zeros, appended.
    inputs = ops.split(ops.pad(x, [(0, 0), (0, 1), (0, 0)]), layer.groups, -1)
    groups = zip(inputs, ops.split(kernel, layer.groups, -1), strict=True)
    found = [_convolve_group(some, filters, columns, runs) for some, filters in groups]
    return ops.concatenate([ops.concatenate(parts, -1) + bias for parts in zip(*found, strict=True)], 0)


def _convolve_group(x, kernel, columns, runs):
    """Convolve one group of channels: for each run of rows (its rows, columns of the result, filters).

    Along columns whole windows are cut out: a matrix then sums over them, and nothing but rows is left to add up.
    """
    channels = columns.shape[1] * x.shape[-1]
    windows = ops.reshape(ops.take(x, columns.ravel(), axis=1), (-1, channels))
    taps = list(ops.reshape(kernel, (len(kernel), channels, -1)))
    repeated = _repeated_products(windows, taps, len(columns), runs)
    sums = (_sum_products(windows, taps, len(columns), repeated, run) for run in runs)
    return [ops.reshape(some, (-1, len(columns), kernel.shape[-1])) for some in sums]


def _repeated_products(windows, taps, width, runs):
    """Multiply once what several rows of the result need: for each tap the first row multiplied, and the products."""
    products = {}
    for number, tap in enumerate(taps):
        used = [run.inputs[number] for run in runs if number in run.repeated]
        if used:
            first, last = min(rows.start for rows in used), max(rows.stop for rows in used)
            products[number] = first, windows[first * width : last * width] @ tap
    return products


def _sum_products(windows, taps, width, repeated, run):
    """Sum the products that a run of rows is made of: (rows of the run * width, filters)."""

    def product(number, rows):
        if number in run.repeated:
            first, known = repeated[number]
            return _some_rows(known, rows, first, width)
        return _some_rows(windows, rows, 0, width) @ taps[number]

    return reduce(add, (product(number, rows) for number, rows in run.inputs.items()))


def _some_rows(x, rows, first, width):
    """Take rows out of x of shape (rows * width, channels), whose own first row has the number `first`."""
    start, stop = rows.start - first, rows.stop - first
    if rows.step == 1:
        return x[start * width : stop * width]
    return ops.reshape(ops.reshape(x, (-1, width, x.shape[-1]))[start : stop : rows.step], (-1, x.shape[-1]))


def _convolve_whole_windows(x, rows, columns, layer):
    """Cut out the whole window of each output and multiply, in blocks of rows."""
    kernel, bias = _weights(layer, x.dtype)
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    x, rows, columns = _with_outside(x, rows, columns)
    at_once = max(1, BLOCK // (len(columns) * matrix.shape[0]))
    blocks = []
    for start in range(0, len(rows), at_once):
        windows = _cut(x, rows[start : start + at_once, None, :, None], columns[:, None, :])
        blocks.append(ops.reshape(windows, (-1, matrix.shape[0])) @ matrix + bias)
    return ops.reshape(ops.concatenate(blocks, 0), (len(rows), len(columns), -1))


def _weights(layer, dtype):
    """Return a convolution's kernel and bias."""
    return (ops.cast(ops.stop_gradient(weights), dtype) for weights in (layer.kernel, layer.bias))


def _with_outside(x, rows, columns):
    """Append to x a last row and column of zeros, outside a patch; rows and columns -1 become their numbers."""
    x = ops.pad(x, [(0, 1), (0, 1), (0, 0)])
    return x, rows % x.shape[0], columns % x.shape[1]


def _cut(x, rows, columns):
    """Take ``x[rows, columns]``, whose shapes broadcast, with all channels."""
    return ops.take(ops.reshape(x, (-1, x.shape[-1])), rows * x.shape[1] + columns, axis=0)


def _pool(x, rows, columns):
    """Take maxima along rows, then along columns; what is outside never wins, another input stands in for it."""
    columns = np.where(columns == OUTSIDE, columns.max(axis=1, keepdims=True), columns)
    places = [ops.convert_to_tensor(column, "int32") for column in columns.T]
    blocks = []
    for run in find_runs(rows, max(1, BLOCK // (x.shape[1] * x.shape[2]))):
        block = reduce(ops.maximum, [x[some] for some in run.inputs.values()])
        blocks.append(reduce(ops.maximum, [ops.take(block, tap, axis=1) for tap in places]))
    return ops.concatenate(blocks, 0)


def _patch_by_patch(x, layers, row_keys, column_keys):
    """Put each patch's map together and lead it through the rest of the network: (rows, columns, classes)."""
    x, row_keys, column_keys = _with_outside(x, row_keys, column_keys)
    row, column = (grid.ravel() for grid in np.indices((len(row_keys), len(column_keys))))
    found = []
    for start in range(0, len(row), BATCH):
        batch = slice(start, start + BATCH)
        maps = _cut(x, row_keys[row[batch]][:, :, None], column_keys[column[batch]][:, None, :])
        logits = reduce(lambda values, layer: layer(values), layers, maps)
        found.append(ops.convert_to_numpy(ops.softmax(logits)))
    return np.concatenate(found).reshape(len(row_keys), len(column_keys), -1)
