import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from repro.evaluation import auc, curve, roc_curve, roc_detections
from repro.evaluation.roc import midranks


def test_curve_by_hand():
    """2 positives (.8, .3), 3 negatives (.8, .5, .1): the tie at .8 is one diagonal step."""
    fpr, tpr, thresholds = roc_curve([1, 0, 0, 1, 0], [0.8, 0.8, 0.5, 0.3, 0.1])
    np.testing.assert_array_equal(fpr, [0, 1 / 3, 2 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(tpr, [0, 1 / 2, 1 / 2, 1, 1])
    assert thresholds[0] == np.inf


def test_auc_by_hand():
    """Of 6 pairs: .8 beats .5 and .1 and ties with .8; .3 beats .1: 3.5."""
    assert auc([1, 0, 0, 1, 0], [0.8, 0.8, 0.5, 0.3, 0.1]) == pytest.approx(3.5 / 6)


def test_auc_agrees_with_sklearn_and_with_its_curve():
    generator = np.random.default_rng(3)
    labels, scores = generator.random(317) < 0.2, generator.integers(0, 9, 317) / 7
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    fpr, tpr, _ = roc_curve(labels, scores)
    assert auc(labels, scores) == pytest.approx(np.trapezoid(tpr, fpr), abs=1e-12)


def test_one_class_is_an_error():
    with pytest.raises(ValueError, match=r"Received the labels \[1\]"):
        auc([1, 1, 1], [0.2, 0.3, 0.4])
    with pytest.raises(ValueError, match=r"\[0, 1, 2\]"):
        roc_curve([0, 1, 2], [0.2, 0.3, 0.4])


def test_auc_refuses_nan():
    with pytest.raises(ValueError, match="1 of them NaN"):
        auc([1, 0, 1], [0.2, np.nan, 0.4])


def test_an_roc_is_the_froc_of_its_detections():
    labels, scores = np.array([1, 0, 0, 1, 0, 1]), np.array([0.8, 0.8, 0.5, 0.3, 0.1, 0.6])
    detections = roc_detections(labels, scores, ["b", "a", "b", "b", "a", "a"])
    assert detections.subjects == ("a", "b")
    assert (detections.num_images.tolist(), detections.num_lesions.tolist()) == ([2, 1], [1, 2])
    np.testing.assert_array_equal(curve(detections)[:2], roc_curve(labels, scores)[:2])


def test_midranks_are_scipy_s_to_the_bit():
    values = np.random.default_rng(5).integers(-4, 9, 131) / 3
    np.testing.assert_array_equal(midranks(values), rankdata(values))
    assert midranks(np.array([0.7, 0.2, 0.7, 0.7])).tolist() == [3, 1, 3, 3]
    assert midranks(np.array([])).size == 0
