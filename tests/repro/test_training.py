"""Training: what moves, what is kept, when it stops, that it repeats, and that it says when it fails."""

import gc
import weakref

import keras
import numpy as np
import pytest

from repro import layers
from repro.alexnet import build_alexnet
from repro.finetune import layer_rates, trainable_until
from repro.inference import candidate_scores, probabilities
from repro.schema import Plan
from repro.training import TrainingDivergedError, compile_network, train


class Squares:
    """Stand-in for a PatchTable: bright squares on a dark ground are class 1, plain noise is class 0."""

    def __init__(self, number, size=67, seed=0, signal=90):
        draw = np.random.default_rng(seed)
        self.labels = np.arange(number) % 2
        self.patches = draw.integers(0, 120, (number, size, size, 3)).astype(np.uint8)
        self.patches[self.labels == 1, 20:45, 20:45] += signal

    def __len__(self):
        return len(self.labels)

    def cut(self, rows):
        return self.patches[rows]


class Points:
    """Stand-in for patches of a dense network: 5 numbers each, the label their first one's sign."""

    def __init__(self, number, seed=0):
        self.x = np.random.default_rng(seed).normal(size=(number, 5)).astype(np.float32)
        self.labels = (self.x[:, 0] > 0).astype(int)

    def __len__(self):
        return len(self.labels)

    def cut(self, rows):
        return self.x[rows]


RATES = {"a": 0.05, "b": 0.05}


def dense(seed=1):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((5,)), dense(4, "relu", name="a"), dense(2, name="b")])


def alexnet(arm, seed=0):
    model = build_alexnet(2, "caffe", input_size=67, fc_units=8, seed=seed)
    trainable_until(model, arm)
    return model


def weights_by_layer(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


@pytest.mark.parametrize("arm", ["conv4", "fc8"])
def test_frozen_layers_are_equal_to_the_bit_and_every_other_moved(arm):
    model = alexnet(arm)
    before = weights_by_layer(model)
    train(model, Squares(10), Squares(6, seed=1), layer_rates(arm), Plan(10, 1, 1), seed=0)
    for name, weights in weights_by_layer(model).items():
        same = [np.array_equal(old, new) for old, new in zip(before[name], weights, strict=True)]
        assert same == ([True, True] if layer_rates(arm)[name] == 0 else [False, False]), name


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    def once(seed):
        model = alexnet("conv5", seed)
        history = train(model, Squares(23), Squares(9, seed=1), layer_rates("conv5"), Plan(10, 2, 2), seed)
        return model.get_weights(), [entry["loss"] for entry in history.epochs]

    (first, loss), (again, loss_again), (other, loss_other) = once(4), once(4), once(5)
    assert loss == loss_again != loss_other
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-2], other[-2])


def test_it_learns():
    model = dense()
    history = train(model, Points(200), Points(60, seed=1), RATES, Plan(20, 8, 8), seed=0)
    assert history.epochs[-1]["loss"] < 0.5 * history.epochs[0]["loss"]
    assert history.epochs[-1]["auc"] > 0.95


def test_the_best_epoch_s_weights_are_kept_and_patience_ends_training(monkeypatch):
    """Validation AUCs .6 .9 .7 .9 .8 with a patience of 3: ends after epoch 5, keeps epoch 2 (a tie does not count)."""
    seen, aucs = [], iter([0.6, 0.9, 0.7, 0.9, 0.8, 1.0])
    model = dense()
    monkeypatch.setattr("repro.training.auc", lambda *_: seen.append(model.get_weights()) or next(aucs))
    history = train(model, Points(40), Points(10, seed=1), RATES, Plan(10, 9, 3), seed=0)
    assert [entry["auc"] for entry in history.epochs] == [0.6, 0.9, 0.7, 0.9, 0.8]
    assert history.best_epoch == 2
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), seen[1], strict=True))
    assert not np.array_equal(seen[1][0], seen[4][0])


def test_every_patch_is_seen_once_an_epoch():
    """23 patches in batches of 10: 10, 10, 3."""
    points, asked = Points(23), []
    cut = points.cut
    points.cut = lambda rows: asked.append(np.array(rows)) or cut(rows)
    train(dense(), points, Points(10, seed=1), RATES, Plan(10, 2, 2), seed=0)
    assert [len(rows) for rows in asked] == [10, 10, 3] * 2
    first, second = np.concatenate(asked[:3]), np.concatenate(asked[3:])
    assert sorted(first) == sorted(second) == list(range(23))
    assert first.tolist() != second.tolist()


def test_the_rate_falls_after_each_epoch_with_a_smaller_last_batch(monkeypatch):
    """3 steps an epoch; the schedules read .95 ** epoch."""
    model, rates = dense(), []
    monkeypatch.setattr(
        "repro.training.auc",
        lambda *_: rates.append([float(o.learning_rate) for o in model.optimizer.optimizers]) or 0.5,
    )
    train(model, Points(23), Points(10, seed=1), RATES, Plan(10, 3, 3), seed=0)
    # After an epoch's last step the schedule already stands at the next epoch.
    np.testing.assert_allclose(rates, [[0.05 * 0.95**k, 0.1 * 0.95**k] for k in (1, 2, 3)], rtol=1e-6)


def test_checks_between_epochs_are_even_in_the_logarithm():
    plan = Plan(10, 5, 5, checks_per_decade=3)
    history = train(dense(), Points(60), Points(20, seed=1), RATES, plan, seed=0)
    assert [check["batches"] for check in history.checks] == [1, 2, 5, 10, 22]
    assert all(0 <= check["auc"] <= 1 for check in history.checks)


def test_three_classes_are_merged_for_the_auc():
    """Class 2 counts with class 1 against 0."""
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="b")])
    points, held = Points(50), Points(30, seed=1)
    for part in (points, held):
        part.labels = np.where(part.labels == 1, 1 + (part.x[:, 1] > 0), 0)
    history = train(model, points, held, {"b": 0.2}, Plan(10, 6, 6), seed=0)
    assert history.epochs[-1]["auc"] > 0.95


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(TrainingDivergedError, match=r"The loss is (nan|inf) after \d+ mini-batches"):
        train(dense(), Points(60), Points(20, seed=1), {"a": 1e30, "b": 1e30}, Plan(10, 5, 5), seed=0)


def test_probabilities_are_the_softmax_of_the_logits_whatever_the_batch():
    model, points = dense(), Points(23)
    found = probabilities(model, points, batch_size=10)
    logits = np.asarray(model(points.x))
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(probabilities(model, points, batch_size=4), found, rtol=1e-5)


def test_a_candidate_s_score_is_the_mean_over_its_views():
    """Views 0, 1, 2 of candidate 1, 3 and 4 of candidate 0."""
    model, points = dense(), Points(5)
    positive = 1 - probabilities(model, points)[:, 0]
    found = candidate_scores(model, points, np.array([1, 1, 1, 0, 0]))
    np.testing.assert_allclose(found, [positive[3:].mean(), positive[:3].mean()], rtol=1e-6)


def test_a_candidate_without_views_is_an_error():
    with pytest.raises(ValueError, match=r"Received none for \[1\]"):
        candidate_scores(dense(), Points(3), np.array([0, 2, 2]))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a graph of TensorFlow's")
@pytest.mark.parametrize(("variant", "large"), [("torchvision", layers.LARGE), ("caffe", layers.LARGE), ("caffe", 1)])
def test_nothing_of_a_network_stays_in_memory(variant, large, monkeypatch):
    """A graph that stays keeps weights and momentum: in a sweep of the paper's size half a gigabyte a network."""
    monkeypatch.setattr(layers, "LARGE", large)
    before = training_graphs()
    model = build_alexnet(2, variant, 67, 16, seed=1)
    train(model, Squares(9), Squares(6), layer_rates("conv1"), Plan(batch_size=9, max_epochs=1, patience=1), seed=1)
    assert training_graphs() > before
    weights = weakref.ref(model.get_layer("fc6").kernel)
    del model
    assert training_graphs() <= before
    assert weights() is None


def training_graphs():
    """Count TensorFlow's graphs of a training step that are in memory; other tests may have left some."""
    gc.collect()
    graphs = [each for each in gc.get_objects() if type(each).__name__ == "FuncGraph"]
    return sum(graph.name.startswith("one_step") for graph in graphs)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tracing is TensorFlow's")
def test_a_step_is_traced_once():
    """Each tracing, of a network of AlexNet's size, takes half a second or more."""
    model, traced = dense(), []
    compile_network(model, RATES, steps_per_epoch=3)
    inner = model.train_step
    model.train_step = lambda data: traced.append(data) or inner(data)
    for start in (0, 4):
        model.train_on_batch(Points(8).x[start : start + 4], Points(8).labels[start : start + 4])
    assert len(traced) == 1
