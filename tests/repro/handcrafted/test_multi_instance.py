import pickle

import numpy as np
import pytest

from repro.evaluation import auc
from repro.handcrafted import multi_instance
from repro.handcrafted.multi_instance import best, fit, sigmoid


def bags(seed, patients=12, emboli=3, misleading=3, false=40, spread=0.7):
    """In each patient, emboli of one candidate at (2, 2) and several at (2, -2), where most of the false ones lie.

    Returns features (n, 2), lesion, subject and which candidates are the one at (2, 2), the witness.
    """
    generator = np.random.default_rng(seed)
    lesion = np.concatenate([np.repeat(np.arange(emboli), 1 + misleading), np.full(false, -1)])
    number = np.arange(len(lesion))
    witness = (lesion >= 0) & (number % (1 + misleading) == 0)
    astray = ((lesion >= 0) & ~witness) | ((lesion < 0) & (number % 10 < 6))
    centre = np.select([witness[:, None], astray[:, None]], [[2, 2], [2, -2]], [0, 0])
    features = centre + spread * generator.normal(size=(patients, len(lesion), 2))
    numbers = np.where(lesion >= 0, lesion + emboli * np.arange(patients)[:, None], -1)
    subject = np.repeat([f"p{patient:02}" for patient in range(patients)], len(lesion))
    return features.reshape(-1, 2), numbers.ravel(), subject, np.tile(witness, patients)


def counted(classifier, seed, **kinds):
    """Scores of new patients as a FROC counts: the best candidate of each embolus, and all false ones."""
    features, lesion, _, _ = bags(seed, patients=60, **kinds)
    scores = classifier.score(features)
    rows = np.concatenate([np.flatnonzero(lesion < 0), best(scores, lesion)])
    return lesion[rows] >= 0, scores[rows]


def test_best_by_hand():
    values = np.array([0.2, 9.0, 0.7, -3.0, 0.7, 0.1, -5.0])
    lesion = np.array([4, -1, 4, 0, 4, -1, 0])
    np.testing.assert_array_equal(best(values, lesion), [2, 3])
    assert best(values, np.full(7, -1)).size == 0


def test_bags_rank_better_than_taking_all_for_true(monkeypatch):
    """Most candidates of emboli lie astray: who takes all for true takes the false ones there for true as well."""
    ours = auc(*counted(fit(*bags(0)[:3], seed=0), 1))
    monkeypatch.setattr(multi_instance, "ROUNDS", 1)
    theirs = auc(*counted(fit(*bags(0)[:3], seed=0), 1))
    assert ours > 0.99
    assert 1 - ours < (1 - theirs) / 3


def test_witnesses_are_chosen():
    features, lesion, _, witness = bags(2)
    scaler, machine = multi_instance._learn(features, lesion)
    values = machine.decision_function(scaler.transform(features))
    assert witness[best(values, lesion)].mean() > 0.97
    assert (values[(lesion >= 0) & ~witness] < 0).mean() > 0.9


def test_probabilities_are_those_of_new_patients():
    """Places that overlap: of those candidates that get about p, a share of about p counts as true."""
    positive, scores = counted(fit(*bags(3, spread=1.3)[:3], seed=0), 4, spread=1.3)
    assert scores.mean() == pytest.approx(positive.mean(), abs=0.02)
    bins = [np.flatnonzero((scores >= low) & (scores < high)) for low, high in ((0, 0.1), (0.1, 0.4), (0.4, 1.01))]
    assert min(len(here) for here in bins) > 50
    gaps = [len(here) * abs(scores[here].mean() - positive[here].mean()) for here in bins]
    assert sum(gaps) / len(scores) < 0.04


def test_the_sigmoid_is_fitted_to_patients_that_the_machine_did_not_see():
    """Features of noise, more than candidates: the machine knows its own patients by heart, and is not believed."""
    _, lesion, subject, _ = bags(5, patients=6, misleading=0, false=12)
    noise = np.random.default_rng(5).normal(size=(2, len(lesion), 100))
    scores = fit(noise[0], lesion, subject, seed=0).score(noise[1])
    assert scores.mean() == pytest.approx(np.mean(lesion >= 0), abs=0.03)


def test_platts_sigmoid_by_hand():
    """Two values only: the sigmoid meets the targets at both; with 3 of 4 and 1 of 6 true, 4/6 ... of the counts."""
    values = np.repeat([1.0, -1.0], [4, 6])
    positive = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], bool)
    slope, offset = sigmoid(values, positive)
    true, false = 5 / 6, 1 / 8
    expected = np.array([(3 * true + false) / 4, (true + 5 * false) / 6])
    np.testing.assert_allclose(1 / (1 + np.exp(-slope * np.array([1, -1]) - offset)), expected, atol=1e-4)
    turned, _ = sigmoid(-values, positive)
    assert 0 < turned < 0.01
    apart, _ = sigmoid(np.arange(10.0), np.arange(10) > 4)
    assert 0.2 < apart < 20


def test_every_fold_learns_from_patients_with_emboli():
    """Two ill among nine: each is held out once, and never both together; each patient is held out once."""
    subject = np.repeat([f"p{patient}" for patient in range(9)], 3)
    lesion = np.where(np.isin(subject, ["p3", "p7"]), np.arange(27), -1)
    for seed in range(5):
        held = multi_instance._folds(lesion, subject, 2, seed)
        assert sorted(name for fold in held for name in fold) == sorted(set(subject))
        assert [len({"p3", "p7"} & set(fold)) for fold in held] == [1, 1]


def test_a_classifier_follows_from_its_seed_and_pickles():
    features, lesion, subject, _ = bags(6, patients=7)
    new = bags(7, patients=2)[0]
    first = fit(features, lesion, subject, seed=1)
    np.testing.assert_array_equal(first.score(new), fit(features, lesion, subject, seed=1).score(new))
    np.testing.assert_array_equal(first.score(new), pickle.loads(pickle.dumps(first)).score(new))
    assert not np.array_equal(first.score(new), fit(features, lesion, subject, seed=2).score(new))
    assert first.score(new[:0]).shape == (0,)


def test_errors_say_what_came():
    features, lesion, subject, _ = bags(8, patients=4)
    with pytest.raises(ValueError, match=r"0 that do, 208 that do not, of 208.*truths read"):
        fit(features, np.full(208, -1), subject, seed=0)
    with pytest.raises(ValueError, match=r"at least 5 patients.*Received: 4"):
        fit(features, lesion, subject, seed=0)
    with pytest.raises(ValueError, match=r"Received: 208 candidates, \(207,\) lesions"):
        fit(features, lesion[1:], subject, seed=0)
    with pytest.raises(ValueError, match=r"several patients for embolus \[0, 1, 2\]"):
        fit(features, np.where(lesion >= 0, lesion % 3, -1), subject, seed=0, folds=2)
    classifier = fit(features, lesion, subject, seed=0, folds=4)
    with pytest.raises(ValueError, match=r"learnt from 2 features\. Received: 3"):
        classifier.score(np.zeros((5, 3)))
    features[7, 1] = features[9, 0] = np.nan
    with pytest.raises(ValueError, match="nan in row 7, column 1, and 1 more"):
        fit(features, lesion, subject, seed=0)
