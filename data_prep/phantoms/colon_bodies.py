"""What stands on the wall of a phantom colon: polyps, and the look-alikes that are none.

All kinds are made of the same ellipsoids, stalks and lobes and are lit by the same renderer, so that nothing
but their shape, margin and colour can tell a polyp from a stool lump, a bubble or a bulge of the wall.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.phantoms.colon_wall import (
    LENGTH,
    STEP_THETA,
    STEP_Z,
    locate,
    wall_gap,
    wall_material,
    wall_surface,
)

# What polyps look like beside their mucosa, as factors on red, green and blue: hyperaemic, pale, yellowish,
# brownish. The same factors tint bulges and some stool.
TINTS = np.array([[1.0, 0.62, 0.62], [1.08, 1.22, 1.25], [1.05, 1.15, 0.75], [0.85, 0.75, 0.7]])
# How much the fine relief shows in a body's colour: pits of a polyp, fibres of stool.
GRAIN = {"polyp": 0.4, "bulge": 0.2, "stool": 0.5}


@dataclass(frozen=True, eq=False)
class Body:
    """One polyp or look-alike.

    Attributes
    ----------
    kind : str
        "polyp", "bulge", "stool" or "bubble".
    foot, centre : ndarray of shape (3,), float32
        Where it stands on the wall, and the middle of its head; in colon radii.
    frame : ndarray of shape (3, 3), float32
        Rows are the head's axes.
    axes : ndarray of shape (3,), float32
        Semi-axes of the head.
    stalk : float
        Radius of the stalk; 0 for none.
    lobes : ndarray of shape (4,), float32
        Amplitude in colon radii, then a wave number for each axis.
    blend : float
        Width of the skirt that joins it to the wall.
    tint : ndarray of shape (3,), float32
        Factor on the mucosa's albedo.
    """

    kind: str
    foot: np.ndarray
    centre: np.ndarray
    frame: np.ndarray
    axes: np.ndarray
    stalk: float
    lobes: np.ndarray
    blend: float
    tint: np.ndarray

    @property
    def reach(self):
        """Radius of a sphere about the centre outside which the body changes nothing."""
        foot = np.linalg.norm(self.foot - self.centre) if self.stalk else 0.0
        return float(max(self.axes.max() + self.lobes[0], foot + self.stalk) + 1.5 * self.blend)


def body_gap(body, points):
    """Approximate the distance of points to a body.

    Ellipsoid by the first-order distance k0 (k0 - 1) / k1 with k0 = |q / r|, k1 = |q / r^2| (Taubin's
    estimate of the distance to an implicit surface, PAMI 1991); the stalk is a capsule, joined smoothly.

    Parameters
    ----------
    body : Body
    points : ndarray of shape (3, n), float32

    Returns
    -------
    ndarray of shape (n,), float32
        In colon radii, negative inside.
    """
    q = body.frame @ (points - body.centre[:, None])
    scaled = q / body.axes[:, None]
    k0 = np.sqrt((scaled * scaled).sum(axis=0))
    k1 = np.sqrt(((scaled / body.axes[:, None]) ** 2).sum(axis=0))
    gap = k0 * (k0 - 1) / np.maximum(k1, 1e-6)
    if body.lobes[0] > 0:
        waves = np.sin(q * body.lobes[1:, None])
        gap = gap - body.lobes[0] * waves[0] * waves[1] + body.lobes[0] * waves[2] * waves[0]
    if body.stalk > 0:
        gap, _ = join(gap, _stalk_gap(body, points), body.stalk)
    return gap


def _stalk_gap(body, points):
    """Distance to the capsule from the foot to the head's centre."""
    axis = body.centre - body.foot
    offset = points - body.foot[:, None]
    along = np.clip(axis @ offset / (axis @ axis), 0.0, 1.0)
    return np.sqrt(((offset - axis[:, None] * along) ** 2).sum(axis=0)) - np.float32(body.stalk)


def join(first, second, width):
    """Unite two distance fields with a smooth seam.

    Parameters
    ----------
    first, second : ndarray of shape (n,), float32
    width : float
        Of the seam, in colon radii (polynomial smooth minimum).

    Returns
    -------
    gap : ndarray of shape (n,), float32
    share : ndarray of shape (n,), float32
        What part of the surface's look belongs to `second`, 0 to 1; a half where both are as near.
    """
    share = np.clip(0.5 + 0.5 * (first - second) / np.float32(width), 0.0, 1.0)
    return first + share * (second - first) - np.float32(width) * share * (1 - share), share


def body_normals(body, points):
    """Differentiate `body_gap` at points by four tetrahedral samples; unit vectors (3, n)."""
    corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    step = np.float32(0.004)
    normals = sum(c[:, None] * body_gap(body, points + step * c[:, None]) for c in corners)
    return normals / np.maximum(np.sqrt((normals * normals).sum(axis=0)), 1e-9)


def body_skin(wall, body, points):
    """Give a body the material of the mucosa (6, n), laid over it from its top down.

    The wall's own grid would draw streaks on it: it is seen from the centre line, which looks along a
    body's sides. Tint and grain are added here, and what stands out is wet.
    """
    q = (body.frame @ (points - body.centre[:, None])) / body.axes[:, None]
    aside = np.sqrt(q[0] * q[0] + q[1] * q[1])
    arc = body.axes.mean() * np.arctan2(aside, q[2]) / np.maximum(aside, 1e-6)
    foot = locate(wall, body.foot[:, None])
    row = foot["row"] + q[0] * arc * np.float32(1 / STEP_Z)
    skin = wall_material(wall, row, foot["column"] + q[1] * arc * np.float32(1 / STEP_THETA))
    thin = 0.55 * wall.base[:, None] + 0.45 * skin[:3]
    skin[3] = np.maximum(skin[3], 0.3)
    skin[:3] = thin * body.tint[:, None] * (1 + GRAIN[body.kind] * np.clip(skin[4], -0.5, 0.5))
    return skin


def grow_polyps(rng, wall, contrast, places):
    """Set polyps on a wall.

    Parameters
    ----------
    rng : numpy.random.Generator
    wall : Wall
    contrast : float
        1 for polyps of full height, margin and tint; towards 0 they become bulges of the mucosa's colour.
    places : sequence of float
        The z of each, in colon radii.

    Returns
    -------
    list of Body
    """
    return [_polyp(rng, wall, contrast, place) for place in places]


def _polyp(rng, wall, contrast, place):
    """Draw one polyp, on a stalk or a dome; radius log-normal about 5.5 mm."""
    size = float(np.clip(0.22 * np.exp(0.45 * rng.standard_normal()), 0.09, 0.5))
    stalked = rng.random() < 0.4 * contrast
    flat = 1.0 if stalked else rng.uniform(0.4, 0.9) * (0.35 + 0.65 * contrast)
    axes = size * np.array([rng.uniform(0.85, 1.25), rng.uniform(0.85, 1.15), flat])
    lift = size * rng.uniform(1.4, 2.6) if stalked else axes[2] * rng.uniform(0.0, 0.45)
    lobes = [size * rng.choice([0.0, 0.04, 0.08]), *rng.uniform(1.5, 4.5, 3) / size]
    blend = size * rng.uniform(0.15, 0.5) * (1 + 1.5 * (1 - contrast))
    tint = _tint(rng, contrast * rng.uniform(0.3, 1.4))
    lean = 0.9 if stalked else 0.15
    return _stand(rng, wall, "polyp", (place, lift, lean), axes, (stalked * 0.33 * size, lobes, blend, tint))


def grow_lookalikes(rng, wall, count):
    """Set bulges, stool lumps and bubbles on a wall, all over the part that a camera sees.

    Parameters
    ----------
    rng : numpy.random.Generator
    wall : Wall
    count : float
        Mean number of groups; the number is Poisson. Stool and bubbles come in clusters.

    Returns
    -------
    list of Body
    """
    bodies = []
    for _ in range(rng.poisson(count)):
        place = rng.uniform(1.0, LENGTH - 2.0)
        draw = (_bulge, _stool, _bubbles)[rng.choice(3, p=[0.45, 0.4, 0.15])]
        bodies += draw(rng, wall, place)
    return bodies


def _bulge(rng, wall, place):
    """Draw a round bulge of the wall itself: low, with a wide skirt, tinted like polyps but less."""
    size = float(np.clip(0.2 * np.exp(0.4 * rng.standard_normal()), 0.1, 0.45))
    axes = size * np.array([rng.uniform(0.8, 2.2), rng.uniform(0.8, 1.2), rng.uniform(0.3, 0.7)])
    form = (0.0, [0.0, 1, 1, 1], size * rng.uniform(0.4, 0.8), _tint(rng, rng.uniform(0.0, 0.5)))
    return [_stand(rng, wall, "bulge", (place, 0.0, 0.2), axes, form)]


def _stool(rng, wall, place):
    """Draw one to six lumps, from stool's yellow brown to nearly the mucosa's colour."""
    lumps, angle = [], rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(1, 7)):
        size = float(np.clip(0.08 * np.exp(0.5 * rng.standard_normal()), 0.03, 0.25))
        axes = size * rng.uniform([0.6, 0.6, 0.3], [1.5, 1.5, 0.9])
        tint = np.array([0.9, 1.1, 0.45]) ** rng.uniform(0.1, 1.0) * rng.uniform(0.85, 1.25)
        form = (0.0, [0.06 * size, *rng.uniform(2.0, 5.0, 3) / size], size * 0.3, tint)
        spot = (place + 0.18 * rng.standard_normal(), 0.1 * size, 0.3)
        lumps.append(_stand(rng, wall, "stool", spot, axes, form, angle + 0.25 * rng.standard_normal()))
    return lumps


def _bubbles(rng, wall, place):
    """Draw a cluster of half domes of clear film, round and small."""
    bubbles, angle = [], rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(3, 8)):
        size = rng.uniform(0.03, 0.1)
        form = (0.0, [0.0, 1, 1, 1], 0.01, np.ones(3))
        spot = (place + 0.13 * rng.standard_normal(), 0.2 * size, 0.0)
        bubbles.append(_stand(rng, wall, "bubble", spot, np.full(3, size), form, angle + 0.13 * rng.standard_normal()))
    return bubbles


def _tint(rng, strength):
    """Draw one of the polyps' tints, weakened."""
    return TINTS[rng.integers(len(TINTS))] ** strength


def _stand(rng, wall, kind, spot, axes, form, angle=None):
    """Stand a body on the wall at z and angle, its third axis along the wall's normal, leaning a little."""
    place, lift, lean = spot
    foot = surface_point(wall, rng.uniform(0, 2 * np.pi) if angle is None else angle, place)
    normal = wall_surface(wall, foot[:, None])[0][:, 0] + lean * rng.standard_normal(3)
    inward = wall_surface(wall, foot[:, None])[0][:, 0]
    normal -= inward * min(0.0, normal @ inward - 0.4)
    frame = np.linalg.qr(np.stack([normal, *rng.standard_normal((2, 3))]).T)[0].T
    frame = np.stack([frame[1], frame[2], frame[0] * np.sign(frame[0] @ normal)])
    stalk, lobes, blend, tint = form
    parts = [foot, foot + lift * frame[2], frame, axes]
    parts = [np.asarray(part, np.float32) for part in parts]
    return Body(kind, *parts, float(stalk), np.float32(lobes), float(blend), np.asarray(tint, np.float32))


def surface_point(wall, angle, z):
    """Give the point (3,) of the wall at an angle about the centre line and a z."""
    axis = centre_point(wall, z)
    outward = np.array([np.cos(angle), np.sin(angle), 0.0], np.float32)
    return axis + outward * wall_gap(wall, axis[:, None] + 0.01 * outward[:, None]) + 0.01 * outward


def centre_point(wall, z):
    """Give the centre line's point (3,) at z, in colon radii."""
    row = np.clip(z / LENGTH * len(wall.line), 0, len(wall.line) - 1)
    grid = np.arange(len(wall.line))
    return np.float32([np.interp(row, grid, wall.line[:, 0]), np.interp(row, grid, wall.line[:, 1]), z])
