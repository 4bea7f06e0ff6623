"""Splits by subject: train and test, fractions of the training set, folds; the leakage check.

Every function sorts the names first and draws from a random stream of its own, so a result depends on the set of
subjects and the seed alone, and not on their order or on what else was drawn with the same seed.
"""

from itertools import pairwise

import numpy as np

SMALLEST_FRACTION = 2
_SPLIT, _FRACTION, _FOLDS = range(3)


def split(subjects, share, seed):
    """Hold out a share of the subjects.

    Parameters
    ----------
    subjects : iterable of str
        Names of patients or videos.
    share : float
        Of the subjects to hold out, above 0 and below 1. Their number is rounded; each side gets at least one.
    seed : int

    Returns
    -------
    kept, held : tuple of str
        Sorted names.

    Raises
    ------
    ValueError
        When there are fewer than two subjects, a name comes twice, or the share is not between 0 and 1.
    """
    names = _shuffled(subjects, (seed, _SPLIT), at_least=2)
    if not 0 < share < 1:
        raise ValueError(f"A split needs a share above 0 and below 1. Received: {share}.")
    number = min(max(_rounded(share * len(names)), 1), len(names) - 1)
    return tuple(sorted(names[number:])), tuple(sorted(names[:number]))


def train_test(cohort, share, seed):
    """Divide a cohort as its data set does, or by a split of its subjects.

    Parameters
    ----------
    cohort : data_prep.cohort.Cohort
    share, seed
        As for `split`; without effect where the data set has a split of its own.

    Returns
    -------
    train, test : tuple of str
        Sorted names.
    """
    names = [subject.name for subject in cohort.subjects]
    if cohort.test:
        return tuple(sorted(set(names) - set(cohort.test))), tuple(sorted(cohort.test))
    return split(names, share, seed)


def fraction(subjects, share, seed):
    """Keep a share of the subjects, whole, for Figure 2 b (100, 50 and 25 % of the training set).

    For one seed a smaller share is a part of every larger one. Two subjects are the least, since one of them must
    validate.

    Parameters
    ----------
    subjects : iterable of str
    share : float
        Above 0, at most 1; the number of subjects is rounded.
    seed : int

    Returns
    -------
    tuple of str
        Sorted names.

    Raises
    ------
    ValueError
        When there are fewer than two subjects, a name comes twice, or the share is not in (0, 1].
    """
    names = _shuffled(subjects, (seed, _FRACTION), at_least=SMALLEST_FRACTION)
    if not 0 < share <= 1:
        raise ValueError(f"A fraction needs a share above 0 and at most 1. Received: {share}.")
    return tuple(sorted(names[: max(_rounded(share * len(names)), SMALLEST_FRACTION)]))


def folds(subjects, number, seed):
    """Divide the subjects into folds for cross-fitting; each is held out once.

    Parameters
    ----------
    subjects : iterable of str
    number : int
        Of folds, at least 2 and at most the number of subjects.
    seed : int

    Returns
    -------
    list of tuple of str
        The held-out names of each fold, sorted; sizes differ by one at most.

    Raises
    ------
    ValueError
        When there are fewer subjects than folds, fewer than two folds, or a name comes twice.
    """
    if number < 2:
        raise ValueError(f"Cross-fitting needs at least 2 folds. Received: {number}.")
    names = _shuffled(subjects, (seed, _FOLDS), at_least=number)
    return [tuple(sorted(names[first::number])) for first in range(number)]


def check_disjoint(**sides):
    """Raise when a subject stands on two sides, such as check_disjoint(train=..., test=...).

    Parameters
    ----------
    **sides : iterable of str
        Names of subjects by side.

    Raises
    ------
    ValueError
        Names the subject and its sides.
    """
    side_of = {}
    for side, subjects in sides.items():
        for subject in sorted(set(subjects)):
            if subject in side_of:
                raise ValueError(
                    f"Each subject must stand on one side. Received: {subject!r} in {side_of[subject]} and in {side}. "
                    "Split subjects, not images."
                )
            side_of[subject] = side


def _shuffled(subjects, seed, at_least):
    """Return the names in random order; names that come twice, or too few, are an error."""
    names = sorted(subjects)
    doubled = sorted({one for one, other in pairwise(names) if one == other})
    if doubled:
        raise ValueError(f"Each subject must be named once. Received twice: {doubled}.")
    if len(names) < at_least:
        raise ValueError(f"At least {at_least} subjects are needed. Received: {len(names)}: {names}.")
    return [str(name) for name in np.random.default_rng(seed).permutation(names)]


def _rounded(value):
    """Round half up; Python's own `round` turns 2.5 into 2 and 3.5 into 4."""
    return int(value + 0.5)
