"""A seeded digital phantom of CT pulmonary angiography with every embolus labelled.

A patient is one chest (`ctpa_body`, `ctpa_bones`, `ctpa_chest`), its vessels and airways (`ctpa_trees`), emboli
(`ctpa_emboli`), the time of the scan after the injection, and a scanner (`ctpa_scanner`). Everything is defined in
millimetres of the patient and computed for the wanted window only: a crop around the hila shows the anatomy that the
whole chest has there. Emboli and noise belong to a scan: they follow from the window too.

Processor seconds a patient with files: 1.6 for 100 x 200 x 200 voxels, .85 for 48 x 96 x 96, 14 for 250 x 512 x 512,
which takes 1.6 GB at most.
"""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from data_prep.cohort import Cohort, Subject, Volume
from data_prep.phantoms import ctpa_scanner as scanning
from data_prep.phantoms.ctpa_body import draw_body, find_lungs
from data_prep.phantoms.ctpa_emboli import place
from data_prep.phantoms.ctpa_scene import compose, cut_trees
from data_prep.phantoms.ctpa_trees import grow_lung_trees
from data_prep.phantoms.ctpa_tubes import Grid, paint
from data_prep.phantoms.folders import appearing, write_about, write_subjects, write_table

NAME = "CT angiography phantom"
CAVEAT = "phantom: simulated chests and emboli, not patients; no clinical claim follows from these numbers"


def _stream(phantom, patient, part):
    """Start one of a patient's streams of random numbers."""
    return np.random.default_rng([phantom.seed, patient, part])


@lru_cache(maxsize=4)
def _body(seed, patient):
    """Draw a patient's body."""
    return draw_body(np.random.default_rng([seed, patient, 0]))


@lru_cache(maxsize=4)
def _anatomy(seed, patient):
    """Grow a patient, whatever is scanned of it: body, lungs, trees."""
    body = _body(seed, patient)
    lungs = find_lungs(body)
    return body, lungs, grow_lung_trees(np.random.default_rng([seed, patient, 1]), lungs)


def find_grid(phantom, patient):
    """Choose the window of a patient's scan.

    Returns
    -------
    Grid
    """
    rng = _stream(phantom, patient, 2)
    body = _body(phantom.seed, patient)
    size = np.array(phantom.size)
    if phantom.region == "chest":
        wide = 2 * (160 * body.scale[2] + 0.9 * body.fat_mm) * rng.uniform(1.0, 1.06)
        spacing = np.array([290 * body.scale[0] / size[0], wide / size[2], wide / size[2]])
        middle = np.array([-45, 8, 0]) * body.scale
    else:
        spacing = np.r_[rng.uniform(0.5, 1.5), np.full(2, rng.uniform(0.66, 0.8))]
        aside = {"hila": 2, "right": -50, "left": 54}[phantom.region]
        middle = np.array([-38, 18, aside]) * body.scale + rng.normal(0, [6, 4, 4])
    origin = middle - (size - 1) / 2 * spacing
    return Grid(tuple(phantom.size), tuple(spacing.tolist()), tuple(origin.tolist()))


def render_volume(phantom, patient):
    """Render one patient.

    Parameters
    ----------
    phantom : CtpaPhantom
    patient : int
        From 0.

    Returns
    -------
    voxels : ndarray of shape `phantom.size`, int16
        HU; slices from feet to head, rows from front to back, columns from the patient's right to the left.
    truth : ndarray of shape `phantom.size`, int32
        0, or k for the voxels of embolus k, from 1.
    to_patient : ndarray of shape (3, 4), float64
        From (slice, row, column, 1) to x (left), y (back), z (head) in mm.
    """
    grid = find_grid(phantom, patient)
    body, lungs, trees = _anatomy(phantom.seed, patient)
    trees = cut_trees(trees, grid)
    lumen = paint(*trees["artery"].tubes, grid)
    clots, truth = place(_stream(phantom, patient, 3), trees["artery"], grid, phantom.difficulty, lumen)
    scanner = scanning.draw_scanner(_stream(phantom, patient, 4), phantom.difficulty)
    rng = _stream(phantom, patient, 7)
    hu = compose(rng, (body, lungs, trees), (lumen, clots), (scanner, grid), phantom.difficulty)
    del lumen, clots
    order = scanning.draw_steps(_stream(phantom, patient, 5), len(hu), grid.spacing_mm[0], phantom.difficulty)
    if (order != np.arange(len(hu))).any():
        hu, truth = hu[order], _renumber(truth[order])
    voxels = scanning.expose(_stream(phantom, patient, 6), scanner, hu, grid)
    return voxels, truth, _to_patient(grid)


def _renumber(truth):
    """Count emboli from 1 again after breathing has hidden some."""
    numbers = np.unique(truth)
    table = np.zeros(numbers.max() + 1, np.int32)
    table[numbers[numbers > 0]] = np.arange(1, (numbers > 0).sum() + 1)
    return table[truth]


def _to_patient(grid):
    """Write a grid's place as a matrix from (slice, row, column, 1) to x, y, z."""
    matrix = np.zeros((3, 4))
    for axis in range(3):
        matrix[2 - axis, axis] = grid.spacing_mm[axis]
        matrix[2 - axis, 3] = grid.origin_mm[axis]
    return matrix


def _part(phantom, patient, part):
    """Render a patient and give its voxels (0) or its truth (1)."""
    return render_volume(phantom, patient)[part]


def cohort(phantom):
    """Present a phantom as a cohort whose volumes are rendered when they are read.

    Parameters
    ----------
    phantom : CtpaPhantom

    Returns
    -------
    Cohort
        One subject a patient, with one `Volume`. To read a volume more than once, `write` them and read the folder.
    """
    subjects = []
    for patient in range(phantom.num_patients):
        name = f"p{patient:02d}"
        voxels, truth = (partial(_part, phantom, patient, part) for part in (0, 1))
        to_patient = tuple(map(tuple, _to_patient(find_grid(phantom, patient)).tolist()))
        subjects.append(Subject(name, (Volume(name, voxels, truth, to_patient),)))
    return Cohort(NAME, tuple(subjects), (CAVEAT,))


def write(phantom, folder, progress=None, jobs=1):
    """Write a phantom as `volumes/NAME.npz`, `labels/NAME.npz`, `subjects.csv` and `phantom.json`.

    Parameters
    ----------
    phantom : CtpaPhantom
    folder : path-like
        Must not exist yet, or be empty. It appears complete or not at all (`data_prep.phantoms.folders`).
    progress : callable, optional
        Called after each patient with the patients written and their total.
    jobs : int
        Processes, as joblib counts them.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    """
    with appearing(folder, ("volumes", "labels")) as partly:
        rows = write_subjects(partial(_write_patient, phantom, partly), phantom.num_patients, progress, jobs)
        write_table(partly / "subjects.csv", ["volume", "subject"], rows)
        write_about(partly, phantom, NAME, CAVEAT)
    return Path(folder).absolute()


def _write_patient(phantom, folder, patient):
    """Write one patient's volume and labels; return its line of `subjects.csv`."""
    name = f"p{patient:02d}"
    voxels, truth, to_patient = render_volume(phantom, patient)
    np.savez(folder / "volumes" / f"{name}.npz", voxels=voxels, to_patient=to_patient)  # noise does not compress
    np.savez_compressed(folder / "labels" / f"{name}.npz", labels=truth.astype(np.uint16))
    return [(name, name)]
