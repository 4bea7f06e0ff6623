from dataclasses import replace

import numpy as np
import pytest

from repro.evaluation import claims
from repro.evaluation.outcomes import OUTCOMES, Evidence
from repro.finetune import DEPTHS

SUBJECTS = 17


def draws(generator, size, resamples):
    """How often each of `size` was drawn, (1 + resamples, size): each once, then at random."""
    return np.vstack([np.ones(size), generator.multinomial(size, np.full(size, 1 / size), resamples)])


def evidence(means, validation=None, application="polyp", spread=0.0, seeds=3, resamples=500):
    """Make the evidence of hand-made outcomes: by arm, or arm and fraction, a mean or the means of the seeds.

    Arms that are not named have .5, depths a validation score that rises with depth. `spread` is the standard deviation
    of every arm's own outcomes over subjects.
    """
    generator = np.random.default_rng(4)
    weights = draws(generator, SUBJECTS, resamples)
    cells = {(arm, 1.0): 0.5 for arm in (*DEPTHS, "scratch")}
    cells |= {(key, 1.0) if isinstance(key, str) else key: mean for key, mean in means.items()}
    values = {}
    for cell, mean in cells.items():
        table = spread * generator.normal(size=(SUBJECTS, seeds))
        values[cell] = weights @ (table - table.mean(axis=0)) / SUBJECTS + np.broadcast_to(mean, seeds)
    drawn = draws(generator, seeds, resamples) / seeds
    scores = {depth: np.full(seeds, 0.6 + 0.01 * k) for k, depth in enumerate(DEPTHS)}
    scores |= {arm: np.broadcast_to(of, seeds) for arm, of in (validation or {}).items()}
    return Evidence(application, OUTCOMES[application], tuple(range(seeds)), SUBJECTS, values, drawn, scores)


def test_c1_takes_the_depth_that_validation_prefers_not_the_test():
    """conv3 validates best and tests at .7; fc6 tests at .9, which nobody could know."""
    row = claims.against_scratch(evidence({"conv3": 0.7, "fc6": 0.9, "scratch": 0.6}, {"conv3": 0.99}))
    assert (row.effect, row.low, row.high) == pytest.approx((0.1, 0.1, 0.1))
    assert "FT:conv3-fc8 .70, the best by validation, against scratch .60: better." in row.words


@pytest.mark.parametrize(
    ("scratch", "spread", "verdict", "said"),
    [
        (0.52, 0.0, "supported", "as well, within .05"),
        (0.58, 0.0, "contradicted", "worse by more than .05"),
        (0.53, 0.3, "undecided", "not shown to be within .05"),
        (0.57, 0.3, "undecided", "not shown to be within .05"),
    ],
)
def test_c1_by_its_margin(scratch, spread, verdict, said):
    """The margin of polyps is .05: .02 behind is as well, .08 is worse, and where subjects scatter nobody knows."""
    row = claims.against_scratch(evidence({"scratch": scratch}, spread=spread))
    assert row.effect == pytest.approx(0.5 - scratch)
    assert row.verdict == verdict
    assert said in row.words


def less(scratch, conv1, **options):
    """Evidence of conv1 and scratch with the whole training set, half and a quarter of it."""
    arms = {"scratch": scratch, "conv1": conv1}
    means = {(arm, share): of[k] for arm, of in arms.items() for k, share in enumerate((1.0, 0.5, 0.25))}
    return evidence(means, **options)


def test_c2_by_hand():
    """Scratch loses .6 - (.4 + .3) / 2 = .25, conv1 .7 - (.68 + .62) / 2 = .05: .2 more."""
    row = claims.with_less_data(less((0.6, 0.4, 0.3), (0.7, 0.68, 0.62)))
    assert (row.effect, row.low, row.high) == pytest.approx((0.2, 0.2, 0.2))
    assert row.verdict == "supported"
    assert "FT:conv1-fc8 .70 to .65 and scratch .60 to .35 (mean of 50%, 25% of the training set)." in row.words
    assert row.words.endswith("a network near chance has little to lose.")


def test_c2_contradicted_and_undecided():
    lower = less((0.8, 0.79, 0.77), (0.7, 0.5, 0.3))
    assert claims.with_less_data(lower).verdict == "contradicted"
    assert "near chance" not in claims.with_less_data(lower).words
    assert claims.with_less_data(less((0.6, 0.5, 0.5), (0.7, 0.65, 0.6), spread=0.4)).verdict == "undecided"


def test_an_interval_may_touch_the_margin_but_not_zero():
    """A quarter behind with a margin of a quarter is as well; nothing lost by either is no support of C2."""
    equal = less((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    touching = replace(evidence({"scratch": 0.75}), outcome=replace(equal.outcome, margin=0.25))
    assert claims.against_scratch(touching).verdict == "supported"
    assert claims.with_less_data(equal).verdict == "undecided"


@pytest.mark.parametrize(
    ("fc8", "conv1", "effect", "verdict"),
    [(0.5, 0.6, 0.1, "supported"), (0.8, 0.6, -0.1, "contradicted"), (0.4, 0.9, -0.2, "contradicted")],
)
def test_c3_holds_the_middle_against_the_better_end(fc8, conv1, effect, verdict):
    """conv5 tests at .7 and validates best in the middle; conv1 validates best of all, but is an end."""
    row = claims.middle_depth(evidence({"fc8": fc8, "conv5": 0.7, "conv1": conv1}, {"conv5": 0.8, "conv1": 0.9}))
    assert (row.effect, row.low, row.verdict) == (pytest.approx(effect), pytest.approx(effect), verdict)
    assert row.words.startswith("FT:conv5-fc8 .70")


def test_c3_takes_the_better_end_anew_in_each_resample():
    """Ends at .4 or .8 by the seed, one high where the other is low: their means are .6, the middle's .65.

    Of 27 draws, the two of seed 0 or of seed 1 alone have an end at .8: the middle is .15 behind, not .05 ahead.
    """
    means = {"fc8": (0.8, 0.4, 0.6), "conv1": (0.4, 0.8, 0.6), "conv2": 0.65}
    row = claims.middle_depth(evidence(means, resamples=2000))
    assert row.effect == pytest.approx(0.05)
    assert (row.low, row.high) == pytest.approx((-0.15, 0.05))
    assert row.verdict == "undecided"


def test_c3_over_all_applications():
    """The best is fc6 in one and conv1 in the other; then fc6 alone in both; then nothing can be told."""
    one, other = evidence({"fc6": 0.7}), evidence({"conv1": 0.7}, application="carotid")
    assert claims.among_best(one) == ("fc6",)
    rows = [claims.no_single_depth(both) for both in ([one, other], [one, one], [one, evidence({})])]
    assert [row.verdict for row in rows] == ["supported", "contradicted", "undecided"]
    assert [(row.application, row.effect) for row in rows] == [("all", None)] * 3
    assert rows[0].words == "Not told from the best: polyp: fc6; carotid: conv1. In every list: none."


def test_a_depth_stays_among_the_best_until_its_whole_interval_is_below():
    best = claims.among_best(evidence({"conv2": 0.9, "conv4": (0.95, 0.8, 0.86), "conv5": (0.7, 0.8, 0.6)}))
    assert best == ("conv4", "conv2")


def test_the_procedure_by_hand():
    """fc8 .60, fc7 .65, fc6 .65: it stops at fc7, having trained three, and never sees how good conv3 is."""
    rising = dict(zip(DEPTHS, (0.60, 0.65, 0.65, 0.7, 0.8, 0.9, 0.9, 0.9), strict=True))
    assert claims.layer_wise(rising) == ("fc7", 3)
    assert claims.layer_wise(dict.fromkeys(DEPTHS, 1.0)) == ("fc8", 2)
    assert claims.layer_wise({depth: k for k, depth in enumerate(DEPTHS)}) == ("conv1", 8)
    assert claims.layer_wise({depth: min(k, 6) for k, depth in enumerate(DEPTHS)}) == ("conv2", 8)


def test_c4_takes_each_seed_s_own_depth():
    """Seeds pick fc7, fc7 and fc8: (.6 + .7 + .3) / 3 = .533; the best mean is conv4's .7, conv1 has .5."""
    means = {"fc8": (0.1, 0.2, 0.3), "fc7": (0.6, 0.7, 0.2), "conv4": 0.7}
    row = claims.procedure(evidence(means, {"fc6": 0.1, "fc7": (0.62, 0.61, 0.6)}))
    assert row.words.startswith("Picked fc7 (seed 0), fc7 (seed 1), fc8 (seed 2), after 3, 3, 2 of 8 networks: .53.")
    assert "Best on the test subjects: FT:conv4-fc8 .70." in row.words
    assert (row.effect, row.other_effect) == pytest.approx((1.6 / 3 - 0.7, 1.6 / 3 - 0.5))
    assert (row.low, row.high) == pytest.approx((0.3 - 0.7, 0.0))


@pytest.mark.parametrize(
    ("best", "spread", "verdict"),
    [(0.5, 0.0, "supported"), (0.54, 0.0, "supported"), (0.6, 0.0, "contradicted"), (0.54, 0.3, "undecided")],
)
def test_c4_by_its_margin(best, spread, verdict):
    """Validation leads to conv1; conv4 is better on the test subjects by nothing, within .05, or by .1."""
    assert claims.procedure(evidence({"conv4": best}, spread=spread)).verdict == verdict


def test_c4_says_when_it_compares_the_best_depth_with_itself():
    """Validation leads all seeds to conv1, which is the best: no resample can tell it from itself."""
    same, other = (claims.procedure(evidence({"conv1": mean}, spread=0.01)) for mean in (0.6, 0.45))
    assert (same.effect, same.low, same.high, same.verdict) == (0, 0, 0, "supported")
    assert same.note == "both sides are equal in every resample: 0 is no measure of certainty"
    assert other.note == ""


def test_all_claims_in_their_order_and_what_one_seed_means():
    both = [less((0.6, 0.4, 0.3), (0.7, 0.68, 0.62), application=name, seeds=1) for name in ("polyp", "embolism")]
    rows = claims.judge(both)
    expected = [(claim, name) for claim in ("C1", "C2", "C3", "C4") for name in ("polyp", "embolism")]
    expected.insert(6, ("C3", "all"))
    assert [(row.claim, row.application) for row in rows] == expected
    assert all("over subjects alone" in row.note for row in rows if row.effect is not None)
    few = claims.against_scratch(replace(both[0], num_subjects=5))
    assert "only 5 subjects" in few.note
