"""Which candidate lies in which image of which subject, and what it hits: the bookkeeping of detection applications."""

from dataclasses import dataclass

import numpy as np

from repro.evaluation.froc import Detections


@dataclass(frozen=True, eq=False)
class Sites:
    """All candidates of a data set, with the images and subjects that have none.

    Attributes
    ----------
    subjects : tuple of str
        Patients or videos.
    is_test : ndarray of shape (subjects,), bool
    image_subject, image_lesions : ndarray of shape (images,), int
        Subject of each frame or volume, in the cohort's order, and how many lesions it shows.
    image : ndarray of shape (n,), int
        Of each candidate; ascending.
    lesion : ndarray of shape (n,), int
        Lesion the candidate hits, numbered through the data set, or -1.
    """

    subjects: tuple[str, ...]
    is_test: np.ndarray
    image_subject: np.ndarray
    image_lesions: np.ndarray
    image: np.ndarray
    lesion: np.ndarray

    @property
    def subject(self):
        """Number of each candidate's subject: ndarray of shape (n,), int."""
        return self.image_subject[self.image]

    def of(self, names):
        """Return the candidates of some subjects, by number."""
        return np.flatnonzero(self._among(names)[self.subject])

    @property
    def train_names(self):
        """Subjects to train and validate with."""
        return tuple(name for name, test in zip(self.subjects, self.is_test, strict=True) if not test)

    @property
    def test_names(self):
        """Subjects to test with."""
        return tuple(name for name, test in zip(self.subjects, self.is_test, strict=True) if test)

    def detections(self, scores):
        """Put scores of the test candidates, in the order of `of(test_names)`, into the record that FROC takes."""
        chosen = self.of(self.test_names)
        number = np.cumsum(self.is_test) - 1
        per_subject = np.bincount(self.image_subject, minlength=len(self.subjects))
        per_lesion = np.bincount(self.image_subject, weights=self.image_lesions, minlength=len(self.subjects))
        return Detections(
            subject=number[self.subject[chosen]],
            image=self.image[chosen],
            lesion=self.lesion[chosen],
            score=np.asarray(scores, np.float64),
            subjects=self.test_names,
            num_images=per_subject[self.is_test],
            num_lesions=per_lesion[self.is_test].astype(int),
        )

    def counts(self, images, lesions):
        """Count what lies on each side, for the ledger of a figure.

        Parameters
        ----------
        images, lesions : str
            What they are called: "frames", "polyps".

        Returns
        -------
        dict of str to dict of str to int
            For "train" and "test".
        """
        ledger = {}
        for side, names in (("train", self.train_names), ("test", self.test_names)):
            here = self._among(names)[self.image_subject]
            lesion = self.lesion[self.of(names)]
            ledger[side] = {
                "subjects": len(names),
                images: int(here.sum()),
                lesions: int(self.image_lesions[here].sum()),
                f"{lesions} hit": len(np.unique(lesion[lesion >= 0])),
                "candidates": len(lesion),
                f"candidates on {lesions}": int((lesion >= 0).sum()),
            }
        return ledger

    def _among(self, names):
        return np.isin(np.asarray(self.subjects), list(names))


def number_lesions(hits, image_lesions):
    """Give the lesions of all images numbers that are unique in the data set.

    Parameters
    ----------
    hits : list of ndarray of int
        For each image, which of its lesions, from 0, each of its candidates hits, or -1.
    image_lesions : ndarray of shape (images,), int

    Returns
    -------
    ndarray of shape (n,), int
        The same for all images' candidates in a row; -1 stays.
    """
    first = np.cumsum(image_lesions) - image_lesions
    numbered = [np.where(hit < 0, -1, start + hit) for start, hit in zip(first, hits, strict=True)]
    return np.concatenate(numbered).astype(int)


def draw_views(positive, num_views, most, seed):
    """Draw views of candidates of both classes, each view once at most; the larger class down to the smaller one.

    Parameters
    ----------
    positive : ndarray of shape (n,), bool
        Of each candidate.
    num_views : int
        Of a candidate.
    most : int
        Views in all, half of each class.
    seed : int

    Returns
    -------
    candidate, view : ndarray of int
        First all positive ones, then as many negative ones.

    Raises
    ------
    ValueError
        When a class has no candidate.
    """
    sides = np.flatnonzero(positive), np.flatnonzero(~positive)
    number = min(most // 2, *(len(side) * num_views for side in sides))
    if number == 0:
        raise ValueError(
            f"Both classes need candidates. Received {len(sides[0])} on and {len(sides[1])} off lesions among the "
            "subjects that train or validate. Use a larger fraction, more subjects, or another split_seed."
        )
    draw = np.random.default_rng(seed)
    drawn = [draw.choice(len(side) * num_views, number, replace=False) for side in sides]
    candidate = np.concatenate([side[index // num_views] for side, index in zip(sides, drawn, strict=True)])
    return candidate, np.concatenate(drawn) % num_views
