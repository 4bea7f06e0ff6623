import numpy as np
import pytest

from data_prep.cohort import Cohort, Subject
from data_prep.splits import check_disjoint, folds, fraction, split, train_test

NAMES = tuple(f"video {number}" for number in range(1, 12))


def test_split_parts_the_subjects_and_rounds_the_number_held():
    kept, held = split(NAMES, 0.2, seed=3)
    assert (len(kept), len(held)) == (9, 2)
    assert sorted(kept + held) == sorted(NAMES)
    assert len(split(NAMES[:5], 0.5, seed=3)[1]) == 3  # 2.5 goes up


def test_split_depends_on_the_seed_and_not_on_the_order():
    assert split(NAMES, 0.3, seed=1) == split(reversed(NAMES), 0.3, seed=1)
    assert len({split(NAMES, 0.3, seed=seed)[1] for seed in range(20)}) > 10


def test_split_leaves_no_side_empty():
    assert [len(side) for side in split(NAMES[:3], 0.01, seed=0)] == [2, 1]
    assert [len(side) for side in split(NAMES[:3], 0.99, seed=0)] == [1, 2]


def test_every_subject_is_held_out_as_often_as_the_share_says():
    held = [name for seed in range(600) for name in split(NAMES, 3 / 11, seed)[1]]
    counts = np.array([held.count(name) for name in NAMES])
    # Binomial(600, 3/11): mean 163.6, standard deviation 10.9
    assert np.all(np.abs(counts - 163.6) < 4 * 10.9)


@pytest.mark.parametrize(
    ("subjects", "share", "message"),
    [
        (["a"], 0.5, "At least 2 subjects are needed. Received: 1"),
        (["a", "b", "a"], 0.5, "Received twice: .'a'."),
        (["a", "b"], 1, "share above 0 and below 1. Received: 1"),
        (["a", "b"], 0, "share above 0 and below 1. Received: 0"),
    ],
)
def test_split_refuses(subjects, share, message):
    with pytest.raises(ValueError, match=message):
        split(subjects, share, seed=0)


def test_fractions_are_nested_and_keep_two_at_least():
    quarter, half, whole = (fraction(NAMES, share, seed=5) for share in (0.25, 0.5, 1))
    assert (len(quarter), len(half)) == (3, 6)
    assert set(quarter) < set(half) < set(whole) == set(NAMES)
    assert len(fraction(NAMES, 0.01, seed=5)) == 2


def test_fraction_depends_on_the_seed_and_not_on_the_order():
    assert fraction(NAMES, 0.5, seed=1) == fraction(NAMES[::-1], 0.5, seed=1)
    assert len({fraction(NAMES, 0.5, seed=seed) for seed in range(20)}) > 10


def test_fraction_does_not_follow_split():
    """With one random stream the held-out subjects would be the kept ones of the fraction."""
    assert any(set(split(NAMES, 0.25, seed)[1]) != set(fraction(NAMES, 0.25, seed)) for seed in range(5))


@pytest.mark.parametrize("share", [0, 1.01])
def test_fraction_refuses_a_share_outside_of_0_to_1(share):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        fraction(NAMES, share, seed=0)


def test_folds_hold_out_each_subject_once():
    held = folds(NAMES, 4, seed=2)
    assert [len(names) for names in held] == [3, 3, 3, 2]
    assert sorted(sum(held, ())) == sorted(NAMES)
    assert held == folds(NAMES[::-1], 4, seed=2) != folds(NAMES, 4, seed=3)


@pytest.mark.parametrize(("number", "message"), [(12, "At least 12 subjects"), (1, "at least 2 folds")])
def test_folds_refuse(number, message):
    with pytest.raises(ValueError, match=message):
        folds(NAMES, number, seed=0)


def test_check_disjoint_names_the_subject_and_both_sides():
    check_disjoint(train=["a", "b", "a"], validation=["c"], test=[])
    with pytest.raises(ValueError, match=r"'c' in validation and in test"):
        check_disjoint(train=["a", "b"], validation=["c"], test=["d", "c"])


def cohort_of(names, test=()):
    return Cohort("c", tuple(Subject(name, ()) for name in names), test=test)


def test_a_data_set_s_own_split_goes_before_a_random_one():
    names = [f"v{number}" for number in range(7)]
    assert train_test(cohort_of(names), 0.4, 3) == split(names, 0.4, 3)
    train, test = train_test(cohort_of(names, test=("v6", "v2")), 0.4, 3)
    assert (train, test) == (("v0", "v1", "v3", "v4", "v5"), ("v2", "v6"))


@pytest.mark.parametrize("test", [("v9",), ("v0", "v1")])
def test_a_split_of_strangers_or_of_all_is_refused(test):
    with pytest.raises(ValueError, match="tests with some of its subjects"):
        cohort_of(["v0", "v1"], test)
