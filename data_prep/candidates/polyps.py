"""Polyp candidates in colonoscopy frames; their scores are the handcrafted rival of the polyp application.

After Tajbakhsh, Gurudu and Liang, IEEE TMI 35(2), 2016 (ref. 42 of the paper; METHODS.md A1), in four steps: edges
(`edges`), two random forests that tell boundaries of polyps by looks and context (`context`, `forests`), votes
for centres (`voting`), scores and boxes (`rays`). Each module says what is from ref. 42 and what is ours.
"""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from PIL import Image as Pillow
from sklearn.ensemble import ExtraTreesClassifier

from data_prep.candidates.context import describe, log_colours, surroundings
from data_prep.candidates.edges import find_edges, keep_tissue, shrink
from data_prep.candidates.forests import INWARD, Sides, classes_of, deal_folds, fit_stages, judge
from data_prep.candidates.rays import settle
from data_prep.candidates.voting import accumulate, find_maxima

REDUCED_BY = (1, 2)
"""The forests see each frame they learn from at these sizes: small polyps are rare, and most shrink to one. On five
7/3 splits of CVC-ColonDB the half size raised the recall at the first candidate from .73 to .77, at ten from .925 to
.930, and at ten on the split with the smallest polyps from .79 to .82."""


@dataclass(frozen=True)
class Candidates:
    """The candidates of one frame, by falling score.

    Attributes
    ----------
    points : ndarray of shape (n, 2), float32
        Row, column in pixels.
    boxes : ndarray of shape (n, 4), float32
        Top, left, height, width in pixels; may leave the frame.
    scores : ndarray of shape (n,), float32
        In [0, 1].
    """

    points: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class PolypDetector:
    """A fitted candidate generator; it pickles.

    Attributes
    ----------
    first, second : ExtraTreesClassifier
        Judge an edge by its own looks, and by what the first said of its surroundings.
    subjects : tuple of str
        Names of the subjects it learnt from.
    """

    first: ExtraTreesClassifier
    second: ExtraTreesClassifier
    subjects: tuple[str, ...]

    def propose(self, pixels, most=10):
        """Propose candidates in one frame.

        Parameters
        ----------
        pixels : ndarray of shape (height, width, 3), uint8
            Of any size: lengths are shares of the width.
        most : int
            Number of candidates, at most.

        Returns
        -------
        Candidates
            Empty where the frame has no edges.
        """
        sides = see(pixels)
        around = surroundings(sides.edges, judge(self.first, sides.description), sides.shape)
        # Squared: many weak voters must not outvote a boundary.
        weights = judge(self.second, around)[:, INWARD] ** 2
        return elect(sides, weights, most)


def fit_detector(subjects, seed, jobs=1, most_frames=400, folds=5):
    """Fit a candidate generator.

    Parameters
    ----------
    subjects : sequence of Subject
        Two or more; frames without polyp are welcome.
    seed : int
        The same seed gives the same detector to the bit, for any `jobs`.
    jobs : int
        Processes and threads.
    most_frames : int
        Frames used in all: the same number of each subject as far as it has them, evenly spaced in its order. Each
        takes 4 MB while fitting.
    folds : int
        Parts into which subjects are dealt for the second forest's training; fewer where there are fewer subjects.

    Returns
    -------
    PolypDetector

    Raises
    ------
    ValueError
        For fewer than two subjects, or where no frame shows the boundary of a polyp.
    """
    subjects = list(subjects)
    if len(subjects) < 2 or folds < 2:
        raise ValueError(
            "Expected at least two subjects and two folds: the second forest learns from subjects that the first has "
            f"not seen. Received: {len(subjects)} subjects, {folds} folds."
        )
    fold_of = deal_folds(len(subjects), min(folds, len(subjects)), seed)
    images = [_spaced(subject.images, max(1, most_frames // len(subjects))) for subject in subjects]
    read = Parallel(jobs)(delayed(_read)(image) for some in images for image in some)
    frames = [seen for image in read for seen in image]
    sides, classes = zip(*frames, strict=True)
    if not any((of == INWARD).any() for of in classes):
        raise ValueError(
            f"Expected frames with polyps to learn from. Received: {len(read)} frames of {len(subjects)} subjects, "
            "in which no edge lies on the boundary of a polyp. Check the masks."
        )
    fold_of_frame = np.repeat(fold_of, [len(some) * len(REDUCED_BY) for some in images])
    first, second = fit_stages(sides, classes, fold_of_frame, seed, jobs)
    return PolypDetector(first, second, tuple(subject.name for subject in subjects))


def see(pixels):
    """Find and describe the edges of a frame.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3), uint8

    Returns
    -------
    Sides
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"Expected a frame of shape (height, width, 3), uint8. Received: {pixels.shape}, {pixels.dtype}."
        )
    frame, scale = shrink(pixels)
    filled, real = keep_tissue(frame)
    edges = find_edges(filled, real)
    colours = log_colours(filled, real)
    return Sides(edges, describe(colours, edges), real.shape, scale)


def elect(sides, weights, most):
    """Let the sides of a frame's edges vote for candidates.

    Parameters
    ----------
    sides : Sides
    weights : ndarray of shape (2 n,), float
        Of each side's votes, in [0, 1].
    most : int

    Returns
    -------
    Candidates
    """
    centres, radii = find_maxima(accumulate(sides.edges, weights, sides.shape), most)
    centres, boxes, scores = settle(sides.edges, weights, centres, radii)
    order = np.argsort(-scores, kind="stable")
    # Centres are counted from the middle of the first pixel, boxes from its corner.
    points = (np.clip(centres, 0, np.array(sides.shape) - 1) + 0.5) * sides.scale - 0.5
    boxes = (boxes + np.array([0.5, 0.5, 0, 0])) * sides.scale
    return Candidates(*(part[order].astype(np.float32) for part in (points, boxes, scores)))


def hit(points, truth):
    """Find the lesion under each point.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float
        Row, column in pixels.
    truth : ndarray of shape (height, width), int
        0 for background, k for the pixels of lesion k.

    Returns
    -------
    ndarray of shape (n,), int32
        The lesion's number; -1 where there is none or the point lies outside the frame.
    """
    row, column = np.rint(points).astype(int).T
    lesions = np.full(len(points), -1, np.int32)
    within = (row >= 0) & (row < truth.shape[0]) & (column >= 0) & (column < truth.shape[1])
    under = truth[row[within], column[within]]
    lesions[within] = np.where(under > 0, under, -1)
    return lesions


def _spaced(images, most):
    """Return at most `most` images, evenly spaced, first and last among them."""
    count = min(most, len(images))
    return [images[i] for i in np.linspace(0, len(images) - 1, count).round().astype(int)]


def _read(image):
    """Return the sides of a frame and their classes, at each size it is seen at."""
    pixels, truth = image.read_pixels(), image.read_truth()
    frames = []
    for factor in REDUCED_BY:
        small = np.asarray(Pillow.fromarray(pixels).reduce(factor))
        # A black rim takes part of the working width, as a scope's own does.
        rim = small.shape[1] * (factor - 1) // 2
        sides = see(np.pad(small, ((rim, rim), (rim, rim), (0, 0))))
        frames.append((sides, classes_of(sides, np.pad(truth[::factor, ::factor], rim))))
    return frames
