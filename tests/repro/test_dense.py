import numpy as np
import pytest

from repro import dense_plan
from repro.alexnet import build_alexnet
from repro.dense import dense_probabilities
from repro.inference import probabilities


class Patches:
    """The patches of pixels of a region, cut one by one: what `dense_probabilities` says it equals."""

    def __init__(self, canvas, zoom, size, rows, columns):
        self.canvas = canvas if canvas.ndim == 3 else np.stack([canvas] * 3, axis=-1)
        self.size = size
        self.starts = [(row * zoom, column * zoom) for row in rows for column in columns]

    def __len__(self):
        return len(self.starts)

    def cut(self, rows):
        starts = [self.starts[row] for row in rows]
        return np.stack([self.canvas[row : row + self.size, column : column + self.size] for row, column in starts])


def canvas_for(zoom, size, region):
    """Noise: an offset of one pixel shows."""
    shape = ((region[0] - 1) * zoom + size, (region[1] - 1) * zoom + size, 3)
    return np.random.default_rng([zoom, size]).integers(0, 256, shape, np.uint8)


def network(canvas, size, variant="caffe"):
    """Random weights whose logits, over patches of the canvas, have mean 0 and standard deviation 1."""
    model = build_alexnet(3, variant, size, fc_units=24, seed=3, init="msra")
    logits = model.predict_on_batch(Patches(canvas, 3, size, range(3), range(4)).cut(range(12)))
    kernel, bias = model.get_layer("fc8").get_weights()
    model.get_layer("fc8").set_weights([kernel / logits.std(0), (bias - logits.mean(0)) / logits.std(0)])
    return model


def spatial_layers(size, variant):
    return [layer for layer in build_alexnet(3, variant, size, 8).layers[1:] if len(layer.output.shape) == 4]


# Poolings that hang over: pool2 and pool5 at 75 pixels, pool1 and pool5 at 79. torchvision pads conv1 too. At 16
# pixels from one patch to the next, runs of conv1, pool1 and conv2 take every fourth or second row.
@pytest.mark.parametrize(
    ("variant", "size", "zoom", "region"),
    [
        ("caffe", 67, 3, (6, 5)),
        ("caffe", 75, 4, (9, 7)),
        ("caffe", 79, 8, (4, 5)),
        ("caffe", 71, 16, (5, 4)),
        ("torchvision", 67, 4, (7, 8)),
        ("torchvision", 99, 3, (5, 6)),
    ],
)
def test_equals_one_forward_pass_for_each_patch(variant, size, zoom, region, monkeypatch):
    monkeypatch.setattr(dense_plan, "PRICE_OF_SHARING", 0)  # Share in every layer, however little there is to share.
    canvas, columns = canvas_for(zoom, size, region), np.delete(np.arange(region[1]), 2)
    model = network(canvas, size, variant)
    expected = probabilities(model, Patches(canvas, zoom, size, range(region[0]), columns), batch_size=12)
    found = dense_probabilities(model, canvas, zoom, range(region[0]), columns)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.reshape(region[0], len(columns), 3), rtol=0, atol=5e-5)
    assert expected.std(axis=0).min() > 0.05


@pytest.mark.parametrize("price", [0, 1.6, np.inf])
def test_how_much_is_shared_and_at_once_changes_only_time(price, monkeypatch):
    canvas = canvas_for(4, 67, (8, 6))[..., 0]
    model = network(canvas, 67, "torchvision")
    rows, columns = [0, 1, 3, 7], [4, 1, 2]
    expected = probabilities(model, Patches(canvas, 4, 67, rows, columns), batch_size=12)
    monkeypatch.setattr(dense_plan, "PRICE_OF_SHARING", price)
    monkeypatch.setattr("repro.dense.BLOCK", 2**14)
    monkeypatch.setattr("repro.dense.BATCH", 5)
    found = dense_probabilities(model, canvas, 4, rows, columns, columns_at_once=2)
    np.testing.assert_allclose(found, expected.reshape(4, 3, 3), rtol=0, atol=5e-5)


def two_patches():
    """Number rows of two patches of four pixels, one below the other: convolution of size 3, padded by 1."""
    return dense_plan.number_windows(dense_plan.whole_patches([0, 1], 4), 3, padding=(1, 1))


def test_windows_of_two_patches_by_hand():
    sight = two_patches()
    windows = [[-1, 0, 1], [-1, 1, 2], [0, 1, 2], [1, 2, 3], [2, 3, 4], [2, 3, -1], [3, 4, -1]]
    assert sight.windows.tolist() == windows
    assert sight.keys.tolist() == [[0, 2, 3, 5], [1, 3, 4, 6]]
    assert sight.border.tolist() == [True, False, False, True]
    assert dense_plan.number_windows(sight, 3, padding=(1, 1)).border.all()


def test_runs_of_two_patches_by_hand():
    found = [
        (run.start, run.stop, run.inputs, set(run.repeated)) for run in dense_plan.find_runs(two_patches().windows, 9)
    ]
    # Tap 1 meets input 1 in rows 1 and 2, input 2 in row 3 only, input 3 in rows 4 and 5; tap 0 and tap 2 alike.
    assert found == [
        (0, 1, {1: slice(0, 1, 1), 2: slice(1, 2, 1)}, set()),
        (1, 2, {1: slice(1, 2, 1), 2: slice(2, 3, 1)}, {1, 2}),
        (2, 3, {0: slice(0, 1, 1), 1: slice(1, 2, 1), 2: slice(2, 3, 1)}, {1, 2}),
        (3, 4, {0: slice(1, 2, 1), 1: slice(2, 3, 1), 2: slice(3, 4, 1)}, set()),
        (4, 5, {0: slice(2, 3, 1), 1: slice(3, 4, 1), 2: slice(4, 5, 1)}, {0, 1}),
        (5, 6, {0: slice(2, 3, 1), 1: slice(3, 4, 1)}, {0, 1}),
        (6, 7, {0: slice(3, 4, 1), 1: slice(4, 5, 1)}, set()),
    ]


@pytest.mark.parametrize(("zoom", "longest", "steps"), [(8, 999, {1}), (8, 5, {1}), (16, 999, {1, 2}), (3, 999, None)])
def test_runs_say_what_windows_say(zoom, longest, steps):
    layers = spatial_layers(131, "caffe")
    conv2 = [layer.name for layer in layers].index("conv2")
    windows = dense_plan.sights(layers, np.arange(19) * zoom, 131)[conv2 + 1].windows
    runs, said = dense_plan.find_runs(windows, longest), np.full_like(windows, -1)
    for run in runs:
        assert 0 < run.stop - run.start <= longest
        for tap, rows in run.inputs.items():
            said[run.start : run.stop, tap] = np.arange(windows.max() + 1)[rows]
    np.testing.assert_array_equal(said, windows)
    assert steps is None or {rows.step for run in runs for rows in run.inputs.values()} == steps
    # Two units at either border, and what lies inside; and where inputs begin or end to be used more than once.
    assert (zoom, longest) != (8, 999) or len(runs) == 11


def test_products_along_rows_of_the_papers_region():
    layers = spatial_layers(227, "caffe")
    rows = dense_plan.sights(layers, np.arange(60) * 8, 227)
    sight = rows[[layer.name for layer in layers].index("conv5") + 1]
    runs = dense_plan.find_runs(sight.windows, 999)
    own = sum((run.stop - run.start) * (len(run.inputs) - len(run.repeated)) for run in runs)
    repeated = {(tap, row) for run in runs for tap in run.repeated for row in np.arange(432)[run.inputs[tap]].tolist()}
    # Of conv4's rows each patch has three to itself at either border, one of whose nine products falls outside.
    # The 30 even patches share 7 rows and one more for each patch after the first, and so do the 30 odd ones.
    assert own + len(repeated) == 60 * 2 * (9 - 1) + 2 * (7 + 29) * 3
    assert len(runs) == 13


def test_distinct_rows_of_the_papers_region():
    layers = spatial_layers(227, "caffe")
    rows = dense_plan.sights(layers, np.arange(92) * 8, 227)
    distinct = {layer.name: sight.keys.max() + 1 for layer, sight in zip(layers, rows[1:], strict=True)}
    # Eight pixels are two steps of conv1 and one of pool1; conv2 has two rows at each border of each of 92 patches.
    assert distinct["conv1"] == 55 + 91 * 2
    assert distinct["pool1"] == 27 + 91
    assert distinct["conv2"] == 4 * 92 + (27 - 4) + 91
    # pool2 takes every second row: one at each border and, of the inner eleven, those of even and of odd patches.
    assert distinct["pool2"] == 2 * 92 + 92 + 2 * (11 - 1)
    assert distinct["conv3"] == 4 * 92 + 92 + 2 * (9 - 1)


def test_sharing_ends_where_all_maps_differ():
    layers = spatial_layers(131, "caffe")
    rows, columns = (dense_plan.sights(layers, np.arange(count) * 4, 131) for count in (92, 30))
    assert layers[dense_plan.count_shared_layers(layers, rows, columns)].name == "conv5"


def test_a_canvas_that_ends_too_soon_is_refused():
    model = build_alexnet(3, "torchvision", 67, 8, seed=1)
    canvas = np.zeros((67 + 4 * 5, 67 + 4 * 2), np.uint8)
    with pytest.raises(ValueError, match="87x75 pixels; patches take rows 0 to 87, columns 4 to 79"):
        dense_probabilities(model, canvas, 4, range(6), [1, 3])
    with pytest.raises(ValueError, match="float64"):
        dense_probabilities(model, canvas / 255, 4, range(6), [1])
