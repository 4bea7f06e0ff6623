"""From a run to a network: how it starts, what a reader must be told."""

import numpy as np
import pytest

from repro import networks
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
