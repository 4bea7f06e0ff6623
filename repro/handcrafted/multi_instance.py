"""A support vector machine that learns from bags: several candidates hit one embolus, and one of them is enough.

Stands in for the multi-instance classifier of the paper's rival (refs. 60, 63; METHODS A2: Fung et al. 2006 and Liang
and Bi 2007 ask that "at least one of the bag" be right). This is MI-SVM (Andrews et al. 2003): the machine is fitted
to the best candidate of each embolus and to all false ones, picks each embolus's best candidate anew, and is fitted
again until the choice stays. The other candidates of an embolus are neither right nor wrong, as in a FROC curve.

Platt's sigmoid (Platt 1999) makes its values probabilities; it is fitted to patients that the machine did not see.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from data_prep import splits

FOLDS = 5
ROUNDS = 10
COST = 1.0
# The sigmoid must not turn the order round, even where few patients' values lie the wrong way.
LEAST_SLOPE = 1e-3


@dataclass(frozen=True, eq=False)
class Classifier:
    """A fitted machine with its sigmoid.

    Attributes
    ----------
    scaler : StandardScaler
    machine : SVC
    slope, offset : float
        Of the sigmoid.
    """

    scaler: StandardScaler
    machine: SVC
    slope: float
    offset: float

    def score(self, features):
        """Return the probability, (n,) float64, that candidates are true; features : (n, f), finite."""
        features = _table(features)
        if features.shape[1] != self.scaler.n_features_in_:
            raise ValueError(
                f"The classifier learnt from {self.scaler.n_features_in_} features. Received: {features.shape[1]}. "
                "Describe these candidates as those that it learnt from."
            )
        if not len(features):
            return np.empty(0)
        return expit(self.slope * _values(self.scaler, self.machine, features) + self.offset)


def fit(features, lesion, subject, seed, folds=FOLDS):
    """Learn to tell true candidates from false ones.

    Parameters
    ----------
    features : array of shape (n, f), float32
        Finite.
    lesion : array of shape (n,), int
        Number of the embolus that a candidate hits, unique over all patients, or -1.
    subject : array of shape (n,), str
        The patient of each candidate.
    seed : int
        Of the folds.
    folds : int
        Number of folds that the sigmoid is fitted by, at least 2; as many patients must have a true candidate.

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        When the arrays do not fit together, a number is not finite, there are no true or no false candidates, an
        embolus has candidates of two patients, or there are fewer patients than folds.
    """
    features, lesion, subject = _table(features), np.asarray(lesion), np.asarray(subject)
    _check(features, lesion, subject, folds)
    values = np.empty(len(features))
    for held in _folds(lesion, subject, folds, seed):
        out = np.isin(subject, held)
        values[out] = _values(*_learn(features[~out], lesion[~out]), features[out])
    counted = np.concatenate([np.flatnonzero(lesion < 0), best(values, lesion)])
    return Classifier(*_learn(features, lesion), *sigmoid(values[counted], lesion[counted] >= 0))


def best(values, lesion):
    """Find the candidate of the highest value for each embolus.

    Parameters
    ----------
    values : ndarray of shape (n,), float
    lesion : ndarray of shape (n,), int

    Returns
    -------
    ndarray of int
        Their rows, one for each embolus; of equal ones the first.
    """
    order = np.lexsort((-values, lesion))
    sorted_lesion = lesion[order]
    first = np.concatenate([[True], sorted_lesion[1:] != sorted_lesion[:-1]])
    return np.sort(order[first & (sorted_lesion >= 0)])


def sigmoid(values, positive):
    """Fit Platt's sigmoid, 1 / (1 + exp(-slope * value - offset)), by maximum likelihood.

    As Platt does, it aims at (N+ + 1) / (N+ + 2) and 1 / (N- + 2) in place of 1 and 0, so that classes which do not
    overlap give no infinite slope.

    Parameters
    ----------
    values : ndarray of shape (n,), float
    positive : ndarray of shape (n,), bool

    Returns
    -------
    slope, offset : float
    """
    number = np.count_nonzero(positive)
    target = np.where(positive, (number + 1) / (number + 2), 1 / (len(values) - number + 2))
    inputs = np.stack([values, np.ones(len(values))])

    def loss(line):
        logit = line @ inputs
        return np.mean(np.logaddexp(0, logit) - target * logit), inputs @ (expit(logit) - target) / len(values)

    start = [1.0, np.log(number + 1) - np.log(len(values) - number + 1)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(LEAST_SLOPE, None), (None, None)])
    return float(found.x[0]), float(found.x[1])


def _learn(features, lesion):
    """Return the scaler and the machine: fit, choose the best of each embolus, fit again."""
    scaler = StandardScaler().fit(features)
    scaled, chosen = scaler.transform(features), np.flatnonzero(lesion >= 0)
    for _ in range(ROUNDS):
        rows = np.concatenate([np.flatnonzero(lesion < 0), chosen])
        machine = SVC(C=COST, gamma="scale", class_weight="balanced").fit(scaled[rows], lesion[rows] >= 0)
        before, chosen = chosen, best(machine.decision_function(scaled), lesion)
        if np.array_equal(before, chosen):
            break
    return scaler, machine


def _values(scaler, machine, features):
    return machine.decision_function(scaler.transform(features))


def _folds(lesion, subject, number, seed):
    """Return each fold's held-out patients; those with emboli are dealt evenly, so that every fold learns from some."""
    ill = set(subject[lesion >= 0].tolist())
    well = sorted(set(subject.tolist()) - ill)
    return [[*held, *well[first::number]] for first, held in enumerate(splits.folds(ill, number, seed))]


def _table(features):
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2:
        raise ValueError(f"Expected one row of features for each candidate. Received: shape {features.shape}.")
    wrong = np.argwhere(~np.isfinite(features))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"Features must be finite. Received: {features[row, column]} in row {row}, column {column}, and "
            f"{len(wrong) - 1} more."
        )
    return features


def _check(features, lesion, subject, folds):
    if not len(features) == len(lesion) == len(subject) or lesion.ndim != 1 or subject.ndim != 1:
        raise ValueError(
            "Each candidate needs a lesion (-1 for none) and a subject. "
            f"Received: {len(features)} candidates, {lesion.shape} lesions, {subject.shape} subjects."
        )
    if lesion.min(initial=0) < -1 or not (lesion >= 0).any() or not (lesion < 0).any():
        raise ValueError(
            "Some candidates must hit an embolus (its number, from 0) and some none (-1). "
            f"Received: {np.count_nonzero(lesion >= 0)} that do, {np.count_nonzero(lesion == -1)} that do not, of "
            f"{len(lesion)}. Were the truths read, and are patients with emboli in the training set?"
        )
    pairs = set(zip(lesion[lesion >= 0].tolist(), subject[lesion >= 0].tolist(), strict=True))
    shared = sorted(embolus for embolus, patients in Counter(pair[0] for pair in pairs).items() if patients > 1)
    if shared:
        raise ValueError(
            "Each embolus belongs to one patient. Received: candidates of several patients for embolus "
            f"{shared[:5]}. Number emboli over the whole data set."
        )
    patients = len({pair[1] for pair in pairs})
    if patients < folds:
        raise ValueError(
            f"Probabilities need at least {folds} patients with a true candidate, one for each fold. "
            f"Received: {patients}. Train with more patients or fewer folds."
        )
