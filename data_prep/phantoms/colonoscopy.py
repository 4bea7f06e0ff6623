"""A seeded digital phantom of colonoscopy videos with exact polyp masks.

A video is one colon, one scope and one path through it. Frames are ray-traced: `colon_wall` grows the tube,
`colon_bodies` what stands on it, `colon_camera` leads the scope, `colon_tracing` finds what each pixel sees
and `colon_shading` lights it. Everything follows from the seed and the video's number.
"""

from functools import lru_cache, partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from data_prep.cohort import Cohort, Image, Subject
from data_prep.phantoms.colon_bodies import grow_lookalikes, grow_polyps
from data_prep.phantoms.colon_camera import HALF_DIAGONAL, SIGHT, field_of_view, lens, plan_path
from data_prep.phantoms.colon_shading import develop, draw_look, shade
from data_prep.phantoms.colon_tracing import trace
from data_prep.phantoms.colon_truth import find_spoilt, truth_map
from data_prep.phantoms.colon_wall import build_wall
from data_prep.phantoms.folders import appearing, write_about, write_subjects, write_table

NAME = "Colonoscopy phantom"
CAVEAT = "phantom: ray-traced colons, not patients; no clinical claim follows from these numbers"


@lru_cache(maxsize=2)
def _scene(phantom, video):
    """Grow one video's colon, scope and path; kept for the frames that follow."""
    streams = [np.random.default_rng([phantom.seed, video, part]) for part in range(5)]
    wall = build_wall(streams[0])
    places = streams[1].permutation(streams[1].uniform(2.5, 6.5, streams[1].integers(1, 4)))
    bodies = grow_polyps(streams[1], wall, phantom.polyp_contrast, places)
    bodies += grow_lookalikes(streams[2], wall, phantom.lookalikes)
    path = plan_path(streams[3], wall, bodies, phantom.frames_per_video)
    inside = field_of_view(streams[4], phantom.height, phantom.width)
    return wall, bodies, path, inside, draw_look(streams[4])


def render_frame(phantom, video, frame):
    """Render one frame.

    A polyp that `colon_truth.find_spoilt` names (a speck, in pieces, touching another, in the dark) is taken
    out of this frame, pixels and truth alike, and the frame is rendered again: what looks like a polyp is in
    the truth, as one connected region of its own.

    Parameters
    ----------
    phantom : ColonoscopyPhantom
    video, frame : int
        From 0.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
        RGB.
    truth : ndarray of shape (height, width), int32
        0 for background, k for the pixels of the k-th lesion in reading order.
    """
    wall, bodies, path, inside, look = _scene(phantom, video)
    origin, rotation = path.position[frame], path.rotation[frame]
    rays = np.tensordot(rotation, lens(phantom.height, phantom.width), 1)
    bodies = [body for body in bodies if in_sight(body, origin, rotation)]
    owner = np.zeros(inside.shape, np.int32)
    while True:
        hits = trace(wall, bodies, origin, rays, inside)
        light = shade(hits, bodies, origin, rotation, look)
        pixels = develop(light, inside, look, np.random.default_rng([phantom.seed, video, 9, frame]))
        owner[inside] = hits.owner
        spoilt = find_spoilt(owner, bodies, pixels)
        if spoilt is None:
            return pixels, truth_map(owner, bodies)
        del bodies[spoilt]


def in_sight(body, origin, rotation):
    """Tell whether a body may show: within the scope's light and its cone of view."""
    gaze = body.centre - origin
    distance = float(np.linalg.norm(gaze))
    if distance <= body.reach:
        return True
    aside = np.arccos(np.clip(gaze @ rotation[:, 2] / distance, -1, 1))
    return distance < SIGHT and aside - np.arcsin(body.reach / distance) < HALF_DIAGONAL


def render_video(phantom, index):
    """Render all frames of one video.

    Parameters
    ----------
    phantom : ColonoscopyPhantom
    index : int
        The video's number, from 0.

    Returns
    -------
    frames : ndarray of shape (frames_per_video, height, width, 3), uint8
    truth : ndarray of shape (frames_per_video, height, width), int32
        As `render_frame` gives them.
    """
    rendered = [render_frame(phantom, index, frame) for frame in range(phantom.frames_per_video)]
    return np.stack([pixels for pixels, _ in rendered]), np.stack([truth for _, truth in rendered])


def _part(phantom, video, frame, part):
    """Render a frame and give its pixels (0) or its truth (1)."""
    return render_frame(phantom, video, frame)[part]


def frame_name(video, frame):
    """Name a frame as `write` does: v03_f007."""
    return f"v{video:02d}_f{frame:03d}"


def cohort(phantom):
    """Present a phantom as a cohort whose frames are rendered when they are read.

    Parameters
    ----------
    phantom : ColonoscopyPhantom

    Returns
    -------
    Cohort
        One subject a video. To read frames more than once, `write` them and read the folder.
    """
    subjects = []
    for video in range(phantom.num_videos):
        images = [
            Image(frame_name(video, f), partial(_part, phantom, video, f, 0), partial(_part, phantom, video, f, 1))
            for f in range(phantom.frames_per_video)
        ]
        subjects.append(Subject(f"v{video:02d}", tuple(images)))
    return Cohort(NAME, tuple(subjects), (CAVEAT,))


def write(phantom, folder, progress=None, jobs=1):
    """Write a phantom as `images/NAME.png`, `masks/NAME.png`, `phantom.json` and `frames.csv`.

    Parameters
    ----------
    phantom : ColonoscopyPhantom
    folder : path-like
        Must not exist yet, or be empty. It appears complete or not at all (`data_prep.phantoms.folders`).
    progress : callable, optional
        Called after each video with the videos written and their total.
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
    with appearing(folder, ("images", "masks")) as partly:
        rows = write_subjects(partial(_write_video, phantom, partly), phantom.num_videos, progress, jobs)
        write_table(partly / "frames.csv", ["frame", "sequence"], rows)
        write_about(partly, phantom, NAME, CAVEAT)
    return Path(folder).absolute()


def _write_video(phantom, folder, video):
    """Write one video's frames and masks; a row for each: frame, sequence."""
    rows = []
    for frame in range(phantom.frames_per_video):
        pixels, truth = render_frame(phantom, video, frame)
        name = f"{frame_name(video, frame)}.png"
        rows.append([frame_name(video, frame), f"v{video:02d}"])
        iio.imwrite(folder / "images" / name, pixels, compress_level=1)
        iio.imwrite(folder / "masks" / name, np.where(truth > 0, 255, 0).astype(np.uint8), compress_level=1)
    return rows
