"""Lens, field of view and path of a phantom colonoscope."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from data_prep.phantoms.colon_bodies import body_gap, centre_point
from data_prep.phantoms.colon_wall import LENGTH, wall_gap

# Radians from the middle of the frame to its corner: 120 degrees across the diagonal. Colonoscopes see 120 to
# 170; the narrow end brings polyps nearest to the sizes in CVC-ColonDB.
HALF_DIAGONAL = np.deg2rad(60.0)
# Between two stops of the path, as sparse as the frames of CVC-ColonDB's sequences.
FRAMES_PER_KEY = 6
# Colon radii from the scope beyond which a body would be a dark speck and is left out.
SIGHT = 3.0
# Colon radii that the scope keeps from wall and bodies.
CLEARANCE = 0.15
# Visits of a polyp: seen from far, near, near again from elsewhere, then away from it.
VISITS = (
    ("far", "near", "near", "away", "away"),
    ("near", "far", "away"),
    ("far", "near", "away", "near", "away", "away"),
)
# How far before the polyp the scope stops, along the colon, in colon radii.
ALONG = {"far": (0.7, 1.7), "near": (-0.3, 0.55), "away": (0.0, 1.2)}
# In a polyp's largest semi-axes: it then spans some 250 of 500 pixels, as in the largest twentieth of CVC-ColonDB.
CLOSEST = 2.3


@dataclass(frozen=True)
class Path:
    """Where the scope is in every frame: `position` (n, 3) and `rotation` (n, 3, 3), camera to colon."""

    position: np.ndarray
    rotation: np.ndarray


@lru_cache(maxsize=2)
def lens(height, width):
    """Give each pixel's viewing direction: the angle grows in proportion to the distance from the middle.

    Parameters
    ----------
    height, width : int

    Returns
    -------
    ndarray of shape (3, height, width), float32
        Unit vectors; right, down, forward.
    """
    down, right = np.mgrid[:height, :width] + 0.5
    down, right = down - height / 2, right - width / 2
    distance = np.hypot(down, right)
    angle = distance * HALF_DIAGONAL / np.hypot(height / 2, width / 2)
    sideways = np.sin(angle) / np.maximum(distance, 1e-6)
    return np.stack([right * sideways, down * sideways, np.cos(angle)]).astype(np.float32)


def field_of_view(rng, height, width):
    """Draw the bright field of an endoscope's video: a rectangle with cut corners, or a cropped circle.

    Parameters
    ----------
    rng : numpy.random.Generator
    height, width : int

    Returns
    -------
    ndarray of shape (height, width), bool
    """
    down, right = np.mgrid[:height, :width]
    top, left, bottom, side = rng.uniform(0.015, 0.03, 4) * [height, width, height, width]
    if rng.random() < 0.25:
        left = rng.uniform(0.10, 0.16) * width
    edges = [down - top, right - left, height - 1 - bottom - down, width - 1 - side - right]
    inside = np.min(edges, axis=0) >= 0
    if rng.random() < 0.25:
        middle = (left + width - side) / 2
        return inside & (np.hypot(down - height / 2, right - middle) < rng.uniform(0.62, 0.72) * height)
    cut = rng.uniform(0.13, 0.24) * height
    return inside & (np.minimum(edges[0], edges[2]) + np.minimum(edges[1], edges[3]) >= cut)


def plan_path(rng, wall, bodies, num_frames):
    """Lead the scope past the polyps and away from them, in turn.

    Parameters
    ----------
    rng : numpy.random.Generator
    wall : Wall
    bodies : list of Body
        None is run into; the polyps are visited in this order, again and again.
    num_frames : int

    Returns
    -------
    Path
    """
    count = max(4, int(np.ceil(num_frames / FRAMES_PER_KEY)) + 1)
    places, targets = _keys(rng, wall, [body for body in bodies if body.kind == "polyp"], count)
    time = np.linspace(0, count - 1, num_frames) if num_frames > 1 else np.zeros(1)
    offsets = PchipInterpolator(np.arange(count), places)(time)
    offsets += 0.02 * _tremor(rng, num_frames, 3)
    forward = PchipInterpolator(np.arange(count), targets)(time) + 0.05 * _tremor(rng, num_frames, 3)
    roll = rng.uniform(0, 2 * np.pi) + np.cumsum(0.06 * _tremor(rng, num_frames, 1)[:, 0])
    position = np.stack([_clear(wall, bodies, offset) for offset in offsets])
    return Path(position, np.stack([_rotation(f, r) for f, r in zip(forward, roll, strict=True)]))


def _tremor(rng, num_frames, columns):
    """Draw the unsteady hand: noise that lasts about two frames; (num_frames, columns)."""
    return gaussian_filter1d(rng.standard_normal((num_frames, columns)), 1.0, axis=0, mode="nearest")


def _keys(rng, wall, polyps, count):
    """Choose the stops of a path: their places and directions of view, each (count, 3)."""
    keys, visited = [], cycle(polyps)
    while len(keys) < count:
        polyp = next(visited)
        keys += [_key(rng, wall, polyps, polyp, kind) for kind in VISITS[rng.integers(len(VISITS))]]
    return (np.stack(part) for part in zip(*keys[:count], strict=True))


def _key(rng, wall, polyps, polyp, kind):
    """Choose one stop: sideways x and y from the centre line with z, and the direction (3,) of view.

    Of up to 12 stops drawn, the first from which the polyp neither fills the frame nor hides behind a fold.
    """
    for _ in range(12):
        along = rng.uniform(*ALONG[kind])
        z = float(np.clip(polyp.centre[2] - along, 0.8, LENGTH - 2.5))
        radius, angle = rng.uniform(0.0, 0.75), rng.uniform(0, 2 * np.pi)
        offset = np.array([radius * np.cos(angle), radius * np.sin(angle), z])
        place = _clear(wall, polyps, offset)
        if kind == "away":
            return offset, _view_without(rng, place, polyps)
        gaze = polyp.centre + 0.5 * polyp.axes[2] * polyp.frame[2] - place
        ways = place[:, None] + gaze[:, None] * np.linspace(0, 1, 24, dtype=np.float32)
        near = np.linalg.norm(gaze) < CLOSEST * polyp.axes.max()
        if not near and (wall_gap(wall, ways) > 0).all():
            break
    return offset, gaze / np.linalg.norm(gaze) + 0.27 * rng.standard_normal(3)


def _view_without(rng, place, polyps):
    """Look where the nearest polyps are out of sight, ahead or aside rather than back."""
    views = rng.normal([0.0, 0.0, 0.5], 1.0, (40, 3))
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    gaze = np.stack([polyp.centre - place for polyp in polyps])
    distance = np.linalg.norm(gaze, axis=1)
    size = np.array([polyp.reach for polyp in polyps]) / distance
    angle = np.arccos(np.clip(views @ (gaze / distance[:, None]).T, -1, 1)) - np.arctan(size)
    nearest = np.where(distance > SIGHT, np.pi, angle).min(axis=1)
    good = np.flatnonzero(nearest > HALF_DIAGONAL + 0.1)
    return views[good[0] if good.size else nearest.argmax()]


def _clear(wall, bodies, offset):
    """Pull a place towards the centre line until wall and bodies are far enough; (3,) in the colon."""
    axis = centre_point(wall, offset[2])
    share = np.linspace(1.0, 0.0, 21, dtype=np.float32)
    places = axis[:, None] + share * np.float32([[offset[0]], [offset[1]], [0.0]])
    room = wall_gap(wall, places)
    for body in bodies:
        if abs(body.centre[2] - axis[2]) < body.reach + 2 * CLEARANCE:
            room = np.minimum(room, body_gap(body, places))
    free = np.flatnonzero(room > CLEARANCE)
    return places[:, free[0] if free.size else room.argmax()]


def _rotation(forward, roll):
    """Build the matrix whose columns are right, down and forward."""
    forward = forward / np.linalg.norm(forward)
    aside = np.cross(forward, [0.0, 1.0, 0.0] if abs(forward[1]) < 0.9 else [1.0, 0.0, 0.0])
    aside /= np.linalg.norm(aside)
    below = np.cross(forward, aside)
    right = np.cos(roll) * aside + np.sin(roll) * below
    return np.stack([right, np.cross(forward, right), forward], axis=1).astype(np.float32)
