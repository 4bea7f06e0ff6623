"""From volumes to candidates, patches and scores: who trains, who tests, what a smaller training set lacks."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from data_prep.candidates import tobogganing
from data_prep.cohort import Cohort, Subject, Volume
from data_prep.vessel_patches import Crops
from repro.applications import embolism, embolism_candidates
from repro.handcrafted import embolism as rival
from repro.profiles import load_profile
from repro.runs import Data, Run

# 9 patients with a volume each; the last three test. Volume k shows 3 emboli; candidates 0 and 1 hit its first, 2 its
# second, 3 to 6 none.
NAMES = tuple("abcdefghi")
CANDIDATES = 7
LOOKALIKE = 7 * CANDIDATES + 4
"""A false candidate of the second test patient with the features of a true one."""


def task():
    number = len(NAMES) * CANDIDATES
    place = np.tile(np.arange(CANDIDATES), len(NAMES))
    image = np.repeat(np.arange(len(NAMES)), CANDIDATES)
    lesion = np.select([place < 2, place == 2], [3 * image, 3 * image + 1], -1)
    features = np.random.default_rng(3).normal(lesion[:, None] >= 0, 0.4, (number, len(rival.FEATURES)))
    features[LOOKALIKE] = 1
    cubes = np.broadcast_to(image[:, None].astype(np.int16) * 50, (number, 20**3))
    return embolism_candidates.Task(
        subjects=NAMES,
        is_test=np.arange(9) >= 6,
        image_subject=np.arange(9),
        image_lesions=np.full(9, 3),
        image=image,
        lesion=lesion,
        caveats=("phantom",),
        features=features,
        crops=Crops(
            voxels=cubes.reshape(-1),
            start=np.arange(number) * 20**3,
            shape=np.full((number, 3), 20),
            point=np.full((number, 3), 9.5, np.float32),
            spacing_mm=np.full((number, 3), 2.5, np.float32),
            directions=np.broadcast_to(np.eye(3, dtype=np.float32), (number, 3, 3)),
        ),
    )


def run(arm="fc8", fraction=1.0, seed=4, **changes):
    settings = load_profile("smoke", ["embolism.train_patches=60"]).settings("embolism")
    settings["embolism"] |= changes
    return Run("embolism", arm, fraction, seed, "imagenet", "smoke", settings, Data("d", "", "f"))


def patients(candidates):
    return set(np.asarray(NAMES)[np.asarray(candidates) // CANDIDATES])


def emboli(candidates):
    lesion = task().lesion[np.concatenate(candidates)]
    return set(lesion[lesion >= 0].tolist())


@pytest.mark.parametrize("reduce", [embolism.PATIENTS, embolism.EMBOLI])
def test_no_patient_trains_and_validates_or_tests(reduce):
    for fraction in (1.0, 0.5):
        learn, validate = embolism.reduce(task(), run(fraction=fraction, reduce=reduce))
        assert not patients(learn) & patients(validate)
        assert not (patients(learn) | patients(validate)) & set("ghi")


def test_fewer_patients_are_whole_ones():
    whole, half = (embolism.reduce(task(), run(fraction=fraction)) for fraction in (1.0, 0.5))
    assert [len(np.concatenate(of)) for of in (whole, half)] == [6 * CANDIDATES, 3 * CANDIDATES]
    assert patients(np.concatenate(half)) < patients(np.concatenate(whole))


def test_fewer_emboli_leave_all_patients_and_all_false_candidates():
    """5 patients learn and 1 validates, each with 2 emboli hit: half are 5 and 1, a tenth is 1 and, at least, 1."""
    of = {share: embolism.reduce(task(), run(fraction=share, reduce=embolism.EMBOLI)) for share in (1.0, 0.5, 0.1)}
    assert [len(emboli(sides)) for sides in of.values()] == [12, 6, 2]
    assert emboli(of[0.1]) < emboli(of[0.5]) < emboli(of[1.0])
    for sides in of.values():
        assert (task().lesion[np.concatenate(sides)] < 0).sum() == 6 * 4
        assert patients(np.concatenate(sides)) == set("abcdef")


def test_an_unknown_way_to_reduce_is_an_error():
    with pytest.raises(ValueError, match=r"reduce must be 'patients' or 'emboli'\. Received: 'frames'"):
        embolism.reduce(task(), run(reduce="frames"))


def test_training_patches_are_balanced_and_show_the_candidate_they_name():
    """Volume k is grey throughout: 50 k HU in a window of -100 to 900 HU."""
    training, validation = embolism.Patches(task(), run()).training()
    for table, chosen in zip((training, validation), embolism.reduce(task(), run()), strict=True):
        assert set(table.table.candidate.tolist()) <= set(chosen.tolist())
    assert np.bincount(training.labels).tolist() == [30, 30]
    assert np.bincount(validation.labels).tolist() == [10, 10]
    rows = np.arange(0, 60, 7)
    expected = np.round((50 * (training.table.candidate[rows] // CANDIDATES) + 100) / 1000 * 255)
    np.testing.assert_allclose(training.cut(rows).mean(axis=(1, 2, 3)), expected, atol=1)
    np.testing.assert_array_equal(training.labels, task().lesion[training.table.candidate] >= 0)


def test_testing_shows_every_test_candidate_in_every_view():
    table, candidate = embolism.Patches(task(), run(test_widths_mm=[10, 15], test_rotations=2)).testing()
    assert np.bincount(candidate).tolist() == [4] * 3 * CANDIDATES
    np.testing.assert_array_equal(table.table.candidate, 6 * CANDIDATES + candidate)
    assert sorted(set(table.table.view.tolist())) == [0, 1, 2, 3]


def test_the_rival_classifies_the_test_candidates(monkeypatch):
    monkeypatch.setattr(embolism, "prepare", lambda *_: task())
    found, record = embolism.perform(run("handcrafted"), "nowhere")
    assert found.subjects == ("g", "h", "i")
    likely = np.append(np.flatnonzero(found.lesion >= 0), LOOKALIKE - 6 * CANDIDATES)
    assert sorted(np.argsort(-found.score)[: len(likely)]) == sorted(likely)
    assert record["trained"] == {"patients": 6, "emboli": 12}
    assert record["counts"]["test"]["emboli hit"] == 6


def voxels_of(value):
    return np.full((30, 24, 26), value, np.int16)


def truth_of(*numbers):
    truth = np.zeros((30, 24, 26), np.int32)
    for number in numbers:
        truth[number] = number
    return truth


@pytest.fixture
def seen(monkeypatch, tmp_path):
    """Prepare three patients whose candidates lie on slices 8, 12 and 20; their emboli fill the slices they bear."""
    scale = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0))
    emboli = {"x": (12, 20), "y": (), "z": (15, 8)}
    subjects = tuple(
        Subject(name, (Volume(name, partial(voxels_of, 100 + k), partial(truth_of, *of), scale),))
        for k, (name, of) in enumerate(emboli.items())
    )
    points = np.array([[8, 12, 12], [12, 12, 12], [20, 12, 12]], np.float32)
    found = tobogganing.Candidates(points, tuple(points[:, None].astype(int)), np.ones(3), np.ones(3))
    sight = partial(_look, found)
    monkeypatch.setattr(embolism_candidates, "read_ctpa", lambda _: Cohort("three", subjects, ("made up",)))
    monkeypatch.setattr(embolism_candidates, "look", sight)
    # In this process, where the replacements are.
    monkeypatch.setattr(embolism_candidates, "Parallel", lambda **_: lambda work: (f(*a, **k) for f, a, k in work))
    settings = load_profile("smoke").settings("embolism")["embolism"]
    return partial(embolism_candidates.prepare, Data("three", "", "f"), settings, tmp_path)


def _look(found, voxels, spacing_mm, most):
    assert most == 24
    axes = embolism_candidates.find_axes(voxels, spacing_mm, found.points, found.regions)
    crops = embolism_candidates.cut_crops(voxels, spacing_mm, found.points, axes, 4.0)
    return embolism_candidates.Sight(found.points, np.ones((3, len(rival.FEATURES)), np.float32), crops)


def test_candidates_hit_the_emboli_they_lie_in_and_misses_are_counted(seen):
    """Emboli: x 12, 20 | z 8, 15, numbered 0, 1, 2, 3. Slice 15 has no candidate."""
    made = seen()
    assert made.lesion.tolist() == [-1, 0, 1, -1, -1, -1, 2, -1, -1]
    assert made.image_lesions.tolist() == [2, 0, 2]
    assert made.caveats == ("made up",)


def test_a_hit_may_be_a_near_miss_where_that_is_asked_for(seen):
    """Slice 12 is 3 mm from embolus 15 of patient z, slice 8 is 4 mm from embolus 12 of patient x."""
    made = seen.func(seen.args[0], seen.args[1] | {"hit_mm": 3.5}, seen.args[2])
    assert made.lesion.tolist() == [-1, 0, 1, -1, -1, -1, 2, 3, -1]


def test_what_was_prepared_is_read_again_with_each_volume_s_own_voxels(seen, monkeypatch):
    first = seen()
    monkeypatch.setattr(embolism_candidates, "read_ctpa", None)
    again = seen()
    assert [int(again.crops.cube(k).mean()) for k in range(9)] == [100, 100, 100, 101, 101, 101, 102, 102, 102]
    np.testing.assert_array_equal(again.crops.point, first.crops.point)
    assert isinstance(again.crops.voxels, np.memmap)


def test_a_data_set_without_candidates_is_an_error(seen, monkeypatch):
    none = tobogganing.Candidates(np.empty((0, 3), np.float32), (), np.empty(0), np.empty(0))
    empty = embolism_candidates.Sight(none.points, np.empty((0, 5)), replace(task().crops, start=np.empty(0, int)))
    monkeypatch.setattr(embolism_candidates, "look", lambda *_: empty)
    with pytest.raises(ValueError, match="three: no candidate in 3 volumes"):
        seen()
