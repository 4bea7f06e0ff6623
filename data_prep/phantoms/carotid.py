"""A seeded digital phantom of carotid ultrasound with exact lumen-intima and media-adventitia interfaces.

A patient is one neck and one scanner. `carotid_tissue` grows the layers, which move as the artery swells,
`carotid_scatterers` fills them, and `carotid_scanner` turns the scatterers into a B-mode frame. The truth is the
geometry: where LI and MA lie in the tissue. Everything follows from the seed, the patient's number and the frame's.
"""

from functools import lru_cache, partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from data_prep.cohort import Cohort, Scan, Subject
from data_prep.phantoms.carotid_scanner import EDGE_MM, View, draw_probe, image
from data_prep.phantoms.carotid_scatterers import fill, place
from data_prep.phantoms.carotid_tissue import LI, MA, boundaries_at, distension, draw_anatomy
from data_prep.phantoms.folders import appearing, write_about, write_subjects, write_table
from data_prep.phantoms.settings import ROI_HEIGHT, ROI_MARGIN, ROI_WIDTH

NAME = "Carotid ultrasound phantom"
CAVEAT = "phantom: simulated speckle, not patients; no clinical claim follows from these numbers"
ROIS = 3
PIXEL_MM = 0.05, 0.08


@lru_cache(maxsize=2)
def _geometry(phantom, patient):
    """Grow one patient's artery and choose the scanner's pixels: anatomy, view."""
    streams = [np.random.default_rng([phantom.seed, patient, part]) for part in range(2)]
    anatomy = draw_anatomy(streams[0], phantom.difficulty)
    pixel_mm = streams[1].uniform(*PIXEL_MM)
    wall_mm = boundaries_at(anatomy, np.zeros(1))[MA, 0]
    room = ROI_HEIGHT / phantom.height
    highest = wall_mm / (phantom.height * pixel_mm)  # the image begins below the skin
    share = np.clip(min(streams[1].uniform(0.55, 0.8), highest), room, 1 - room)
    return anatomy, View(wall_mm - share * phantom.height * pixel_mm, pixel_mm, phantom.height, phantom.width)


@lru_cache(maxsize=2)
def _scene(phantom, patient):
    """Fill one patient's tissue and set the scanner: scatterers, probe; kept for the frames that follow."""
    streams = [np.random.default_rng([phantom.seed, patient, part]) for part in (2, 3)]
    anatomy, view = _geometry(phantom, patient)
    around = EDGE_MM + 1  # tissue that the pulse may bring into the image
    depths_mm = max(0, view.top_mm - around), view.top_mm + view.height * view.mm_per_pixel + around
    reach_mm = view.columns_mm[-1] + around
    scatterers = fill(streams[0], anatomy, depths_mm, reach_mm, phantom.difficulty)
    wall_mm = boundaries_at(anatomy, np.zeros(1))[MA, 0]
    return scatterers, draw_probe(streams[1], wall_mm, phantom.difficulty)


def truth(phantom, patient, frame):
    """Compute the interfaces of a frame and its ROIs, without rendering it.

    Returns
    -------
    interfaces, mm_per_pixel, rois
        As `render_frame` gives them.
    """
    anatomy, view = _geometry(phantom, patient)
    depths = boundaries_at(anatomy, view.columns_mm, distension(frame / phantom.frames_per_patient))
    interfaces = (depths[[LI, MA]] - view.top_mm) / view.mm_per_pixel
    rois = [
        _roi(np.random.default_rng([phantom.seed, patient, 4, k]), interfaces, view, k)
        for k in range(ROIS)
        if k % phantom.frames_per_patient == frame
    ]
    return interfaces, view.mm_per_pixel, tuple(rois)


def _roi(rng, interfaces, view, number):
    """Place one ROI: in its third of the wall, and so high or low that its rows do not tell the interfaces'."""
    room = view.width - ROI_WIDTH
    wanted = room * (number + rng.uniform(0.1, 0.9)) / ROIS
    windows = np.lib.stride_tricks.sliding_window_view(interfaces, ROI_WIDTH, axis=1)
    lowest = np.ceil(windows[1].max(axis=1)) + ROI_MARGIN - (ROI_HEIGHT - 1)
    highest = np.floor(windows[0].min(axis=1)) - ROI_MARGIN
    slack = highest - lowest  # where none fits with its whole margin, the one that comes closest
    left = min(np.flatnonzero(slack >= min(slack.max(), 0)), key=lambda left: abs(left - wanted))
    low, high = max(lowest[left], 0), min(highest[left], view.height - ROI_HEIGHT)
    top = rng.integers(min(low, high), max(low, high) + 1)
    return int(np.clip(top, 0, view.height - ROI_HEIGHT)), int(left), ROI_HEIGHT, ROI_WIDTH


def render_frame(phantom, patient, frame):
    """Render one frame.

    Parameters
    ----------
    phantom : CarotidPhantom
    patient, frame : int
        From 0.

    Returns
    -------
    pixels : ndarray of shape (height, width), uint8
        Grey.
    interfaces : ndarray of shape (2, width), float64
        Rows of LI and MA, 0 at the centre of the top row.
    mm_per_pixel : float
    rois : tuple of tuple of int
        Top, left, height, width of the ROIs that lie in this frame; a patient has three.
    """
    anatomy, view = _geometry(phantom, patient)
    scatterers, probe = _scene(phantom, patient)
    swelling = distension(frame / phantom.frames_per_patient)
    placed = (*place(anatomy, scatterers, swelling), scatterers.strength)
    rng = np.random.default_rng([phantom.seed, patient, 5, frame])
    return image(rng, probe, view, anatomy, placed, swelling), *truth(phantom, patient, frame)


def _part(phantom, patient, frame, part):
    """Render a frame and give its pixels (0), or find its interfaces (1)."""
    return truth(phantom, patient, frame)[0] if part else render_frame(phantom, patient, frame)[0]


def frame_name(patient, frame):
    """Name a frame as `write` does: p03_f1."""
    return f"p{patient:02d}_f{frame}"


def cohort(phantom):
    """Present a phantom as a cohort whose frames are rendered when they are read.

    Parameters
    ----------
    phantom : CarotidPhantom

    Returns
    -------
    Cohort
        One subject a patient, its images `Scan`s. To read frames more than once, `write` them and read the folder.
    """
    subjects = []
    for patient in range(phantom.num_patients):
        scans = []
        for frame in range(phantom.frames_per_patient):
            pixels, interfaces = (partial(_part, phantom, patient, frame, part) for part in (0, 1))
            scans.append(Scan(frame_name(patient, frame), pixels, interfaces, *truth(phantom, patient, frame)[1:]))
        subjects.append(Subject(f"p{patient:02d}", tuple(scans)))
    return Cohort(NAME, tuple(subjects), (CAVEAT,))


def write(phantom, folder, progress=None, jobs=1):
    """Write a phantom as `images/NAME.png`, `interfaces/NAME.csv`, `scans.csv` and `phantom.json`.

    Parameters
    ----------
    phantom : CarotidPhantom
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
    with appearing(folder, ("images", "interfaces")) as partly:
        rows = write_subjects(partial(_write_patient, phantom, partly), phantom.num_patients, progress, jobs)
        write_table(partly / "scans.csv", ["scan", "subject", "mm_per_pixel", "rois"], rows)
        write_about(partly, phantom, NAME, CAVEAT)
    return Path(folder).absolute()


def _write_patient(phantom, folder, patient):
    """Write one patient's frames and interfaces; return their lines of `scans.csv`."""
    lines = []
    for frame in range(phantom.frames_per_patient):
        name = frame_name(patient, frame)
        pixels, interfaces, mm_per_pixel, rois = render_frame(phantom, patient, frame)
        iio.imwrite(folder / "images" / f"{name}.png", pixels, compress_level=1)
        table = [(column, f"{li:.4f}", f"{ma:.4f}") for column, (li, ma) in enumerate(interfaces.T)]
        write_table(folder / "interfaces" / f"{name}.csv", ["column", "li", "ma"], table)
        lines.append((name, f"p{patient:02d}", repr(mm_per_pixel), ";".join(" ".join(map(str, roi)) for roi in rois)))
    return lines
