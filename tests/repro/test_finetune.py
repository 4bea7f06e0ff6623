"""Depths, Table II, freezing, and Eq. 2 followed by hand."""

import keras
import numpy as np
import pytest

from repro.finetune import ARMS, DEPTHS, LAYERS, label, layer_rates, optimizer, trainable_until

# PAPER Table II, rows as printed, conv1 to fc8, in thousandths.
TABLE_II = {
    "conv1": (1, 1, 1, 1, 1, 1, 1, 10),
    "conv2": (0, 1, 1, 1, 1, 1, 1, 10),
    "conv3": (0, 0, 1, 1, 1, 1, 1, 10),
    "conv4": (0, 0, 0, 1, 1, 1, 1, 10),
    "conv5": (0, 0, 0, 0, 1, 1, 1, 10),
    "fc6": (0, 0, 0, 0, 0, 1, 1, 10),
    "fc7": (0, 0, 0, 0, 0, 0, 1, 10),
    "fc8": (0, 0, 0, 0, 0, 0, 0, 10),
    "scratch": (1, 1, 1, 1, 1, 1, 1, 1),
}


def three_layers(seed=3):
    """Return a network of 5 -> 4 -> 3 -> 2 units named a, b, c."""
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense
    return keras.Sequential(
        [keras.Input((5,)), dense(4, "relu", name="a"), dense(3, "relu", name="b"), dense(2, name="c")]
    )


def nested():
    """Return a model whose first layer is a model with batch normalisation of its own."""
    inner = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(4, name="a"), keras.layers.BatchNormalization(name="norm")], name="inner"
    )
    return keras.Sequential(
        [keras.Input((5,)), inner, keras.layers.Dense(3, name="b"), keras.layers.Dense(2, name="c")]
    )


@pytest.mark.parametrize("arm", ARMS)
def test_rates_are_table_ii(arm):
    assert layer_rates(arm) == {layer: rate / 1000 for layer, rate in zip(LAYERS, TABLE_II[arm], strict=True)}


def test_arms_are_named_as_in_the_paper():
    assert DEPTHS == ("fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1")
    assert [label(arm) for arm in ("conv5", "fc8", "scratch", "handcrafted")] == [
        "FT:conv5-fc8",
        "FT:only fc8",
        "scratch",
        "handcrafted",
    ]


def test_unknown_arm_is_named():
    with pytest.raises(ValueError, match=r"Received: 'conv6'\. Expected one of \('fc8'"):
        layer_rates("conv6")


def test_layers_before_are_frozen_and_after_learn():
    model = three_layers()
    assert trainable_until(model, "b") == ("b", "c")
    assert [layer.trainable for layer in model.layers] == [False, True, True]
    assert trainable_until(model, "a") == ("a", "b", "c")


def test_nested_models_freeze_in_place():
    model = nested()
    assert trainable_until(model, "norm") == ("norm", "b", "c")
    assert len(model.trainable_variables) == 2 + 2 + 2
    assert trainable_until(model, "b") == ("b", "c")


def test_frozen_batch_normalisation_keeps_its_statistics():
    model = nested()
    trainable_until(model, "b")
    model.compile("sgd", "mse")
    before = [np.array(weight) for weight in model.get_layer("inner").get_weights()]
    model.train_on_batch(np.random.default_rng(0).normal(5, 2, (7, 5)), np.zeros((7, 2)))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_layer("inner").get_weights(), strict=True))


def test_unknown_layer_lists_what_there_is():
    with pytest.raises(ValueError, match=r"Received: 'fc9', found 0 times. Expected one of \['a', 'b', 'c'\]"):
        trainable_until(three_layers(), "fc9")


def test_compiling_again_is_demanded():
    model = three_layers()
    model.compile("sgd", "mse")
    trainable_until(model, "c")
    with pytest.raises(ValueError, match="compile"):
        model.train_on_batch(np.zeros((2, 5)), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"a": 0, "b": 0.1}, r"Missing: \['c'\]"),
        ({"a": 0, "b": 0.1, "c": 0.1, "d": 0.1}, r"Not in the model: \['d'\]"),
        ({"a": 0.1, "b": 0.1, "c": 0.1}, r"Contradicted by: \['a'\]"),
        ({"a": 0, "b": 0, "c": 0.1}, r"Contradicted by: \['b'\]"),
    ],
)
def test_rates_must_cover_exactly_what_learns(rates, message):
    model = three_layers()
    trainable_until(model, "b")
    with pytest.raises(ValueError, match=message):
        optimizer(model, rates, steps_per_epoch=2)


def test_three_steps_of_eq_2_by_hand():
    """Two layers by NumPy, 2 batches an epoch: steps 1 and 2 at the full rate, step 3 at .95 of it."""
    model = three_layers()
    trainable_until(model, "b")
    rates = {"a": 0.0, "b": 0.05, "c": 0.3}
    model.compile(
        optimizer(model, rates, steps_per_epoch=2), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(3, 6, 5)).astype("float32"), draw.integers(0, 2, (3, 6))
    weights = [np.array(w, np.float64) for w in model.get_weights()]
    velocity = [np.zeros_like(w) for w in weights]
    alpha = [0, 0, 0.05, 2 * 0.05, 0.3, 2 * 0.3]  # a bias at twice the rate
    for step in range(3):
        model.train_on_batch(x[step], y[step])
        for k, gradient in enumerate(by_hand(weights, x[step], y[step])):
            velocity[k] = 0.9 * velocity[k] - 0.95 ** (step // 2) * alpha[k] * gradient
            weights[k] = weights[k] + velocity[k]
    for expected, found in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def by_hand(weights, x, y):
    """Return the gradients of the mean cross-entropy (Eq. 1) for the kernels and biases of a, b, c."""
    a, a0, b, b0, c, c0 = weights
    h1 = np.maximum(x @ a + a0, 0)
    h2 = np.maximum(h1 @ b + b0, 0)
    logits = h2 @ c + c0
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    d3 = (p - np.eye(2)[y]) / len(y)
    d2 = (d3 @ c.T) * (h2 > 0)
    d1 = (d2 @ b.T) * (h1 > 0)
    return [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d3, d3.sum(0)]
