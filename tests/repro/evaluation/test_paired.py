import numpy as np
import pytest
from scipy import stats

from repro.evaluation import compare_errors, holm


def errors_like(means, deviations, correlation, n=132, seed=0):
    """Draw errors of two arms whose means, standard deviations and correlation are exactly those."""
    noise = np.random.default_rng(seed).normal(size=(2, n))
    noise -= noise.mean(axis=1, keepdims=True)
    one, other = np.linalg.qr(noise.T)[0].T * np.sqrt(n - 1)
    other = correlation * one + np.sqrt(1 - correlation**2) * other
    return [mean + deviation * column for mean, deviation, column in zip(means, deviations, (one, other), strict=True)]


# Figure 9 (mean, SD) and Table S4 (p) of the paper, LI: pairs of arms and what the paper prints.
PRINTED = [
    ((25.32, 24.37), (11.02, 10.79), 0.0638, 0.48),  # conv5, conv3
    ((25.32, 25.01), (11.02, 9.94), 0.5808, 0.81),  # conv5, conv4
    ((27.87, 28.11), (11.83, 13.79), 0.7829, 0.88),  # fc6, scratch
]


@pytest.mark.parametrize(("means", "deviations", "printed", "welch"), PRINTED)
def test_printed_p_is_that_of_a_paired_t_test(means, deviations, printed, welch):
    """Solve the correlation that the printed numbers imply: it must be one; an unpaired test gives other p."""
    n = 132
    variance = n * (np.diff(means)[0] / stats.t.isf(printed / 2, n - 1)) ** 2
    correlation = (np.sum(np.square(deviations)) - variance) / (2 * np.prod(deviations))
    assert 0.4 < correlation < 0.99
    first, second = errors_like(means, deviations, correlation)
    (row,) = compare_errors({"a": first, "b": second}, np.repeat(np.arange(44), 3), resamples=200)
    assert row.p_t == pytest.approx(printed, abs=1e-6)
    assert stats.ttest_ind(first, second, equal_var=False).pvalue == pytest.approx(welch, abs=0.01)
    assert (row.mean_first, row.mean_second) == pytest.approx(means)


def test_p_by_hand():
    """Differences 1 to 5: t = 3 / sqrt(2.5 / 5) = 4.243, 4 degrees; all ranks of one sign: 2 / 2 ** 5."""
    first = np.array([10.0, 20, 30, 40, 50])
    (row,) = compare_errors({"a": first, "b": first + np.array([3, 1, 4, 2, 5])}, np.arange(5), resamples=500)
    assert row.p_t == pytest.approx(2 * stats.t.sf(3 / np.sqrt(0.5), 4))
    assert row.p_wilcoxon == pytest.approx(2 / 32)
    # Five subjects that all agree cannot say more than that either.
    assert row.p_bootstrap == 1 / 16
    assert row.difference == pytest.approx(3)


def test_pairs_are_a_lower_triangle():
    generator = np.random.default_rng(0)
    arms = {name: generator.gamma(4, 6, 31) for name in ("fc8", "conv1", "scratch", "rival")}
    rows = compare_errors(arms, np.arange(31) % 11, resamples=300)
    names = list(arms)
    assert [(row.first, row.second) for row in rows] == [(a, b) for k, b in enumerate(names) for a in names[:k]]
    for row in rows:
        assert row.difference == pytest.approx(arms[row.second].mean() - arms[row.first].mean())
        assert row.difference_low < row.difference < row.difference_high


def test_each_test_is_corrected_for_all_pairs():
    generator = np.random.default_rng(1)
    arms = {str(shift): shift + generator.normal(size=45) for shift in (0, 0.3, 0.5, 2)}
    rows = compare_errors(arms, np.arange(45) // 3, resamples=999)
    for test in ("p_t", "p_wilcoxon", "p_bootstrap"):
        np.testing.assert_allclose(
            [getattr(row, f"{test}_holm") for row in rows], holm([getattr(r, test) for r in rows])
        )
    assert len({row.p_t_holm for row in rows}) > 2


def test_an_arm_does_not_differ_from_itself():
    errors = np.random.default_rng(2).gamma(4, 6, 36)
    (row,) = compare_errors({"a": errors, "b": errors.copy()}, np.arange(36) // 3, resamples=300)
    assert (row.p_t, row.p_wilcoxon, row.p_bootstrap) == (1, 1, 1)
    assert (row.difference, row.difference_low, row.difference_high) == (0, 0, 0)


def test_the_bootstrap_sees_that_rois_of_a_subject_agree():
    """12 subjects of 11 ROIs, one shift a subject: over ROIs it looks certain, over subjects it is not."""
    shift = np.repeat(np.random.default_rng(6).normal(0.3, 1, 12), 11)
    noise = np.random.default_rng(4).normal(0, 0.1, 132)
    (row,) = compare_errors({"a": 0 * shift, "b": shift + noise}, np.repeat(list("abcdefghijkl"), 11), resamples=2000)
    assert row.p_t < 0.001
    assert row.p_bootstrap > 0.05
    assert row.note == ""


def test_subjects_are_resampled_with_all_their_rois():
    """One subject of 50 ROIs, 19 of one: without it the mean is 0, with it three times it is 1500 / 167."""
    errors = np.append(np.full(50, 10.0), np.zeros(19))
    subject = ["p"] * 50 + [f"q{k}" for k in range(19)]
    (row,) = compare_errors({"a": np.zeros(69), "b": errors}, subject, resamples=4000)
    assert row.difference == pytest.approx(500 / 69)
    assert (row.difference_low, row.difference_high) == (0, pytest.approx(1500 / 167))


def test_few_subjects_are_noted():
    (row,) = compare_errors({"a": np.zeros(4), "b": np.array([1.0, 3, 8, 0])}, ["p", "p", "q", "r"], resamples=500)
    assert row.note.startswith("only 3 subjects")
    assert row.note.endswith("under 0.25")
    assert row.p_bootstrap >= 0.25


def test_the_same_seed_gives_the_same_table():
    generator = np.random.default_rng(5)
    arms, subject = {"a": generator.normal(size=40), "b": generator.normal(size=40)}, np.arange(40) // 2
    first, again, other = (compare_errors(arms, subject, resamples=300, seed=seed)[0] for seed in (0, 0, 1))
    assert first == again
    assert first.difference_low != other.difference_low
    assert all(limit != 0 for limit in (first.difference_low, first.difference_high))


def test_wrong_errors_are_refused():
    with pytest.raises(ValueError, match=r"two arms.*'a': \(3,\)"):
        compare_errors({"a": np.ones(3)}, [0, 1, 2])
    with pytest.raises(ValueError, match=r"'b': \(2,\)"):
        compare_errors({"a": np.ones(3), "b": np.ones(2)}, [0, 1, 2])
    with pytest.raises(ValueError, match=r"NaN or infinite for: \['b'\]"):
        compare_errors({"a": np.ones(3), "b": [1, np.nan, 2]}, [0, 1, 2])
