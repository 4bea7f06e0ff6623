"""Bones of the chest: ribs with their cartilages, vertebrae, sternum, shoulder blades and collar bones."""

import numpy as np
from scipy.spatial import cKDTree

from data_prep.phantoms.ctpa_body import CAGE, CLOSING_MM, SHEAR, TOP_MM
from data_prep.phantoms.ctpa_shapes import ellipsoid, join, smooth, tube

# Ribs 1 to 12: height of the head, height of the front end of the bone, height where the cartilage meets the sternum,
# mm; how far round the bone and its cartilage reach, as shares of the way from the spine to the sternum.
RIBS = np.array(
    [(80, 46, 40, 0.84, 0.96), (62, 14, 8, 0.82, 0.97), (42, -14, -16, 0.80, 0.97), (22, -40, -36, 0.78, 0.97),
     (2, -64, -54, 0.76, 0.97), (-19, -88, -70, 0.74, 0.96), (-40, -112, -84, 0.72, 0.95), (-62, -134, -98, 0.69, 0.92),
     (-84, -152, -120, 0.66, 0.88), (-107, -168, -150, 0.62, 0.82), (-131, -178, -178, 0.50, 0.52),
     (-156, -186, -186, 0.34, 0.36)], float,
)  # fmt: skip
HALF_MM = (3.4, 6.8), (4.6, 7.4)  # half axes of the section of a rib and of its cartilage, across and along the cage


def surface(scale, angle, height):
    """Find the cage's surface: rows and columns, mm, at angles from the back (0) to the front (pi) and heights z.

    The surface is sheared (`ctpa_body.SHEAR`), so the row is found by a few steps of substitution.
    """
    z = height / scale[0]
    y = np.zeros_like(z)
    for _ in range(12):
        level = z - SHEAR * y
        half_width, half_depth, middle = (np.interp(level, CAGE[:, 0], CAGE[:, k]) for k in (1, 2, 3))
        closing = np.clip((level - CLOSING_MM) / (TOP_MM - CLOSING_MM), 0, 0.97)
        shrink = np.sqrt(1 - closing**2)
        radius = (np.abs(np.sin(angle) / half_width) ** 2.4 + np.abs(np.cos(angle) / half_depth) ** 2.4) ** (-1 / 2.4)
        y = 0.5 * y + 0.5 * (middle + shrink * radius * np.cos(angle))
    return y * scale[1], shrink * radius * np.sin(angle) * scale[2]


def lay_ribs(body):
    """Lay the centre lines of bones and cartilages.

    Returns
    -------
    points : ndarray of shape (n, 3)
        Every 1.5 mm or so, z, y, x.
    cartilage : ndarray of shape (n,), bool
    """
    places, kinds = [], []
    for head, front, sternal, bony, reach in RIBS:
        share = np.linspace(0.02, reach, 260)
        angle = np.pi * (0.11 + 0.89 * share)  # the head lies at the side of a vertebra
        along = np.clip(share / bony, 0, 1)
        drop = front + (head - front) * (1 + np.cos(np.pi * along**0.95)) / 2
        rise = np.clip((share - bony) / max(reach - bony, 1e-6), 0, 1)
        height = (drop + (sternal - front) * rise**1.2) * body.scale[0]
        row, column = surface(body.scale, angle, height)
        outward = np.clip(share / 0.1, 0, 1)[:, None] * 4.2  # centre line to the cage's inner surface
        flat = np.stack([row, column], axis=1)
        flat += outward * flat / np.linalg.norm(flat, axis=1, keepdims=True)
        neck = _neck(body, height[0])
        for side in (-1, 1):
            line = np.c_[height, flat[:, 0], side * flat[:, 1]]
            stub = np.c_[np.full(8, height[0]), np.linspace(neck, flat[0], 8) * [1, side]]
            places += [stub, line]
            kinds += [np.zeros(8, bool), share > bony]
    return np.concatenate(places), np.concatenate(kinds)


def _neck(body, height):
    """Find where a rib's head touches its vertebra."""
    row = np.interp(height, body.spine[::-1, 0], body.spine[::-1, 1])
    return np.array([row + 6, 17.0])


def rib_depth(body, lattice, cage):
    """Measure depth inside the ribs.

    Parameters
    ----------
    body : Body
    lattice : Lattice
    cage : ndarray of the lattice's shape
        As `ctpa_body.cage_depth` gives it.

    Returns
    -------
    bone, cartilage : ndarray of the lattice's shape, float32
    """
    points, soft = lay_ribs(body)
    near = np.flatnonzero(((cage > -22) & (cage < 20)).ravel())
    depths = [np.full(cage.shape, -10, np.float32) for _ in range(2)]
    if not near.size:
        return depths
    where = np.stack(np.unravel_index(near, cage.shape), axis=1)
    places = np.stack([line.ravel()[where[:, k]] for k, line in enumerate(lattice.axes_mm)], axis=1)
    outward = _outward(cage, where)
    for depth, kind, (thick, high) in zip(depths, (False, True), HALF_MM, strict=True):
        line = points[soft == kind]
        _, nearest = cKDTree(line).query(places, distance_upper_bound=20)
        found = nearest < len(line)
        away = places[found] - line[nearest[found]]
        across = np.einsum("nk,nk->n", away, outward[found])
        along = np.sqrt(np.maximum(np.einsum("nk,nk->n", away, away) - across**2, 0))
        u, v = across / thick, along / high
        size, slope = np.hypot(u, v), np.hypot(u / thick, v / high)
        depth.ravel()[near[found]] = (1 - size) * (size + 1e-3) / (slope + 1e-3 / thick)
    return depths


def _outward(cage, where):
    """Compute unit vectors across the cage at some of the lattice's points."""
    parts = []
    for axis in range(3):
        step = np.zeros(3, int)
        step[axis] = 1
        last = np.array(cage.shape) - 1
        ahead = cage[tuple(np.minimum(where + step, last).T)]
        parts.append(ahead - cage[tuple(np.maximum(where - step, 0).T)])
    slope = np.stack(parts, axis=1)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-4)


def vertebra_levels(body):
    """Heights of the discs from T12/L1 up, mm; vertebrae get smaller towards the head."""
    levels = [-170.0]
    while levels[-1] < 140:
        levels.append(levels[-1] + np.interp(levels[-1], [-170, 90], [25, 18]))
    return np.array(levels) * body.scale[0]


def spine_depth(body, lattice):
    """Measure depth inside the vertebrae: bodies, arches, spinous and transverse processes.

    Returns
    -------
    bone, canal : ndarray of the lattice's shape, float32
    """
    z, y, x = lattice.axes_mm
    row = np.interp(z, body.spine[::-1, 0], body.spine[::-1, 1]).astype(np.float32)
    levels = vertebra_levels(body)
    near = np.clip(np.searchsorted(levels, z), 1, len(levels) - 1)
    middle, height = (levels[near] + levels[near - 1]) / 2, levels[near] - levels[near - 1]
    away = np.abs(z - middle) / (height / 2)  # 0 at mid vertebra, 1 at the disc
    size = np.interp(z, [-200, 100], [1.1, 0.82])
    half_x, half_y = size * (15.5 + 2.5 * away**2), size * (13 + 2 * away**2)
    u, v = x / half_x, (y - row) / half_y
    flat = np.sqrt(u**2 + v**2)
    slope = np.sqrt((u / half_x) ** 2 + (v / half_y) ** 2)
    bodies = np.minimum(
        (1 - flat) * (flat + 1e-3) / (slope + 1e-4), ((1 - away) * height / 2 - 2.0) * 1.5
    )  # endplates are thin
    bone = np.maximum(bodies.astype(np.float32), -10)
    for level, high in zip((levels[1:] + levels[:-1]) / 2, np.diff(levels), strict=True):
        at = np.interp(level, body.spine[::-1, 0], body.spine[::-1, 1])
        for side in (-1, 1):
            arch = [
                (level + 2, at + 10, side * 11, 4),
                (level, at + 22, side * 13, 4.5),
                (level - 6, at + 33, side * 2, 4),
            ]
            wing = [(level, at + 20, side * 12, 4), (level + 2, at + 30, side * 32, 4.5)]
            facet = [(level + 0.55 * high, at + 21, side * 13, 4), (level - 0.5 * high, at + 25, side * 12, 4)]
            plate = [(level - 0.2 * high, at + 26, side * 11, 3), (level - 0.6 * high, at + 32, side * 3, 3)]
            for part in (arch, wing, facet, plate):
                bone = np.maximum(bone, tube(lattice, np.array(part)))
        spike = [
            (level - 3, at + 32, 0, 3.6),
            (level - 0.9 * high, at + 42, 0, 2.8),
            (level - 1.3 * high, at + 49, 0, 3),
        ]
        bone = np.maximum(bone, tube(lattice, np.array(spike)))
    canal = tube(lattice, np.c_[body.spine + np.array([0, 21, 0]), np.full(len(body.spine), 7.5)])
    return np.maximum(np.minimum(bone, -canal), -10), canal


def front_depth(body, lattice):
    """Measure depth inside the breast bone and the collar bones."""
    depth = np.full(lattice.shape, -10, np.float32)
    height = np.array([46, 30, 10, 0, -20, -50, -80, -98]) * body.scale[0]
    row, _ = surface(body.scale, np.full(height.shape, np.pi), height)
    half = np.array([26, 27, 19, 15, 16, 18, 19, 10])
    for k in range(len(height) - 1):
        middle = (height[k] + height[k + 1]) / 2, (row[k] + row[k + 1]) / 2 - 6, 0
        tilt = np.array([height[k] - height[k + 1], row[k] - row[k + 1], 0])
        long = np.linalg.norm(tilt) / 2
        first = tilt / (2 * long)
        axes = np.stack([first, np.cross(first, [0, 0, 1.0]), [0, 0, 1.0]])
        part = ellipsoid(lattice, middle, (long + 9, 5.2, (half[k] + half[k + 1]) / 2), axes)
        depth = join(depth, np.maximum(part, -10), np.float32(4))
    for side in (-1, 1):
        points = [
            (46, row[0] / body.scale[1] - 6, 26 * side, 8),
            (58, -44, 60 * side, 6),
            (78, -30, 100 * side, 6),
            (92, -6, 140 * side, 6.5),
        ]
        depth = np.maximum(depth, tube(lattice, smooth(np.array(points) * [*body.scale, 1])))
    return depth


def blade_depth(body, lattice, cage):
    """Measure depth inside the shoulder blades, thin plates behind the upper ribs with thick edges."""
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    height = z + 0.25 * (np.abs(x) - 90)
    width = np.clip((z + 62) / 130, 0, 1)  # a triangle, its tip down
    inner, outer = np.abs(x) - 92 + 20 * width, 92 + 68 * width - np.abs(x)
    crest = 13 * np.exp(-(((height - 42) / 6) ** 2)) * np.clip(inner / 30, 0, 1)  # the spine of the shoulder blade
    away = cage + 24 + 4 * np.cos(z / 22)
    plate = 1.4 + 2.8 * np.exp(-np.maximum(outer, 0) / 6) - np.abs(away + crest / 2) + crest / 2
    edge = np.minimum(np.minimum(np.minimum(inner, outer), z + 60), 92 - z)
    return np.maximum(np.minimum(np.minimum(plate, edge), y - 10), -10).astype(np.float32)
