"""One whole procedure of a phantom: the scope's way out of a colon, and what goes wrong when.

Unlike the path of `colon_camera`, which visits polyps, this one leads from one end of the colon to the other. Views
are traced at every other pixel, for a procedure has many frames.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter1d
from scipy.spatial.transform import Rotation

from data_prep.phantoms.colon_blur import enlarge
from data_prep.phantoms.colon_bodies import body_gap, centre_point, grow_lookalikes, grow_polyps
from data_prep.phantoms.colon_camera import Path, field_of_view
from data_prep.phantoms.colon_defects import DEFECTS, Soil, draw_soil
from data_prep.phantoms.colon_shading import Look, draw_look
from data_prep.phantoms.colon_tracing import Hits, dot, trace
from data_prep.phantoms.colon_wall import LENGTH, Wall, build_wall, wall_gap, wall_surface

# Episodes of each defect, a frame.
RATES = {
    "motion": 0.20,
    "defocus": 0.13,
    "contact": 0.13,
    "water": 0.10,
    "bubbles": 0.11,
    "stool": 0.11,
    "fluid": 0.12,
    "glare": 0.09,
    "dark": 0.08,
}
# A defect's strength at the height of an episode: Beta-distributed, so that many frames are neither good nor lost.
PEAK = (2.2, 1.3)
# Colon radii that the scope keeps from wall and bodies.
CLEARANCE = 0.12


@dataclass(frozen=True, eq=False)
class Scene:
    """One video: its colon, the scope in it, and what goes wrong when.

    Attributes
    ----------
    wall : Wall
    bodies : list of Body
    path : Path
    inside : ndarray of shape (height, width), bool
        The field of view.
    nearest : ndarray of shape (height, width), int
        Flat index of the pixel inside that lies nearest.
    look : Look
    soil : Soil
    strengths : dict
        Strength of each of `DEFECTS` in each frame: ndarray of shape (num_frames,).
    """

    wall: Wall
    bodies: list
    path: Path
    inside: np.ndarray
    nearest: np.ndarray
    look: Look
    soil: Soil
    strengths: dict


def build_scene(streams, num_frames, shape, severity):
    """Grow one video's colon, path and defects.

    Parameters
    ----------
    streams : list of numpy.random.Generator
        Seven.
    num_frames : int
    shape : tuple of int
        Height, width.
    severity : float
        Factor on the strength of all defects.

    Returns
    -------
    Scene
    """
    wall = build_wall(streams[0])
    bodies = grow_polyps(streams[1], wall, 0.6, streams[1].uniform(1.5, 8.0, streams[1].integers(0, 4)))
    bodies += grow_lookalikes(streams[2], wall, 7.0)
    path = _withdraw(streams[3], wall, bodies, num_frames)
    inside = field_of_view(streams[4], *shape)
    places = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    nearest = np.ravel_multi_index(tuple(places), shape)
    strengths = _episodes(streams[6], num_frames, severity)
    return Scene(wall, bodies, path, inside, nearest, draw_look(streams[4]), draw_soil(streams[5]), strengths)


def _withdraw(rng, wall, bodies, count):
    """Lead the scope from the far end to the near one, to and fro by the way, looking about the lumen ahead."""
    wander = 0.5 * gaussian_filter1d(rng.standard_normal(count), 1.5, mode="nearest")
    z = np.clip(np.linspace(LENGTH - 2.4, 0.9, count) + wander, 0.8, LENGTH - 2.4)
    angle, radius = rng.uniform(0, 2 * np.pi, count), 0.75 * np.sqrt(rng.uniform(0, 1, count))
    axis = np.stack([centre_point(wall, place) for place in z])
    aside = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(count)], axis=1)
    position = _keep_clear(wall, bodies, axis, aside)
    ahead = np.stack([centre_point(wall, place + 0.8) for place in z]) - position
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    ahead += rng.uniform(0.1, 0.7, (count, 1)) * rng.standard_normal((count, 3))
    pan, tilt = np.arctan2(ahead[:, 0], ahead[:, 2]), np.arctan2(-ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
    roll = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, count))
    turned = Rotation.from_euler("YXZ", np.stack([pan, tilt, roll], axis=1))
    return Path(position, turned.as_matrix().astype(np.float32))


def _keep_clear(wall, bodies, axis, aside):
    """Pull places (n, 3) aside of the centre line towards it until wall and bodies are far enough."""
    share = np.linspace(1.0, 0.0, 16)[:, None, None]
    places = np.float32(axis + share * aside)
    points = places.reshape(-1, 3).T
    room = np.min([wall_gap(wall, points), *(body_gap(body, points) for body in bodies)], axis=0)
    room = room.reshape(places.shape[:2])
    free = np.where((room > CLEARANCE).any(axis=0), (room > CLEARANCE).argmax(axis=0), room.argmax(axis=0))
    return places[free, np.arange(len(axis))]


def _episodes(rng, count, severity):
    """Draw how strong each defect is in each frame: episodes of one to some ten frames that swell and fade.

    A video has its own share of each defect: one bowel is badly prepared, another scope's hand is unsteady.
    """
    strengths = {}
    for name in DEFECTS:
        own = RATES[name] * rng.gamma(4.0, 0.25)
        strength = np.zeros(count)
        for _ in range(rng.poisson(own * count)):
            start, length = rng.integers(count), rng.geometric(0.45)
            swell = np.sin(np.pi * (np.arange(length) + 0.7) / (length + 0.4)) * rng.uniform(0.8, 1.0, length)
            peak = rng.beta(*PEAK) * swell
            strength[start : start + length] = np.maximum(strength[start : start + length], peak[: count - start])
        if name == "motion":
            strength = np.maximum(strength, rng.uniform(0, 0.3, count))  # no hand is ever still
        strengths[name] = np.minimum(strength * severity, 1.0)
    return strengths


def see(scene, bodies, origin, rays):
    """Trace every other ray each way; the wall's fine picture is then read at every pixel.

    What bodies change of the wall's normals and material is carried over from the traced rays. A quarter of the
    rays takes a third of the time of `colon_tracing.trace`.

    Parameters
    ----------
    scene : Scene
    bodies : list of Body
        Those in sight.
    origin : ndarray of shape (3,), float32
    rays : ndarray of shape (3, height, width), float32
        Unit vectors in the colon.

    Returns
    -------
    Hits
        Of the n pixels inside, row by row.
    """
    inside, wall = scene.inside, scene.wall
    coarse = binary_dilation(inside, np.ones((3, 3)))[::2, ::2]
    hits = trace(wall, bodies, origin, np.ascontiguousarray(rays[:, ::2, ::2]), coarse)
    normals, material = wall_surface(wall, hits.points)
    layers = np.zeros((*coarse.shape, 11), np.float32)
    changes = [hits.depth[None], hits.openness[None], hits.normals - normals, hits.material - material]
    layers[coarse] = np.concatenate(changes).T
    layers = enlarge(layers, inside.shape)[inside].T
    owner = np.zeros(coarse.shape, np.int32)
    owner[coarse] = hits.owner
    owner = owner.repeat(2, 0).repeat(2, 1)[: inside.shape[0], : inside.shape[1]][inside]
    points = origin[:, None] + layers[0] * rays[:, inside]
    normals, material = wall_surface(wall, points)
    normals += layers[2:5]
    normals /= np.sqrt(dot(normals, normals))
    material += layers[5:]
    # Half-way between a body and the wall, the sum of the wall here and the change there may fall below nothing.
    np.maximum(material[:4], 0, out=material[:4])
    return Hits(layers[0], points, normals, material, layers[1], owner)
