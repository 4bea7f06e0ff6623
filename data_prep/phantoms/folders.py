"""Writing a phantom to disk: its folder appears complete or not at all, subjects are written in processes."""

import csv
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from joblib import Parallel, delayed


@contextmanager
def appearing(folder, parts):
    """Give a temporary folder to write into; it takes its name when all is written.

    Parameters
    ----------
    folder : path-like
        Must not exist yet, or be empty. What is written goes to a temporary folder beside it
        (`.NAME.partial-...`, left behind by a kill), which is renamed at the end, and removed after an error.
    parts : sequence of str
        The sub-folders made in it.

    Yields
    ------
    pathlib.Path
        The temporary folder.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    """
    folder = Path(folder).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"Expected a new or an empty folder. Received: {folder}. Remove it or name another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partly = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        for part in parts:
            (partly / part).mkdir()
        yield partly
        os.chmod(partly, 0o755)
        os.replace(partly, folder)
    finally:
        shutil.rmtree(partly, ignore_errors=True)


def write_subjects(write_one, number, progress=None, jobs=1):
    """Write subject after subject, one job each.

    Parameters
    ----------
    write_one : callable
        From the subject's number, from 0, to rows of a table. Must pickle.
    number : int
        Of subjects.
    progress : callable, optional
        Called after each with the subjects written and their number.
    jobs : int
        Processes, as joblib counts them.

    Returns
    -------
    list
        The rows of all, in order.
    """
    rows = []
    work = map(delayed(write_one), range(number))
    for done, written in enumerate(Parallel(n_jobs=jobs, return_as="generator")(work), start=1):
        rows += written
        if progress:
            progress(done, number)
    return rows


def write_about(folder, phantom, name, caveat):
    """Write `phantom.json`: what the readers call it, what must be said of it, and its settings."""
    about = {"name": name, "caveat": caveat} | asdict(phantom)
    (folder / "phantom.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def write_table(path, header, rows):
    """Write a table as CSV, with the same line ends everywhere."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
