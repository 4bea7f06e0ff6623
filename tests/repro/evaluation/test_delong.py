"""DeLong's intervals and test against numbers by hand and against R's pROC.

The reference numbers come from pROC 1.18.0 in R 4.2.2 (Debian's r-cran-proc), by this script::

    library(pROC)
    labels <- c(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1)
    first <- c(.10, .25, .25, .30, .35, .40, .55, .60, .80, .30, .45, .60, .70, .80, .90, .95)
    second <- c(.20, .15, .50, .30, .50, .65, .40, .70, .75, .50, .35, .55, .40, .90, .60, .85)
    a <- roc(labels, first, levels=c(0, 1), direction="<")
    b <- roc(labels, second, levels=c(0, 1), direction="<")

and the calls that the tests name. Scores tie within and across the classes.
"""

import numpy as np
import pytest

from repro.evaluation import (
    auc,
    auc_bootstrap,
    auc_difference,
    auc_interval,
    delong,
    paired_difference,
    roc_curve,
    roc_detections,
    sensitivity_at,
)
from repro.evaluation.resampling import resample

LABELS = np.repeat([0, 1], [9, 7])
FIRST = np.array([10, 25, 25, 30, 35, 40, 55, 60, 80, 30, 45, 60, 70, 80, 90, 95]) / 100
SECOND = np.array([20, 15, 50, 30, 50, 65, 40, 70, 75, 50, 35, 55, 40, 90, 60, 85]) / 100


def agrees(value, reference):
    np.testing.assert_allclose(value, reference, rtol=0, atol=1e-12)


def frames_of_videos(seed, num_videos=12, frames=31):
    """Scores that a video moves: its positives together, its negatives together, each by their own amount."""
    generator = np.random.default_rng(seed)
    videos = np.repeat(np.arange(num_videos), frames)
    labels = np.tile(np.arange(frames) % 2, num_videos)
    scores = labels + generator.normal(size=(2, num_videos))[labels, videos] + generator.normal(size=videos.size)
    return labels, scores, videos


def test_by_hand():
    """The positive at 3 beats both negatives, the one at 1 beats one: area 3/4, var(1, 1/2) / 2 for either class."""
    area, variance = delong([1, 1, 0, 0], [3, 1, 2, 0])
    assert (float(area), float(variance)) == (3 / 4, 1 / 8)
    assert area.shape == variance.shape == ()


def test_areas_and_covariance_agree_with_proc():
    """``auc(a); auc(b); var(a, method="delong"); cov(a, b, method="delong"); var(b, method="delong")``."""
    areas, covariance = delong(LABELS, [FIRST, SECOND])
    agrees(areas, [0.817460317460317, 0.658730158730159])
    agrees(areas, [auc(LABELS, FIRST), auc(LABELS, SECOND)])
    agrees(covariance, [[0.01213046947173932, 0.00942460317460318], [0.00942460317460318, 0.02093831359704375]])


def test_intervals_agree_with_proc():
    """``ci.auc(a, method="delong")``, clipped at 1, and ``ci.auc(b, method="delong", conf.level=.8)``."""
    first, second = auc_interval(LABELS, FIRST), auc_interval(LABELS, SECOND, level=0.8)
    agrees([first.low, first.value, first.high], [0.601592999527811, 0.817460317460317, 1])
    agrees([second.low, second.value, second.high], [0.473288657042515, 0.658730158730159, 0.844171660417802])
    assert (first.method, first.note) == ("delong", "")


def test_difference_agrees_with_proc():
    """``roc.test(a, b, method="delong", paired=TRUE)``: p.value, and conf.int of first minus second."""
    difference, p = auc_difference(LABELS, SECOND, FIRST)
    agrees(p, 0.183150630816608)
    agrees([difference.low, difference.high], [-0.0749874452622551, 0.3924477627225726])
    turned, same_p = auc_difference(LABELS, FIRST, SECOND)
    agrees([turned.low, turned.value, turned.high], [-0.3924477627225726, -0.158730158730158, 0.0749874452622551])
    assert same_p == p


def test_curve_agrees_with_proc():
    """``coords(a, "all", ret=c("specificity", "sensitivity"))``, by which pROC lists the lowest threshold first."""
    specificity = np.array([0, 1, 3, 4, 5, 6, 6, 7, 8, 8, 9, 9, 9]) / 9
    sensitivity = np.array([7, 7, 7, 6, 6, 6, 5, 5, 4, 3, 2, 1, 0]) / 7
    fpr, tpr, _ = roc_curve(LABELS, FIRST)
    agrees(1 - fpr[::-1], specificity)
    agrees(tpr[::-1], sensitivity)


def test_proc_joins_the_points_that_we_step_along():
    """``coords(a, c(.9, .8, .5), input="specificity", ret="sensitivity")``: .41, .69, .86 against 2/7, 4/7, 6/7."""
    fpr, tpr, _ = roc_curve(LABELS, FIRST)
    at = np.array([0.1, 0.2, 0.5])
    agrees(np.interp(at, fpr, tpr), [0.414285714285714, 0.685714285714286, 0.857142857142857])
    agrees(sensitivity_at(fpr, tpr, at), [2 / 7, 4 / 7, 6 / 7])


def test_midranks_give_the_covariance_of_the_definition():
    """DeLong et al. 1988, equations 4 to 6: placements from all pairs, their covariances over the classes."""
    generator = np.random.default_rng(5)
    labels, scores = generator.random(43) < 0.4, generator.integers(0, 6, (3, 43))
    pairs = np.sign(scores[:, labels, None] - scores[:, None, ~labels]) / 2 + 0.5
    expected = np.cov(pairs.mean(axis=2)) / labels.sum() + np.cov(pairs.mean(axis=1)) / (~labels).sum()
    areas, covariance = delong(labels, scores)
    agrees(areas, pairs.mean(axis=(1, 2)))
    agrees(covariance, expected)


def test_no_variance_is_noted_and_is_no_warning():
    perfect, constant = LABELS / 3, np.full(LABELS.size, 0.1)
    for scores, area in ((perfect, 1), (constant, 0.5)):
        interval = auc_interval(LABELS, scores)
        assert (interval.low, interval.value, interval.high) == (area, area, area)
        assert "no certainty" in interval.note
    difference, p = auc_difference(LABELS, constant, perfect)
    assert (difference.value, p) == (0.5, 0)
    assert "no certainty" in difference.note


def test_classifiers_that_rank_alike_do_not_differ():
    difference, p = auc_difference(LABELS, FIRST, np.exp(7 * FIRST))
    assert p == 1
    assert (difference.low, difference.value, difference.high) == (0, 0, 0)


def test_images_without_a_variance_are_an_error():
    with pytest.raises(ValueError, match="1 positive, 3 negative"):
        delong([0, 1, 0, 0], [0.3, 0.2, 0.1, 0.4])
    with pytest.raises(ValueError, match=r"Received the labels \[0\]"):
        auc_interval([0, 0, 0], [0.3, 0.2, 0.1])
    with pytest.raises(ValueError, match="1 of them NaN"):
        delong(LABELS, [FIRST, np.where(FIRST == 0.95, np.nan, FIRST)])
    with pytest.raises(ValueError, match="one score for each image"):
        auc_interval(LABELS, [FIRST, SECOND])


def test_bootstrap_is_that_of_copied_subjects():
    """A subject drawn twice counts as two: the area of images copied as often as their subject was drawn."""
    labels, scores, videos = frames_of_videos(1, num_videos=5, frames=7)
    scores = np.round(scores)
    draws = resample(lambda weights: weights, 5, resamples=60, seed=3)
    copied = [np.repeat(np.arange(labels.size), draw[videos]) for draw in draws]
    areas = [auc(labels[images], scores[images]) for images in copied]
    names = np.array(list("abcde"))[videos]
    interval = auc_bootstrap(labels, scores, names, resamples=60, seed=3, level=0.9)
    agrees([interval.low, interval.high], np.quantile(areas, [0.05, 0.95]))
    agrees(interval.value, auc(labels, scores))


def test_frames_that_agree_within_a_video_widen_the_bootstrap():
    labels, scores, videos = frames_of_videos(2)
    wide, narrow = auc_bootstrap(labels, scores, videos, resamples=500), auc_interval(labels, scores)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    agrees(wide.value, narrow.value)


def test_resamples_of_one_class_are_left_out_and_noted():
    interval = auc_bootstrap([1, 1, 0, 0, 1], [5, 3, 4, 1, 2], list("aabbc"), resamples=200)
    assert "of 200 resamples left out" in interval.note
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    with pytest.raises(ValueError, match="name of its subject"):
        auc_bootstrap([1, 0, 1], [5, 3, 4], list("ab"))


def test_differences_have_the_sign_of_paired_difference():
    first, second = roc_detections(LABELS, FIRST), roc_detections(LABELS, SECOND)
    paired, _ = paired_difference(first, second, 0.3, resamples=20)
    difference, _ = auc_difference(LABELS, FIRST, SECOND)
    assert paired.value < 0
    assert difference.value < 0
