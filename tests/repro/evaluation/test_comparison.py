from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from repro.evaluation import Interval, compare, froc_interval, holm, paired_difference, roc_detections
from repro.evaluation.comparison import two_sided_p
from repro.evaluation.intervals import idca_interval


def worse(detections, loss, seed=0):
    """Lower the scores of all hits; the same false positives and lesions."""
    shift = loss + 0.3 * np.random.default_rng(seed).normal(size=detections.score.size)
    return replace(detections, score=detections.score - shift * (detections.lesion >= 0))


def test_pairs_are_a_lower_triangle_with_points_inside(simulate):
    data = simulate(0)
    arms = {"fc8": worse(data, 2.5), "conv1": data, "scratch": worse(data, 0.02)}
    pairs = compare(arms, [2.0, 5.0], resamples=2000)
    order = [(pair.first, pair.second, pair.at) for pair in pairs]
    names = [("fc8", "conv1"), ("fc8", "scratch"), ("conv1", "scratch")]
    assert order == [(first, second, at) for first, second in names for at in (2.0, 5.0)]
    assert [pair.differ_idca for pair in pairs] == [True] * 4 + [False] * 2
    assert [pair.differ_bootstrap for pair in pairs] == [True] * 4 + [False] * 2


def test_numbers_of_a_pair_belong_together(simulate):
    data = simulate(1)
    (pair,) = compare({"a": worse(data, 0.5), "b": data}, [3.0], resamples=2000)
    assert pair.difference == pytest.approx(pair.second_empirical - pair.first_empirical)
    assert pair.difference_low < pair.difference < pair.difference_high
    assert pair.first_idca_low < pair.first_fitted < pair.first_idca_high < 0.9
    assert pair.second_bootstrap_low < pair.second_empirical < pair.second_bootstrap_high
    fitted, over_subjects = (froc_interval(data, 3.0, method) for method in ("idca", "bootstrap"))
    assert (pair.second_fitted, pair.second_idca_high) == (fitted.value[0], fitted.high[0])
    assert pair.second_bootstrap_low == pytest.approx(over_subjects.low[0])


@pytest.mark.parametrize(("levels", "differ"), [((0.2, 0.6), True), ((0.6, 0.2), True), ((0.4, 0.5), False)])
def test_the_papers_rule_reads_the_fitted_intervals(simulate, levels, differ):
    """Bars of +-.1 round .2 and .6 are apart either way round; round .4 and .5 they overlap."""
    waiting = iter(levels)

    def bars(_detections, at, _level):
        value = np.full(at.shape, next(waiting))
        return Interval(value, value - 0.1, value + 0.1, np.full(at.shape, "stub"))

    (pair,) = compare({"a": simulate(1), "b": simulate(1)}, [3.0], fitted=bars, resamples=50)
    assert pair.differ_idca is differ
    assert pair.differ_bootstrap is False


def test_pairing_sees_what_overlapping_bars_hide(simulate):
    """Both arms share lesions and false positives; bars overlap, the paired interval excludes zero."""
    data = simulate(1)
    (pair,) = compare({"a": worse(data, 0.5), "b": data}, [3.0], resamples=2000)
    assert not pair.differ_idca
    assert pair.difference_low > 0
    assert pair.p < 0.05
    interval, p = paired_difference(worse(data, 0.5), data, [3.0], resamples=2000)
    assert ((interval.low[0], interval.high[0]), p[0]) == ((pair.difference_low, pair.difference_high), pair.p)


def test_an_arm_does_not_differ_from_itself(simulate):
    interval, p = paired_difference(simulate(2), simulate(2), [1.0, 3.0], resamples=300)
    assert p.tolist() == [1, 1]
    assert not np.any([interval.value, interval.low, interval.high])


def test_p_by_hand():
    """Of 99 differences 1 is negative, 1 is zero: 2 * (2 + 1) / 100."""
    differences = np.concatenate([[-1, 0], np.ones(97)])[:, None]
    assert two_sided_p(differences, num_subjects=30) == pytest.approx(6 / 100)
    assert two_sided_p(differences, num_subjects=3) == 1 / 4
    assert two_sided_p(-differences, num_subjects=30) == pytest.approx(6 / 100)


def test_holm_by_hand():
    """Sorted .01 .02 .03 .9 times 4 3 2 1 is .04 .06 .06 .9; never under the one before."""
    np.testing.assert_allclose(holm([0.02, 0.9, 0.01, 0.03]), [0.06, 0.9, 0.04, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.5]), [1, 1])


def test_table_is_corrected_for_all_its_pairs_and_points(simulate):
    data = simulate(3)
    pairs = compare({"a": worse(data, 0.4), "b": data, "c": worse(data, 0.1)}, [2.0, 6.0], resamples=500)
    assert len(pairs) == 6
    np.testing.assert_allclose([pair.p_holm for pair in pairs], holm([pair.p for pair in pairs]))


def test_rocs_are_compared_by_the_same_code():
    generator = np.random.default_rng(4)
    labels, subjects = np.repeat([0, 1], [260, 210]), np.arange(470) % 47
    arms = {
        name: roc_detections(labels, generator.normal(size=470) + gain * labels, subjects)
        for name, gain in (("weak", 0.3), ("strong", 2.5))
    }
    (pair,) = compare(arms, [0.15], fitted=partial(idca_interval, fixed_rate=True), resamples=500)
    assert pair.differ_idca
    assert pair.second_fitted == pytest.approx(0.93, abs=0.06)


def test_arms_of_other_subjects_are_refused(simulate):
    with pytest.raises(ValueError, match="other num_lesions for b than for a"):
        compare({"a": simulate(0), "b": simulate(1)}, [1.0])
    with pytest.raises(ValueError, match=r"two arms.*\['a'\]"):
        compare({"a": simulate(0)}, [1.0])
