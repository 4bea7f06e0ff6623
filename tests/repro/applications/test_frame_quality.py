"""From frames to crops and scores: who trains, who tests, how frames are thinned, what is counted."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.cohort import Cohort, Frame, Subject
from repro.applications import frame_quality
from repro.profiles import load_profile
from repro.runs import Data, Run

# 9 subjects of 6 frames, of which 2 are informative.
NAMES = tuple("abcdefghi")
PER_SUBJECT, INFORMATIVE = 6, 2


def pixels(number, informative):
    """Return a frame of 90x110 pixels: as bright as its number says, with stripes where it is informative."""
    frame = np.full((90, 110, 3), 100 + number, np.uint8)
    frame[:, ::2] += np.uint8(90 * informative)
    return frame


@pytest.fixture(autouse=True)
def forget():
    frame_quality._prepare.cache_clear()


def cohort(**changes):
    subjects = []
    for k, name in enumerate(NAMES):
        kinds = [(PER_SUBJECT * k + j, j < INFORMATIVE) for j in range(PER_SUBJECT)]
        frames = tuple(Frame(f"{name}{n}", partial(pixels, n, informative), informative) for n, informative in kinds)
        subjects.append(Subject(name, frames))
    return Cohort("toy", tuple(subjects), ("a caveat",), **changes)


@pytest.fixture
def task(monkeypatch):
    return prepared(monkeypatch)


def prepared(monkeypatch, **changes):
    monkeypatch.setattr(frame_quality, "read_frames", lambda _: cohort(**changes))
    return frame_quality.prepare(Data("toy", "", "f"), run().settings["frame_quality"], None)


def run(*changes, **values):
    known = ["frame_quality.test_share=0.34", "frame_quality.train_patches=60", *changes]
    settings = load_profile("smoke", known).settings("frame_quality")
    values = {"arm": "fc8", "fraction": 1.0, "seed": 4} | values
    return Run(
        "frame_quality", weights="imagenet", profile="smoke", settings=settings, data=Data("d", "", "f"), **values
    )


def patches(task, *changes, **values):
    one = run(*changes, **values)
    return frame_quality.Patches(task, frame_quality.thin(task, one.fraction, one.seed), one)


def subjects_of(table):
    return set(np.asarray(NAMES)[table.image // PER_SUBJECT])


def test_subjects_train_validate_or_test(task):
    training, validation = patches(task).training()
    testing, _ = patches(task).testing()
    sides = [subjects_of(table) for table in (training, validation, testing)]
    assert [len(side) for side in sides] == [5, 1, 3]
    assert set.union(*sides) == set(NAMES)


def test_crops_are_balanced_labelled_as_many_as_asked_and_inside(task):
    """60 crops of 10 informative and 20 uninformative frames: 3 and 1 or 2 of each."""
    training, _ = patches(task).training()
    assert np.bincount(training.labels).tolist() == [30, 30]
    np.testing.assert_array_equal(training.labels, training.image % PER_SUBJECT < INFORMATIVE)
    assert np.bincount(training.image)[training.image[training.labels == 1]].tolist() == [3] * 30
    side = 90 * 227 / 350
    np.testing.assert_allclose(training.boxes[:, 2:], side)
    assert (training.boxes[:, :2] >= 0).all()
    assert (training.boxes[:, :2] + side <= [90, 110]).all()


def test_few_frames_give_so_many_crops_each_and_no_more(task):
    training, _ = patches(task, "frame_quality.crops_per_frame=2").training()
    assert np.bincount(training.labels).tolist() == [20, 20]


def test_a_share_thins_the_frames_of_both_classes_and_grows_with_the_share(task):
    """12 informative and 24 uninformative training frames: half are 6 and 12, 5 % would be 1 and 1."""
    kept = {share: frame_quality.thin(task, share, 4) for share in (1.0, 0.5, 0.05)}
    assert [np.bincount(task.informative[of]).tolist() for of in kept.values()] == [[24, 12], [12, 6], [2, 2]]
    assert set(kept[0.05]) < set(kept[0.5]) < set(kept[1.0])
    assert not np.array_equal(kept[0.5], frame_quality.thin(task, 0.5, 5))


def test_where_no_other_subject_has_both_classes_other_frames_validate(task):
    few = patches(task, fraction=0.05)
    training, validation = few.training()
    assert not set(training.image) & set(validation.image)
    assert {len(set(table.labels)) for table in (training, validation)} == {2}
    assert few.caveats == ["5%: frames of the training subjects validate, for want of others"]
    assert patches(task).caveats == []


def test_every_test_frame_has_its_crops_and_every_seed_the_same(task):
    table, frame = patches(task, "frame_quality.test_crops=3").testing()
    np.testing.assert_array_equal(frame, np.repeat(np.arange(18), 3))
    assert len(np.unique(table.boxes[:3, :2], axis=0)) > 1
    other, _ = patches(task, "frame_quality.test_crops=3", seed=5).testing()
    np.testing.assert_array_equal(table.boxes, other.boxes)


def test_scores_become_an_roc_over_the_test_subjects(task):
    found = task.detections(np.linspace(0, 1, 18))
    assert found.subjects == task.test
    np.testing.assert_array_equal(found.num_lesions, [2, 2, 2])
    np.testing.assert_array_equal(found.num_images, [4, 4, 4])
    np.testing.assert_array_equal(found.lesion >= 0, np.tile(np.arange(6) < 2, 3))


def test_a_rival_learns_from_the_training_frames_alone(monkeypatch, tmp_path):
    """Stripes against none: the rival must tell them apart, and the ledger counts both sides."""
    monkeypatch.setattr(frame_quality, "read_frames", lambda _: cohort())
    monkeypatch.setattr(frame_quality, "Parallel", lambda **_: list)
    monkeypatch.setattr(frame_quality, "delayed", lambda function: function)
    found, record = frame_quality.perform(run(arm="handcrafted"), tmp_path)
    assert found.score[found.lesion >= 0].min() > found.score[found.lesion < 0].max()
    assert record["caveats"] == ["a caveat"]
    assert record["counts"]["test"] == {"subjects": 3, "informative frames": 6, "uninformative frames": 12}


def test_a_rival_scores_each_test_frame_by_its_own_features(monkeypatch, tmp_path):
    """Frames are as bright as their number says: a rival that answers with the brightness gives it away."""
    monkeypatch.setattr(frame_quality, "read_frames", lambda _: cohort())
    monkeypatch.setattr(frame_quality, "Parallel", lambda **_: list)
    monkeypatch.setattr(frame_quality, "delayed", lambda function: function)
    monkeypatch.setattr(frame_quality.rivals, "features", lambda pixels, _: pixels[0, 1, :1].astype(float))
    monkeypatch.setattr(frame_quality.rivals, "fit", lambda *_: SimpleNamespace(score=np.ravel))
    found, _ = frame_quality.perform(run(arm="handcrafted"), tmp_path)
    tested = np.flatnonzero(np.isin(np.repeat(NAMES, PER_SUBJECT), found.subjects))
    np.testing.assert_array_equal(found.score, 100 + tested)


def test_the_data_set_s_own_split_holds(monkeypatch):
    assert prepared(monkeypatch, test=("i", "b")).test == ("b", "i")


def test_frames_without_subject_are_checked_for_copies_across_the_split(monkeypatch):
    seen = []
    monkeypatch.setattr(frame_quality, "check_unlike", lambda *arguments: seen.append(arguments[1:]))
    prepared(monkeypatch)
    assert seen == []
    frame_quality._prepare.cache_clear()
    test = prepared(monkeypatch, anonymous=True).test
    assert seen == [(test, ())]


def test_a_class_that_is_missing_in_training_is_named(task):
    task.informative[:] = False
    with pytest.raises(ValueError, match="Received 0 informative and 36 uninformative"):
        frame_quality.thin(task, 1.0, 0)
