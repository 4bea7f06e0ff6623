"""What is written beside a figure: counts of the whole training set, of one application only."""

from types import SimpleNamespace

from experiments.facts import facts
from repro.runs import Data

VERSIONS = {"python": "3.12", "backend": "jax"}


def record(fraction, subjects, data="Phantom", **more):
    definition = {"fraction": fraction, "data": {"name": data}}
    counts = {"train": {"subjects": subjects}, "test": {"subjects": 5}}
    return (
        {"definition": definition, "counts": counts, "caveats": ["phantom"], "seconds": 1.26}
        | more
        | {"versions": VERSIONS}
    )


def options(*records):
    profile = SimpleNamespace(name="quick")
    kept = {str(number): one for number, one in enumerate(records)}
    return SimpleNamespace(records=kept, weights="imagenet", profile=profile, seeds=[0, 3])


def test_counts_are_those_of_the_whole_training_set_and_patches_of_its_first_network():
    rival, network = record(1.0, 17), record(1.0, 17, patches={"training": 40}, caveats=["phantom", "fc6 at random"])
    of = options(record(0.5, 9, patches={"training": 20}), rival, network)
    found = facts("table_s1_seed3", "Table S1: x", of, Data("Phantom", "f", "abc"), "one\ntwo")
    assert found["script"] == "table_s1"
    assert (found["counts"]["train"]["subjects"], found["patches"]) == (17, {"training": 40})
    assert found["caveats"] == ["phantom", "fc6 at random"]
    assert (found["runs"], found["seconds"], found["notes"], found["versions"]) == (3, 3.8, ["one", "two"], VERSIONS)


def test_several_applications_have_no_counts_of_their_own():
    found = facts("fig", "t", options(record(1.0, 17), record(1.0, 9, data="Another")), None, "")
    assert (found["data"], found["fingerprint"]) == ("Another, Phantom", None)
    assert (found["counts"], found["patches"]) == ({}, {})


def test_a_gallery_stands_on_no_run():
    found = facts("fig", "t", options(), Data("Phantom", "f", "abc"), "")
    assert (found["runs"], found["counts"], found["versions"], found["data"]) == (0, {}, {}, "Phantom")
