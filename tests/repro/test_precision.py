"""Precision: what is computed in bfloat16 or TF32, what stays in float32, and that all are the same network."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from experiments import command
from repro import networks, runs, weights
from repro.alexnet import LAYERS
from repro.dense import dense_probabilities
from repro.feeding import on_accelerator
from repro.finetune import layer_rates
from repro.inference import probabilities
from repro.profiles import load_profile
from repro.runs import Data, Run

OTHERS = ("jax", "torch")
SHAPES = ((11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256))


class Squares:
    """Stand-in for a PatchTable: bright squares on a dark ground are class 1."""

    def __init__(self, number, seed):
        self.labels = np.arange(number) % 2
        self.patches = np.random.default_rng(seed).integers(0, 120, (number, 67, 67, 3)).astype(np.uint8)
        self.patches[self.labels == 1, 20:45, 20:45] += 90

    def __len__(self):
        return len(self.labels)

    def cut(self, rows):
        return self.patches[rows]


class Patches:
    """Of a run: 14 that train, 6 that validate."""

    caveats = ()

    def training(self):
        return Squares(14, seed=1), Squares(6, seed=2)


def run(arm, precision="mixed_bfloat16"):
    changes = [f"training.precision={precision}", "training.max_epochs=1"]
    settings = load_profile("smoke", changes).settings("polyp")
    return Run("polyp", arm, 1.0, 5, "imagenet", "smoke", settings, Data("d", "", "f"))


@pytest.fixture
def imagenet(monkeypatch):
    """Let the source of weights hold random numbers; return them by layer."""
    draw, arrays = np.random.default_rng(9), {}
    for name, shape in zip(LAYERS, SHAPES, strict=False):
        kernel = draw.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape)
        arrays[name] = kernel.astype(np.float32), draw.normal(0, 0.1, shape[3]).astype(np.float32)
    known = replace(weights.SOURCES["imagenet"], read=lambda _: arrays)
    monkeypatch.setitem(weights.SOURCES, "imagenet", known)
    monkeypatch.setattr(weights, "prepare", lambda _: "nowhere")
    return arrays


def values(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def same(some, others):
    return [np.array_equal(one, other) for one, other in zip(some, others, strict=True)]


def test_a_network_is_filled_and_learns_in_mixed_precision(imagenet):
    """Weights stay what float32 holds, to the bit where they are frozen."""
    model, _ = networks.prepare_network(run("conv4"), num_classes=2)
    before = values(model)
    assert all(same(before[name], imagenet[name]) == [True, True] for name in imagenet)
    history = networks.train_arm(run("conv4"), model, *Patches().training())
    assert np.isfinite([epoch["loss"] for epoch in history["epochs"]]).all()
    for name, arrays in values(model).items():
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}, name
        assert same(before[name], arrays) == [layer_rates("conv4")[name] == 0] * 2, name


def test_all_but_the_logits_is_computed_in_bfloat16_and_other_networks_are_not():
    model, _ = networks.prepare_network(run("scratch"), num_classes=2)
    assert keras.config.dtype_policy().name == "float32"
    computed = {layer.name: layer.compute_dtype for layer in model.layers if layer.weights}
    assert computed == dict.fromkeys(LAYERS, "bfloat16") | {"fc8": "float32"}
    assert model.predict_on_batch(Squares(3, seed=1).patches).dtype == np.float32
    plain, _ = networks.prepare_network(run("scratch", "float32"), num_classes=2)
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}


def tf32_is_allowed():
    """Ask the backend; JAX by what becomes of a product and a convolution."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return importlib.import_module("tensorflow").config.experimental.tensor_float_32_execution_enabled()
    if backend == "torch":
        backends = importlib.import_module("torch").backends
        return {backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32} == {True}
    images, kernel, matrix = (np.ones(shape, np.float32) for shape in ((1, 8, 8, 1), (3, 3, 1, 2), (2, 5)))
    products = importlib.import_module("jax").make_jaxpr(lambda x: keras.ops.matmul(keras.ops.conv(x, kernel), matrix))
    seen = {str(each.params["precision"]) for each in products(images).eqns if "precision" in each.params}
    assert len(seen) == 1, seen
    return "HIGHEST" not in seen.pop()


def test_tf32_is_used_where_it_was_asked_for():
    allowed, computed = {}, {}
    for name in ("tf32", "float32", "tf32", "mixed_bfloat16"):
        model, _ = networks.prepare_network(run("scratch", name), num_classes=2)
        allowed[name], computed[name] = tf32_is_allowed(), model.get_layer("conv1").compute_dtype
    assert allowed == {"tf32": True, "float32": False, "mixed_bfloat16": False}
    assert computed == {"tf32": "float32", "float32": "float32", "mixed_bfloat16": "bfloat16"}


@pytest.mark.skipif(on_accelerator(), reason="a GPU may round")
def test_a_cpu_knows_no_tf32():
    found = []
    for name in ("float32", "tf32"):
        model, _ = networks.prepare_network(run("scratch", name), num_classes=2)
        networks.train_arm(run("scratch", name), model, *Patches().training())
        found.append(model.get_weights())
    assert all(same(*found))


@pytest.mark.usefixtures("imagenet")
def test_both_precisions_start_from_the_same_weights_and_say_nearly_the_same():
    """bfloat16 rounds to 1/256: outputs differ, and by a few times that of their size."""
    plain, mixed = (networks.prepare_network(run("fc8", name), 3)[0] for name in ("float32", "mixed_bfloat16"))
    assert all(same(plain.get_weights(), mixed.get_weights()))
    patches = Squares(20, seed=3).patches
    expected, found = (model.predict_on_batch(patches) for model in (plain, mixed))
    apart = np.abs(found - expected).max() / np.abs(expected).max()
    assert 1e-5 < apart < 0.04


@pytest.mark.usefixtures("imagenet")
def test_a_kept_network_comes_back_the_same(tmp_path):
    history = networks.fit(run("fc7"), Patches())[1]["history"]
    trained, caveats = networks.trained(run("fc7"), tmp_path, history, Patches)
    kept, _ = networks.trained(run("fc7"), tmp_path, history, make_patches=None)
    assert caveats == []  # Trained twice, to the bit.
    assert all(same(trained.get_weights(), kept.get_weights()))
    patches = Squares(5, seed=4).patches
    np.testing.assert_array_equal(kept.predict_on_batch(patches), trained.predict_on_batch(patches))
    with np.load(runs.path_of(run("fc7"), tmp_path, "weights.npz")) as file:
        assert {file[name].dtype for name in file.files if "/" in name} == {np.dtype(np.float32)}


def test_confidence_maps_are_those_of_each_patch_to_rounding():
    """A map adds up products that are rounded to 1/256 each."""
    model, _ = networks.prepare_network(run("scratch"), num_classes=3)
    kernel, bias = model.get_layer("fc8").get_weights()
    model.get_layer("fc8").set_weights([40 * kernel, 0 * bias])
    canvas = np.random.default_rng(0).integers(0, 256, (67 + 4 * 3, 67 + 4 * 5, 3), np.uint8)
    maps = dense_probabilities(model, canvas, 4, range(4), range(6))
    windows = Squares(24, seed=0)
    places = 4 * np.argwhere(np.ones((4, 6)))
    windows.patches = np.stack([canvas[row : row + 67, column : column + 67] for row, column in places])
    np.testing.assert_allclose(maps.reshape(24, 3), probabilities(model, windows), atol=0.02)


@pytest.mark.parametrize("name", ["float16", "mixed_float16", "half"])
def test_another_precision_is_refused_in_one_line(name, capsys):
    with pytest.raises(SystemExit):
        command.parse("Draws.", ["--set", f"training.precision={name}"])
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(f"must be one of ('float32', 'tf32', 'mixed_bfloat16'). Received: {name!r}.")
    settings = run("scratch").settings
    wrong = replace(run("scratch"), settings=settings | {"training": settings["training"] | {"precision": name}})
    with pytest.raises(ValueError, match="precision must be one of"):
        networks.prepare_network(wrong, num_classes=2)


@pytest.mark.skipif(keras.backend.backend() in OTHERS, reason="this is another backend already")
def test_other_backends_compute_in_the_same_precisions():
    """Two tests of this file again, in processes side by side."""
    installed = [name for name in OTHERS if importlib.util.find_spec(name)]
    if not installed:
        pytest.skip("neither JAX nor PyTorch is installed")
    again = test_a_network_is_filled_and_learns_in_mixed_precision, test_tf32_is_used_where_it_was_asked_for
    tests = [f"{__file__}::{test.__name__}" for test in again]
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", *tests]
    given = {"stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(program, env=os.environ | {"KERAS_BACKEND": name}, **given) for name in installed]
    for name, said in zip(installed, [process.communicate()[0] for process in running], strict=True):
        assert "2 passed" in said, f"{name}: {said}"
