"""From a run to a network: how it starts, what a reader must be told."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from repro import networks, runs
from repro.profiles import load_profile
from repro.runs import Data, Run


@pytest.fixture
def build(monkeypatch):
    """Return a function from an arm to its network and caveats; five layers count as filled, by nothing."""
    monkeypatch.setattr(networks, "fitting_layers", lambda *_: ("conv1", "conv2", "conv3", "conv4", "conv5"))
    monkeypatch.setattr(networks, "load_imagenet", lambda *_, layers: layers)
    settings = load_profile("smoke", ["network.fc_units=400", "training.init=msra"]).settings("polyp")

    def prepare(arm):
        run = Run("polyp", arm, 1.0, 0, "imagenet", "smoke", settings, Data("d", "", "f"))
        return networks.prepare_network(run, num_classes=2)

    return prepare


@pytest.mark.parametrize(("arm", "deviation"), [("scratch", np.sqrt(2 / 400)), ("conv5", 0.005 * np.sqrt(4096 / 400))])
def test_init_is_for_networks_from_scratch_and_new_layers_stay_gaussian(build, arm, deviation):
    """fc7 has 400 inputs here: He's deviation is .0707, Caffe's .005 for 4096 inputs makes .0160."""
    model, _ = build(arm)
    assert model.get_layer("fc7").get_weights()[0].std() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize(
    ("arm", "caveats"),
    [
        ("fc8", ["FT:only fc8: fc6 and fc7 stay at random (no ImageNet weights fit)"]),
        ("fc7", ["FT:fc7-fc8: fc6 stays at random (no ImageNet weights fit)"]),
        ("fc6", []),
        ("scratch", []),
    ],
)
def test_frozen_layers_without_imagenet_weights_are_told(build, arm, caveats):
    assert build(arm)[1] == caveats


class Patches:
    """3 patches that train, 5 that validate, and 4 that test, of 2 candidates."""

    def __init__(self):
        self.caveats = []

    def training(self):
        self.caveats = ["drawn"]
        return "abc", "defgh"

    def testing(self):
        return "wxyz", np.array([0, 0, 1, 1])


def test_a_run_is_trained_tested_and_recorded(monkeypatch):
    seen = []
    monkeypatch.setattr(networks, "prepare_network", lambda _, num_classes: (f"model of {num_classes}", ["frozen"]))
    monkeypatch.setattr(networks, "train_arm", lambda _, *given: seen.append(given) or "history")
    monkeypatch.setattr(networks, "candidate_scores", lambda *given, **_: seen.append(given) or "scores")
    record, run = {"caveats": ["known"], "counts": 7}, SimpleNamespace(arm="scratch")
    assert networks.classify(run, Patches(), record) == "scores"
    assert seen[0] == ("model of 2", "abc", "defgh")
    assert seen[1][:2] == ("model of 2", "wxyz")
    assert record == {
        "caveats": ["known", "frozen", "drawn"],
        "counts": 7,
        "patches": {"training": 3, "validation": 5, "testing": 4},
        "history": "history",
    }


EPOCH = {"epoch": 1, "batches": 4, "loss": 0.25, "auc": 0.75, "seconds": 3.0}


@pytest.fixture
def training(monkeypatch):
    """Stand in for training: networks from scratch at random, two epochs; return the patches that it got."""
    given = []

    def fit(run, patches):
        given.append(patches)
        epochs = [EPOCH, EPOCH | {"epoch": 2, "auc": 0.5, "seconds": 9.0}]
        made = {"history": {"epochs": epochs, "checks": [], "best_epoch": 1}}
        return networks.prepare_network(run, num_classes=2)[0], made

    monkeypatch.setattr(networks, "fit", fit)
    return given


def scratch(seed=5):
    settings = load_profile("smoke").settings("polyp")
    return Run("polyp", "scratch", 1.0, seed, "imagenet", "smoke", settings, Data("d", "", "f"))


def history(auc=0.75):
    return {"epochs": [EPOCH | {"auc": auc, "seconds": 1.0}, EPOCH | {"epoch": 2, "auc": 0.5}], "best_epoch": 1}


def test_a_network_is_trained_once_and_then_kept(training, tmp_path):
    """Seconds differ and do not count."""
    first, caveats = networks.trained(scratch(), tmp_path, history(), lambda: "patches")
    again, _ = networks.trained(scratch(), tmp_path, history(), lambda: "patches")
    assert training == ["patches"]
    assert caveats == []
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{scratch().name}.weights.npz"]
    with np.load(runs.path_of(scratch(), tmp_path, "weights.npz")) as file:
        np.testing.assert_array_equal(file["conv2/kernel"], first.get_layer("conv2").get_weights()[0])


@pytest.mark.usefixtures("training")
def test_another_training_than_the_record_s_is_told_each_time(tmp_path):
    for _ in range(2):
        _, caveats = networks.trained(scratch(), tmp_path, history(auc=0.875), object)
        assert len(caveats) == 1
        assert "validation AUC 0.7500, that of the run 0.8750" in caveats[0]


@pytest.mark.usefixtures("training")
def test_a_file_that_is_damaged_or_of_another_network_is_refused(tmp_path):
    networks.trained(scratch(), tmp_path, history(), object)
    path = runs.path_of(scratch(), tmp_path, "weights.npz")
    settings = load_profile("smoke", ["network.fc_units=24"]).settings("polyp")
    other = replace(scratch(), settings=settings)
    path.rename(runs.path_of(other, tmp_path, "weights.npz"))
    with pytest.raises(ValueError, match=r"weights\.npz: expected the weights .*'fc6/kernel': \(.*, 24\).*Delete it"):
        networks.trained(other, tmp_path, history(), object)
    path.write_bytes(runs.path_of(other, tmp_path, "weights.npz").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"weights\.npz: not a network, or damaged .*Delete it"):
        networks.trained(scratch(), tmp_path, history(), object)
