"""From candidates to patches and scores: who trains, who tests, what is counted."""

from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from data_prep import splits
from data_prep.candidates.polyps import Candidates
from data_prep.cohort import Cohort, Image, Subject
from data_prep.patches import FrameCache, views
from repro.applications import polyp
from repro.profiles import load_profile
from repro.runs import Data, Run

# 8 subjects with 2 frames each; the last three test. Frame 2k shows 1 lesion, frame 2k + 1 shows 2.
NAMES = tuple("abcdefgh")
FRAMES = 16


def task():
    """Return a task with 5 candidates a frame, of which candidate 0 hits the frame's first lesion, 1 and 2 its last."""
    frame = np.repeat(np.arange(FRAMES), 5)
    frame_lesions = 1 + np.arange(FRAMES) % 2
    first = np.cumsum(frame_lesions) - frame_lesions
    last = first + frame_lesions - 1
    place = np.tile(np.arange(5), FRAMES)
    lesion = np.select([place == 0, place < 3], [first[frame], last[frame]], -1)
    boxes = np.column_stack([10 + place, 20 + place, 30 + place, 40 + place]).astype(np.float32)
    return polyp.Task(
        subjects=NAMES,
        is_test=np.arange(8) >= 5,
        image_subject=np.repeat(np.arange(8), 2),
        image_lesions=frame_lesions,
        image=frame,
        boxes=boxes,
        scores=(1 / (1 + place)).astype(np.float32),
        lesion=lesion,
    )


def run(**changes):
    settings = load_profile("smoke", ["polyp.train_patches=60"]).settings("polyp")
    values = {"fraction": 1.0, "seed": 4, "settings": settings}
    values |= changes
    return Run("polyp", "fc8", weights="imagenet", profile="smoke", data=Data("d", "", "f"), **values)


def patches(**changes):
    black = Image("f", lambda: np.zeros((90, 110, 3), np.uint8), None)
    return polyp.Patches(task(), FrameCache((black,) * FRAMES), run(**changes))


def subjects_of(table):
    return set(np.asarray(NAMES)[table.image // 2])


def test_no_subject_trains_and_validates_or_tests():
    training, validation = patches().training()
    assert subjects_of(training) | subjects_of(validation) == set("abcde")
    assert not subjects_of(training) & subjects_of(validation)


def test_training_patches_are_balanced_distinct_and_as_many_as_asked():
    training, _ = patches().training()
    assert np.bincount(training.labels).tolist() == [30, 30]
    rows = np.column_stack([training.image, training.boxes, training.view])
    assert len(np.unique(rows, axis=0)) == 60
    assert len(np.unique(training.view)) > 20


def test_labels_follow_the_lesions():
    """Candidates 0, 1, 2 of a frame (tops 10, 11, 12) hit."""
    training, _ = patches().training()
    np.testing.assert_array_equal(training.labels, training.boxes[:, 0] < 12.5)


def test_a_fraction_keeps_whole_subjects_and_tests_on_all():
    """40 % of 5 subjects are 2: one trains, one validates."""
    some = patches(fraction=0.4)
    training, validation = some.training()
    assert len(subjects_of(training)) == len(subjects_of(validation)) == 1
    assert subjects_of(some.testing()[0]) == set("fgh")


def test_seeds_draw_other_patches_and_test_the_same():
    one, other = patches(seed=4), patches(seed=5)
    assert not np.array_equal(one.training()[0].view, other.training()[0].view)
    np.testing.assert_array_equal(one.testing()[0].boxes, other.testing()[0].boxes)


def test_every_test_candidate_has_all_its_views():
    """30 candidates x 2 scales of the smoke profile."""
    table, candidate = patches().testing()
    assert len(table) == 60
    np.testing.assert_array_equal(candidate, np.repeat(np.arange(30), 2))
    np.testing.assert_array_equal(table.view, np.tile([0, 1], 30))
    np.testing.assert_array_equal(table.image, 10 + np.repeat(np.arange(6), 10))


def test_a_class_without_candidates_is_named():
    settings = load_profile("smoke").settings("polyp")
    nothing = task()
    nothing.lesion[:] = -1
    black = Image("f", lambda: np.zeros((90, 110, 3), np.uint8), None)
    with pytest.raises(ValueError, match=r"Received 0 on and .* off lesions"):
        polyp.Patches(nothing, FrameCache((black,) * FRAMES), run(settings=settings)).training()


class Detector:
    """Stand-in for the candidate generator: remembers who taught it, proposes two points of every frame."""

    taught: ClassVar = []

    def __init__(self, subjects):
        self.names = tuple(subject.name for subject in subjects)
        Detector.taught.append(self.names)

    def propose(self, pixels, _most):
        points = np.array([[12, 12], [40, 40]], np.float32)
        value = int(pixels[0, 0, 0])
        assert chr(value) not in self.names, "a subject was scored by a generator that learnt from it"
        return Candidates(
            points, np.hstack([points - 5, np.full((2, 2), 10, np.float32)]), np.array([0.9, 0.1], np.float32)
        )


def frame(name):
    return np.full((50, 60, 3), ord(name), np.uint8)


def truth():
    """Return a label map with lesion 1 at (12, 12) and lesion 4 at (30, 50)."""
    labels = np.zeros((50, 60), np.int32)
    labels[10:15, 10:15], labels[28:33, 48:53] = 1, 4
    return labels


def test_no_subject_s_candidates_come_from_a_generator_that_saw_it(monkeypatch, tmp_path):
    """8 subjects, 2 test: 2 folds of 3 among the other 6, then all 6 for the test subjects."""
    images = {name: (Image("1", partial(frame, name), truth),) for name in NAMES}
    cohort = Cohort("toy", tuple(Subject(name, images[name]) for name in NAMES))
    monkeypatch.setattr(polyp, "read_colonoscopy", lambda _: cohort)
    monkeypatch.setattr(polyp, "fit_detector", lambda subjects, **_: Detector(subjects))
    monkeypatch.setattr(polyp, "Parallel", lambda **_: list)
    monkeypatch.setattr(polyp, "delayed", lambda function: function)
    Detector.taught.clear()
    settings = load_profile("smoke", ["polyp.test_share=0.25"]).settings("polyp")["polyp"]
    found = polyp.prepare(Data("toy", "", "f"), settings, tmp_path)
    assert [len(names) for names in Detector.taught] == [3, 3, 6]
    np.testing.assert_array_equal(found.lesion, np.ravel([(2 * k, -1) for k in range(8)]))
    np.testing.assert_array_equal(found.image_lesions, np.full(8, 2))
    monkeypatch.setattr(polyp, "read_colonoscopy", None)
    again = polyp.prepare(Data("toy", "", "f"), settings, tmp_path)
    np.testing.assert_array_equal(again.boxes, found.boxes)
    assert again.test_names == found.test_names


def test_new_frames_get_candidates_of_a_generator_of_all_training_subjects_with_all_test_views(monkeypatch):
    """Subjects as above; 2 candidates x 2 scales of the smoke profile."""
    cohort = Cohort("toy", tuple(Subject(name, (Image("1", partial(frame, name), truth),)) for name in NAMES))
    monkeypatch.setattr(polyp, "read_colonoscopy", lambda _: cohort)
    monkeypatch.setattr(polyp.runs, "require_data", lambda *_: None)
    monkeypatch.setattr(polyp, "fit_detector", lambda subjects, **_: Detector(subjects))
    Detector.taught.clear()
    settings = load_profile("smoke", ["polyp.test_share=0.25"]).settings("polyp")
    pixels = np.random.default_rng(2).integers(0, 90, (50, 60, 3), np.uint8)
    found = polyp.proposer(run(settings=settings), None)(pixels)
    assert Detector.taught == [tuple(sorted(splits.split(NAMES, 0.25, 0)[0]))]
    assert found.places[1] == {"top": 35, "left": 35, "height": 10, "width": 10}
    np.testing.assert_array_equal(found.candidate, [0, 0, 1, 1])
    expected = views(pixels, [[7, 7, 10, 10], [35, 35, 10, 10]], (1.0, 1.5), 0, 1, 67)
    np.testing.assert_array_equal(found.patches.cut(np.arange(4)), expected)
    np.testing.assert_array_equal(found.overview(1)[1], [35, 35, 10, 10])
