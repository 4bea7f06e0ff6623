import numpy as np
import pytest

from data_prep.candidates.edges import Edges
from data_prep.candidates.forests import (
    INSIDE,
    INWARD,
    OTHER,
    OUTWARD,
    Sides,
    classes_of,
    deal_folds,
    judge_out_of_fold,
)


def test_classes_follow_from_the_mask():
    """A square polyp of rows 60 to 119, columns 80 to 159 in a frame of twice the working width."""
    truth = np.zeros((202, 576), np.int32)
    truth[60:120, 80:160] = 3
    points = np.float32([[45, 41], [45, 60], [80, 200]])  # left side, middle, far away
    inward = np.float32([[0, 1], [0, 1], [0, 1]])
    edges = Edges(np.concatenate([points, points]), np.concatenate([inward, -inward]))
    sides = Sides(edges, np.zeros((6, 1)), (101, 288), 2.0)
    assert classes_of(sides, truth).tolist() == [INWARD, INSIDE, OTHER, OUTWARD, INSIDE, OTHER]
    assert classes_of(sides, 0 * truth).tolist() == [OTHER] * 6


def test_folds_are_even_and_follow_the_seed():
    fold_of = deal_folds(13, 5, seed=4)
    assert sorted(np.bincount(fold_of)) == [2, 2, 3, 3, 3]
    np.testing.assert_array_equal(fold_of, deal_folds(13, 5, seed=4))
    assert (fold_of != deal_folds(13, 5, seed=5)).any()


def _only_fold_two_has_polyps():
    rng = np.random.default_rng(0)
    fold_of = np.array([0, 0, 1, 2, 2, 2, 1])
    descriptions = [rng.normal(size=(20, 3)).astype(np.float32) for _ in fold_of]
    classes = [np.where(np.arange(20) < 10, INWARD if fold == 2 else OUTWARD, OTHER) for fold in fold_of]
    return descriptions, classes, fold_of


def test_no_subject_judges_itself():
    """Nobody but fold 2 has ever seen the class, so that fold 2 itself must never be given it."""
    descriptions, classes, fold_of = _only_fold_two_has_polyps()
    drawn = [np.arange(20)] * 7
    judged = judge_out_of_fold(descriptions, classes, drawn, fold_of, seed=1, jobs=1)
    for probabilities, fold in zip(judged, fold_of, strict=True):
        assert probabilities.shape == (20, 4)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        assert (probabilities[:, INWARD].max() == 0) == (fold == 2)


@pytest.mark.parametrize("fold", [0, 1])
def test_other_folds_do_learn_the_class(fold):
    descriptions, classes, fold_of = _only_fold_two_has_polyps()
    for rows, of in zip(descriptions, classes, strict=True):
        rows[:, 1] = of == OTHER
    judged = judge_out_of_fold(descriptions, classes, [np.arange(20)] * 7, fold_of, seed=1, jobs=1)
    for i in np.flatnonzero(fold_of == fold):
        assert judged[i][:10, INWARD].min() > judged[i][10:, INWARD].max()
