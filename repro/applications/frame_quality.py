"""Informative or not: frames of colonoscopies -> random crops -> network -> mean score of a frame (PAPER section 2).

Subjects are split; within the training subjects a fraction thins frames, not subjects, as in the paper, whose 1 % of
three colonoscopies could not be whole ones. Class 1 is an informative frame, and a score is its probability.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from joblib import Parallel, delayed

from data_prep import splits
from data_prep.patches import FrameCache, PatchTable, ViewGrid, random_crops
from data_prep.readers import read_frames
from data_prep.readers.duplicates import check_unlike
from repro.evaluation.roc import roc_detections
from repro.handcrafted import frame_quality as rivals

CROP_SHARE = 227 / 350
"""Side of a crop as a share of the frame's shorter side: the paper's 227 pixels of frames of 500x350. So a crop shows
as much of the colon at every input size, and in frames of every size."""

_THIN, _LEARN, _VALIDATE, _TEST, _CROP = range(5)
"""Random streams of one seed."""


@dataclass(frozen=True, eq=False)
class Task:
    """What all arms of a data set share: its frames, their labels and the split.

    Attributes
    ----------
    caveats : tuple of str
        The cohort's.
    frames : FrameCache
        Of `data_prep.cohort.Frame`.
    subject : ndarray of shape (n,), str
        Name of each frame's subject.
    informative : ndarray of shape (n,), bool
    train, test : tuple of str
        Names of the subjects on each side.
    """

    caveats: tuple[str, ...]
    frames: FrameCache
    subject: np.ndarray
    informative: np.ndarray
    train: tuple[str, ...]
    test: tuple[str, ...]

    def of(self, names):
        """Return the frames of some subjects, by number."""
        return np.flatnonzero(np.isin(self.subject, list(names)))

    def detections(self, scores):
        """Put scores of the test frames, in the order of `of(test)`, into the record that an ROC curve takes."""
        chosen = self.of(self.test)
        return roc_detections(self.informative[chosen], scores, self.subject[chosen])


def prepare(data, settings, _results):
    """Split a data set; frames that nearly repeat across the split are an error where subjects are not known.

    The last task is kept: to decode its frames for each run takes as long as to train a shallow network on them.

    Parameters
    ----------
    data : repro.runs.Data
    settings : dict
        The "frame_quality" part of a run's settings.
    _results : path
        Nothing is worth keeping.

    Returns
    -------
    Task
    """
    keys = ("test_share", "split_seed", "frames_in_memory")
    return _prepare(data, *(settings[key] for key in keys), tuple(settings["allowed_alike"]))


@lru_cache(maxsize=1)
def _prepare(data, test_share, split_seed, frames_in_memory, allowed_alike):
    cohort = read_frames(data.folder)
    train, test = splits.train_test(cohort, test_share, split_seed)
    if cohort.anonymous:
        check_unlike(cohort, test, allowed_alike)
    pairs = [(subject.name, frame) for subject in cohort.subjects for frame in subject.images]
    return Task(
        caveats=cohort.caveats,
        frames=FrameCache(tuple(frame for _, frame in pairs), frames_in_memory),
        subject=np.array([subject for subject, _ in pairs]),
        informative=np.array([frame.informative for _, frame in pairs]),
        train=train,
        test=test,
    )


def perform(run, results):
    """Train one network, or a rival, and score the test frames.

    Parameters
    ----------
    run : repro.runs.Run
        Its arm may be one of `repro.handcrafted.frame_quality.METHODS`.
    results : path

    Returns
    -------
    detections : repro.evaluation.froc.Detections
        Of the test frames, as an ROC (`repro.evaluation.roc.roc_detections`).
    record : dict
        History, caveats and the counts of what was trained and tested.
    """
    task = prepare(run.data, run.settings["frame_quality"], results)
    chosen = thin(task, run.fraction, run.seed)
    record = {"caveats": list(task.caveats), "counts": counts(task, chosen)}
    if run.arm in rivals.METHODS:
        return task.detections(_rival_scores(run, task, chosen)), record
    # Imported late: a rival, and a figure that reads the counts, need no backend.
    from repro.networks import classify

    return task.detections(classify(run, Patches(task, chosen, run), record)), record


def thin(task, fraction, seed):
    """Keep a share of each class's training frames, of every subject at random; at least two frames a class.

    Parameters
    ----------
    task : Task
    fraction : float
        For one seed a smaller one keeps a part of what a larger one keeps.
    seed : int

    Returns
    -------
    ndarray of int
        Numbers of frames, ascending.
    """
    training = np.random.default_rng([seed, _THIN]).permutation(task.of(task.train))
    classes = [training[task.informative[training] == value] for value in (False, True)]
    if min(map(len, classes)) < 2:
        raise ValueError(
            f"Training needs two frames of each class. Received {len(classes[1])} informative and {len(classes[0])} "
            "uninformative ones. Use another split_seed or test_share."
        )
    return np.sort(np.concatenate([of[: max(2, round(fraction * len(of)))] for of in classes]))


def counts(task, chosen):
    """Count subjects and frames on each side, for the ledger of a figure.

    Returns
    -------
    dict of str to dict of str to int
        For "train" and "test".
    """
    ledger = {}
    for side, frames in (("train", chosen), ("test", task.of(task.test))):
        ledger[side] = {
            "subjects": len(np.unique(task.subject[frames])),
            "informative frames": int(task.informative[frames].sum()),
            "uninformative frames": int((~task.informative[frames]).sum()),
        }
    return ledger


def _rival_scores(run, task, chosen):
    testing = task.of(task.test)
    every = np.concatenate([chosen, testing])
    compute = delayed(_features)
    features = np.stack(Parallel(n_jobs=-1)(compute(task.frames.images[number], run.arm) for number in every))
    known, asked = features[: len(chosen)], features[len(chosen) :]
    return rivals.fit(run.arm, known, task.informative[chosen], run.seed).score(asked)


def _features(frame, method):
    return rivals.features(frame.read_pixels(), method)


class Patches:
    """The crops of one run."""

    def __init__(self, task, chosen, run):
        self.task, self.chosen, self.run, self.settings = task, chosen, run, run.settings["frame_quality"]
        self.caveats = []

    def training(self):
        """Return balanced crops of training and of validation frames.

        Their subjects differ where both sides then have both classes; where few frames are left, the frames of each
        class are divided instead.
        """
        learn, validate = self._sides()
        return (
            self._balanced(learn, self.settings["train_patches"], _LEARN),
            self._balanced(validate, self.settings["validation_patches"], _VALIDATE),
        )

    def testing(self):
        """Return the crops of all test frames and the frame, from 0, that each shows."""
        chosen = self.task.of(self.task.test)
        frame = np.repeat(np.arange(len(chosen)), self.settings["test_crops"])
        # The same crops for every seed: seeds shall differ by their networks.
        return self._table(chosen[frame], [self.settings["split_seed"], _TEST]), frame

    def _sides(self):
        task, share = self.task, self.settings["validation_share"]
        names = np.unique(task.subject[self.chosen]).tolist()
        if len(names) > 1:
            _, held = splits.split(names, share, self.run.seed)
            validates = np.isin(task.subject[self.chosen], held)
            sides = self.chosen[~validates], self.chosen[validates]
            if all(len(set(task.informative[side].tolist())) == 2 for side in sides):
                splits.check_disjoint(training=set(names) - set(held), validation=held, test=task.test)
                return sides
        self.caveats = [f"{self.run.fraction:.0%}: frames of the training subjects validate, for want of others"]
        return self._divide_frames(share)

    def _divide_frames(self, share):
        learn, validate = [], []
        for value in (False, True):
            of = self.chosen[self.task.informative[self.chosen] == value]
            of = np.random.default_rng([self.run.seed, _VALIDATE]).permutation(of)
            held = min(max(1, round(share * len(of))), len(of) - 1)
            validate, learn = [*validate, *of[:held]], [*learn, *of[held:]]
        return np.array(learn), np.array(validate)

    def _balanced(self, frames, most, stream):
        """Draw as many crops of each class, evenly over its frames."""
        sides = [frames[self.task.informative[frames] == value] for value in (False, True)]
        number = min(most // 2, *(len(side) * self.settings["crops_per_frame"] for side in sides))
        draw = np.random.default_rng([self.run.seed, stream])
        drawn = [np.resize(draw.permutation(side), number) for side in sides]
        return self._table(np.concatenate(drawn), [self.run.seed, stream, _CROP])

    def _table(self, frame, seed):
        draw = np.random.default_rng(seed)
        boxes = np.empty((len(frame), 4), np.float32)
        for number in np.unique(frame):
            here = np.flatnonzero(frame == number)
            shape = self.task.frames[number].shape[:2]
            boxes[here] = random_crops(shape, len(here), CROP_SHARE * min(shape), draw)
        labels = self.task.informative[frame].astype(int)
        size, whole = self.run.settings["network"]["input_size"], np.zeros(len(frame), int)
        return PatchTable(self.task.frames, frame, boxes, whole, labels, ViewGrid((1.0,), 0.0, 1), size)
