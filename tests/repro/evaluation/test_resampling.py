import numpy as np
import pytest

from repro.evaluation import Detections, froc_curve, sensitivity_at
from repro.evaluation.resampling import froc_statistic, resample


def tied_detections(seed, num_subjects=7, n=1500):
    """Draw many candidates with tied scores, further hits and subjects that have no lesion."""
    generator = np.random.default_rng(seed)
    subject = generator.integers(num_subjects, size=n)
    num_lesions = generator.integers(0, 90, num_subjects) * (np.arange(num_subjects) != 2)
    within = np.floor(generator.random(n) * num_lesions[subject]).astype(int)
    hit = (generator.random(n) < 0.4) & (num_lesions[subject] > 0)
    lesion = np.where(hit, 100 * subject + within, -1)
    score = np.round(generator.random(n) + 0.3 * hit, 2)
    names = tuple("abcdefg"[:num_subjects])
    images = generator.integers(1, 40, num_subjects)
    return Detections(subject, np.zeros(n, int), lesion, score, names, images, num_lesions)


def rebuilt(data, at, weights):
    """Read one resample's curve the slow way: copy the subjects drawn, number their lesions anew."""
    drawn = np.repeat(np.arange(weights.size), weights)
    rows = [np.flatnonzero(data.subject == subject) for subject in drawn]
    copy = np.repeat(np.arange(drawn.size), [len(row) for row in rows])
    rows = np.concatenate(rows)
    lesion = np.where(data.lesion[rows] < 0, -1, data.lesion[rows] + 10_000 * copy)
    counts = data.num_lesions[drawn].sum(), data.num_images[drawn].sum()
    return sensitivity_at(*froc_curve(data.score[rows], lesion, *counts)[:2], at)


@pytest.mark.parametrize("n", [1500, 256, 31, 20_000])
def test_weights_give_what_rebuilt_curves_give(n):
    data, at = tied_detections(seed=n, n=n), np.array([0.05, 0.29, 1, 3, 100])
    weights = np.random.default_rng(1).multinomial(7, [1 / 7] * 7, size=40)
    by_weights = froc_statistic(data, at)(weights)
    np.testing.assert_array_equal(by_weights, [rebuilt(data, at, row) for row in weights])
    assert len(np.unique(by_weights)) > 20


def test_a_point_that_the_curve_has_is_reached_to_the_digit():
    """29 false positives in 100 images, the lesion, one more: at .29 it is found, although .29 * 100 < 29."""
    zeros = np.zeros(31, dtype=int)
    lesion, score = np.append(np.full(30, -1), 0), np.concatenate([np.full(29, 0.8), [0.1, 0.3]])
    data = Detections(zeros, zeros, lesion, score, ("a",), np.array([100]), np.array([1]))
    np.testing.assert_array_equal(froc_statistic(data, [0.28, 0.29])(np.array([[1]])), [[0, 1]])


def test_a_resample_without_lesions_or_images_is_undefined():
    """Subject a has the images (3), subject b the lesion; one each gives 1/1 above the false positive at .2."""
    data = Detections(*np.array([[0, 1], [0, 0], [-1, 4]]), [0.2, 0.7], ("a", "b"), [3, 0], [0, 1])
    values = froc_statistic(data, [0.1])(np.array([[1, 1], [2, 0], [0, 2]]))
    np.testing.assert_array_equal(values, [[1], [np.nan], [np.nan]])


def test_no_candidates_at_all():
    nothing = np.array([], dtype=int)
    data = Detections(nothing, nothing, nothing, nothing / 1.0, ("a", "b"), [3, 5], [2, 4])
    np.testing.assert_array_equal(froc_statistic(data, [1, 2])(np.array([[1, 1]])), [[0, 0]])


def test_every_subject_is_drawn_equally_often_and_batches_do_not_matter(monkeypatch):
    weights = resample(lambda w: w, num_subjects=5, resamples=4000, seed=2)
    np.testing.assert_array_equal(weights.sum(axis=1), 5)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.05)
    monkeypatch.setattr("repro.evaluation.resampling.BATCH", 256 * 37)
    np.testing.assert_array_equal(resample(lambda w: w, 5, 4000, seed=2), weights)
