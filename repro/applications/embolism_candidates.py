"""The candidates of CT volumes: each volume is looked at once, and what its patches need is kept in a file.

Only `repro.applications.embolism` and its scripts use this.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from data_prep import splits
from data_prep.candidates import tobogganing
from data_prep.readers import read_ctpa
from data_prep.vessel_patches import Crops, VesselGrid, cut_crops, find_axes, join
from repro import runs
from repro.applications.sites import Sites, number_lesions
from repro.files import replacing
from repro.handcrafted import embolism as rival

TASK_VERSION = 1
"""Raised by hand when a change of the code moves candidates, views or features, so that they are made again."""

PAPER_GRID = VesselGrid()
"""The views of training: 3 sizes x 3 translations x 5 rotations (PAPER section 2)."""

NO_VOXELS = np.empty(0, np.int16)


@dataclass(frozen=True, eq=False)
class Task(Sites):
    """What all arms of a data set share: the split, and every volume's candidates.

    Attributes
    ----------
    caveats : tuple of str
        The cohort's.
    features : ndarray of shape (n, features), float32
        For the handcrafted rival.
    crops : data_prep.vessel_patches.Crops
        The voxels around each candidate, mapped from a file.
    """

    caveats: tuple[str, ...]
    features: np.ndarray
    crops: Crops


@dataclass(frozen=True, eq=False)
class Sight:
    """What is seen of one volume: candidates, their features and the voxels around them."""

    points: np.ndarray
    features: np.ndarray
    crops: Crops


def prepare(data, settings, results):
    """Split a data set and find its candidates, or load what was found before.

    Parameters
    ----------
    data : repro.runs.Data
    settings : dict
        The "embolism" part of a run's settings.
    results : path
        The task is kept in its folder `tasks`: a `.npz`, and the voxels in a `.voxels` beside it.

    Returns
    -------
    Task
    """
    keys = ("test_share", "split_seed", "candidates", "hit_mm")
    definition = {"data": data.fingerprint, "task_version": TASK_VERSION} | {key: settings[key] for key in keys}
    stem = f"embolism_{data.name}_{runs.digest(definition)}".replace(" ", "-")
    path = Path(results) / "tasks" / f"{stem}.npz"
    if not path.is_file():
        _find_candidates(read_ctpa(data.folder), settings, path)
    return _load(path)


def look(voxels, spacing_mm, most):
    """Find the candidates of one volume, and all that is needed to score them.

    Parameters
    ----------
    voxels : ndarray of shape (slices, rows, columns), int16
        Hounsfield units.
    spacing_mm : tuple of float
    most : int
        Candidates.

    Returns
    -------
    Sight
    """
    found = tobogganing.propose(voxels, spacing_mm, most)
    axes = find_axes(voxels, spacing_mm, found.points, found.regions)
    return Sight(
        points=found.points,
        features=rival.describe(voxels, spacing_mm, found, axes),
        crops=cut_crops(voxels, spacing_mm, found.points, axes, PAPER_GRID.reach_mm),
    )


def _find_candidates(cohort, settings, path):
    """Look at all volumes and write what was seen; voxels go to their file volume by volume, not into memory."""
    names = [subject.name for subject in cohort.subjects]
    _, test = splits.train_test(cohort, settings["test_share"], settings["split_seed"])
    volumes = [volume for subject in cohort.subjects for volume in subject.images]
    seen = _examine_all(volumes, settings, path.with_suffix(".voxels"))
    image_lesions = np.array([len(emboli) for _, _, emboli in seen])
    hits = [np.where(hit < 0, -1, np.searchsorted(emboli, hit)) for _, hit, emboli in seen]
    if not sum(map(len, hits)):
        raise ValueError(f"{cohort.name}: no candidate in {len(volumes)} volumes. Are they CT angiograms, in HU?")
    arrays = {
        "subjects": np.array(names),
        "caveats": np.array(cohort.caveats, str),
        "is_test": np.isin(names, test),
        "image_subject": np.repeat(np.arange(len(names)), [len(subject.images) for subject in cohort.subjects]),
        "image_lesions": image_lesions,
        "image": np.repeat(np.arange(len(seen)), [len(hit) for hit in hits]),
        "lesion": number_lesions(hits, image_lesions),
        "features": np.concatenate([sight.features for sight, _, _ in seen]),
    }
    crops = join([sight.crops for sight, _, _ in seen])
    arrays |= {f"crops_{field.name}": getattr(crops, field.name) for field in fields(Crops) if field.name != "voxels"}
    runs.write_atomically(path, lambda file: np.savez(file, **arrays))


def _load(path):
    with np.load(path) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    parts = {field.name: values.pop(f"crops_{field.name}") for field in fields(Crops) if field.name != "voxels"}
    crops = Crops(np.memmap(path.with_suffix(".voxels"), np.int16, "r"), **parts)
    words = {name: tuple(values[name].tolist()) for name in ("subjects", "caveats")}
    return Task(**values | words | {"crops": crops})


def _examine_all(volumes, settings, path):
    """Examine volumes in processes and write the voxels of their crops; return the rest of what was seen."""
    seen, written = [], 0
    work = (delayed(_examine)(volume, settings) for volume in volumes)
    found = Parallel(n_jobs=-1, return_as="generator")(work)
    with replacing(path) as temporary, temporary.open("wb") as file:
        for sight, hit, emboli in tqdm(found, "candidates", len(volumes), unit="volume", disable=None):
            file.write(sight.crops.voxels.tobytes())
            moved = replace(sight.crops, voxels=NO_VOXELS, start=sight.crops.start + written)
            written += sight.crops.voxels.size
            seen.append((replace(sight, crops=moved), hit, emboli))
    return seen


def _examine(volume, settings):
    """Look at a volume; return with what was seen the embolus that each candidate hits, and all its emboli."""
    sight = look(volume.read_voxels(), volume.spacing_mm, settings["candidates"])
    truth = volume.read_truth()
    emboli = np.unique(truth)
    hit = tobogganing.hit(sight.points, truth, volume.spacing_mm, settings["hit_mm"])
    return sight, hit, emboli[emboli > 0]
