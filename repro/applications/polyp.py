"""Polyp detection in colonoscopy frames: cohort -> candidates -> patches -> network -> scores (PAPER section 2).

Subjects are split once for a data set; the candidate generator learns from the training subjects, and the training
subjects' own candidates come from generators that never saw them, so that they are as wrong there as on new frames.
All arms then classify the same candidates; the handcrafted rival is the generator's own probability, as in the paper.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from data_prep import splits
from data_prep.candidates.polyps import fit_detector, hit
from data_prep.cohort import lesions
from data_prep.patches import FrameCache, PatchTable, ViewGrid
from data_prep.readers import read_colonoscopy
from repro import runs
from repro.evaluation.froc import Detections
from repro.finetune import HANDCRAFTED

TASK_VERSION = 1
"""Raised by hand when a change of the code moves candidates, so that they are made again."""


@dataclass(frozen=True)
class Task:
    """What all arms of a data set share: the split, and every frame's candidates.

    Attributes
    ----------
    subjects : tuple of str
    is_test : ndarray of shape (subjects,), bool
    frame_subject, frame_lesions : ndarray of shape (frames,), int
        Subject of each frame, in the cohort's order, and how many lesions it shows.
    frame : ndarray of shape (n,), int
        Frame of each candidate.
    boxes : ndarray of shape (n, 4), float32
    scores : ndarray of shape (n,), float32
        The candidate generator's own probability: the handcrafted rival.
    lesion : ndarray of shape (n,), int
        Lesion the candidate hits, numbered through the data set, or -1.
    """

    subjects: tuple[str, ...]
    is_test: np.ndarray
    frame_subject: np.ndarray
    frame_lesions: np.ndarray
    frame: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    lesion: np.ndarray

    def of(self, names):
        """Return the candidates of some subjects, by number."""
        wanted = np.isin(np.asarray(self.subjects), list(names))
        return np.flatnonzero(wanted[self.frame_subject[self.frame]])

    @property
    def train_names(self):
        """Subjects to train and validate with."""
        return tuple(name for name, test in zip(self.subjects, self.is_test, strict=True) if not test)

    @property
    def test_names(self):
        """Subjects to test with."""
        return tuple(name for name, test in zip(self.subjects, self.is_test, strict=True) if test)

    def detections(self, scores):
        """Put scores of the test candidates, in the order of `of(test_names)`, into the record that FROC takes."""
        chosen = self.of(self.test_names)
        number = np.cumsum(self.is_test) - 1
        per_subject = np.bincount(self.frame_subject, minlength=len(self.subjects))
        per_lesion = np.bincount(self.frame_subject, weights=self.frame_lesions, minlength=len(self.subjects))
        return Detections(
            subject=number[self.frame_subject[self.frame[chosen]]],
            image=self.frame[chosen],
            lesion=self.lesion[chosen],
            score=np.asarray(scores, np.float64),
            subjects=self.test_names,
            num_images=per_subject[self.is_test],
            num_lesions=per_lesion[self.is_test].astype(int),
        )


def prepare(data, settings, results):
    """Split a data set and find its candidates, or load what was found before.

    Parameters
    ----------
    data : repro.runs.Data
    settings : dict
        The "polyp" part of a run's settings.
    results : path
        The task is kept in its folder `tasks`.

    Returns
    -------
    Task
    """
    keys = ("test_share", "split_seed", "candidates", "folds", "generator_frames")
    definition = {"data": data.fingerprint, "task_version": TASK_VERSION} | {key: settings[key] for key in keys}
    path = Path(results) / "tasks" / f"polyp_{data.name}_{runs.digest(definition)}.npz".replace(" ", "-")
    if not path.is_file():
        task = _find_candidates(read_colonoscopy(data.folder), settings)
        arrays = {field.name: np.asarray(getattr(task, field.name)) for field in fields(Task)}
        runs.write_atomically(path, lambda file: np.savez(file, **arrays))
    with np.load(path) as arrays:
        values = {field.name: arrays[field.name] for field in fields(Task)}
    return Task(**values | {"subjects": tuple(values["subjects"].tolist())})


def perform(run, results):
    """Train one network, or take the rival, and score the test candidates.

    Parameters
    ----------
    run : repro.runs.Run
    results : path

    Returns
    -------
    detections : repro.evaluation.froc.Detections
        Of the test subjects.
    record : dict
        History, caveats and the counts of what was trained and tested.
    """
    settings = run.settings["polyp"]
    task = prepare(run.data, settings, results)
    cohort = read_colonoscopy(run.data.folder)
    record = {"caveats": list(cohort.caveats), "counts": counts(task)}
    if run.arm == HANDCRAFTED:
        return task.detections(task.scores[task.of(task.test_names)]), record
    images = tuple(image for subject in cohort.subjects for image in subject.images)
    patches = Patches(task, FrameCache(images, settings["frames_in_memory"]), run)
    # Imported late: a rival, and a figure that reads the counts, need no backend.
    from repro.networks import classify

    return task.detections(classify(run, patches, record)), record


def counts(task):
    """Count subjects, frames, lesions and candidates on each side, for the ledger of a figure.

    Parameters
    ----------
    task : Task

    Returns
    -------
    dict of str to dict of str to int
        For "train" and "test".
    """
    ledger = {}
    for side, names in (("train", task.train_names), ("test", task.test_names)):
        frames = np.isin(np.asarray(task.subjects), names)[task.frame_subject]
        lesion = task.lesion[task.of(names)]
        ledger[side] = {
            "subjects": len(names),
            "frames": int(frames.sum()),
            "lesions": int(task.frame_lesions[frames].sum()),
            "lesions hit": len(np.unique(lesion[lesion >= 0])),
            "candidates": len(lesion),
            "candidates on lesions": int((lesion >= 0).sum()),
        }
    return ledger


class Patches:
    """The patch tables of one run."""

    caveats = ()

    def __init__(self, task, frames, run):
        self.task, self.frames, self.run, self.settings = task, frames, run, run.settings["polyp"]

    def training(self):
        """Return balanced patches of the training and of the validation subjects, all views allowed."""
        names = splits.fraction(self.task.train_names, self.run.fraction, self.run.seed)
        learn, validate = splits.split(names, self.settings["validation_share"], self.run.seed)
        splits.check_disjoint(training=learn, validation=validate, test=self.task.test_names)
        return (
            self._balanced(learn, self.settings["train_patches"]),
            self._balanced(validate, self.settings["validation_patches"]),
        )

    def testing(self):
        """Return all test views and the candidate, from 0, that each shows."""
        settings = self.settings
        grid = ViewGrid(tuple(settings["test_scales"]), settings["test_shift"], settings["test_orientations"])
        chosen = self.task.of(self.task.test_names)
        candidate = np.repeat(np.arange(len(chosen)), len(grid))
        return self._table(chosen[candidate], np.tile(np.arange(len(grid)), len(chosen)), grid), candidate

    def _balanced(self, names, most):
        """Draw views of both classes, each view once at most; the larger class down to the smaller one."""
        grid, draw = ViewGrid(), np.random.default_rng(self.run.seed)
        chosen = self.task.of(names)
        positive = self.task.lesion[chosen] >= 0
        sides = chosen[positive], chosen[~positive]
        number = min(most // 2, len(sides[0]) * len(grid), len(sides[1]) * len(grid))
        if number == 0:
            raise ValueError(
                f"Both classes need candidates. Received {len(sides[0])} on and {len(sides[1])} off lesions in the "
                f"subjects {names}. Use a larger fraction or more subjects."
            )
        drawn = [draw.choice(len(side) * len(grid), number, replace=False) for side in sides]
        candidate = np.concatenate([side[index // len(grid)] for side, index in zip(sides, drawn, strict=True)])
        return self._table(candidate, np.concatenate(drawn) % len(grid), grid)

    def _table(self, candidate, view, grid):
        task, size = self.task, self.run.settings["network"]["input_size"]
        labels = (task.lesion[candidate] >= 0).astype(int)
        return PatchTable(self.frames, task.frame[candidate], task.boxes[candidate], view, labels, grid, size)


def _find_candidates(cohort, settings):
    subjects, seed = {subject.name: subject for subject in cohort.subjects}, settings["split_seed"]
    train, test = splits.split(subjects, settings["test_share"], seed)
    parts = [(part, set(train) - set(part)) for part in splits.folds(train, settings["folds"], seed)]
    found = {}
    for part, learn in tqdm([*parts, (test, set(train))], desc="candidates", unit="part", disable=None):
        detector = fit_detector(
            [subjects[name] for name in sorted(learn)],
            seed=seed,
            jobs=-1,
            most_frames=settings["generator_frames"],
            folds=settings["folds"],
        )
        # One subject a job: the detector travels once for many frames.
        propose = delayed(_propose)
        proposed = Parallel(n_jobs=-1)(propose(detector, subjects[name], settings["candidates"]) for name in part)
        found |= dict(zip(part, proposed, strict=True))
    return _tabulate(cohort, test, [frame for subject in cohort.subjects for frame in found[subject.name]])


def _propose(detector, subject, most):
    """Return for each frame its candidates, which of its lesions each hits, and how many lesions it shows."""
    frames = []
    for image in subject.images:
        candidates, truth = detector.propose(image.read_pixels(), most), image.read_truth()
        numbers, hits = [lesion.number for lesion in lesions(truth)], hit(candidates.points, truth)
        frames.append((candidates, np.where(hits < 0, -1, np.searchsorted(numbers, hits)), len(numbers)))
    return frames


def _tabulate(cohort, test, frames):
    names = [subject.name for subject in cohort.subjects]
    frame_lesions = np.array([number for _, _, number in frames])
    first = np.cumsum(frame_lesions) - frame_lesions
    return Task(
        subjects=tuple(names),
        is_test=np.isin(names, test),
        frame_subject=np.repeat(np.arange(len(names)), [len(subject.images) for subject in cohort.subjects]),
        frame_lesions=frame_lesions,
        frame=np.repeat(np.arange(len(frames)), [len(hits) for _, hits, _ in frames]),
        boxes=np.concatenate([candidates.boxes for candidates, _, _ in frames]),
        scores=np.concatenate([candidates.scores for candidates, _, _ in frames]),
        lesion=np.concatenate(
            [np.where(hits < 0, -1, start + hits) for start, (_, hits, _) in zip(first, frames, strict=True)]
        ).astype(int),
    )
