"""From a user's own images to candidates: polyps in frames or a video, emboli in CT volumes; no truth is needed.

The network is that of a run that is done (`repro.networks.trained`). An application takes part by two functions, both
called with the run and the folder of results: `patches`, what its network is trained with again, and `proposer`, which
returns a callable from one image to a `Proposal`. Images are taken one at a time.
"""

import csv
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from repro import detect_sheet, runs
from repro.files import replacing
from repro.finetune import HANDCRAFTED, label


@dataclass(frozen=True)
class Kind:
    """What can be detected.

    Attributes
    ----------
    application : str
        Module of `repro.applications`.
    columns : tuple of str
        Where a candidate lies, as the csv calls it.
    about : str
        What these columns mean.
    channels : tuple of tuple of int
        Rows of the picture of a candidate's views: which channels of a view are shown as red, green and blue.
    """

    application: str
    columns: tuple[str, ...]
    about: str
    channels: tuple[tuple[int, int, int], ...]


KINDS = {
    "polyp": Kind(
        application="polyp",
        columns=("top", "left", "height", "width"),
        about="top, left, height, width: box in pixels, 0 at the frame's upper left corner; may leave the frame.",
        channels=((0, 1, 2),),
    ),
    "pe": Kind(
        application="embolism",
        columns=("x_mm", "y_mm", "z_mm", "slice", "row", "column"),
        about=(
            "x_mm, y_mm, z_mm: patient coordinates of DICOM, to the left, to the back, to the head. "
            "slice, row, column: voxels from 0, from the feet, the front, the right."
        ),
        channels=((0, 0, 0), (1, 1, 1)),
    ),
}

MOST_AT_ONCE = 100
"""Views in a batch."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """The candidates of one image.

    Attributes
    ----------
    places : list of dict of str to float
        Where each of the n candidates lies: the columns of its `Kind`.
    patches : object
        Table of all test views of all candidates: `len(patches)` and `cut(rows)`, as `data_prep.patches.PatchTable`.
    candidate : ndarray of shape (len(patches),), int
        The candidate, from 0, that each patch shows.
    rival : ndarray of shape (n,) or None
        Scores of the handcrafted rival; needed by runs of that arm.
    overview : callable
        From a candidate's number to a picture of where it lies, an ndarray of shape (height, width, 3), uint8, and its
        box there: top, left, height, width in pixels.
    """

    places: list
    patches: object
    candidate: np.ndarray
    rival: np.ndarray | None
    overview: Callable


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    run : str
        Name of a run that is done, or the path of its `.json`; empty to be told which there are.
    results : path
        Folder of results in which a run given by its name lies.
    out : path
        Folder of `detections.csv` and `detections.png`.
    data : path, optional
        Where the run's data lie now.
    least : float
        Candidates of a lower probability are left out.
    top : int
        The picture shows so many candidates at most.
    """

    kind: str
    run: str
    results: Path
    out: Path
    data: Path | None = None
    least: float = 0.0
    top: int = 12


def detect(request, images):
    """Find candidates in images, and write them as a table and as a picture.

    Parameters
    ----------
    request : Request
    images : iterable of (str, callable)
        Of `repro.detect_images`: names, and what reads the image as the application's proposer takes it. What cannot
        be read raises ValueError or OSError; the others are done.

    Returns
    -------
    table, picture : pathlib.Path
    failed : list of str
        What was wrong with each image that could not be used.
    """
    kind = KINDS[request.kind]
    run, record, results = _open_run(request)
    application = importlib.import_module(f"repro.applications.{kind.application}")
    propose = application.proposer(run, results)
    score, caveats = _scorer(run, results, record, application)
    notes = _notes(run, record, kind, caveats)
    best = detect_sheet.Best(request.top, request.least, kind.channels)
    table, picture = (Path(request.out) / f"detections.{ending}" for ending in ("csv", "png"))
    with replacing(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in notes)
        rows = csv.DictWriter(file, ["image", "rank", *kind.columns, "probability"], lineterminator="\n")
        rows.writeheader()
        failed = _write_rows(file, rows, images, (propose, score), best)
    detect_sheet.save(picture, best.shown, notes)
    return table, picture, failed


def _write_rows(file, rows, images, judge, best):
    """Write a row for each candidate that is probable enough, and offer it to the best; return what was wrong."""
    (propose, score), failed = judge, []
    for name, read in tqdm(images, desc="images", unit="image", disable=None):
        try:
            proposal = propose(read())
        except (ValueError, OSError) as error:
            failed.append(f"{name}: " + " ".join(str(error).split()))
            file.write(f"# not used: {failed[-1]}\n")
            continue
        probabilities = np.asarray(score(proposal), float)
        for rank, number in enumerate(best.offer(name, proposal, probabilities), start=1):
            place = {column: round(value, 2) for column, value in proposal.places[number].items()}
            rows.writerow({"image": name, "rank": rank, **place, "probability": f"{probabilities[number]:.6f}"})
        del proposal  # it may hold a volume, and the next one is about to be read
    return failed


def _open_run(request):
    """Return the run that is asked for, its record and its folder of results."""
    kind, path, results = KINDS[request.kind], Path(request.run), Path(request.results)
    if path.suffix == ".json":
        if not (path.is_file() and path.parent.name == "runs"):
            raise FileNotFoundError(f"{path}: expected the record of a run, in a folder of results: .../runs/NAME.json")
        name, results = path.stem, path.parent.parent
    else:
        name = request.run
    if name not in runs.list_done(kind.application, results):
        received = f"Received: {name}." if name else "Received none."
        raise ValueError(f"--run names a run of {kind.application} that is done. {received} {_known(kind, results)}")
    return *runs.reopen(name, results, request.data), results


def _known(kind, results):
    names = runs.list_done(kind.application, results)
    if not names:
        return f"No run of {kind.application} is done in {results}: draw its figure first, or give another --results."
    return "\n  ".join([f"Done in {results}:", *names])


def _scorer(run, results, record, application):
    """Return what scores the candidates of a proposal, and its caveats."""
    if run.arm == HANDCRAFTED:
        return lambda proposal: proposal.rival, []
    # Imported late: a user's mistakes are told before a backend starts, and the rival needs none.
    from repro.inference import candidate_scores
    from repro.networks import trained

    model, caveats = trained(run, results, record["history"], partial(application.patches, run, results))

    def score(proposal):
        # Batches are filled up: 100 for a frame's 30 views took 3 to 5 times as long. A few sizes are a few traces.
        size = min(MOST_AT_ONCE, 1 << max(len(proposal.patches) - 1, 0).bit_length())
        return candidate_scores(model, proposal.patches, proposal.candidate, size)

    return score, caveats


def _notes(run, record, kind, caveats):
    """Say where the numbers come from: the lines that open the table and stand below the picture."""
    train = ", ".join(f"{number} {what}" for what, number in record["counts"]["train"].items())
    smoke = " Profile smoke: FOR TESTS ONLY, NO RESULT." if run.profile.startswith("smoke") else ""
    return [
        f"NOT FOR CLINICAL USE.{smoke}",
        f"Run {run.name}: {label(run.arm)}, trained on {run.fraction:.0%} of the training side of {run.data.name} "
        f"({train}; fingerprint of the data {run.data.fingerprint}).",
        "probability: mean over a candidate's views, as the run's test candidates were scored; not calibrated.",
        kind.about,
        *dict.fromkeys([*record["caveats"], *caveats]),
    ]
