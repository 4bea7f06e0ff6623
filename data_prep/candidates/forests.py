"""Step 2 of the polyp candidates, the learning: which edges are boundaries of polyps, in two stages.

From ref. 42 (see `edges`; METHODS.md A1): two random forests, the second on the probabilities of the first. Its
classes besides polyp are vessel, lumen, specularity and other; public truth has polyps only, so ours follow from the
polyp masks. Our forests are extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006):
random forests that also draw their thresholds; on CVC-ColonDB as good and three times as fast to fit.

The second stage learns from what the first says of subjects that it has not seen: subjects are dealt into folds,
and a fold's edges are judged by a forest of the other folds (METHODS.md A1).
"""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy import ndimage
from sklearn.ensemble import ExtraTreesClassifier

from data_prep.candidates.context import surroundings
from data_prep.candidates.edges import Edges

OTHER, INWARD, OUTWARD, INSIDE = range(4)
"""Classes of a side: no polyp, boundary seen towards the polyp, seen away from it, edge in a polyp."""

TREES = 40
TOLERANCE_PX = 4
FACING = 0.6
SAMPLED = {OTHER: 80, INWARD: 40, OUTWARD: 40, INSIDE: 20}
"""Sides of each class drawn from a frame; the rest of a frame says the same again."""


@dataclass(frozen=True)
class Sides:
    """The edges of one frame with their first description.

    Attributes
    ----------
    edges : Edges
    description : ndarray of shape (2 n, f), float32
    shape : tuple of int
        Height, width of the reduced frame.
    scale : float
        Pixels of the original in one of the reduced frame.
    """

    edges: Edges
    description: np.ndarray
    shape: tuple[int, int]
    scale: float


def classes_of(sides, truth):
    """Return the class of every side of a frame by the frame's truth.

    Parameters
    ----------
    sides : Sides
    truth : ndarray of shape (height, width), int32
        As `Image.read_truth` returns it, in pixels of the original.

    Returns
    -------
    ndarray of shape (2 n,), int
    """
    rows, columns = (
        np.minimum(((np.arange(after) + 0.5) * sides.scale).astype(int), before - 1)
        for after, before in zip(sides.shape, truth.shape, strict=True)
    )
    polyp = truth[np.ix_(rows, columns)] > 0
    classes = np.zeros(len(sides.edges.points), int)
    if not polyp.any():
        return classes
    depth = ndimage.distance_transform_edt(polyp) - ndimage.distance_transform_edt(~polyp)
    uphill = np.stack(np.gradient(ndimage.gaussian_filter(depth, 2)), axis=-1)
    at = tuple(sides.edges.points.astype(int).T)
    facing = (uphill[at] * sides.edges.inward).sum(axis=1)
    near = np.abs(depth[at]) <= TOLERANCE_PX
    classes[depth[at] > TOLERANCE_PX] = INSIDE
    classes[near & (facing > FACING)] = INWARD
    classes[near & (facing < -FACING)] = OUTWARD
    return classes


def deal_folds(num_subjects, folds, seed):
    """Deal subjects into folds of equal size, give or take one.

    Returns
    -------
    ndarray of shape (num_subjects,), int
        The fold of each subject.
    """
    fold_of = np.empty(num_subjects, int)
    fold_of[np.random.default_rng(seed).permutation(num_subjects)] = np.arange(num_subjects) % folds
    return fold_of


def fit_forest(rows, classes, seed, jobs):
    """Fit one forest; classes weigh the same whatever their number.

    Returns
    -------
    ExtraTreesClassifier
    """
    forest = ExtraTreesClassifier(
        n_estimators=TREES, min_samples_leaf=10, class_weight="balanced", random_state=seed, n_jobs=jobs
    )
    forest.fit(rows, classes)
    # Several threads add probabilities up in any order; one thread gives the same bits every time.
    return forest.set_params(n_jobs=1)


def judge(forest, rows):
    """Return the probability of each of the four classes: (n, 4), float32; 0 for a class that was never seen."""
    probabilities = np.zeros((len(rows), 4), np.float32)
    if len(rows):
        probabilities[:, forest.classes_] = forest.predict_proba(rows)
    return probabilities


def fit_stages(sides, classes, fold_of, seed, jobs):
    """Fit both forests.

    Parameters
    ----------
    sides : sequence of Sides
        Of each training frame.
    classes : sequence of ndarray of shape (2 n,), int
        As `classes_of` returns them, for each frame.
    fold_of : ndarray of shape (frames,), int
        All frames of a subject lie in one fold.
    seed, jobs : int

    Returns
    -------
    first, second : ExtraTreesClassifier
    """
    drawn = _draw(classes, seed)
    descriptions = [frame.description for frame in sides]
    judged = judge_out_of_fold(descriptions, classes, drawn, fold_of, seed, jobs)
    contexts = Parallel(jobs, prefer="threads")(
        delayed(_drawn_surroundings)(*frame) for frame in zip(sides, judged, drawn, strict=True)
    )
    labels = np.concatenate([c[d] for c, d in zip(classes, drawn, strict=True)])
    first = fit_forest(_gather(descriptions, drawn), labels, seed, jobs)
    return first, fit_forest(np.concatenate(contexts), labels, seed, jobs)


def judge_out_of_fold(descriptions, classes, drawn, fold_of, seed, jobs):
    """Judge each frame's sides by a forest that learnt from the other folds.

    Parameters
    ----------
    descriptions : sequence of ndarray of shape (2 n, f), float32
    classes : sequence of ndarray of shape (2 n,), int
    drawn : sequence of ndarray of int
        The sides of each frame to learn from.
    fold_of : ndarray of shape (frames,), int
    seed, jobs : int

    Returns
    -------
    list of ndarray of shape (2 n, 4), float32
    """
    judged = [None] * len(descriptions)
    for fold in np.unique(fold_of):
        learnt, unseen = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        labels = np.concatenate([classes[i][drawn[i]] for i in learnt])
        rows = _gather([descriptions[i] for i in learnt], [drawn[i] for i in learnt])
        forest = fit_forest(rows, labels, seed, jobs)
        found = Parallel(jobs, prefer="threads")(delayed(judge)(forest, descriptions[i]) for i in unseen)
        for i, probabilities in zip(unseen, found, strict=True):
            judged[i] = probabilities
    return judged


def _draw(classes, seed):
    """Draw at most `SAMPLED` sides of each class from every frame."""
    rng = np.random.default_rng(seed)
    return [
        np.concatenate([rng.permutation(np.flatnonzero(of == kind))[:most] for kind, most in SAMPLED.items()])
        for of in classes
    ]


def _gather(rows, drawn):
    return np.concatenate([of[some] for of, some in zip(rows, drawn, strict=True)])


def _drawn_surroundings(sides, judged, drawn):
    return surroundings(sides.edges, judged, sides.shape)[drawn]
