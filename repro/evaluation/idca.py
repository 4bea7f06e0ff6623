"""Maximum-likelihood FROC fit under the model of initial detection and candidate analysis (IDCA).

D. C. Edwards, M. A. Kupinski, C. E. Metz, R. M. Nishikawa, "Maximum likelihood fitting of FROC curves under an
initial-detection-and-candidate-analysis model", Med. Phys. 29(12), 2002: the method that the paper's intervals
come from. Formulas as METHODS B1 derives them. K images yield a Poisson number of false candidates, lambda an
image; each of L lesions is found with probability nu; scores, after a monotone transform, are N(0, 1) for false
candidates and N(a/b, 1/b^2) for lesions. So FP(z) = lambda Phi(-z) and sensitivity(z) = nu Phi(a - b z). The
likelihood factorises: lambda and nu are counted, a and b are an ordinary binormal ROC fit on binned scores.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri, xlogy

# "Fewer than 20 bins, at least 5 counts in each", as used for CAD data (Chakraborty 2008, METHODS B1).
MAX_BINS, MIN_COUNT = 19, 5
# A slope outside 1/20..20 means scores of one class in a single point: the likelihood has no inner maximum.
MAX_SLOPE = 20.0
# A bin that holds scores is never this improbable near a maximum; the floor keeps far-off trial steps finite.
_LEAST_SHARE = 1e-12


class NoFit(Exception):
    """The likelihood has no maximum worth its name; the message says why."""


@dataclass(frozen=True, eq=False)
class Idca:
    """A fitted FROC curve.

    Attributes
    ----------
    a, b : float
        Intercept and slope of the binormal ROC of candidates.
    covariance : ndarray of shape (2, 2)
        Of (a, b): their block of the inverse observed information, cutoffs included.
    rate : float
        lambda, false candidates an image.
    found : float
        nu, the share of lesions that any candidate hits.
    num_lesions, num_images : int
    """

    a: float
    b: float
    covariance: np.ndarray
    rate: float
    found: float
    num_lesions: int
    num_images: int


def fit_idca(noise, hits, num_lesions, num_images):
    """Fit the IDCA model.

    Parameters
    ----------
    noise : array of shape (N,), float
        Scores of the false candidates.
    hits : array of shape (T,), float
        The best score of each lesion found: one score a lesion, or the likelihood counts lesions twice.
    num_lesions, num_images : int

    Returns
    -------
    Idca

    Raises
    ------
    NoFit
        Too few scores, classes that do not overlap, or no convergence.
    """
    counts = binned(noise, hits)
    a, b, covariance = fit_binormal(*counts)
    return Idca(a, b, covariance, len(noise) / num_images, len(hits) / num_lesions, num_lesions, num_images)


def sensitivity(model, at, fixed_rate=False):
    """Compute the fitted sensitivity and its standard error by the delta method (METHODS B1).

    Parameters
    ----------
    model : Idca
    at : ndarray of float
        False positives per image, between 0 and `model.rate`, both excluded.
    fixed_rate : bool
        lambda is known, not estimated: false positive rates of an ROC.

    Returns
    -------
    value, standard_error : ndarray of the shape of `at`
    """
    quantile = ndtri(at / model.rate)
    share = ndtr(model.a + model.b * quantile)
    slope = model.found * _normal_density(model.a + model.b * quantile)
    gradient = slope[..., None] * np.stack([np.ones_like(quantile), quantile], axis=-1)
    variance = np.einsum("...i,ij,...j", gradient, model.covariance, gradient)
    variance += share**2 * model.found * (1 - model.found) / model.num_lesions
    if not fixed_rate:
        by_rate = slope * model.b * at / (model.rate**2 * _normal_density(quantile))
        variance += by_rate**2 * model.rate / model.num_images
    return model.found * share, np.sqrt(variance)


def binned(noise, hits):
    """Count scores in bins that hold equal shares of both classes together.

    Bins by shares, the mean of the two distribution functions, not by pooled counts: a detector's false
    candidates outnumber its hits by far, and pooled quantiles would leave no cutoff where the hits are.

    Returns
    -------
    noise_counts, hit_counts : ndarray of shape (bins,), int
        From the lowest scores to the highest; at most 19 bins with at least 5 scores each.

    Raises
    ------
    NoFit
        For fewer than 5 scores of a class or fewer than 3 bins: a, b and the cutoffs are not determined.
    """
    noise, hits = np.asarray(noise, dtype=float), np.asarray(hits, dtype=float)
    if min(noise.size, hits.size) < MIN_COUNT:
        raise NoFit(f"{noise.size} false positives and {hits.size} lesions found; a fit needs {MIN_COUNT} each")
    values = np.unique(np.concatenate([noise, hits]))
    counts = np.stack([np.bincount(np.searchsorted(values, x), minlength=values.size) for x in (noise, hits)])
    share = np.cumsum(counts[0] / noise.size + counts[1] / hits.size) / 2
    bins = np.minimum((share * MAX_BINS - 1e-9).astype(int), MAX_BINS - 1)
    merged = _merge_small([counts[:, bins == number].sum(axis=1) for number in np.unique(bins)])
    if len(merged) < 3:
        raise NoFit(f"the scores fill {len(merged)} bins of {MIN_COUNT}; a fit needs 3")
    noise_counts, hit_counts = np.transpose(merged)
    return noise_counts, hit_counts


def _merge_small(bins):
    """Join neighbours until each bin holds MIN_COUNT; bins : list of (2,) int."""
    merged = []
    waiting = np.zeros(2, dtype=int)
    for counts in bins:
        waiting = waiting + counts
        if waiting.sum() >= MIN_COUNT:
            merged.append(waiting)
            waiting = np.zeros(2, dtype=int)
    merged[-1] = merged[-1] + waiting
    return merged


def fit_binormal(noise_counts, hit_counts):
    """Fit a binormal ROC to binned scores by maximum likelihood.

    Parameters
    ----------
    noise_counts, hit_counts : ndarray of shape (bins,), int
        From the lowest scores to the highest.

    Returns
    -------
    a, b : float
    covariance : ndarray of shape (2, 2)

    Raises
    ------
    NoFit
    """
    below = np.cumsum(noise_counts)[:-1], np.cumsum(hit_counts)[:-1]
    if not np.any((below[0] < noise_counts.sum()) & (below[1] > 0)):
        raise NoFit("the lesions found all score above the false positives; no bin shows how the two overlap")
    total = noise_counts.sum() + hit_counts.sum()
    found = minimize(
        lambda x: -log_likelihood(x, noise_counts, hit_counts) / total,
        _start(noise_counts, hit_counts),
        jac=lambda x: -gradient(x, noise_counts, hit_counts) / total,
        hess=lambda x: _expected_information(x, noise_counts, hit_counts) / total,
        method="trust-exact",
        options={"gtol": 1e-7, "maxiter": 100},
    )
    a, b = map(float, found.x[:2])
    # The last steps can be too small for the objective's precision; the gradient tells whether that mattered.
    if np.max(np.abs(found.jac)) > 1e-5 or not 1 / MAX_SLOPE < b < MAX_SLOPE:
        raise NoFit(f"the binormal fit has no inner maximum (a={a:.3g}, b={b:.3g})")
    return a, b, _covariance(found.x, noise_counts, hit_counts)


def log_likelihood(parameters, noise_counts, hit_counts):
    """Compute the binned binormal log-likelihood; parameters : (a, b, cutoffs ascending).

    Minus infinity outside the model (b <= 0 or cutoffs out of order), which a line or trust-region search steps
    back from.
    """
    if parameters[1] <= 0 or np.any(np.diff(parameters[2:]) <= 0):
        return -np.inf
    of_noise, of_hits = _probabilities(parameters)
    return np.sum(xlogy(noise_counts, of_noise)) + np.sum(xlogy(hit_counts, of_hits))


def gradient(parameters, noise_counts, hit_counts):
    """Compute the gradient of `log_likelihood`, of the shape of `parameters`."""
    of_noise, of_hits = _probabilities(parameters)
    by_noise, by_hits = _jacobians(parameters)
    return by_noise.T @ (noise_counts / of_noise) + by_hits.T @ (hit_counts / of_hits)


def _expected_information(parameters, noise_counts, hit_counts):
    """Compute Fisher's expected information: positive definite everywhere, so every step climbs."""
    of_noise, of_hits = _probabilities(parameters)
    by_noise, by_hits = _jacobians(parameters)
    of_noise, of_hits = of_noise / noise_counts.sum(), of_hits / hit_counts.sum()
    return by_noise.T @ (by_noise / of_noise[:, None]) + by_hits.T @ (by_hits / of_hits[:, None])


def _probabilities(parameters):
    """Return the share of each bin under noise and under hits: two of (bins,)."""
    a, b, cutoffs = parameters[0], parameters[1], parameters[2:]
    return _normal_bins(cutoffs), _normal_bins(b * cutoffs - a)


def _normal_bins(cutoffs):
    lower, upper = np.append(-np.inf, cutoffs), np.append(cutoffs, np.inf)
    # In the upper tail 1 - tiny cancels; the same bin mirrored to the lower tail keeps its digits.
    mirrored = lower > 0
    lower, upper = np.where(mirrored, -upper, lower), np.where(mirrored, -lower, upper)
    return np.maximum(ndtr(upper) - ndtr(lower), _LEAST_SHARE)


def _normal_density(x):
    """Compute what scipy.stats.norm.pdf does, to the bit, without its import and its checks of every call."""
    return np.exp(-(x**2) / 2.0) / np.sqrt(2 * np.pi)


def _jacobians(parameters):
    """Derive each bin's share by (a, b, cutoffs), for noise and for hits: two of (bins, 2 + cutoffs)."""
    a, b, cutoffs = parameters[0], parameters[1], parameters[2:]
    # A cutoff is the upper end of one bin and the lower end of the next.
    ends = np.eye(cutoffs.size + 1, cutoffs.size) - np.eye(cutoffs.size + 1, cutoffs.size, k=-1)
    by_noise = ends * _normal_density(cutoffs)
    by_end = ends * _normal_density(b * cutoffs - a)
    nothing = np.zeros((cutoffs.size + 1, 2))
    return (
        np.hstack([nothing, by_noise]),
        np.hstack([-by_end.sum(axis=1)[:, None], (by_end @ cutoffs)[:, None], b * by_end]),
    )


def _start(noise_counts, hit_counts):
    """Fit a line to the operating points on normal axes; half a count more in each bin keeps them finite."""
    below = [np.cumsum(counts + 0.5)[:-1] / np.sum(counts + 0.5) for counts in (noise_counts, hit_counts)]
    cutoffs, of_hits = ndtri(below[0]), ndtri(below[1])
    slope, intercept = np.polyfit(cutoffs, of_hits, 1)
    return np.concatenate([[-intercept, np.clip(slope, 0.2, 5.0)], cutoffs])


def _covariance(parameters, noise_counts, hit_counts, step=1e-5):
    """Invert the observed information (differences of the exact gradient); return the block of (a, b)."""
    steps = step * np.eye(parameters.size)
    rows = [
        (gradient(parameters - d, noise_counts, hit_counts) - gradient(parameters + d, noise_counts, hit_counts))
        / (2 * step)
        for d in steps
    ]
    information = (np.array(rows) + np.transpose(rows)) / 2
    eigenvalues = np.linalg.eigvalsh(information)
    if eigenvalues[0] <= 1e-9 * eigenvalues[-1]:
        raise NoFit("the observed information is not positive definite: the scores do not determine the fit")
    return np.linalg.inv(information)[:2, :2]
