"""A seeded digital phantom of whole colonoscopies, one frame in five seconds: informative or not.

The colons are those of `colonoscopy`. `colon_withdrawal` leads the scope out of them, pushing in again now and then;
five seconds apart, frames share their place but hardly their view. `colon_defects` takes the view away in episodes,
and `colon_sensor` tells how much of the mucosa is still resolved: that share is the label, whatever the reasons.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from data_prep.cohort import Cohort, Frame, Subject
from data_prep.phantoms import colon_defects as defects
from data_prep.phantoms.colon_camera import lens
from data_prep.phantoms.colon_defects import DEFECTS
from data_prep.phantoms.colon_sensor import View, expose
from data_prep.phantoms.colon_shading import shade
from data_prep.phantoms.colon_withdrawal import build_scene, see
from data_prep.phantoms.colonoscopy import frame_name, in_sight
from data_prep.phantoms.folders import appearing, write_about, write_subjects, write_table

NAME = "Colonoscopy procedure phantom"
CAVEAT = "phantom: ray-traced colons with simulated defects, not patients; no clinical claim follows from these numbers"
# A frame is informative when the mucosa is resolved in at least half of the field of view: most of what it shows can
# be examined. The dark lumen counts as not resolved, for so it is: nothing can be found in it.
RESOLVED = 0.5


@dataclass(frozen=True)
class Visibility:
    """How much of a frame can be seen.

    Attributes
    ----------
    resolved : float
        Share of the field of view whose mucosa is resolved.
    strengths : dict
        Strength from 0 to 1 of each of `DEFECTS`.
    """

    resolved: float
    strengths: dict

    @property
    def informative(self):
        """Whether enough of the mucosa is resolved."""
        return self.resolved >= RESOLVED


@lru_cache(maxsize=2)
def _scene(phantom, video):
    """Build one video's Scene; kept for the frames that follow."""
    streams = [np.random.default_rng([phantom.seed, video, part]) for part in range(20, 27)]
    return build_scene(streams, phantom.frames_per_video, (phantom.height, phantom.width), phantom.severity)


def render_frame(phantom, video, frame):
    """Render one frame.

    Parameters
    ----------
    phantom : ProcedurePhantom
    video, frame : int
        From 0.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
        RGB.
    visibility : Visibility
    """
    strengths = {name: float(all_of[frame]) for name, all_of in _scene(phantom, video).strengths.items()}
    return render_defects(phantom, video, frame, strengths)


def render_defects(phantom, video, frame, strengths):
    """Render one frame with defects of one's own choice, for a gallery or to see what each does to the label.

    Parameters
    ----------
    phantom : ProcedurePhantom
    video, frame : int
        From 0.
    strengths : dict
        Strength from 0 to 1 by name, of `DEFECTS`; those missing are 0.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
    visibility : Visibility
    """
    unknown = sorted(set(strengths) - set(DEFECTS))
    if unknown or not all(0 <= strength <= 1 for strength in strengths.values()):
        raise ValueError(f"strengths: expected 0 to 1 for any of {DEFECTS}. Received: {strengths}.")
    strengths = dict.fromkeys(DEFECTS, 0.0) | strengths
    scene = _scene(phantom, video)
    draws = {
        name: np.random.default_rng([phantom.seed, video, 30 + k, frame]) for k, name in enumerate((*DEFECTS, "sensor"))
    }
    view = _disturb(_light_up(scene, frame, strengths), scene, strengths, draws)
    # The processor meters the middle tones and is late: mucosa against the lens comes out too bright.
    stops = 4.5 * strengths["glare"] - 4.0 * strengths["dark"] + 0.7 * strengths["contact"] ** 2
    pixels, resolved = expose(view, scene.look, scene.inside, stops, draws["sensor"])
    return pixels, Visibility(resolved, strengths)


def _light_up(scene, frame, strengths):
    """Trace what the scope sees, soil it, and light it; a View of the whole rectangle."""
    inside, origin, rotation = scene.inside, scene.path.position[frame], scene.path.rotation[frame]
    bodies = [body for body in scene.bodies if in_sight(body, origin, rotation)]
    hits = see(scene, bodies, origin, np.tensordot(rotation, lens(*inside.shape), 1))
    kinds = np.array(["wall", *(body.kind for body in bodies)])
    clear = np.isin(kinds, ("stool", "bubble"), invert=True)[hits.owner].astype(np.float32)
    if strengths["stool"] > 0:
        hits, left = defects.lay_stool(hits, scene.wall, scene.soil, strengths["stool"])
        clear = clear * left
    if strengths["fluid"] > 0:
        hits, left = defects.pour(hits, scene.wall, origin, scene.soil, strengths["fluid"])
        clear = clear * left
    light = shade(hits, bodies, origin, rotation, scene.look)
    whole = np.zeros((inside.size, 5), np.float32)
    whole[inside.ravel()] = np.concatenate([light, hits.depth[None], clear[None]]).T
    whole = whole.take(scene.nearest, axis=0)
    return View(
        np.ascontiguousarray(whole[:, :, :3]), whole[:, :, 3], whole[:, :, 4], np.zeros(inside.shape, np.float32)
    )


def _disturb(view, scene, strengths, draws):
    """Let everything that lies or happens between the mucosa and the sensor act on a view, from far to near."""
    if strengths["bubbles"] > 0:
        view = defects.blow_bubbles(view, draws["bubbles"], strengths["bubbles"])
    if strengths["contact"] > 0:
        view = defects.press(view, draws["contact"], strengths["contact"], scene.wall.base)
    if strengths["water"] > 0:
        view = defects.submerge(view, draws["water"], strengths["water"])
    if strengths["glare"] > 0:
        view = defects.flare(view, strengths["glare"])
    view = defects.defocus(view, draws["defocus"], strengths["defocus"])
    if strengths["motion"] > 0:
        view = defects.move(view, lens(*scene.inside.shape), *defects.draw_motion(draws["motion"], strengths["motion"]))
    return view


def _pixels(phantom, video, frame):
    """Render a frame and give its pixels."""
    return render_frame(phantom, video, frame)[0]


def cohort(phantom):
    """Present a phantom as a cohort whose frames are rendered when they are read.

    Whether a frame is informative is known only once it is rendered, so this renders every frame once.

    Parameters
    ----------
    phantom : ProcedurePhantom

    Returns
    -------
    Cohort
        One subject a video. To read frames more than once, `write` them and read the folder.
    """
    subjects = []
    for video in range(phantom.num_videos):
        frames = []
        for frame in range(phantom.frames_per_video):
            informative = render_frame(phantom, video, frame)[1].informative
            frames.append(Frame(frame_name(video, frame), partial(_pixels, phantom, video, frame), informative))
        subjects.append(Subject(f"v{video:02d}", tuple(frames)))
    return Cohort(NAME, tuple(subjects), (CAVEAT,))


def write(phantom, folder, progress=None, jobs=1):
    """Write a phantom as `informative/NAME.png`, `uninformative/NAME.png` and what they are.

    `subjects.csv` names each file's video, `visibility.csv` its resolved share and the strength of each defect,
    `phantom.json` the settings.

    Parameters
    ----------
    phantom : ProcedurePhantom
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
    with appearing(folder, ("informative", "uninformative")) as partly:
        rows = write_subjects(partial(_write_video, phantom, partly), phantom.num_videos, progress, jobs)
        write_table(partly / "subjects.csv", ["file", "subject"], [row[:2] for row in rows])
        write_table(partly / "visibility.csv", ["file", "resolved", *DEFECTS], [row[:1] + row[2:] for row in rows])
        write_about(partly, phantom, NAME, CAVEAT)
    return Path(folder).absolute()


def _write_video(phantom, folder, video):
    """Write one video's frames; a row for each: file, subject, resolved, strengths."""
    rows = []
    for frame in range(phantom.frames_per_video):
        pixels, seen = render_frame(phantom, video, frame)
        file = f"{'informative' if seen.informative else 'uninformative'}/{frame_name(video, frame)}.png"
        iio.imwrite(folder / file, pixels, compress_level=1)
        strengths = [f"{seen.strengths[name]:.4f}" for name in DEFECTS]
        rows.append([file, f"v{video:02d}", f"{seen.resolved:.4f}", *strengths])
    return rows
