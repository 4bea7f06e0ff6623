"""Profiles are complete, strict, and changed from the command line by key."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from data_prep import splits
from data_prep.cohort import Cohort, Frame, Image, Subject
from data_prep.patches import FrameCache
from data_prep.phantoms.carotid import cohort as carotid_cohort
from data_prep.phantoms.settings import CarotidPhantom
from data_prep.vessel_crops import Crops
from repro import schema
from repro.applications import carotid, embolism, frame_quality, polyp
from repro.applications.embolism_candidates import Task
from repro.profiles import load_profile
from repro.runs import Data, Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["smoke", "quick", "paper"])
def test_shipped_profiles_load(name):
    assert load_profile(name).name == name


# PAPER sections 1 and 2.
FACTS = {
    "network": {"input_size": 227, "fc_units": 4096, "dropout": 0.5},
    "training": {"momentum": 0.9, "decay": 0.95, "init": "gaussian", "precision": "float32"},
    "polyp": {"train_patches": 100_000, "test_scales": (1.0, 1.2, 1.5), "test_shift": 0.1, "test_orientations": 8},
    "frame_quality": {"train_patches": 40_000, "crops_per_frame": 200, "test_crops": 200},
    "carotid": {"train_patches": 200_000, "test_rois": 3, "column_step": 1},
    "embolism": {
        "train_patches": 81_000,
        "test_widths_mm": (10.0, 15.0, 20.0),
        "test_shift": 0.2,
        "test_translations": 3,
        "test_rotations": 5,
    },
    "colonoscopy_phantom": {"num_videos": 40},
    "procedure_phantom": {"num_videos": 6},
    "carotid_phantom": {"num_patients": 92},
    "ctpa_phantom": {"num_patients": 121},
}
APPLICATIONS = ("polyp", "frame_quality", "carotid", "embolism")
ZERO_OR_NONE = {"split_seed", "max_epochs", "input_size", "allowed_alike"}
"""What a profile need not say: 0 and none are no choices."""


@pytest.mark.parametrize("section", FACTS)
def test_paper_holds_the_paper_s_numbers(section):
    found = dataclasses.asdict(getattr(load_profile("paper"), section))
    assert {key: found[key] for key in FACTS[section]} == FACTS[section]


@pytest.mark.parametrize(
    ("application", "subjects", "train", "test"),
    [("polyp", 40, 20, 20), ("frame_quality", 6, 3, 3), ("carotid", 92, 48, 44), ("embolism", 121, 74, 47)],
)
def test_paper_divides_subjects_as_the_paper(application, subjects, train, test):
    """The paper's 144 and 132 ROIs are three a patient; 47 of 121 patients is its 127 of 326 emboli."""
    settings = load_profile("paper").settings(application)[application]
    sides = splits.split(map(str, range(subjects)), settings["test_share"], settings["split_seed"])
    assert tuple(map(len, sides)) == (train, test)
    assert settings["validation_share"] == 0.2


def test_paper_says_every_value_and_where_it_comes_from():
    """No value of the paper may hang on a default that somebody changes for another profile."""
    path = ROOT / "experiments" / "profiles" / "paper.yaml"
    written = yaml.safe_load(path.read_text())
    for section in ("network", "training", *APPLICATIONS):
        known = {field.name for field in dataclasses.fields(getattr(load_profile("paper"), section))}
        assert known - set(written[section]) <= ZERO_OR_NONE, section
    training = path.read_text().partition("# Phantoms")[0].splitlines()
    assert [line for line in training if line.startswith("  ") and "  # " not in line] == []


def paper_run(application):
    settings = load_profile("paper").settings(application)
    return Run(application, "conv1", 1.0, 0, "imagenet", "paper", settings, Data("d", "", "f"))


def sites(application, subjects, images, candidates):
    """Return what `Sites` holds of a data set with 3 of so many candidates of each image on lesions of their own."""
    settings = load_profile("paper").settings(application)[application]
    names = [f"{number:03d}" for number in range(subjects)]
    _, test = splits.split(names, settings["test_share"], settings["split_seed"])
    image, place = np.divmod(np.arange(subjects * images * candidates), candidates)
    return {
        "subjects": tuple(names),
        "is_test": np.isin(names, test),
        "image_subject": np.repeat(np.arange(subjects), images),
        "image_lesions": np.full(subjects * images, 3),
        "image": image,
        "lesion": np.where(place < 3, 3 * image + place, -1),
    }


def black():
    return np.zeros((350, 500, 3), np.uint8)


def polyp_patches():
    """Return the patches of 40 videos of 100 frames with 10 candidates."""
    own = sites("polyp", 40, 100, 10)
    boxes = np.tile(np.float32([90, 110, 70, 80]), (len(own["image"]), 1))
    task = polyp.Task(**own, boxes=boxes, scores=np.zeros(len(boxes), np.float32))
    return polyp.Patches(task, FrameCache((Image("f", black, None),) * 4000), paper_run("polyp"))


def embolism_patches():
    """Return the patches of 121 volumes with 60 candidates, which share one cube of 50 mm."""
    own = sites("embolism", 121, 1, 60)
    number = len(own["image"])
    crops = Crops(
        voxels=np.zeros(20**3, np.int16),
        start=np.zeros(number, int),
        shape=np.full((number, 3), 20),
        point=np.full((number, 3), 9.5, np.float32),
        spacing_mm=np.full((number, 3), 2.5, np.float32),
        directions=np.broadcast_to(np.eye(3, dtype=np.float32), (number, 3, 3)),
    )
    task = Task(**own, caveats=(), features=np.zeros((number, 1), np.float32), crops=crops)
    return embolism.Patches(task, paper_run("embolism"))


def frame_patches(monkeypatch):
    """Return the patches of 6 procedures of 667 frames, every second one informative."""
    frames = tuple(Frame(f"f{number}", black, number % 2 == 0) for number in range(667))
    cohort = Cohort("d", tuple(Subject(f"v{number}", frames) for number in range(6)))
    monkeypatch.setattr(frame_quality, "read_frames", lambda _: cohort)
    run = paper_run("frame_quality")
    task = frame_quality.prepare(run.data, run.settings["frame_quality"], None)
    return frame_quality.Patches(task, frame_quality.thin(task, 1.0, run.seed), run)


@pytest.mark.parametrize(
    ("application", "training", "validation", "views", "candidates"),
    [
        ("polyp", 100_000, 25_000, 3 * 5 * 8, 20 * 100 * 10),
        ("embolism", 59 * 3 * 45 * 2, 15 * 3 * 45 * 2, 3 * 3 * 5, 47 * 60),
        ("frame_quality", 40_000, 10_000, 200, 3 * 667),
    ],
)
def test_a_run_of_paper_can_be_set_up(monkeypatch, application, training, validation, views, candidates):
    """At the paper's size, on empty images: all tables, and one batch cut. Three true candidates a patient, as those of
    the paper have 5.7, give 15,930 of the 81,000 patches of embolism."""
    frame_quality._prepare.cache_clear()
    make = {"polyp": polyp_patches, "embolism": embolism_patches, "frame_quality": lambda: frame_patches(monkeypatch)}
    patches = make[application]()
    table, candidate = patches.testing()
    assert tuple(map(len, patches.training())) == (training, validation)
    np.testing.assert_array_equal(np.bincount(candidate), np.full(candidates, views))
    assert len(table) == views * candidates
    batch = patches.training()[0].cut(np.arange(50))
    assert (batch.shape, batch.dtype) == ((50, 227, 227, 3), np.uint8)
    frame_quality._prepare.cache_clear()


def test_a_carotid_run_of_paper_can_be_set_up(monkeypatch):
    """Its phantom has the paper's 144 and 132 ROIs of 92 columns; 38 of the 48 training patients learn. Every column
    has one pixel on each interface, so that 31,464 of the paper's 200,000 patches can be had."""
    phantom = CarotidPhantom(**dataclasses.asdict(load_profile("paper").carotid_phantom))
    monkeypatch.setattr(carotid, "read_carotid", lambda _: carotid_cohort(phantom))
    run = paper_run("carotid")
    settings = run.settings["carotid"]
    task = carotid.prepare(run.data, settings, None)
    assert (len(task.of(task.train)), len(task.of(task.test, settings["test_rois"]))) == (144, 132)
    learn, _ = splits.split(task.train, settings["validation_share"], run.seed)
    patches = carotid.labelled_patches(task.of(learn), settings["train_patches"], run)
    assert len(patches) == 38 * 3 * 92 * 3
    assert patches.cut(np.flatnonzero(patches.roi == patches.roi[0])[:50]).shape[1:] == (227, 227, 3)


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
        ("training.precision=float16", r"one of \('float32', 'tf32', 'mixed_bfloat16'\)\. Received: 'float16'\.$"),
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


def test_a_precision_other_than_float32_defines_a_run_and_float32_leaves_the_older_names():
    plain, *others = (load_profile("smoke", [f"training.precision={name}"]) for name in schema.PRECISIONS)
    assert "precision" not in plain.settings("polyp")["training"]
    named = [other.settings("polyp")["training"]["precision"] for other in others]
    assert named == ["tf32", "mixed_bfloat16"]
    assert schema.Plan(**plain.settings("polyp")["training"]) == plain.training


def test_an_application_may_have_epochs_and_inputs_of_its_own():
    profile = load_profile("smoke", ["carotid.max_epochs=7", "carotid.input_size=83"])
    settings = profile.settings("carotid")
    assert (settings["training"]["max_epochs"], settings["network"]["input_size"]) == (7, 83)
    assert not {"max_epochs", "input_size"} & set(settings["carotid"])
    others = profile.settings("polyp")
    assert (others["training"]["max_epochs"], others["network"]["input_size"]) == (2, 67)
