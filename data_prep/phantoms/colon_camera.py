"""Lens, field of view and path of a phantom colonoscope."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, map_coordinates

from data_prep.phantoms.colon_bodies import centre_point, surface_point
from data_prep.phantoms.colon_wall import LENGTH, wall_gap

# Radians from the middle of the frame to its corner: 140 degrees across the diagonal, as endoscopes have.
HALF_DIAGONAL = np.deg2rad(70.0)
FRAMES_PER_KEY = 6
CLEARANCE = 0.22
# One visit of a polyp: seen from far, near, near again from elsewhere, then away from it.
VISIT = ("far", "near", "near", "away", "away")


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


def plan_path(rng, wall, polyps, num_frames):
    """Lead the scope past the polyps and away from them, in turn.

    Parameters
    ----------
    rng : numpy.random.Generator
    wall : Wall
    polyps : list of Body
        Visited in this order, again and again.
    num_frames : int

    Returns
    -------
    Path
    """
    count = max(len(VISIT), int(np.ceil(num_frames / FRAMES_PER_KEY)) + 1)
    keys = []
    for number in range(count):
        polyp = polyps[number // len(VISIT) % len(polyps)]
        keys.append(_key(rng, wall, polyps, polyp, VISIT[number % len(VISIT)]))
    places, targets = (np.stack(part) for part in zip(*keys, strict=True))
    time = np.linspace(0, count - 1, num_frames) if num_frames > 1 else np.zeros(1)
    offsets = PchipInterpolator(np.arange(count), places)(time)
    offsets += 0.02 * _tremor(rng, num_frames, 3)
    forward = PchipInterpolator(np.arange(count), targets)(time) + 0.05 * _tremor(rng, num_frames, 3)
    roll = rng.uniform(0, 2 * np.pi) + np.cumsum(0.06 * _tremor(rng, num_frames, 1)[:, 0])
    position = np.stack([_clear(wall, offset) for offset in offsets])
    return Path(position, np.stack([_rotation(f, r) for f, r in zip(forward, roll, strict=True)]))


def _tremor(rng, num_frames, columns):
    """Draw the unsteady hand: noise that lasts about two frames; (num_frames, columns)."""
    return gaussian_filter1d(rng.standard_normal((num_frames, columns)), 1.0, axis=0, mode="nearest")


def _key(rng, wall, polyps, polyp, kind):
    """Choose one stop: sideways x and y from the centre line with z, and the direction (3,) of view."""
    along = {"far": rng.uniform(0.9, 1.9), "near": rng.uniform(-0.4, 0.7), "away": rng.uniform(0.0, 1.2)}[kind]
    z = float(np.clip(polyp.centre[2] - along, 0.8, LENGTH - 2.5))
    radius, angle = rng.uniform(0.0, 0.6), rng.uniform(0, 2 * np.pi)
    offset = np.array([radius * np.cos(angle), radius * np.sin(angle), z])
    place = _clear(wall, offset)
    if kind == "away":
        return offset, _view_without(rng, place, polyps)
    gaze = polyp.centre - place
    gaze = gaze / np.linalg.norm(gaze)
    return offset, gaze + 0.3 * rng.standard_normal(3)


def _view_without(rng, place, polyps):
    """Look where the nearest polyps are out of sight, ahead or aside rather than back."""
    views = rng.standard_normal((40, 3)) + [0, 0, 0.5]
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    gaze = np.stack([polyp.centre - place for polyp in polyps])
    distance = np.linalg.norm(gaze, axis=1)
    angle = np.arccos(np.clip(views @ (gaze / distance[:, None]).T, -1, 1)) + 0.5 * (distance > 3.0)
    nearest = angle.min(axis=1)
    good = np.flatnonzero(nearest > 1.35)
    return views[good[0] if good.size else nearest.argmax()]


def _clear(wall, offset):
    """Pull a place towards the centre line until the wall is far enough; (3,) in the colon."""
    axis = centre_point(wall, offset[2])
    sideways = np.float32([offset[0], offset[1], 0.0])
    for share in np.linspace(1.0, 0.0, 21, dtype=np.float32):
        place = axis + share * sideways
        if wall_gap(wall, place[:, None])[0] > CLEARANCE:
            break
    return place


def _rotation(forward, roll):
    """Build the matrix whose columns are right, down and forward."""
    forward = forward / np.linalg.norm(forward)
    aside = np.cross(forward, [0.0, 1.0, 0.0] if abs(forward[1]) < 0.9 else [1.0, 0.0, 0.0])
    aside /= np.linalg.norm(aside)
    below = np.cross(forward, aside)
    right = np.cos(roll) * aside + np.sin(roll) * below
    return np.stack([right, np.cross(forward, right), forward], axis=1).astype(np.float32)
