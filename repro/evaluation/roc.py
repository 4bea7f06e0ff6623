"""The ROC curve and its area.

An ROC is the FROC of data in which every negative is an image and every positive a lesion with one candidate;
written that way, `Detections` serves both, and intervals and comparisons are computed by the same code.
"""

import numpy as np

from repro.evaluation.froc import Detections, froc_curve


def roc_curve(labels, scores):
    """Compute the empirical ROC curve.

    Parameters
    ----------
    labels : array of shape (n,), bool or 0/1
    scores : array of shape (n,), float
        Called positive when score >= threshold.

    Returns
    -------
    fpr, tpr, thresholds : ndarray of shape (distinct scores + 1,)
        From (0, 0) at threshold infinity to (1, 1); tied scores move together.
    """
    labels = _checked_labels(labels)
    lesions = np.where(labels, np.arange(labels.size), -1)
    return froc_curve(scores, lesions, np.sum(labels), np.sum(~labels))


def auc(labels, scores):
    """Compute the area under the empirical ROC curve, a tie counting one half (Mann-Whitney).

    Parameters
    ----------
    labels : array of shape (n,), bool or 0/1
    scores : array of shape (n,), float

    Returns
    -------
    float

    Raises
    ------
    ValueError
        When only one class is present, a label is neither 0 nor 1, or a score is not a number.
    """
    labels, scores = _checked_labels(labels), np.asarray(scores, dtype=float)
    if scores.shape != labels.shape or np.any(np.isnan(scores)):
        raise ValueError(
            f"Each label needs a score that is a number. Received: {labels.shape} labels, {scores.shape} "
            f"scores, {np.sum(np.isnan(scores))} of them NaN."
        )
    positives, negatives = np.sum(labels), np.sum(~labels)
    wins = np.sum(midranks(scores)[labels]) - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def midranks(values):
    """Rank numbers from 1, the smallest; equal ones share the mean of their ranks.

    What scipy.stats.rankdata does, without the import of scipy.stats, which takes longer than a figure.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        None of them NaN.

    Returns
    -------
    ndarray of shape (n,), float
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def roc_detections(labels, scores, subjects=None):
    """Write classified images as `Detections` whose FROC curve is the ROC curve.

    Parameters
    ----------
    labels : array of shape (n,), bool or 0/1
    scores : array of shape (n,), float
    subjects : array of shape (n,), optional
        Name of the subject of each image; without it every image counts as a subject of its own.

    Returns
    -------
    Detections
        `num_images` holds the negatives of each subject, `num_lesions` the positives.
    """
    labels = _checked_labels(labels)
    number = np.arange(labels.size)
    names, subject = np.unique(number if subjects is None else np.asarray(subjects), return_inverse=True)
    return Detections(
        subject=subject,
        image=number,
        lesion=np.where(labels, number, -1),
        score=np.asarray(scores, dtype=float),
        subjects=tuple(map(str, names)),
        num_images=np.bincount(subject[~labels], minlength=names.size),
        num_lesions=np.bincount(subject[labels], minlength=names.size),
    )


def _checked_labels(labels):
    labels = np.asarray(labels)
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise ValueError(
            "An ROC needs positives (1) and negatives (0), both. "
            f"Received the labels {np.unique(labels)[:5].tolist()}. Is one class missing from this subset?"
        )
    return labels.astype(bool)
