import numpy as np
import pytest

from repro.evaluation import Contours, Detections, auc, roc_detections
from repro.evaluation.outcomes import OUTCOMES, gather, validation_score
from repro.evaluation.resampling import resample


def contours(errors_px, um=10.0):
    """One ROI of one point for each subject; LI is off by the error, MA by three times as much."""
    size = len(errors_px)
    truth = np.full((size, 2), 50.0)
    return Contours(
        subject=np.arange(size),
        roi=np.array([f"r{k}" for k in range(size)]),
        um_per_pixel=np.full(size, um),
        fallback=np.zeros((size, 2), bool),
        point_roi=np.arange(size),
        column=np.zeros(size, int),
        found=truth + np.outer(errors_px, [1.0, 3.0]),
        truth=truth,
        subjects=tuple(f"p{k}" for k in range(size)),
        example=np.zeros((2, 0, 2)),
    )


def found_with(tables, best=1):
    """Runs of the carotid application: by arm and fraction, errors in pixels of shape (subjects, seeds)."""
    history = {"epochs": [{"auc": 0.7}, {"auc": 0.8}], "best_epoch": best}
    return {
        (*cell, seed): (contours(column), {"history": history})
        for cell, table in tables.items()
        for seed, column in enumerate(np.asarray(table, float).T)
    }


def measured(application, scores):
    return float(OUTCOMES[application].prepare(scores)(np.ones((1, len(scores.subjects)), int))[0])


def test_sensitivities_by_hand():
    """Ten images in two subjects: at .1 one false positive is let in, at 2 all of them.

    By descending score: lesion 0, false, lesion 1, false, lesion 2; a fourth lesion was missed.
    """
    scores = Detections(
        subject=np.array([0, 0, 1, 1, 1]),
        image=np.array([0, 1, 0, 3, 4]),
        lesion=np.array([0, -1, 1, -1, 2]),
        score=np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
        subjects=("a", "b"),
        num_images=np.array([4, 6]),
        num_lesions=np.array([2, 2]),
    )
    assert measured("polyp", scores) == 2 / 4
    assert measured("embolism", scores) == 3 / 4


def test_an_area_on_resamples_is_that_of_copied_subjects():
    generator = np.random.default_rng(3)
    labels, scores, videos = generator.random(53) < 0.4, generator.integers(0, 9, 53), np.arange(53) % 5
    run = (roc_detections(labels, scores, videos), {"history": {"epochs": [{"auc": 0.5}], "best_epoch": 1}})
    evidence = gather("frame_quality", {("conv1", 1.0, 4): run}, resamples=30, seed=8)
    draws = np.vstack([np.ones((1, 5), int), resample(lambda weights: weights, 5, resamples=30, seed=8)])
    expected = [auc(np.repeat(labels, draw[videos]), np.repeat(scores, draw[videos])) for draw in draws]
    np.testing.assert_allclose(evidence.values["conv1", 1.0][:, 0], expected, rtol=1e-12)
    assert evidence.seeds == (4,)


def test_an_error_counts_against_an_arm_and_is_shown_as_it_is():
    """Errors of 1 and 4 pixels of 10 um in LI, 3 and 12 in MA: means 20 and 80 um, 50 over both."""
    evidence = gather("carotid", found_with({("conv1", 1.0): [[1], [4]]}), resamples=5)
    assert evidence.mean("conv1")[0] == pytest.approx(-50)
    assert evidence.outcome.shown(evidence.mean("conv1")[0]) == "50.0 µm"
    assert evidence.outcome.difference(-4.06) == "-4.1 µm"


def test_shares_are_shown_as_readers_write_them():
    sensitivity, area = OUTCOMES["polyp"], OUTCOMES["frame_quality"]
    assert (sensitivity.shown(0.551), sensitivity.shown(1), area.shown(0.9)) == (".55", "1.00", ".900")
    assert (sensitivity.difference(0.104), area.difference(-0.0301)) == ("+.10", "-.030")
    assert sensitivity.difference(-0.001) == sensitivity.difference(0.0) == "+.00"
    assert sensitivity.shown(0.9999) == "1.00"


def test_seeds_are_drawn_too():
    """All subjects alike, seeds of 2, 4 and 9 px: a mean lies between 40 and 180 um, each end in 1 of 27 draws."""
    evidence = gather("carotid", found_with({("conv1", 1.0): np.tile([2, 4, 9], (6, 1))}), resamples=3000)
    interval = evidence.interval(evidence.mean("conv1"))
    assert (interval.low, interval.value, interval.high) == (pytest.approx(-180), pytest.approx(-100), -40)
    assert np.mean(np.isclose(evidence.mean("conv1")[1:], -180)) == pytest.approx(1 / 27, abs=0.01)


def test_all_arms_see_the_same_subjects_and_seeds():
    """Scratch is off by 2 px more, 40 um, wherever: however subjects and seeds differ, that is certain."""
    errors = np.random.default_rng(0).gamma(3, 2, (7, 3))
    evidence = gather("carotid", found_with({("conv1", 1.0): errors, ("scratch", 1.0): errors + 2}), resamples=200)
    alone, paired = (
        evidence.interval(effect)
        for effect in (evidence.mean("conv1"), evidence.mean("conv1") - evidence.mean("scratch"))
    )
    assert alone.high - alone.low > 20
    assert (paired.low, paired.value, paired.high) == pytest.approx((40, 40, 40))


def test_more_subjects_narrow_the_interval():
    """Four times the subjects: half the width, where seeds do not differ."""
    errors = np.random.default_rng(1).gamma(9, 1, (80, 1)) @ np.ones((1, 3))
    widths = []
    for size in (20, 80):
        evidence = gather("carotid", found_with({("conv1", 1.0): errors[:size]}))
        interval = evidence.interval(evidence.mean("conv1"))
        widths.append(interval.high - interval.low)
    assert 1.5 < widths[0] / widths[1] < 2.7


def test_intervals_cover_the_truth():
    """Subjects and the rest deviate by 1 px, seeds by half: 92 % of intervals hold the truth, 80 % over subjects alone.

    The truth is 10 px, 200 um; the module's docstring has the percentages, of 2,000 tables.
    """
    generator, covered = np.random.default_rng(2), []
    for _ in range(250):
        normal = [generator.normal(size=shape) for shape in ((14, 1), (1, 3), (14, 3))]
        table = 10 + normal[0] + 0.5 * normal[1] + normal[2]
        evidence = gather("carotid", found_with({("conv1", 1.0): table}), resamples=300)
        interval = evidence.interval(evidence.mean("conv1"))
        covered.append(interval.low <= -200 <= interval.high)
    assert 0.88 < np.mean(covered) < 0.97


def test_the_validation_score_is_that_of_the_epoch_kept():
    assert validation_score({"history": {"epochs": [{"auc": 0.9}, {"auc": 0.6}], "best_epoch": 1}}) == 0.9
    whole = found_with({(arm, 1.0): np.ones((2, 3)) for arm in ("conv1", "handcrafted")}, best=2)
    evidence = gather("carotid", whole | found_with({("conv1", 0.5): np.ones((2, 3))}), resamples=3)
    assert {arm: of.tolist() for arm, of in evidence.validation.items()} == {"conv1": [0.8, 0.8, 0.8]}


def test_runs_that_do_not_belong_together_are_refused():
    found = found_with({("conv1", 1.0): np.ones((4, 2)), ("scratch", 1.0): np.ones((4, 2))})
    with pytest.raises(ValueError, match=r"same seeds. Missing: \[\('scratch', 1.0, 1\)\]"):
        gather("carotid", {key: run for key, run in found.items() if key != ("scratch", 1.0, 1)})
    with pytest.raises(ValueError, match=r"other subjects for \('scratch', 1.0, 0\)"):
        gather("carotid", found | found_with({("scratch", 1.0): np.ones((5, 2))}))
