"""One outcome for each application, and what other subjects and other seeds would have made of it.

A network's outcome moves with the subjects it is tested on and with the seed it was trained by. All arms and seeds of
an application are tested on one set of subjects, so that seeds are crossed with subjects. The interval is that of the
crossed ("pigeonhole") bootstrap, Owen, "The pigeonhole bootstrap", Ann. Appl. Stat. 1(2), 2007: subjects and seeds are
resampled independently of each other; every arm sees the same draws, so that differences are paired.

It is no more than three seeds allow. Of n seeds a bootstrap sees (n - 1) / n of the variance between seeds; on the
other hand it counts what is neither the subject's nor the seed's (a network's luck with a subject) about twice with
three seeds. In 2,000 simulated tables of 14 subjects and 3 seeds, subjects and that rest deviating alike, 95 %
intervals of a mean covered the truth in 95 % where seeds do not differ, in 92 % where they deviate half as much as
subjects, and in 85 % where they deviate as much; resampling subjects alone covered it in 90, 80 and 62 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from repro.evaluation.boundaries import roi_errors
from repro.evaluation.delong import auc_statistic
from repro.evaluation.intervals import percentiles
from repro.evaluation.resampling import froc_statistic, resample
from repro.finetune import ARMS
from repro.runs import kept_epoch


@dataclass(frozen=True)
class Outcome:
    """What an application is judged by; higher is better.

    Attributes
    ----------
    name : str
        As a reader knows it.
    unit : str
        "µm", or empty for shares.
    margin : float
        Differences up to here we do not call a loss (non-inferiority). Set on 2026-11-23: means over seeds of some arms
        stood in figures before, no interval and no verdict did.
    digits : int
        Behind the point, for readers.
    sign : int
        -1 where the name's own number is an error: it is shown as it is, and the outcome is its opposite.
    prepare : callable
        From a run's scores to a statistic of subject weights, (r, subjects) int to (r,) float, higher is better.
    """

    name: str
    unit: str
    margin: float
    digits: int
    sign: int
    prepare: Callable

    def shown(self, value):
        """Write the name's own number of an outcome: .55, .912, 53.1 µm."""
        return self._text(self.sign * value, "")

    def difference(self, value):
        """Write a difference of outcomes, positive where the first is better: +.05, -4.1 µm."""
        return self._text(value, "+")

    def _text(self, value, plus):
        # Plus 0: no "-0".
        text = f"{round(float(value), self.digits) + 0.0:{plus}.{self.digits}f}"
        return f"{text} {self.unit}" if self.unit else text.replace("0.", ".", 1) if abs(value) < 1 else text


@dataclass(frozen=True, eq=False)
class Evidence:
    """The outcomes of an application's runs: as measured, and on resamples of subjects and seeds.

    Attributes
    ----------
    application : str
    outcome : Outcome
    seeds : tuple of int
    num_subjects : int
        That were tested.
    values : dict of (str, float) to ndarray of shape (1 + resamples, seeds), float
        By arm and fraction, each seed's outcome: the first row as measured, then on resampled subjects.
    drawn : ndarray of shape (1 + resamples, seeds), float
        Share of each seed; the first row takes each once.
    validation : dict of str to ndarray of shape (seeds,), float
        By arm, the validation AUC of the epoch that each seed's network was kept at; the whole training set's.
    """

    application: str
    outcome: Outcome
    seeds: tuple[int, ...]
    num_subjects: int
    values: dict[tuple[str, float], np.ndarray]
    drawn: np.ndarray
    validation: dict[str, np.ndarray]

    def mean(self, arm, fraction=1.0):
        """Return an arm's outcome, mean over seeds; (1 + resamples,) float, the first as measured."""
        return self.over_seeds(self.values[arm, fraction])

    def over_seeds(self, values):
        """Return the mean over the seeds drawn of values of shape (1 + resamples, seeds)."""
        return np.sum(values * self.drawn, axis=1)

    def interval(self, effect):
        """Estimate an effect of shape (1 + resamples,) as `mean` gives it; returns an `Interval` of shape ()."""
        return percentiles(effect[0], effect[1:], self.num_subjects)


def gather(application, found, resamples=2000, seed=0):
    """Measure all runs of an application, as they are and on resamples of subjects and seeds.

    Parameters
    ----------
    application : str
        One of `OUTCOMES`.
    found : dict of (str, float, int) to (scores, dict)
        By arm, fraction and seed, what `repro.runs.load` returns; every arm and fraction with the same seeds.
    resamples : int
    seed : int
        Of the bootstrap.

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        Runs were tested on different subjects, or a seed is missing.
    """
    seeds = tuple(dict.fromkeys(key[2] for key in found))
    cells = tuple(dict.fromkeys(key[:2] for key in found))
    _check(application, found, [(*cell, number) for cell in cells for number in seeds])
    num_subjects = len(next(iter(found.values()))[0].subjects)
    values = {cell: _columns(application, found, cell, seeds, (num_subjects, resamples, seed)) for cell in cells}
    # Another stream than that of the subjects: the two are drawn independently.
    drawn = np.random.default_rng([seed, 1]).multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), resamples)
    validation = {
        arm: np.array([validation_score(found[arm, share, number][1]) for number in seeds])
        for arm, share in cells
        if arm in ARMS and share == 1
    }
    drawn = np.vstack([np.ones((1, len(seeds))), drawn]) / len(seeds)
    return Evidence(application, OUTCOMES[application], seeds, num_subjects, values, drawn, validation)


def validation_score(record):
    """Return the validation AUC of the epoch whose weights a run kept; `record` as `repro.runs.load` gives it."""
    return kept_epoch(record["history"])["auc"]


def _columns(application, found, cell, seeds, draws):
    """Return the outcomes (1 + resamples, seeds) of an arm and fraction; draws : (num_subjects, resamples, seed)."""
    columns = []
    for number in seeds:
        statistic = OUTCOMES[application].prepare(found[*cell, number][0])
        measured = statistic(np.ones((1, draws[0]), dtype=int))
        columns.append(np.concatenate([measured, resample(statistic, *draws)]))
    return np.stack(columns, axis=1)


def _check(application, found, expected):
    missing = [key for key in expected if key not in found]
    if missing:
        raise ValueError(f"{application}: every arm and fraction needs the same seeds. Missing: {missing[:3]}.")
    (reference, (first, _)), *others = found.items()
    for key, (scores, _) in others:
        for name in ("subjects", "num_images", "num_lesions", "roi"):
            if not np.array_equal(getattr(first, name, ()), getattr(scores, name, ())):
                raise ValueError(
                    f"{application}: runs must be tested on the same subjects. Received other {name} for {key} than "
                    f"for {reference}. Were they made from different data or with another split_seed?"
                )


def _sensitivity(at, detections):
    """Prepare the sensitivity at false positives per image; see `Outcome.prepare`, as the next two."""
    return partial(_only_point, froc_statistic(detections, at))


def _only_point(statistic, weights):
    return statistic(weights)[:, 0]


def _area(detections):
    """Prepare the area under the ROC curve."""
    return auc_statistic(detections.lesion >= 0, detections.score, detections.subject, len(detections.subjects))


def _closeness(contours):
    """Prepare minus the mean over ROIs of the mean of LI and MA error."""
    size = len(contours.subjects)
    errors = np.bincount(contours.subject, weights=roi_errors(contours).mean(axis=1), minlength=size)
    return partial(_minus_mean, errors, np.bincount(contours.subject, minlength=size))


def _minus_mean(sums, counts, weights):
    number = weights @ counts
    return -(weights @ sums) / np.where(number > 0, number, np.nan)


FP_PER_FRAME, FP_PER_VOLUME = 0.1, 2.0
"""Operating points of polyps and of emboli."""

OUTCOMES = {
    "polyp": Outcome("sensitivity at .1 false positives a frame", "", 0.05, 2, 1, partial(_sensitivity, FP_PER_FRAME)),
    "embolism": Outcome(
        "sensitivity at 2 false positives a volume", "", 0.05, 2, 1, partial(_sensitivity, FP_PER_VOLUME)
    ),
    "frame_quality": Outcome("area under the ROC curve", "", 0.02, 3, 1, _area),
    "carotid": Outcome("mean of LI and MA error", "µm", 5.0, 1, -1, _closeness),
}
"""By application. Operating points are those where the figures have an interval, and a few test subjects can."""
