"""Pulmonary embolism in CT: cohort -> candidates -> vessel-aligned views -> network -> scores (PAPER section 2).

Candidates come from tobogganing, which learns nothing, so that all patients' are found in one way. All arms classify
the same candidates; the handcrafted rival does so by features and a multi-instance classifier.
"""

from functools import partial

import numpy as np

from data_prep import splits
from data_prep.kept_patches import keep
from data_prep.readers import read_ctpa
from data_prep.vessel_patches import VesselGrid, VesselTable
from repro import runs
from repro.applications.embolism_candidates import PAPER_GRID, look, prepare
from repro.applications.sites import draw_views
from repro.detect import Proposal
from repro.finetune import HANDCRAFTED
from repro.handcrafted.multi_instance import FOLDS, fit

__all__ = ["patches", "perform", "prepare", "proposer"]

PATIENTS, EMBOLI = "patients", "emboli"
"""What a smaller training set may have less of."""


def perform(run, results):
    """Train one network, or the rival, and score the test candidates.

    Parameters
    ----------
    run : repro.runs.Run
    results : path

    Returns
    -------
    detections : repro.evaluation.froc.Detections
        Of the test patients.
    record : dict
        History, caveats and the counts of what was trained and tested.
    """
    task = prepare(run.data, run.settings["embolism"], results)
    kept = np.concatenate(reduce(task, run))
    emboli = np.unique(task.lesion[kept][task.lesion[kept] >= 0])
    record = {
        "caveats": list(task.caveats),
        "counts": task.counts("volumes", "emboli"),
        "trained": {"patients": len(np.unique(task.subject[kept])), "emboli": len(emboli)},
    }
    if run.arm == HANDCRAFTED:
        scores = train_rival(task, kept, run.seed).score(task.features[task.of(task.test_names)])
        return task.detections(scores), record
    # Imported late: a rival, and a figure that reads the counts, need no backend.
    from repro.networks import classify

    return task.detections(classify(run, Patches(task, run), record)), record


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
    return Patches(_task_again(run, results), run)


def proposer(run, results):
    """Return what proposes candidates in new volumes as in the test volumes of a run; see `repro.detect`.

    Tobogganing learns nothing, so that only a run of the rival needs the data that it learnt from.

    Parameters
    ----------
    run : repro.runs.Run
        Of `repro.runs.reopen`.
    results : path

    Returns
    -------
    callable
        From a `data_prep.cohort.Volume` to a `repro.detect.Proposal`.
    """
    judge = None
    if run.arm == HANDCRAFTED:
        task = _task_again(run, results)
        judge = train_rival(task, np.concatenate(reduce(task, run)), run.seed)
    return partial(_propose, judge, run)


def reduce(task, run):
    """Take the candidates that a run trains and validates with.

    With fewer patients, whole patients are left out; with fewer emboli, as in the paper, the candidates on some emboli,
    of every patient at random, and at least one embolus stays on each side.

    Parameters
    ----------
    task : Task
    run : repro.runs.Run

    Returns
    -------
    learn, validate : ndarray of int
        Numbers of candidates. For one seed a smaller fraction keeps a part of what a larger one keeps.
    """
    settings, names = run.settings["embolism"], task.train_names
    if settings["reduce"] not in (PATIENTS, EMBOLI):
        raise ValueError(f"embolism.reduce must be {PATIENTS!r} or {EMBOLI!r}. Received: {settings['reduce']!r}.")
    if settings["reduce"] == PATIENTS:
        names = splits.fraction(names, run.fraction, run.seed)
    sides = splits.split(names, settings["validation_share"], run.seed)
    splits.check_disjoint(training=sides[0], validation=sides[1], test=task.test_names)
    chosen = [task.of(side) for side in sides]
    if settings["reduce"] == EMBOLI:
        chosen = [_thin_emboli(task, side, run) for side in chosen]
    return chosen


def train_rival(task, chosen, seed):
    """Train the handcrafted rival on some candidates; those that validate a network teach it too."""
    lesion, patient = task.lesion[chosen], np.asarray(task.subjects)[task.subject[chosen]]
    folds = min(FOLDS, len(np.unique(patient[lesion >= 0])))
    return fit(task.features[chosen], lesion, patient, seed, folds)


class Patches:
    """The patch tables of one run."""

    caveats = ()

    def __init__(self, task, run):
        self.task, self.run, self.settings = task, run, run.settings["embolism"]

    def training(self):
        """Return balanced patches of the training and of the validation patients, of all the paper's views."""
        sides = zip(reduce(self.task, self.run), ("train_patches", "validation_patches"), strict=True)
        return tuple(self._keep(self._balanced(chosen, self.settings[most])) for chosen, most in sides)

    def testing(self):
        """Return all test views and the candidate, from 0, that each shows."""
        chosen = self.task.of(self.task.test_names)
        labels = (self.task.lesion[chosen] >= 0).astype(int)
        table, candidate = all_views(self.task.crops, chosen, labels, self.run)
        return self._keep(table), candidate

    def _keep(self, table):
        return keep(table, self.settings["memory_mb"] << 20)

    def _balanced(self, chosen, most):
        task, run = self.task, self.run
        candidate, view = draw_views(task.lesion[chosen] >= 0, len(PAPER_GRID), most, run.seed)
        labels = (task.lesion[chosen[candidate]] >= 0).astype(int)
        return _table(task.crops, chosen[candidate], view, labels, PAPER_GRID, run)


def all_views(crops, chosen, labels, run):
    """List all test views of some candidates.

    Parameters
    ----------
    crops : data_prep.vessel_patches.Crops
    chosen, labels : ndarray of shape (n,), int
        Candidates, and the class of each.
    run : repro.runs.Run

    Returns
    -------
    table : data_prep.vessel_patches.VesselTable
    candidate : ndarray of int
        Which of the n each view shows.
    """
    settings = run.settings["embolism"]
    grid = VesselGrid(
        tuple(settings["test_widths_mm"]),
        settings["test_shift"],
        settings["test_translations"],
        settings["test_rotations"],
    )
    candidate = np.repeat(np.arange(len(chosen)), len(grid))
    view = np.tile(np.arange(len(grid)), len(chosen))
    return _table(crops, chosen[candidate], view, labels[candidate], grid, run), candidate


def _task_again(run, results):
    runs.require_data(run, read_ctpa)
    return prepare(run.data, run.settings["embolism"], results)


def _propose(judge, run, volume):
    """Propose candidates in one volume, with all their test views."""
    settings, voxels = run.settings["embolism"], volume.read_voxels()
    sight = look(voxels, volume.spacing_mm, settings["candidates"])
    number = len(sight.points)
    table, candidate = all_views(sight.crops, np.arange(number), np.zeros(number, int), run)
    columns = ("x_mm", "y_mm", "z_mm", "slice", "row", "column")
    places = np.column_stack([volume.locate(sight.points), sight.points])
    return Proposal(
        places=[dict(zip(columns, place, strict=True)) for place in places.tolist()],
        patches=table,
        candidate=candidate,
        rival=judge.score(sight.features) if judge else None,
        overview=partial(_overview, voxels, volume.spacing_mm, sight.points, settings["window_hu"]),
    )


def _overview(voxels, spacing_mm, points, window_hu, number):
    """Show the axial slice of a candidate, and the square about it that its widest views cover."""
    level, row, column = points[number]
    low, high = window_hu
    grey = np.clip((voxels[round(float(level))].astype(float) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    height, width = max(PAPER_GRID.widths_mm) / np.asarray(spacing_mm[1:])
    return np.repeat(grey[..., None], 3, axis=2), (row - height / 2, column - width / 2, height, width)


def _table(crops, candidate, view, labels, grid, run):
    size, window_hu = run.settings["network"]["input_size"], tuple(run.settings["embolism"]["window_hu"])
    return VesselTable(crops, candidate, view, labels, grid, size, window_hu)


def _thin_emboli(task, chosen, run):
    """Leave out the candidates on all but a share of the emboli."""
    lesion = task.lesion[chosen]
    emboli = np.random.default_rng(run.seed).permutation(np.unique(lesion[lesion >= 0]))
    kept = emboli[: max(1, round(run.fraction * len(emboli)))]
    return chosen[(lesion < 0) | np.isin(lesion, kept)]
