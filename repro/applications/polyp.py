"""Polyp detection in colonoscopy frames: cohort -> candidates -> patches -> network -> scores (PAPER section 2).

Subjects are split once for a data set; the candidate generator learns from the training subjects, and the training
subjects' own candidates come from generators that never saw them, so that they are as wrong there as on new frames.
All arms then classify the same candidates; the handcrafted rival is the generator's own probability, as in the paper.
"""

from dataclasses import dataclass, fields
from functools import partial
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
from repro.applications.sites import Sites, draw_views, number_lesions
from repro.detect import Proposal
from repro.finetune import HANDCRAFTED

TASK_VERSION = 2
"""Raised by hand when a change of the code moves candidates, so that they are made again."""


@dataclass(frozen=True, eq=False)
class Task(Sites):
    """What all arms of a data set share: the split, and every frame's candidates.

    Attributes
    ----------
    boxes : ndarray of shape (n, 4), float32
    scores : ndarray of shape (n,), float32
        The candidate generator's own probability: the handcrafted rival.
    """

    boxes: np.ndarray
    scores: np.ndarray


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
    record = {"caveats": list(cohort.caveats), "counts": task.counts("frames", "lesions")}
    if run.arm == HANDCRAFTED:
        return task.detections(task.scores[task.of(task.test_names)]), record
    # Imported late: a rival, and a figure that reads the counts, need no backend.
    from repro.networks import classify

    return task.detections(classify(run, Patches(task, _frames(cohort, settings), run), record)), record


def patches(run, results):
    """Return the patches of a run that is done, to train its network again; see `repro.detect`.

    Parameters
    ----------
    run : repro.runs.Run
        Of `repro.runs.reopen`. Its data must be as they were.
    results : path

    Returns
    -------
    Patches
    """
    runs.require_data(run, read_colonoscopy)
    settings = run.settings["polyp"]
    cohort = read_colonoscopy(run.data.folder)
    return Patches(prepare(run.data, settings, results), _frames(cohort, settings), run)


def proposer(run, _results):
    """Return what proposes candidates in new frames as in the test frames of a run; see `repro.detect`.

    The generator learns from all training subjects again. For the quick profile's 140 frames that takes 17 s on two
    cores, while the two forests would be a pickle of 35 MB, which runs what it contains.

    Parameters
    ----------
    run : repro.runs.Run
        Of `repro.runs.reopen`. Its data must be as they were.
    _results : path

    Returns
    -------
    callable
        From pixels, an ndarray of shape (height, width, 3), uint8, to a `repro.detect.Proposal`.
    """
    runs.require_data(run, read_colonoscopy)
    settings = run.settings["polyp"]
    subjects = {subject.name: subject for subject in read_colonoscopy(run.data.folder).subjects}
    train, _ = splits.split(subjects, settings["test_share"], settings["split_seed"])
    with tqdm(total=1, desc="candidate generator", unit="fit", leave=False, disable=None) as bar:
        detector = _fit_generator(subjects, train, settings)
        bar.update()
    return partial(_propose_views, detector, run)


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
        chosen = self.task.of(self.task.test_names)
        candidate, view, grid = _test_views(len(chosen), self.settings)
        return self._table(chosen[candidate], view, grid), candidate

    def _balanced(self, names, most):
        grid, chosen = ViewGrid(places=self.settings["train_places"]), self.task.of(names)
        candidate, view = draw_views(self.task.lesion[chosen] >= 0, len(grid), most, self.run.seed)
        return self._table(chosen[candidate], view, grid)

    def _table(self, candidate, view, grid):
        task, size = self.task, self.run.settings["network"]["input_size"]
        labels = (task.lesion[candidate] >= 0).astype(int)
        return PatchTable(self.frames, task.image[candidate], task.boxes[candidate], view, labels, grid, size)


def _frames(cohort, settings):
    images = tuple(image for subject in cohort.subjects for image in subject.images)
    return FrameCache(images, settings["frames_in_memory"])


def _test_views(number, settings):
    """List all test views of so many candidates: the candidate of each, its number in the grid, the grid."""
    grid = ViewGrid(tuple(settings["test_scales"]), settings["test_shift"], settings["test_orientations"])
    return np.repeat(np.arange(number), len(grid)), np.tile(np.arange(len(grid)), number), grid


def _propose_views(detector, run, pixels):
    """Propose candidates in one frame, with all their test views."""
    found = detector.propose(pixels, run.settings["polyp"]["candidates"])
    candidate, view, grid = _test_views(len(found.boxes), run.settings["polyp"])
    none = np.zeros(len(candidate), int)
    size = run.settings["network"]["input_size"]
    return Proposal(
        places=[dict(zip(("top", "left", "height", "width"), box, strict=True)) for box in found.boxes.tolist()],
        patches=PatchTable((pixels,), none, found.boxes[candidate], view, none, grid, size),
        candidate=candidate,
        rival=found.scores,
        overview=lambda number: (pixels, found.boxes[number]),
    )


def _fit_generator(subjects, learn, settings):
    return fit_detector(
        [subjects[name] for name in sorted(learn)],
        seed=settings["split_seed"],
        jobs=-1,
        most_frames=settings["generator_frames"],
        folds=settings["folds"],
    )


def _find_candidates(cohort, settings):
    subjects, seed = {subject.name: subject for subject in cohort.subjects}, settings["split_seed"]
    train, test = splits.split(subjects, settings["test_share"], seed)
    parts = [(part, set(train) - set(part)) for part in splits.folds(train, settings["folds"], seed)]
    found = {}
    for part, learn in tqdm([*parts, (test, set(train))], desc="candidates", unit="part", disable=None):
        detector = _fit_generator(subjects, learn, settings)
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
    return Task(
        subjects=tuple(names),
        is_test=np.isin(names, test),
        image_subject=np.repeat(np.arange(len(names)), [len(subject.images) for subject in cohort.subjects]),
        image_lesions=frame_lesions,
        image=np.repeat(np.arange(len(frames)), [len(hits) for _, hits, _ in frames]),
        lesion=number_lesions([hits for _, hits, _ in frames], frame_lesions),
        boxes=np.concatenate([candidates.boxes for candidates, _, _ in frames]),
        scores=np.concatenate([candidates.scores for candidates, _, _ in frames]),
    )
