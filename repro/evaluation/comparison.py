"""Which pairs of arms differ at an operating point: the paper's rule, and a paired test beside it.

Tables S1-S3 call two curves different when their 95 % intervals do not overlap. For arms tested on the same
subjects that is very conservative (at equal errors and correlation .5 it means p < 1e-4, METHODS B2), so every
pair also gets the interval of its difference over the same resamples, a p value, and Holm's correction.
"""

from dataclasses import dataclass, replace

import numpy as np

from repro.evaluation.intervals import Interval, idca_interval, percentiles
from repro.evaluation.resampling import froc_statistic, resample


@dataclass(frozen=True)
class Pair:
    """Two arms at one operating point: a row of a table, flat so that it can be written as one.

    Attributes
    ----------
    first, second : str
        Arms, in the order they were handed over: a column and a row of the paper's lower triangles.
    at : float
        False positives per image (an ROC: false positive rate).
    first_empirical, first_bootstrap_low, first_bootstrap_high : float
        Sensitivity read from the curve, and its interval over subjects; so for the second.
    first_fitted, first_idca_low, first_idca_high : float
        Sensitivity of the fitted curve, and its interval; so for the second.
    differ_idca, differ_bootstrap : bool
        Whether those intervals do not overlap (touching ones do): the paper's rule is the first of the two.
    difference, difference_low, difference_high : float
        Second minus first, empirical; interval of the paired bootstrap.
    p, p_holm : float
        Two-sided (see `two_sided_p`), and corrected for all pairs and points of the table.
    note : str
        Notes of the intervals: fallbacks, few subjects.
    """

    first: str
    second: str
    at: float
    first_empirical: float
    first_bootstrap_low: float
    first_bootstrap_high: float
    first_fitted: float
    first_idca_low: float
    first_idca_high: float
    second_empirical: float
    second_bootstrap_low: float
    second_bootstrap_high: float
    second_fitted: float
    second_idca_low: float
    second_idca_high: float
    differ_idca: bool
    differ_bootstrap: bool
    difference: float
    difference_low: float
    difference_high: float
    p: float
    p_holm: float
    note: str


@dataclass(frozen=True, eq=False)
class _Arm:
    """What is known of one arm at all points; `samples` : ndarray of shape (resamples, points)."""

    name: str
    fitted: Interval
    empirical: Interval
    samples: np.ndarray


def compare(arms, at, fitted=idca_interval, resamples=20_000, level=0.95, seed=0):
    """Compare every pair of arms at every operating point.

    Parameters
    ----------
    arms : dict of str to Detections
        On the same subjects with the same lesions, in the order of the table. For an ROC: what
        `roc_detections` makes of each arm.
    at : array of shape (points,), float
        False positives per image.
    fitted : callable
        From (detections, at, level) to the `Interval` that the paper's rule uses. For an ROC:
        ``partial(idca_interval, fixed_rate=True)``.
    resamples : int
        Ten times an interval's: with 45 pairs at 2 points Holm multiplies the smallest p, 2 / (resamples + 1),
        by 90, and 2,000 resamples could never show a difference.
    level : float
    seed : int
        All arms see the same resamples.

    Returns
    -------
    list of Pair
        A lower triangle read by rows; within a pair, its points in their order.
    """
    _check_same_subjects(arms)
    at = np.atleast_1d(np.asarray(at, dtype=float))
    num_subjects = len(next(iter(arms.values())).subjects)
    values, samples = _resampled(list(arms.values()), at, resamples, seed)
    known = [
        _Arm(name, fitted(detections, at, level), percentiles(value, sample, num_subjects, level), sample)
        for (name, detections), value, sample in zip(arms.items(), values, samples, strict=True)
    ]
    pairs = [
        pair
        for row, second in enumerate(known)
        for first in known[:row]
        for pair in _pairs(first, second, at, num_subjects, level)
    ]
    corrected = holm([pair.p for pair in pairs])
    return [replace(pair, p_holm=float(p)) for pair, p in zip(pairs, corrected, strict=True)]


def paired_difference(first, second, at, resamples=20_000, level=0.95, seed=0):
    """Estimate by how much the second arm's sensitivity exceeds the first's, on the same resamples.

    Parameters
    ----------
    first, second : Detections
        Of the same subjects.
    at : array of shape (points,), float
    resamples, seed : int
    level : float

    Returns
    -------
    difference : Interval
        Of shape (points,).
    p : ndarray of shape (points,)
    """
    _check_same_subjects({"first": first, "second": second})
    values, samples = _resampled([first, second], np.atleast_1d(at), resamples, seed)
    num_subjects = len(first.subjects)
    difference = samples[1] - samples[0]
    interval = percentiles(values[1] - values[0], difference, num_subjects, level)
    return interval, two_sided_p(difference, num_subjects)


def two_sided_p(differences, num_subjects):
    """Compute the p value that belongs to percentile intervals of a difference.

    Twice the smaller share of resamples on one side of zero, zero itself on both; the data count as one
    resample more (Davison and Hinkley 1997, section 4.2), so p is never 0. Nor is it under `smallest_p`.

    Parameters
    ----------
    differences : ndarray of shape (resamples, points), NaN rows left out
    num_subjects : int

    Returns
    -------
    ndarray of shape (points,), float
    """
    defined = differences[~np.isnan(differences).any(axis=1)]
    tail = np.minimum(np.sum(defined <= 0, axis=0), np.sum(defined >= 0, axis=0))
    return np.clip(2 * (tail + 1) / (len(defined) + 1), smallest_p(num_subjects), 1)


def smallest_p(num_subjects):
    """Return 2 ** (1 - m), the smallest p that m subjects can give.

    No exact test that treats the two arms alike (flipping signs of whole subjects) reaches lower, and a bootstrap
    of three videos that all agree would else claim p = 1e-4.
    """
    return 2.0 ** (1 - num_subjects)


def holm(p):
    """Correct p values for their number (Holm 1979); p : (n,) float, returned in the order given."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return np.minimum(corrected, 1)


def _resampled(arms, at, resamples, seed):
    """Return the arms' sensitivities, (arms, points), and those of resamples, (arms, resamples, points)."""
    statistics = [froc_statistic(detections, at) for detections in arms]
    num_subjects = len(arms[0].subjects)

    def joint(weights):
        return np.stack([statistic(weights) for statistic in statistics], axis=1)

    values = joint(np.ones((1, num_subjects), dtype=int))[0]
    return values, np.swapaxes(resample(joint, num_subjects, resamples, seed), 0, 1)


def _pairs(first, second, at, num_subjects, level):
    """Build the `Pair` of two arms at each point; p_holm is filled in once all are known."""
    samples = second.samples - first.samples
    difference = percentiles(second.empirical.value - first.empirical.value, samples, num_subjects, level)
    p = two_sided_p(samples, num_subjects)
    notes = dict.fromkeys(note for arm in (first, second) for note in (arm.fitted.note, arm.empirical.note))
    return [
        Pair(
            first=first.name,
            second=second.name,
            at=float(at[k]),
            **_side("first", first, k),
            **_side("second", second, k),
            differ_idca=_apart(first.fitted, second.fitted, k),
            differ_bootstrap=_apart(first.empirical, second.empirical, k),
            difference=float(difference.value[k]),
            difference_low=float(difference.low[k]),
            difference_high=float(difference.high[k]),
            p=float(p[k]),
            p_holm=1.0,
            note="; ".join(note for note in notes if note),
        )
        for k in range(at.size)
    ]


def _side(side, arm, k):
    """Name one arm's numbers at point k as `Pair` does; side : first or second."""
    return {
        f"{side}_empirical": float(arm.empirical.value[k]),
        f"{side}_bootstrap_low": float(arm.empirical.low[k]),
        f"{side}_bootstrap_high": float(arm.empirical.high[k]),
        f"{side}_fitted": float(arm.fitted.value[k]),
        f"{side}_idca_low": float(arm.fitted.low[k]),
        f"{side}_idca_high": float(arm.fitted.high[k]),
    }


def _apart(one, other, k):
    return bool(one.high[k] < other.low[k] or other.high[k] < one.low[k])


def _check_same_subjects(arms):
    if len(arms) < 2:
        raise ValueError(f"A comparison needs two arms. Received: {list(arms)}.")
    (reference, first), *others = arms.items()
    for name, detections in others:
        for field in ("subjects", "num_images", "num_lesions"):
            if not np.array_equal(getattr(first, field), getattr(detections, field)):
                raise ValueError(
                    f"Arms must be tested on the same subjects. Received other {field} for {name} than for {reference}."
                )
