"""Rays from a phantom colonoscope to what they hit first."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import minimum_filter

from data_prep.phantoms.colon_bodies import body_gap, body_normals, body_skin, join
from data_prep.phantoms.colon_wall import wall_gap, wall_surface

FAR = 7.0
COARSE = 4
# A step is the gap times what the last step gained on it (the secant rule), kept within these bounds: below
# one since the radial gap is longer than the distance to a sloping wall, little above lest thin folds be passed.
# The coarse rays go more slowly: a fold's edge that one of them jumps is lost to the pixels around it.
RELAX = np.float32(0.4), np.float32(0.75)
CAREFUL = np.float32(0.2), np.float32(0.4)
TOLERANCE = np.float32(0.002)
MAX_STEPS = 40
NEAR = np.float32(0.05)
# How far ahead of a surface the room is measured, in colon radii.
OPENING = np.float32(0.10)


@dataclass(frozen=True)
class Hits:
    """What the rays of one frame hit.

    Attributes
    ----------
    depth : ndarray of shape (n,), float32
        Along the ray, in colon radii.
    points, normals : ndarray of shape (3, n), float32
    material : ndarray of shape (6, n), float32
        Albedo red, green, blue, wetness, two slopes of the wet film.
    openness : ndarray of shape (n,), float32
        1 in the open, towards 0 in a crease.
    owner : ndarray of shape (n,), int
        0 for the wall, k for the k-th body.
    """

    depth: np.ndarray
    points: np.ndarray
    normals: np.ndarray
    material: np.ndarray
    openness: np.ndarray
    owner: np.ndarray


def trace(wall, bodies, origin, rays, inside):
    """Find what each pixel of the field sees.

    A coarse grid of rays is followed from the scope; each pixel's own ray then starts shortly before the
    nearest of the coarse hits around it.

    Parameters
    ----------
    wall : Wall
    bodies : list of Body
    origin : ndarray of shape (3,), float32
    rays : ndarray of shape (3, height, width), float32
        Unit vectors in the colon.
    inside : ndarray of shape (height, width), bool
        The field of view.

    Returns
    -------
    Hits
        Of the n pixels inside, row by row.
    """
    grid = rays[:, ::COARSE, ::COARSE]
    shape, grid = grid.shape[1:], grid.reshape(3, -1)
    near = _march(wall, bodies, _reached(bodies, origin, grid), origin, grid, np.full(grid[0].size, NEAR), CAREFUL)
    start = minimum_filter(near.reshape(shape), 3).repeat(COARSE, 0).repeat(COARSE, 1)
    start = start[: inside.shape[0], : inside.shape[1]][inside]
    rays = rays[:, inside]
    reached = _reached(bodies, origin, rays)
    depth = _march(wall, bodies, reached, origin, rays, np.float32(0.98) * start)
    return _look(wall, bodies, reached, origin[:, None] + depth * rays, depth)


def _reached(bodies, origin, rays):
    """Tell which rays (columns) pass close enough to which bodies (rows) to be changed by them."""
    reached = np.zeros((len(bodies), rays.shape[1]), bool)
    for row, body in zip(reached, bodies, strict=True):
        gaze, reach = body.centre - origin, body.reach + OPENING
        along = gaze @ rays
        np.logical_and(along * np.abs(along) > gaze @ gaze - reach**2, along > -reach, out=row)
    return reached


def _march(wall, bodies, reached, origin, rays, depth, relax=RELAX):
    """Follow each ray to a surface or out of the light; most rays meet the wall alone."""
    mixed = reached.any(axis=0)
    for chosen in (np.flatnonzero(mixed), np.flatnonzero(~mixed)):
        crowd = [(body, mask[chosen]) for body, mask in zip(bodies, reached, strict=True) if mask[chosen].any()]
        depth[chosen] = _advance(wall, crowd, origin, rays.take(chosen, axis=1), depth[chosen], relax)
    return depth


def _advance(wall, crowd, origin, rays, start, relax):
    """Step rays along; `crowd` pairs each body with the mask of rays that it can change."""
    final, depth, which = start.copy(), start, np.arange(start.size)
    before, step = np.full(start.size, np.inf, np.float32), np.ones(start.size, np.float32)
    for _ in range(MAX_STEPS):
        points = origin[:, None] + depth * rays
        gap = wall_gap(wall, points)
        for body, mask in crowd:
            near = np.flatnonzero(mask)
            gap[near], _ = join(gap[near], body_gap(body, points.take(near, axis=1)), body.blend)
        gain = before - gap
        step = gap * np.clip(step / np.where(gain == 0, TOLERANCE, gain), *relax)
        depth, before = depth + step, gap
        moving = np.flatnonzero((np.abs(gap) > TOLERANCE * depth) & (depth < FAR))
        if moving.size < 0.75 * which.size:
            final[which] = depth
            which, depth, rays = which[moving], depth[moving], rays.take(moving, axis=1)
            before, step = before[moving], step[moving]
            crowd = [(body, mask[moving]) for body, mask in crowd]
        if not moving.size:
            break
    final[which] = depth
    return final


def _look(wall, bodies, reached, points, depth):
    """Read normals, material, openness and owner at the points hit."""
    normals, material = wall_surface(wall, points)
    gap, owner = wall_gap(wall, points), np.zeros(depth.size, np.int32)
    for number, (body, mask) in enumerate(zip(bodies, reached, strict=True), start=1):
        near = _around(body, mask, points)
        if not near.size:
            continue
        there = points.take(near, axis=1)
        gap[near], share = join(gap[near], body_gap(body, there), body.blend)
        skin = normals.take(near, axis=1)
        normals[:, near] = skin + share * (body_normals(body, there) - skin)
        if body.kind != "bubble":
            skin = material.take(near, axis=1)
            material[:, near] = skin + share * (body_skin(wall, body, there) - skin)
        owner[near[share > 0.5]] = number
    normals /= np.sqrt(dot(normals, normals))
    return Hits(depth, points, normals, material, _openness(wall, bodies, reached, points, normals), owner)


def dot(first, second):
    """Multiply vectors in columns: (3, n) and (3, n) to (n,)."""
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def _around(body, mask, points):
    """Index the points that a body can touch, among those of the mask."""
    near = np.flatnonzero(mask)
    offset = points.take(near, axis=1) - body.centre[:, None]
    return near[dot(offset, offset) < body.reach**2]


def _openness(wall, bodies, reached, points, normals):
    """Measure how much room is in front of the surface: dark contact lines around folds and polyps."""
    ahead = points + OPENING * normals
    room = wall_gap(wall, ahead)
    for body, mask in zip(bodies, reached, strict=True):
        near = _around(body, mask, ahead)
        room[near] = np.minimum(room[near], body_gap(body, ahead.take(near, axis=1)))
    return np.clip(0.25 + 0.75 * room / OPENING, 0.15, 1.0)
