"""A run: one network (or rival) trained on one subset by one arm with one seed. What it is, its name, its files.

A run writes `NAME.npz` (raw scores, never curves) and then `NAME.json` (everything that defines it, its history,
seconds, versions). The `.json` is written last and means done; both are written under a temporary name and renamed.
Its network is not kept: `repro.networks.trained` makes it again when it is wanted. Nothing here imports Keras: figures
are drawn again without a backend.
"""

import hashlib
import json
import os
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import numpy as np

from repro.evaluation.boundaries import Contours
from repro.evaluation.froc import Detections
from repro.files import replacing

RESULTS_VERSION = 2
"""Raised by hand when a change of the code moves numbers, so that results made before it are made again."""

KINDS = {kind.__name__: kind for kind in (Detections, Contours)}
"""What a run may save: frozen dataclasses of arrays with the names of their `subjects`."""


@dataclass(frozen=True)
class Data:
    """The images a run works on.

    Attributes
    ----------
    name : str
        As figures call it.
    folder : str
        Where it lies; does not define a run.
    fingerprint : str
        Hash of the content (`data_prep.readers.fingerprint`); does.
    """

    name: str
    folder: str
    fingerprint: str

    @property
    def place(self):
        """The folder, absolute, for who looks for it from elsewhere; empty where it is not known."""
        return str(Path(self.folder).absolute()) if self.folder else ""


@dataclass(frozen=True)
class Run:
    """Everything that defines a run.

    Attributes
    ----------
    application : str
        Name of the module of `repro.applications` that performs it.
    arm : str
        One of `repro.finetune.ARMS`, or "handcrafted".
    fraction : float
        Share of the training subjects, in (0, 1].
    seed : int
        Of split, patches and network.
    weights : str
        Source of the ImageNet weights (`repro.weights.SOURCES`); decides the network's variant for every arm.
    profile : str
        Name of the profile, for people; its values are in `settings`.
    settings : dict
        What `repro.profiles.Profile.settings` returns.
    data : Data
    """

    application: str
    arm: str
    fraction: float
    seed: int
    weights: str
    profile: str
    settings: dict
    data: Data

    @property
    def definition(self):
        """All that moves the result, as plain values."""
        return {
            "application": self.application,
            "arm": self.arm,
            "fraction": self.fraction,
            "seed": self.seed,
            "weights": self.weights,
            "profile": self.profile,
            "settings": self.settings,
            "data": {"name": self.data.name, "fingerprint": self.data.fingerprint},
            "results_version": RESULTS_VERSION,
        }

    @property
    def name(self):
        """File name: what a person wants to know, and a hash of the definition."""
        share = f"{self.fraction:.0%}".replace("%", "pct")
        words = (
            self.application,
            self.data.name,
            self.profile,
            self.weights,
            self.arm,
            share,
            f"seed{self.seed}",
        )
        return "_".join(_plain(word) for word in words) + f"_{digest(self.definition)}"


def digest(definition):
    """Return 10 hexadecimal digits that change with any value of a definition."""
    text = json.dumps(definition, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def path_of(run, results, suffix):
    """Return the path of one of a run's files; `suffix` is "json", "npz", "weights.npz" or "failed.json"."""
    return Path(results) / "runs" / f"{run.name}.{suffix}"


def is_done(run, results):
    """Tell whether both files of a run are there."""
    return path_of(run, results, "json").is_file() and path_of(run, results, "npz").is_file()


def missing(runs, results):
    """List the runs that are not done, each once, in their order."""
    unique = {run.name: run for run in runs}
    return [run for run in unique.values() if not is_done(run, results)]


def save(run, results, scores, record):
    """Write the two files of a run.

    Parameters
    ----------
    run : Run
    results : path
        Folder of all results; runs lie in its `runs`.
    scores : repro.evaluation.froc.Detections or repro.evaluation.boundaries.Contours
        What the arm said of the test set (`KINDS`).
    record : dict
        What else is worth keeping: history, seconds, versions, caveats, counts. Must go into JSON.
    """
    arrays = {field.name: np.asarray(getattr(scores, field.name)) for field in fields(scores)}
    write_atomically(path_of(run, results, "npz"), lambda file: np.savez(file, **arrays))
    # Not in the definition, but a run is reopened by it.
    said = {"definition": run.definition, "folder": run.data.place, "kind": type(scores).__name__}
    text = json.dumps(said | record, indent=1)
    write_atomically(path_of(run, results, "json"), lambda file: file.write(text.encode()))


def kept_epoch(history):
    """Return the epoch whose weights a network was left with.

    Parameters
    ----------
    history : dict
        A `repro.training.History` as plain values, as a run's record has it.

    Returns
    -------
    dict
        An entry of its `epochs`.
    """
    return history["epochs"][history["best_epoch"] - 1]


def save_failure(run, results, error, seconds):
    """Write down that a run failed.

    Parameters
    ----------
    run : Run
    results : path
    error : str
        Its type and text.
    seconds : float
        Until then; 0 where nobody was left to measure them.
    """
    when = datetime.now().astimezone().isoformat(timespec="seconds")
    said = {"definition": run.definition, "error": error, "when": when, "seconds": seconds}
    text = json.dumps(said, indent=1)
    write_atomically(path_of(run, results, "failed.json"), lambda file: file.write(text.encode()))


def load(run, results):
    """Read a run that is done.

    Returns
    -------
    scores : repro.evaluation.froc.Detections or repro.evaluation.boundaries.Contours
    record : dict
        The content of its `.json`.

    Raises
    ------
    FileNotFoundError
        The run is not done.
    """
    if not is_done(run, results):
        raise FileNotFoundError(f"This run is not done: {run.name}. Run the figure's script without --draw-only.")
    record = json.loads(path_of(run, results, "json").read_text())
    with np.load(path_of(run, results, "npz")) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    values["subjects"] = tuple(values["subjects"].tolist())
    # Polyp runs of version 0.1.0 did not write their kind.
    return KINDS[record.get("kind", "Detections")](**values), record


def list_done(application, results):
    """List the names of the runs of an application that are done, sorted."""
    found = (Path(results) / "runs").glob(f"{_plain(application)}_*.json")
    return sorted(path.stem for path in found if path.with_suffix(".npz").is_file())


def reopen(name, results, folder=None):
    """Make a run again from its record.

    Parameters
    ----------
    name : str
        The run's.
    results : path
    folder : path, optional
        Where its data lie now; by default where they lay then. `require_data` tells whether they are the same.

    Returns
    -------
    run : Run
    record : dict
        The content of its `.json`.

    Raises
    ------
    FileNotFoundError
        There is no such record.
    ValueError
        It is none, or another version of the code made it.
    """
    path = Path(results) / "runs" / f"{name}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        values = dict(record["definition"])
        version, data = values.pop("results_version"), values.pop("data")
        where = str(folder) if folder else record.get("folder", "")
        run = Run(**values, data=Data(data["name"], where, data["fingerprint"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected the record of a run. Received: {type(error).__name__}: {error}.") from error
    if run.name != name:
        raise ValueError(
            f"{path} is of another version of the code (results {version}, now {RESULTS_VERSION}), or its content or "
            "its name was changed. Perform the run again."
        )
    return run, record


def require_data(run, read):
    """Raise where a run's data are not in their folder as they were when it was performed.

    Parameters
    ----------
    run : Run
        Of `reopen`.
    read : callable
        The reader of its application, from a folder to a Cohort.

    Raises
    ------
    FileNotFoundError, ValueError
        Says where they were looked for, and what to do.
    """
    from data_prep.readers import fingerprint

    folder, asked = run.data.folder, f"Give the folder of {run.data.name} with --data FOLDER."
    if not folder:
        raise ValueError(f"The run's record does not say where its data lie: an earlier version wrote it. {asked}")
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: the run's data are no longer there. {asked}")
    found = fingerprint(folder, read)
    if found != run.data.fingerprint:
        raise ValueError(
            f"{folder}: expected the data that the run was made from, fingerprint {run.data.fingerprint}. "
            f"Received: {found}; files were changed, added or removed. {asked}"
        )


def write_atomically(path, write):
    """Write a file that appears complete or not at all, and is on the disk then.

    Parameters
    ----------
    path : pathlib.Path
    write : callable
        Takes the file, open for bytes.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    for left_behind in path.parent.glob(f"{path.name}.tmp*"):
        left_behind.unlink(missing_ok=True)


def _plain(word):
    return "".join(letter if letter.isalnum() or letter in "-+." else "-" for letter in word)
