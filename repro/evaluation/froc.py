"""Detections of a test set, and the FROC curve: sensitivity against false positives per image.

A lesion counts once, at the highest score of the candidates that hit it; further hits on it are neither true
nor false positives (the paper's PE data have 253 true candidates on 127 emboli; LUNA16 and CAD-PE score the
same way, METHODS B5). Images without lesions stay in the denominator.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Detections:
    """Raw scores of all candidates of a test set, with the counts that scores alone do not tell.

    Attributes
    ----------
    subject : ndarray of shape (n,), int
        Index into `subjects` of each candidate.
    image : ndarray of shape (n,), int
        Index of the image within its subject.
    lesion : ndarray of shape (n,), int
        The lesion that the candidate hits, a number unique over the data set, or -1.
    score : ndarray of shape (n,), float
        Finite; higher is more suspicious.
    subjects : tuple of str, length m
        Names of the patients or videos.
    num_images, num_lesions : ndarray of shape (m,), int
        Of each subject, with images and lesions that no candidate came from.

    Raises
    ------
    ValueError
        When lengths differ, an index points nowhere, a lesion lies in two subjects, or a subject has more
        lesions hit than it owns.
    """

    subject: np.ndarray
    image: np.ndarray
    lesion: np.ndarray
    score: np.ndarray
    subjects: tuple[str, ...]
    num_images: np.ndarray
    num_lesions: np.ndarray

    def __post_init__(self):
        _same_length(subject=self.subject, image=self.image, lesion=self.lesion, score=self.score)
        _same_length(subjects=self.subjects, num_images=self.num_images, num_lesions=self.num_lesions)
        _check_candidates(np.asarray(self.score), np.asarray(self.lesion))
        if np.size(self.subject) and not 0 <= np.min(self.subject) <= np.max(self.subject) < len(self.subjects):
            raise ValueError(
                f"subject must be an index into the {len(self.subjects)} subjects. "
                f"Received: {np.min(self.subject)} to {np.max(self.subject)}."
            )
        _check_owners(self)


@dataclass(frozen=True, eq=False)
class Scored:
    """What an FROC curve depends on: each false positive, and each found lesion at its best score.

    Attributes
    ----------
    noise, noise_subject : ndarray of shape (false positives,)
        Score, float, and subject, int, by descending score.
    hits, hit_subject : ndarray of shape (found lesions,)
        The same for the lesions that any candidate hits.
    """

    noise: np.ndarray
    noise_subject: np.ndarray
    hits: np.ndarray
    hit_subject: np.ndarray


def scored(detections):
    """Reduce detections to false positives and found lesions, each by descending score.

    Returns
    -------
    Scored
    """
    order = np.argsort(-np.asarray(detections.score, float), kind="stable")
    score, lesion, subject = (
        np.asarray(column)[order] for column in (detections.score, detections.lesion, detections.subject)
    )
    best, noise = _first_hits(lesion), lesion < 0
    return Scored(score[noise], subject[noise], score[best], subject[best])


def froc_curve(scores, lesions, num_lesions, num_images):
    """Compute the empirical FROC curve.

    Parameters
    ----------
    scores : array of shape (n,), float
        Finite scores of all candidates; a candidate is called positive when score >= threshold.
    lesions : array of shape (n,), int
        The lesion that candidate i hits, unique over the data set, or -1.
    num_lesions : int
        All lesions of the data set, found or not.
    num_images : int
        All images, with those that have no lesion or no candidate (volumes in 3-D).

    Returns
    -------
    fp_per_image, sensitivity, thresholds : ndarray of shape (distinct scores + 1,)
        The first point is (0, 0) at threshold infinity; every distinct score, the lowest included, is a
        threshold; candidates with equal scores move together.

    Raises
    ------
    ValueError
        For scores that are not finite, lengths that differ, or counts that contradict each other.
    """
    scores, lesions = np.asarray(scores, dtype=float), np.asarray(lesions)
    _same_length(scores=scores, lesions=lesions)
    _check_candidates(scores, lesions)
    _check_counts(lesions, num_lesions, num_images)
    order = np.argsort(-scores, kind="stable")
    scores, lesions = scores[order], lesions[order]
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if scores.size else np.array([], int)
    false_positives = np.cumsum(lesions < 0)[ends]
    found = np.cumsum(_first_hits(lesions))[ends]
    return (
        np.append(0, false_positives) / num_images,
        np.append(0, found) / num_lesions,
        np.append(np.inf, scores[ends]),
    )


def curve(detections):
    """Compute the empirical FROC curve of `Detections`; see `froc_curve`."""
    return froc_curve(
        detections.score, detections.lesion, np.sum(detections.num_lesions), np.sum(detections.num_images)
    )


def sensitivity_at(fp_per_image, sensitivity, at):
    """Read a curve at given false positives per image: the last point that does not exceed them.

    A step, not an interpolation: only thresholds that exist can be set on a reader's screen, and between two
    points joined by a block of ties a line would promise operating points that no threshold gives. MONAI
    and LUNA16 interpolate, picai_eval steps (METHODS B5). Beyond its last point the curve stays level.

    Parameters
    ----------
    fp_per_image, sensitivity : array of shape (points,), float
        A curve as `froc_curve` returns it.
    at : float or array of float
        False positives per image, not negative.

    Returns
    -------
    ndarray of the shape of `at`, float
    """
    at = np.asarray(at, dtype=float)
    if not np.all(at >= 0):
        raise ValueError(f"False positives per image must not be negative. Received: at={at}.")
    return np.asarray(sensitivity)[np.searchsorted(fp_per_image, at, side="right") - 1]


def _first_hits(lesions):
    """Mark the first candidate of each lesion, in the order given; lesions : (n,) int, -1 for none."""
    numbers, first = np.unique(lesions, return_index=True)
    mask = np.zeros(len(lesions), dtype=bool)
    mask[first[numbers >= 0]] = True
    return mask


def _same_length(**columns):
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Each must have one entry per candidate or subject. Received lengths: {lengths}.")


def _check_candidates(scores, lesions):
    if not np.all(np.isfinite(scores)):
        raise ValueError(
            f"Scores must be finite. Received {np.sum(~np.isfinite(scores))} NaN or infinite of {scores.size}. "
            "Look for a network that diverged."
        )
    if lesions.size and (not np.issubdtype(lesions.dtype, np.integer) or lesions.min() < -1):
        raise ValueError(f"lesions must be integers, -1 for none. Received: {lesions.dtype}, smallest {lesions.min()}.")


def _check_counts(lesions, num_lesions, num_images):
    found = np.unique(lesions[lesions >= 0]).size
    if num_images <= 0 or num_lesions <= 0:
        raise ValueError(
            "An FROC curve needs images and lesions to divide by. "
            f"Received: num_lesions={num_lesions}, num_images={num_images}."
        )
    if found > num_lesions:
        raise ValueError(
            f"Candidates hit {found} different lesions, but num_lesions={num_lesions}. "
            "Number lesions over the whole data set and count the missed ones too."
        )


def _check_owners(detections):
    hit = np.asarray(detections.lesion) >= 0
    pairs = np.stack([np.asarray(detections.lesion)[hit], np.asarray(detections.subject)[hit]])
    lesion, subject = np.unique(pairs, axis=1).astype(int)
    if len(np.unique(lesion)) < len(lesion):
        shared = np.unique(lesion[:-1][lesion[1:] == lesion[:-1]])
        raise ValueError(
            f"A lesion belongs to one subject. Received in several: {shared[:5].tolist()}. "
            "Number lesions over the whole data set, not within a subject."
        )
    found = np.bincount(subject, minlength=len(detections.subjects))
    if np.any(found > detections.num_lesions):
        worst = int(np.argmax(found - detections.num_lesions))
        raise ValueError(
            f"{detections.subjects[worst]}: {found[worst]} lesions hit. "
            f"Received num_lesions={detections.num_lesions[worst]}; count the missed ones too."
        )
