import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from repro import layers
from repro.alexnet import LAYERS, build_alexnet
from repro.layers import FullyConnected, GroupedConv2D, LocalResponseNormalization, Preprocessing

# Loads weights, computes logits, takes one step; so that backends can be compared by the files they leave.
BACKEND_SCRIPT = """
import sys
import numpy as np
from repro.alexnet import LAYERS, build_alexnet
import keras

folder = sys.argv[1]
# Pixels in the hundreds give gradients in the hundreds in the Caffe variant: a smaller step.
for variant, rate in (("caffe", 1e-5), ("torchvision", 1e-2)):
    given = np.load(f"{folder}/{variant}.npz")
    model = build_alexnet(3, variant, 67, fc_units=11, dropout=0.0)
    for name in LAYERS:
        model.get_layer(name).set_weights([given[f"{name} kernel"], given[f"{name} bias"]])
    logits = model.predict(given["images"], verbose=0)
    model.compile(keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.train_on_batch(given["images"], given["labels"])
    kernels = {name: keras.ops.convert_to_numpy(model.get_layer(name).kernel) for name in LAYERS}
    steps = {name: kernel - given[f"{name} kernel"] for name, kernel in kernels.items()}
    np.savez(f"{folder}/{variant} {keras.backend.backend()}.npz", logits=logits, loss=loss, **steps)
"""


def small(variant="caffe", **settings):
    return build_alexnet(3, variant, 67, fc_units=11, **{"seed": 4, **settings})


def test_caffe_variant_has_the_maps_of_table_1():
    model = build_alexnet(2, fc_units=13)
    maps = {
        name: model.get_layer(name).output.shape[1:] for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")
    }
    assert maps == {
        "conv1": (55, 55, 96),
        "pool1": (27, 27, 96),
        "conv2": (27, 27, 256),
        "pool2": (13, 13, 256),
        "conv5": (13, 13, 256),
        "pool5": (6, 6, 256),
    }
    names = [layer.name for layer in model.layers if layer.weights]
    assert tuple(names) == LAYERS
    assert model.get_layer("conv2").kernel.shape == (5, 5, 48, 256)


@pytest.mark.parametrize(("variant", "parameters"), [("caffe", 60_965_224), ("torchvision", 61_100_840)])
def test_whole_network_has_the_published_number_of_parameters(variant, parameters):
    """As Caffe and torchvision count them; 224 pixels leave 5x5 maps in Caffe's geometry, so 227 for both."""
    assert build_alexnet(1000, variant).count_params() == parameters


@pytest.mark.parametrize("variant", ["caffe", "torchvision"])
@pytest.mark.parametrize("size", [67, 68, 74, 101])
def test_any_input_size_from_67_up_gives_finite_logits(variant, size):
    model = build_alexnet(3, variant, size, fc_units=11, seed=4)
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    logits = model.predict_on_batch(images)
    assert logits.shape == (2, 3)
    assert np.isfinite(logits).all()
    assert logits.dtype == np.float32


def test_what_cannot_be_built_is_named():
    with pytest.raises(ValueError, match=r"at least 67x67.*input_size=66"):
        build_alexnet(2, input_size=66)
    with pytest.raises(ValueError, match="Received: 'vgg'"):
        build_alexnet(2, "vgg")
    with pytest.raises(ValueError, match="init='he'"):
        build_alexnet(2, init="he")


def test_caffe_pooling_rounds_up_and_never_lets_the_padding_win():
    """74 pixels leave maps of 16: a window hangs over the edge. Checked on all-negative numbers."""
    pool = build_alexnet(2, "caffe", 74, fc_units=11).get_layer("pool1")
    falling = -np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    assert np.asarray(pool(falling))[0, :, :, 0].tolist() == [[0, -2], [-8, -10]]
    floor = build_alexnet(2, "torchvision", 67, fc_units=11).get_layer("pool1")
    assert np.asarray(floor(falling))[0, :, :, 0].tolist() == [[0]]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("caffe", (30 - 104.007, 20 - 116.669, 10 - 122.679)),
        ("torchvision", ((10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225)),
    ],
)
def test_preprocessing_of_one_colour(variant, expected):
    layer = small(variant).get_layer("preprocessing")
    for dtype in ("uint8", "float32"):
        prepared = np.asarray(layer(np.full((1, 2, 5, 3), (10, 20, 30), dtype)))
        np.testing.assert_allclose(prepared, np.broadcast_to(expected, (1, 2, 5, 3)), rtol=1e-5)


def test_uint8_and_float_images_give_the_same_logits():
    model = small()
    images = np.random.default_rng(1).integers(0, 256, (2, 67, 67, 3), dtype=np.uint8)
    fractions = images + np.float32(0.5)
    assert np.array_equal(model.predict_on_batch(images), model.predict_on_batch(images.astype("float32")))
    assert not np.array_equal(model.predict_on_batch(images), model.predict_on_batch(fractions))


def lrn_by_hand(x, alpha, beta=0.75, k=1.0):
    """Write LRN over 5 channels as loops: x of shape (channels,), float64."""
    result = np.empty_like(x)
    for channel in range(len(x)):
        window = x[max(0, channel - 2) : channel + 3]
        result[channel] = x[channel] / (k + alpha / 5 * (window**2).sum()) ** beta
    return result


@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_lrn_is_caffes_formula_in_loops(beta):
    x = np.random.default_rng(2).normal(0, 100, (2, 3, 4, 7))
    expected = np.apply_along_axis(lrn_by_hand, -1, x, 1e-4, beta)
    normalised = np.asarray(LocalResponseNormalization(beta=beta)(x.astype("float32")))
    np.testing.assert_allclose(normalised, expected, rtol=2e-6)
    assert abs(expected / x).min() < 0.7, "the numbers are too small to see LRN"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients by TensorFlow's tape")
def test_lrn_derivative_is_the_difference_quotient():
    import tensorflow as tf

    rng = np.random.default_rng(3)
    x, direction = rng.normal(0, 100, 7), rng.normal(0, 1, 7)
    upstream = rng.normal(0, 1, 7)
    variable = tf.Variable(x.reshape(1, 1, 1, 7), dtype="float32")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(LocalResponseNormalization()(variable) * upstream.astype("float32"))
    step = 1e-3
    quotient = (lrn_by_hand(x + step * direction, 1e-4) - lrn_by_hand(x - step * direction, 1e-4)) / (2 * step)
    ours = np.asarray(tape.gradient(total, variable)).ravel() @ direction
    np.testing.assert_allclose(ours, quotient @ upstream, rtol=1e-5)


def test_grouped_convolution_is_two_convolutions_side_by_side():
    layer = GroupedConv2D(10, 3, padding="same", groups=2, bias_initializer="ones")
    x = np.random.default_rng(4).normal(size=(2, 5, 7, 4)).astype("float32")
    whole = np.asarray(layer(x))
    kernel = np.asarray(layer.kernel)
    assert kernel.shape == (3, 3, 2, 10)
    left = keras.ops.conv(x[..., :2], kernel[..., :5], padding="same")
    right = keras.ops.conv(x[..., 2:], kernel[..., 5:], padding="same")
    np.testing.assert_allclose(whole, np.concatenate([left, right], -1) + 1, atol=1e-5)


def gradients(layer, x, upstream):
    """Return output, gradients by inputs, kernel and bias, and the operations in functions of the graph."""
    tf = pytest.importorskip("tensorflow")

    @tf.function
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y * upstream)
        return [y, *tape.gradient(total, [x, *(weight.value for weight in layer.trainable_weights)])]

    functions = compute.get_concrete_function(x).graph.as_graph_def().library.function
    used = {node.op for function in functions for node in function.node_def}
    return [value.numpy() for value in compute(x)], used


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends take Keras' own layer")
@pytest.mark.parametrize("large", [True, False])
def test_a_large_layer_takes_the_faster_product_and_its_gradients_are_keras_own(large, monkeypatch):
    monkeypatch.setattr(layers, "LARGE", 35 if large else 36)
    draw = np.random.default_rng(6)
    x, upstream = (draw.normal(size=(11, number)).astype("float32") for number in (7, 5))
    own, plain = FullyConnected(5, bias_initializer="ones"), keras.layers.Dense(5)
    for layer in (own, plain):
        layer.build(x.shape)
    plain.set_weights(own.get_weights())
    (expected, _), (found, used) = (gradients(layer, x, upstream) for layer in (plain, own))
    assert [value.shape for value in found] == [(11, 5), (11, 7), (7, 5), (5,)]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert ("BatchMatMulV2" in used) == large


def test_only_layers_of_4096_units_are_large():
    """Results that are kept come from networks of 512 units, which must not move."""
    wide = {
        name: build_alexnet(2, "caffe", 227, units).get_layer(name) for units, name in ((4096, "fc7"), (512, "fc6"))
    }
    assert {name: int(np.prod(layer.kernel.shape)) > layers.LARGE for name, layer in wide.items()} == {
        "fc7": True,
        "fc6": False,
    }


def test_same_seed_same_weights_and_no_two_layers_share_a_seed():
    one, same, other = (small(seed=seed).get_weights() for seed in (4, 4, 5))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one[::2], other[::2], strict=True))
    seeds = [small().get_layer(name).kernel_initializer.seed for name in LAYERS]
    seeds += [small().get_layer(name).seed for name in ("drop6", "drop7")]
    assert len(set(seeds)) == 10


def test_initial_weights_are_caffes_fillers():
    conv2 = {init: np.asarray(small(init=init).get_layer("conv2").kernel) for init in ("gaussian", "xavier", "msra")}
    inputs = 5 * 5 * 48
    np.testing.assert_allclose(conv2["gaussian"].std(), 0.01, rtol=0.01)
    np.testing.assert_allclose(conv2["msra"].std(), np.sqrt(2 / inputs), rtol=0.01)
    np.testing.assert_allclose(abs(conv2["xavier"]).max(), np.sqrt(3 / inputs), rtol=0.001)
    biases = {name: float(np.asarray(small().get_layer(name).bias)[0]) for name in LAYERS}
    assert [name for name, bias in biases.items() if bias] == ["conv2", "conv4", "conv5", "fc6", "fc7"]
    np.testing.assert_allclose(biases["fc7"], 0.1)


# Keras itself converts TensorFlow's variables in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("variant", ["caffe", "torchvision"])
def test_saved_model_comes_back_the_same(tmp_path, variant):
    model = small(variant)
    images = np.random.default_rng(5).integers(0, 256, (2, 67, 67, 3), dtype=np.uint8)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.get_layer("preprocessing"), Preprocessing)
    assert np.array_equal(again.predict_on_batch(images), model.predict_on_batch(images))


@pytest.fixture(scope="module")
def backend_files(tmp_path_factory):
    """Run `BACKEND_SCRIPT` on all backends that are installed, side by side; return the folder of what they wrote."""
    folder, rng = tmp_path_factory.mktemp("backends"), np.random.default_rng(6)
    for variant in ("caffe", "torchvision"):
        layers = {name: small(variant, init="msra").get_layer(name) for name in LAYERS}
        kernels = {f"{name} kernel": layer.kernel for name, layer in layers.items()}
        biases = {f"{name} bias": layer.bias for name, layer in layers.items()}
        images = rng.integers(0, 256, (5, 67, 67, 3), dtype=np.uint8)
        np.savez(folder / f"{variant}.npz", images=images, labels=[0, 1, 2, 1, 0], **kernels, **biases)
    installed = [name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)]
    command = [sys.executable, "-W", "ignore", "-c", BACKEND_SCRIPT, str(folder)]
    running = [subprocess.Popen(command, env={**os.environ, "KERAS_BACKEND": name}) for name in installed]
    assert [process.wait() for process in running] == [0] * len(installed)
    return folder


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("variant", ["caffe", "torchvision"])
def test_other_backends_compute_and_learn_the_same(backend_files, backend, variant):
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    expected = np.load(backend_files / f"{variant} tensorflow.npz")
    received = np.load(backend_files / f"{variant} {backend}.npz")
    np.testing.assert_allclose(received["logits"], expected["logits"], atol=1e-4 * abs(expected["logits"]).max())
    np.testing.assert_allclose(received["loss"], expected["loss"], rtol=1e-4)
    for name in LAYERS:
        size = abs(expected[name]).max()
        assert size > 1e-6, f"{name} has not moved"
        np.testing.assert_allclose(received[name], expected[name], atol=1e-3 * size, err_msg=name)
