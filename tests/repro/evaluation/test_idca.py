import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import norm

from repro.evaluation import idca

# Three bins, two cutoffs: as many free shares as parameters, so the fit must pass through both points.
NOISE, HITS = np.array([50, 30, 20]), np.array([6, 24, 30])
FPF, TPF = np.array([0.5, 0.2]), np.array([54 / 60, 30 / 60])


def test_three_bins_are_fitted_exactly():
    """By hand: the line through (Phi^-1(.5), Phi^-1(.9)) and (Phi^-1(.2), Phi^-1(.5))."""
    a, b, _ = idca.fit_binormal(NOISE, HITS)
    assert a == pytest.approx(1.28155, abs=1e-4)
    assert b == pytest.approx(1.28155 / 0.84162, abs=1e-4)


def test_standard_error_at_an_observed_point_is_the_textbook_one():
    """Both shares vary as binomials; an error of the false positive share moves along the curve's slope."""
    a, b, covariance = idca.fit_binormal(NOISE, HITS)
    model = idca.Idca(a, b, covariance, rate=1.0, found=1.0, num_lesions=60, num_images=100)
    value, error = idca.sensitivity(model, FPF, fixed_rate=True)
    slope = b * norm.pdf(norm.ppf(TPF)) / norm.pdf(norm.ppf(FPF))
    by_hand = np.sqrt(TPF * (1 - TPF) / 60 + slope**2 * FPF * (1 - FPF) / 100)
    np.testing.assert_allclose(value, TPF, atol=1e-5)
    np.testing.assert_allclose(error, by_hand, rtol=1e-4)


def test_rate_and_share_found_add_their_variance():
    """At rate 4 a point of the curve, share .5, is 2 a image; with 25 images the rate's error is .4."""
    a, b, covariance = idca.fit_binormal(NOISE, HITS)
    model = idca.Idca(a, b, covariance, rate=4.0, found=0.75, num_lesions=80, num_images=25)
    value, error = idca.sensitivity(model, np.array([2.0]))
    _, fixed = idca.sensitivity(model, np.array([2.0]), fixed_rate=True)
    step = 1e-4
    moved = [0.75 * norm.cdf(a + b * norm.ppf(2 / (4 + d))) for d in (-step, step)]
    by_rate = (moved[1] - moved[0]) / (2 * step) * 0.4
    assert value[0] == pytest.approx(0.75 * 0.9, abs=1e-5)
    assert error[0] ** 2 == pytest.approx(fixed[0] ** 2 + by_rate**2, rel=1e-5)
    assert fixed[0] ** 2 > 0.9**2 * 0.75 * 0.25 / 80


def test_gradient_is_that_of_the_likelihood():
    noise, hits = np.array([40, 25, 11, 3, 0]), np.array([2, 0, 9, 17, 31])
    parameters = np.array([1.3, 0.7, -0.4, 0.5, 1.1, 2.3])
    numeric = approx_fprime(parameters, lambda x: idca.log_likelihood(x, noise, hits), 1e-7)
    np.testing.assert_allclose(idca.gradient(parameters, noise, hits), numeric, rtol=1e-4, atol=1e-4)


def test_known_parameters_come_back():
    generator = np.random.default_rng(5)
    noise, hits = generator.normal(size=30_000), (1.7 + generator.normal(size=9_000)) / 0.8
    model = idca.fit_idca(np.exp(noise), np.exp(hits), 10_000, 2_000)
    error = np.sqrt(np.diag(model.covariance))
    assert abs(model.a - 1.7) < 3 * error[0] < 0.1
    assert abs(model.b - 0.8) < 3 * error[1] < 0.06
    assert (model.rate, model.found) == (15, 0.9)


def test_bins_hold_five_scores_and_ties_stay_in_one():
    noise, hits = np.array([0.1] * 23 + [0.2] * 2 + [0.5] * 7), np.array([0.5] * 4 + [0.9] * 9 + [1.0])
    noise_counts, hit_counts = idca.binned(noise, hits)
    np.testing.assert_array_equal(noise_counts, [23, 9, 0])
    np.testing.assert_array_equal(hit_counts, [0, 4, 10])


def test_many_scores_fill_nineteen_bins():
    generator = np.random.default_rng(1)
    counts = idca.binned(generator.normal(size=4_000), 1 + generator.normal(size=90))
    assert len(counts[0]) == 19
    assert np.min(np.sum(counts, axis=0)) >= 5
    assert (counts[0].sum(), counts[1].sum()) == (4_000, 90)


@pytest.mark.parametrize(
    ("noise", "hits", "reason"),
    [
        (np.arange(4.0), np.arange(30.0), "4 false positives and 30 lesions"),
        (np.zeros(50), np.ones(40), "fill 2 bins"),
        (np.arange(50.0), np.arange(100.0, 140.0), "all score above the false positives"),
        (np.repeat([0.0, 1.0, 2.0], [8, 1, 8]), np.ones(20), "no inner maximum"),
    ],
)
def test_no_fit_where_the_likelihood_has_no_maximum(noise, hits, reason):
    with pytest.raises(idca.NoFit, match=reason):
        idca.fit_idca(noise, hits, 100, 10)


def test_the_normal_density_is_scipy_s_to_the_bit():
    x = np.append(np.random.default_rng(6).normal(scale=4, size=(17, 23)), [[-np.inf, 0, np.inf] + [1e9] * 20], axis=0)
    np.testing.assert_array_equal(idca._normal_density(x), norm.pdf(x))
