"""Profiles are complete, strict, and changed from the command line by key."""

import dataclasses

import pytest

from repro.profiles import load_profile


@pytest.mark.parametrize("name", ["smoke", "quick", "paper"])
def test_shipped_profiles_load(name):
    assert load_profile(name).name == name


def test_paper_is_the_paper():
    profile = load_profile("paper")
    assert (profile.network.input_size, profile.network.fc_units, profile.network.dropout) == (227, 4096, 0.5)
    assert (profile.training.momentum, profile.training.decay) == (0.9, 0.95)
    assert profile.polyp.train_patches == 100_000
    assert profile.polyp.test_scales == (1.0, 1.2, 1.5)


def test_a_change_moves_one_value_and_marks_the_name():
    old, new = load_profile("quick"), load_profile("quick", ["training.max_epochs=17", "polyp.test_scales=[1, 1.5]"])
    assert new.name == "quick+"
    assert new.training == dataclasses.replace(old.training, max_epochs=17)
    assert new.polyp == dataclasses.replace(old.polyp, test_scales=(1.0, 1.5))
    assert load_profile("quick", [f"network.input_size={old.network.input_size}"]).name == "quick"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epochs=3", r"unknown keys \['epochs'\].*Known: .*'max_epochs'"),
        ("trainer.max_epochs=3", "with a section of .*'training'"),
        ("training.max_epochs", "section.key=value"),
        ("training.max_epochs=many", "max_epochs expects int. Received: 'many'"),
        ("training.max_epochs=true", "max_epochs expects int. Received: True"),
        ("polyp.test_scales=1.5", "test_scales expects tuple. Received: 1.5"),
    ],
)
def test_a_wrong_change_is_explained(change, message):
    with pytest.raises(ValueError, match=message):
        load_profile("quick", [change])


def test_unknown_profile_lists_the_known():
    with pytest.raises(ValueError, match=r"Received: 'fast'. Expected one of \['paper', 'quick', 'smoke'\]"):
        load_profile("fast")


def test_a_file_that_lacks_a_key_is_refused(tmp_path):
    text = "network: {input_size: 99, fc_units: 8}\n"
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"lacks \['carotid', .*'training'\]"):
        load_profile(str(tmp_path / "own.yaml"))


def test_settings_of_an_application_leave_the_phantom_out():
    settings = load_profile("smoke").settings("polyp")
    assert sorted(settings) == ["network", "polyp", "training"]
    assert settings["network"]["input_size"] == 67


def test_an_application_may_have_epochs_and_inputs_of_its_own():
    profile = load_profile("smoke", ["carotid.max_epochs=7", "carotid.input_size=83"])
    settings = profile.settings("carotid")
    assert (settings["training"]["max_epochs"], settings["network"]["input_size"]) == (7, 83)
    assert not {"max_epochs", "input_size"} & set(settings["carotid"])
    others = profile.settings("polyp")
    assert (others["training"]["max_epochs"], others["network"]["input_size"]) == (2, 67)
