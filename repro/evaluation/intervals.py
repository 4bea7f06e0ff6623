"""Confidence intervals of sensitivities at fixed false positives: the paper's (IDCA), and over subjects.

The two answer different questions. IDCA takes every candidate as independent; with scores that agree within a
patient its 95 % interval covers about 88 % (METHODS B1). The bootstrap over subjects asks what other patients
would give, and is the one to believe; it needs enough of them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri

from repro.evaluation import idca
from repro.evaluation.froc import curve, scored, sensitivity_at
from repro.evaluation.resampling import froc_statistic, resample
from repro.evaluation.roc import roc_detections

# Percentile intervals over fewer subjects are known to be too narrow; the result then says so.
FEW_SUBJECTS = 10


@dataclass(frozen=True, eq=False)
class Interval:
    """Estimates with their confidence limits, all of one shape.

    Attributes
    ----------
    value, low, high : ndarray of float
    method : ndarray of str
        What each was computed by: "idca", "clopper-pearson", "bootstrap" or "delong".
    note : str
        What a reader must know: why another method stood in, how few subjects there were; or empty.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    method: np.ndarray
    note: str = ""


def froc_interval(detections, at, method="idca", level=0.95, resamples=2000, seed=0):
    """Estimate the sensitivity at fixed false positives per image, with an interval.

    Parameters
    ----------
    detections : Detections
    at : float or array of shape (points,)
        False positives per image, positive.
    method : {"idca", "bootstrap"}
        The paper's method, with the fitted curve as value; or percentiles over resampled subjects, with the
        empirical curve as value.
    level : float
    resamples, seed : int
        For the bootstrap.

    Returns
    -------
    Interval
        Of shape (points,).
    """
    if method == "idca":
        return idca_interval(detections, at, level)
    if method == "bootstrap":
        statistic = froc_statistic(detections, _checked_points(detections, at))
        return bootstrap(statistic, len(detections.subjects), resamples, level, seed)
    raise ValueError(f'method must be "idca" or "bootstrap". Received: {method!r}.')


def roc_interval(labels, scores, at, subjects=None, method="idca", **options):
    """Estimate the true positive rate at fixed false positive rates, with an interval.

    Parameters
    ----------
    labels : array of shape (n,), bool or 0/1
    scores : array of shape (n,), float
    at : float or array of shape (points,)
        False positive rates, above 0.
    subjects : array of shape (n,)
        Name of the subject of each image; the bootstrap needs it.
    method : {"idca", "bootstrap"}
        With "idca" a binormal ROC fit: nu = 1, lambda fixed (METHODS B1).
    options
        As for `froc_interval`: level, resamples, seed.

    Returns
    -------
    Interval
        Of shape (points,).
    """
    if method == "bootstrap" and subjects is None:
        raise ValueError("The bootstrap resamples subjects. Received: subjects=None; name each image's subject.")
    detections = roc_detections(labels, scores, subjects)
    if method == "idca":
        return idca_interval(detections, at, options.get("level", 0.95), fixed_rate=True)
    return froc_interval(detections, at, method, **options)


def bootstrap(statistic, num_subjects, resamples=2000, level=0.95, seed=0):
    """Compute a percentile interval over resampled subjects.

    Parameters
    ----------
    statistic : callable
        From weights of shape (r, num_subjects), int, how often each subject was drawn, to an ndarray of shape
        (r, ...). A mean over subjects, say: ``lambda w: w @ values / w.sum(axis=1)``.
    num_subjects, resamples : int
    level : float
    seed : int

    Returns
    -------
    Interval
        Of the statistic's shape; `value` is the statistic with each subject once. Resamples for which the
        statistic is NaN (no lesion drawn) are left out, and noted.
    """
    value = np.asarray(statistic(np.ones((1, num_subjects), dtype=int)))[0]
    return percentiles(value, resample(statistic, num_subjects, resamples, seed), num_subjects, level)


def percentiles(value, values, num_subjects, level=0.95):
    """Turn the values of resamples into an interval; see `bootstrap`.

    Parameters
    ----------
    value : ndarray of shape (...)
    values : ndarray of shape (resamples, ...)
    num_subjects : int
    level : float

    Returns
    -------
    Interval
    """
    defined = ~np.isnan(values.reshape(len(values), -1)).any(axis=1)
    if not defined.any():
        raise ValueError(f"The statistic is NaN in all {len(values)} resamples. Are there lesions at all?")
    low, high = np.quantile(values[defined], [(1 - level) / 2, (1 + level) / 2], axis=0)
    notes = []
    if num_subjects < FEW_SUBJECTS:
        notes.append(f"only {num_subjects} subjects: the bootstrap interval is too narrow")
    if not defined.all():
        notes.append(f"{np.sum(~defined)} of {len(values)} resamples left out, nothing to divide by")
    return Interval(value, low, high, np.full(value.shape, "bootstrap"), "; ".join(notes))


def idca_interval(detections, at, level=0.95, fixed_rate=False):
    """Estimate sensitivities by the IDCA fit, with delta-method intervals on the logit scale.

    Where the model gives nothing, the exact binomial interval (Clopper-Pearson) stands in: at `at` >= lambda
    for the lesions found at all; with no fit (see `idca.NoFit`), or a fitted sensitivity that is 0 or 1 to the
    last digit, for the lesions found at that point of the empirical curve. `method` and `note` say so.

    Parameters
    ----------
    detections : Detections
    at : float or array of shape (points,)
    level : float
    fixed_rate : bool
        lambda is known, as for the false positive rates of an ROC.

    Returns
    -------
    Interval
    """
    at = _checked_points(detections, at)
    data, num_lesions = scored(detections), int(np.sum(detections.num_lesions))
    columns, fits, note = np.empty((3, at.size)), np.zeros(at.size, dtype=bool), ""
    try:
        model = idca.fit_idca(data.noise, data.hits, num_lesions, int(np.sum(detections.num_images)))
        inside = at < model.rate
        fitted = np.stack(_on_logit_scale(*idca.sensitivity(model, at[inside], fixed_rate), level))
        fits[inside] = np.isfinite(fitted).all(axis=0)
        columns[:, fits] = fitted[:, fits[inside]]
        note = "" if fits[inside].all() else "fitted sensitivity of 0 or 1: exact binomial interval"
    except idca.NoFit as reason:
        note = f"exact binomial interval, no IDCA fit: {reason}"
    if not fits.all():
        columns[:, ~fits] = _exact(detections, at[~fits], level)
    return Interval(*columns, np.where(fits, "idca", "clopper-pearson"), note)


def clopper_pearson(successes, trials, level=0.95):
    """Compute the exact binomial interval; returns low, high as floats."""
    # Imported late: it takes longer than all else that most figures are drawn with.
    from scipy.stats import binomtest

    limits = binomtest(int(successes), int(trials)).proportion_ci(level, method="exact")
    return float(limits.low), float(limits.high)


def _exact(detections, at, level):
    """Return sensitivity, low, high, each (points,), of the empirical curve by Clopper-Pearson."""
    num_lesions = int(np.sum(detections.num_lesions))
    fp_per_image, sensitivity, _ = curve(detections)
    value = sensitivity_at(fp_per_image, sensitivity, at)
    limits = [clopper_pearson(round(share * num_lesions), num_lesions, level) for share in value]
    return value, *np.transpose(limits)


def _on_logit_scale(value, standard_error, level):
    """Return value, low, high; not finite where the logit of the value is not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half = ndtri((1 + level) / 2) * standard_error / (value * (1 - value))
        return value, expit(logit(value) - half), expit(logit(value) + half)


def _checked_points(detections, at):
    at = np.atleast_1d(np.asarray(at, dtype=float))
    if at.ndim > 1 or at.size == 0 or not np.all((at > 0) & np.isfinite(at)):
        raise ValueError(f"Operating points must be positive numbers, in one list. Received: at={at}.")
    if np.sum(detections.num_lesions) == 0:
        raise ValueError("Sensitivity needs lesions. Received: a data set whose num_lesions are all 0.")
    return at
