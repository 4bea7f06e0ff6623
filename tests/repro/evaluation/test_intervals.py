import numpy as np
import pytest
from scipy.stats import norm

from repro.evaluation import (
    Detections,
    bootstrap,
    clopper_pearson,
    froc_interval,
    roc_detections,
    roc_interval,
)


def one_subject(noise, hits, num_lesions, num_images):
    lesion = np.concatenate([np.full(len(noise), -1), np.arange(len(hits))])
    zeros = np.zeros(lesion.size, dtype=int)
    return Detections(zeros, zeros, lesion, np.concatenate([noise, hits]), ("a",), [num_images], [num_lesions])


def test_idca_interval_is_the_fit_with_its_error_on_the_logit_scale():
    """Value and limits agree with the same delta method written out on another scale's middle."""
    generator = np.random.default_rng(0)
    data = one_subject(generator.normal(size=400), 1.5 + generator.normal(size=90), 100, 40)
    wide, narrow = (froc_interval(data, [1.0, 4.0], level=level) for level in (0.95, 0.5))
    middle = [np.log(limit / (1 - limit)) for limit in (wide.low, wide.value, wide.high)]
    np.testing.assert_allclose(middle[1] - middle[0], middle[2] - middle[1])
    np.testing.assert_allclose(wide.value, 0.9 * norm.cdf(1.5 + norm.ppf([0.1, 0.4])), atol=0.06)
    ratio = np.log(narrow.high / (1 - narrow.high)) - middle[1]
    np.testing.assert_allclose((middle[2] - middle[1]) / ratio, 1.959964 / 0.674490, rtol=1e-5)


def test_beyond_the_last_false_positive_only_the_share_found_counts():
    """12 false positives in 4 images: at 3 an image and more, 17 of 20 lesions, exact binomial."""
    generator = np.random.default_rng(1)
    data = one_subject(generator.normal(size=12), 1 + generator.normal(size=17), 20, 4)
    interval = froc_interval(data, [2.9, 3.0, 8.0])
    assert interval.method.tolist() == ["idca", "clopper-pearson", "clopper-pearson"]
    np.testing.assert_allclose([interval.low[1:], interval.high[1:]], [[0.62107] * 2, [0.96793] * 2], atol=1e-5)


@pytest.mark.parametrize(
    ("noise", "hits", "value", "reason"),
    [
        ([], [0.5, 0.7], 2 / 9, "0 false positives and 2 lesions found"),
        ([0.1, 0.2, 0.3], [], 0, "3 false positives and 0 lesions found"),
        (np.arange(30) / 99, 1 + np.arange(9) / 99, 1, "all score above"),
        ([], [], 0, "0 false positives and 0 lesions"),
    ],
)
def test_without_a_fit_the_exact_interval_stands_in_and_says_so(noise, hits, value, reason):
    interval = froc_interval(one_subject(np.array(noise), np.array(hits), 9, 5), 0.4)
    assert interval.method.tolist() == ["clopper-pearson"]
    assert reason in interval.note
    assert (interval.low[0], interval.value[0], interval.high[0]) == pytest.approx(
        (clopper_pearson(9 * value, 9)[0], value, clopper_pearson(9 * value, 9)[1])
    )


def test_points_in_any_order_get_their_own_limits():
    """Hits .7, .3 and .05 of 4 lesions lie between false positives at .9, .5 and .1 in 5 images: too few for a fit."""
    unfitted = froc_interval(one_subject([0.1, 0.5, 0.9], [0.05, 0.3, 0.7], 4, 5), [0.6, 0.2, 0.4])
    assert unfitted.value.tolist() == [0.75, 0.25, 0.5]
    assert list(zip(unfitted.low, unfitted.high, strict=True)) == [clopper_pearson(found, 4) for found in (3, 1, 2)]
    generator = np.random.default_rng(1)
    data = one_subject(generator.normal(size=12), 1 + generator.normal(size=17), 20, 4)
    mixed, alone = froc_interval(data, [8.0, 0.5, 2.9]), [froc_interval(data, at) for at in (8.0, 0.5, 2.9)]
    assert mixed.method.tolist() == ["clopper-pearson", "idca", "idca"]
    np.testing.assert_array_equal(mixed.high, [one.high[0] for one in alone])


def test_clopper_pearson_by_hand():
    """None of n: the upper limit is 1 - (.025) ** (1 / n)."""
    assert clopper_pearson(0, 9) == pytest.approx((0, 1 - 0.025 ** (1 / 9)))


def test_bootstrap_of_a_mean_is_normal_theory():
    """61 subjects with values 0..60: the error of the mean is sqrt((61^2 - 1) / 12 / 61) = 2.2541."""
    interval = bootstrap(lambda w: w @ np.arange(61.0) / 61, 61, resamples=4000)
    assert interval.value == 30
    assert (interval.low, interval.high) == pytest.approx((30 - 1.96 * 2.2541, 30 + 1.96 * 2.2541), abs=0.2)
    assert interval.note == ""


def test_bootstrap_notes_few_subjects_and_resamples_without_lesions():
    lesions = np.array([0, 0, 5])
    with np.errstate(invalid="ignore"):
        interval = bootstrap(lambda w: (w @ np.array([0, 0, 2.0])) / (w @ lesions), 3, resamples=900)
    assert interval.value == interval.low == interval.high == 2 / 5
    left_out = int(interval.note.split("; ")[1].split()[0])
    assert "only 3 subjects" in interval.note
    assert left_out == pytest.approx(900 * (2 / 3) ** 3, abs=50)


def test_fitted_and_resampled_intervals_cover_the_truth(simulate):
    """60 runs: about .95 when scans do not matter; when they do only the bootstrap holds (METHODS B1)."""
    truth = 0.9 * norm.cdf(1.7 + 0.8 * norm.ppf(3 / 18))
    covered = {}
    for correlation in (0.0, 0.9):
        for method in ("idca", "bootstrap"):
            runs = [
                froc_interval(simulate(seed, correlation=correlation), 3, method, resamples=400) for seed in range(60)
            ]
            covered[correlation, method] = np.mean([run.low[0] <= truth <= run.high[0] for run in runs])
    assert min(covered[0.0, "idca"], covered[0.0, "bootstrap"]) >= 0.9
    assert covered[0.9, "idca"] <= 0.85
    assert covered[0.9, "bootstrap"] >= 0.88


def test_roc_interval_leaves_out_the_error_of_the_rate():
    generator = np.random.default_rng(7)
    labels = np.repeat([0, 1], [900, 280])
    scores = generator.normal(size=1180) + 1.2 * labels
    fitted = roc_interval(labels, scores, [0.1, 0.2])
    as_froc = froc_interval(roc_detections(labels, scores), [0.1, 0.2])
    np.testing.assert_allclose(fitted.value, norm.cdf(1.2 + norm.ppf([0.1, 0.2])), atol=0.08)
    np.testing.assert_array_equal(fitted.value, as_froc.value)
    assert np.all(fitted.high - fitted.low < as_froc.high - as_froc.low)


def test_roc_bootstrap_resamples_subjects():
    """Every subject holds the same scores, so no resample of subjects can differ."""
    labels, scores = np.tile([0, 0, 1, 1, 1], 12), np.tile([0.1, 0.7, 0.3, 0.6, 0.9], 12)
    interval = roc_interval(labels, scores, 0.4, np.repeat(np.arange(12), 5), method="bootstrap")
    assert interval.value == interval.low == interval.high == 1 / 3
    with pytest.raises(ValueError, match="name each image's subject"):
        roc_interval(labels, scores, 0.1, method="bootstrap")


def test_impossible_requests_are_refused():
    data = one_subject([0.1], [0.2], 3, 5)
    with pytest.raises(ValueError, match=r"positive numbers.*0\."):
        froc_interval(data, [0, 1])
    with pytest.raises(ValueError, match=r"positive numbers.*\[\]"):
        froc_interval(data, [], method="bootstrap")
    with pytest.raises(ValueError, match="Received: 'delong'"):
        froc_interval(data, 1, method="delong")
    with pytest.raises(ValueError, match="num_lesions are all 0"):
        froc_interval(one_subject([0.1], [], 0, 5), 1)
