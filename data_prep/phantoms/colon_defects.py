"""Why frames of a phantom colonoscopy are useless: nine defects, each of a strength from 0 to 1.

Stool and fluid lie in the colon and are lit with it. Bubbles, contact and water stand before the lens. Defocus
and motion blur follow from the distances that were traced. Exposure ends in the sensor. Each is continuous in
its strength, and none at 0 changes anything. What of the mucosa survives is kept beside the light:
`View.clear`, the share of the light that comes from mucosa in its place, and `View.variance_px`, the spread of
a point along the direction in which it is blurred most.
"""

from dataclasses import dataclass, replace

import numpy as np

from data_prep.phantoms.colon_blur import enlarge, image_flow, shift, smear, smooth_field, soften
from data_prep.phantoms.colon_sensor import DIAGONAL_PX, View
from data_prep.phantoms.colon_tracing import Hits, dot
from data_prep.phantoms.colon_wall import N_THETA, N_Z, STEP_THETA, STEP_Z, STOOL, locate, smooth_noise

DEFECTS = ("motion", "defocus", "contact", "water", "bubbles", "stool", "fluid", "glare", "dark")

# A jerk of full strength: radians a second, and colon radii a second (4 cm).
TURN, SPEED = 6.0, 1.7
# Where the depth of field begins at no strength, in colon radii (4 mm), and the entrance pupil's radius, set so
# that mucosa at half that distance is blurred by a standard deviation of 6 pixels.
NEAR_LIMIT = 0.16
PUPIL = 0.0065
# Fluid beside the stool that it carries.
FLUID = np.float32([[0.62], [0.66], [0.7]])


@dataclass(frozen=True, eq=False)
class Soil:
    """What a bowel's preparation has left in one video.

    Attributes
    ----------
    relief : ndarray of shape (N_Z * N_THETA, 3), float32
        On the wall's grid: height, of a standard deviation of about one, and its slopes by z and by angle.
    colour : ndarray of shape (3,), float32
        Linear albedo of stool and fluid.
    down : ndarray of shape (2,), float32
        Unit vector of gravity across the colon.
    """

    relief: np.ndarray
    colour: np.ndarray
    down: np.ndarray


def draw_soil(rng):
    """Draw a video's Soil: stool from yellow to brown, and the way down."""
    height = smooth_noise(rng, 45) + 0.45 * smooth_noise(rng, 12) + 0.25 * smooth_noise(rng, 5)
    height += 0.12 * smooth_noise(rng, 2.5)
    slopes = np.gradient(height, np.float32(STEP_Z), np.float32(STEP_THETA))
    relief = np.stack([height, *slopes], axis=-1).reshape(-1, 3)
    colour = STOOL * rng.uniform(0.65, 1.1) * np.exp(rng.normal(0, [0.05, 0.15, 0.35]))
    turn = rng.uniform(0, 2 * np.pi)
    return Soil(relief, np.float32(colour), np.float32([np.cos(turn), np.sin(turn)]))


def _read_relief(soil, row, column):
    """Interpolate the relief at fractional places on its grid, wrapped both ways; (3, n)."""
    row, column = np.mod(row, np.float32(N_Z - 1.01)), np.mod(column, np.float32(N_THETA - 1.01))
    cell = row.astype(np.int32) * N_THETA + column.astype(np.int32)
    down, right = (row % 1)[:, None], (column % 1)[:, None]
    relief = soil.relief
    above = relief.take(cell, axis=0) * (1 - right) + relief.take(cell + 1, axis=0) * right
    below = relief.take(cell + N_THETA, axis=0) * (1 - right) + relief.take(cell + N_THETA + 1, axis=0) * right
    return (above + down * (below - above)).T


def lay_stool(hits, wall, soil, strength):
    """Lay stool on the wall where its relief is high: yellow brown, lumpy, dull, thin at its margin.

    Parameters
    ----------
    hits : Hits
    wall : Wall
    soil : Soil
    strength : float

    Returns
    -------
    hits : Hits
    clear : ndarray of shape (n,), float32
        Share of the mucosa that still shows.
    """
    place = locate(wall, hits.points)
    height, along, around = _read_relief(soil, place["row"] + place["down"], place["column"] + place["right"])
    thick = np.clip(height - np.float32(3.8 - 5.8 * strength), 0, None)
    cover = 1 - np.exp(-2.5 * thick)
    lumps = np.float32(0.05) * (1 - np.exp(-3 * thick))
    turning = np.stack([-place["dy"], place["dx"]]) / np.maximum(place["rho"] ** 2, 0.1)
    normals = hits.normals + lumps * np.concatenate([around * turning, along[None]])
    normals /= np.sqrt(dot(normals, normals))
    # Thick stool is browner than its margin; furrows are dark.
    colour = soil.colour[:, None] * np.array([[0.85], [0.8], [0.75]], np.float32) ** np.minimum(thick, 2)
    colour = colour * np.clip(1 + 0.18 * np.sin(3 * height), 0.7, 1.2)
    material = hits.material.copy()
    material[:3] += cover * (colour - material[:3])
    material[3] *= 1 - 0.6 * cover
    return replace(hits, normals=normals, material=material), (1 - cover).astype(np.float32)


def pour(hits, wall, origin, soil, strength):
    """Fill the colon with turbid fluid up to a level below the scope; ripples and scum on it.

    Folds dam it, so that each stretch of the colon has a pool of its own, at the same height about its centre line.

    Parameters
    ----------
    hits : Hits
    wall : Wall
    origin : ndarray of shape (3,), float32
    soil : Soil
    strength : float
        Sets the level and how turbid the fluid is.

    Returns
    -------
    hits : Hits
    clear : ndarray of shape (n,), float32
        Share of the mucosa that still shows.
    """
    gaze = (hits.points - origin[:, None]) / hits.depth
    scope = _fall(wall, soil, origin[:, None])
    level = np.maximum(scope + np.float32(0.25), np.float32(1.25 * (1 - strength)))
    meets = hits.depth
    for _ in range(4):  # regula falsi from the scope outward: the colon bends while the fluid stays level
        below = _fall(wall, soil, origin[:, None] + meets * gaze) - scope
        meets = np.where(below > level - scope, meets * (level - scope) / np.maximum(below, np.float32(1e-3)), meets)
    path = hits.depth - meets
    points, wet = origin[:, None] + meets * gaze, np.clip(25 * path, 0, 1) * min(1.0, 4 * strength)
    across = np.float32([-soil.down[1], soil.down[0]])
    row, column = points[2] / np.float32(STEP_Z), across @ points[:2] / np.float32(STEP_THETA)
    height, fine = _read_relief(soil, row, column)[0], _read_relief(soil, 5 * row, 5 * column)
    scum = np.clip(0.6 * (height + 0.4 * fine[0] - 0.7), 0, 0.8) * wet
    clear = np.exp(np.float32(-30 * strength) * path) * (1 - scum * min(1.0, 2 * strength))
    # Light comes back from within the fluid: to the scope rather than along the surface's normal.
    surface = -gaze
    surface[:2] -= soil.down[:, None]
    normals = hits.normals + wet * (surface / np.sqrt(dot(surface, surface)) - hits.normals)
    colour = FLUID * soil.colour[:, None] * np.clip(1 + 0.06 * height + 0.04 * fine[0] + 0.9 * scum, 0.5, 2)
    material = hits.material.copy()
    material[:3] = colour + clear * (material[:3] - colour)
    material[3] += wet * (np.float32(0.1) - material[3])
    material[4:] += wet * (np.float32(0.015) * fine[2:0:-1] - material[4:])
    openness, owner = hits.openness + wet * (1 - hits.openness), np.where(wet > 0.5, 0, hits.owner)
    parts = [part.astype(np.float32) for part in (hits.depth - path, points, normals, material, openness)]
    return Hits(*parts, owner), clear.astype(np.float32)


def _fall(wall, soil, points):
    """Measure how far points (3, n) lie below the centre line."""
    line = wall.line.take((points[2] / np.float32(STEP_Z)).astype(np.int32), axis=0, mode="clip")
    return soil.down[0] * (points[0] - line[:, 0]) + soil.down[1] * (points[1] - line[:, 1])


def blow_bubbles(view, rng, strength):
    """Cover patches with foam: round films that bend the view, with dark rims and highlights.

    Where bubbles meet, the taller one is seen, so that foam parts along straight lines.
    """
    most, shape = 1200, np.array(view.depth.shape)
    spread = rng.normal(0, [0.14, 0.10], (most, 2)) * np.linspace(0.5, 3.5, most)[:, None]
    spots = rng.uniform(0.1, 0.9, (5, 2))[rng.integers(5, size=most)] + spread
    sizes = np.exp(rng.normal(-3.75, 0.5, most)) * (0.5 + 0.5 * min(1.0, 2 * strength))
    tallest = np.zeros(view.depth.shape, np.float32)
    apart = np.zeros((3, *view.depth.shape), np.float32)
    for spot, size in zip(spots[: int(most * strength**1.3)], sizes, strict=False):
        if (spot > 0).all() and (spot < 1).all():
            _blow(tallest, apart, spot * (shape - 1), size, view)
    radius = np.maximum(apart[2], 1e-3)
    up, aside = apart[0] / radius, apart[1] / radius
    edge = np.minimum(up * up + aside * aside, 1)
    film = (tallest > 0)[:, :, None]
    bent = shift(view.light, apart[0] * edge * 0.9, apart[1] * edge * 0.9)
    spark = np.exp(-((up + 0.25) ** 2 + (aside - 0.2) ** 2) / 0.02) * 2.2
    spark += np.exp(-((edge - 0.75) ** 2) / 0.02) * np.clip(0.7 * up - 0.5 * aside, 0, None) ** 2 * 0.8
    bent = bent * (1 - 0.45 * edge**3)[:, :, None] + np.float32(view.usual) * (spark + 0.08 * edge)[:, :, None]
    light = np.where(film, bent, view.light).astype(np.float32)
    # A film shows the mucosa, but bent out of its place and shrunk towards its rim.
    return replace(view, light=light, clear=np.where(film[:, :, 0], 0.25 * view.clear, view.clear))


def _blow(tallest, apart, spot, size, view):
    """Add one bubble where it is the tallest: its height, then rows and columns from its middle and its radius."""
    row, column = np.rint(spot).astype(int)
    radius = np.clip(size / max(view.depth[row, column], 0.15), 0.004, 0.09) * DIAGONAL_PX / 2 * view.scale
    reach = int(np.ceil(radius))
    top, left = max(row - reach, 0), max(column - reach, 0)
    window = (slice(top, row + reach + 1), slice(left, column + reach + 1))
    part = tallest[window]
    down = np.arange(top, top + part.shape[0], dtype=np.float32)[:, None] - spot[0]
    right = np.arange(left, left + part.shape[1], dtype=np.float32) - spot[1]
    height = radius * radius - down * down - right * right
    won = height > part
    part[won] = height[won]
    for layer, value in zip(apart, np.broadcast_arrays(down, right, radius), strict=True):
        layer[window][won] = value[won]


def press(view, rng, strength, base):
    """Press the lens against the wall: light from within the mucosa, without a picture (red-out).

    Around the contact the wall comes near and leaves the focus.
    """
    slope, shape = rng.standard_normal(2), view.depth.shape
    slope /= np.hypot(*slope)
    rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in shape)
    over = slope[0] * rows[:, None] + slope[1] * columns + 0.3 * smooth_field(rng, shape, 2)
    over -= np.float32(2.4 - 4.2 * strength)
    sharp = strength / (strength + 0.02)
    cover = (sharp / (1 + np.exp(-over / 0.13))).astype(np.float32)
    sigma = np.float32(9 * sharp) / (1 + np.exp(-(over + 0.25) / 0.10))
    # Light that wanders through the mucosa is redder than light that it throws back; brightest where it is thinnest.
    hue = (base / base[0])[None, None] ** np.float32([1.0, 1.45, 1.6])
    bright = 2.0 * np.exp(0.55 * smooth_field(rng, shape, 2) + 0.2 * smooth_field(rng, shape, 4))
    warmth = (bright * (0.25 + 0.75 / (1 + np.exp(-over / 0.35))))[:, :, None]
    glow = np.float32(view.usual) * warmth ** np.float32([1.0, 1.3, 1.45]) * hue
    light = soften(view.light, sigma * view.scale)
    light, left = _veil(light, glow.astype(np.float32), cover)
    return replace(view, light=light, clear=view.clear * left, variance_px=view.variance_px + sigma**2)


def _veil(light, before, cover):
    """Put light `before` a view that it covers by a share (height, width); also the view's part of the sum's green."""
    kept = (1 - cover)[:, :, None] * light
    total = kept + cover[:, :, None] * before
    return total, kept[:, :, 1] / np.maximum(total[:, :, 1], np.float32(1e-9))


def submerge(view, rng, strength):
    """Look through moving water: ripples that bend, a film that blurs, a haze that grows with the distance."""
    shape = view.depth.shape
    bend = np.stack([smooth_field(rng, shape, 6) + 0.4 * smooth_field(rng, shape, 14) for _ in range(2)])
    everything = np.concatenate([view.light, view.depth[:, :, None], view.clear[:, :, None]], axis=2)
    everything = shift(everything, *(bend * np.float32(14 * strength * view.scale)))
    film = np.exp(0.7 * smooth_field(rng, shape, 3)) * 7 * strength**1.5
    light = soften(np.ascontiguousarray(everything[:, :, :3]), film * view.scale)
    depth, clear = everything[:, :, 3], everything[:, :, 4]
    swirl = np.exp(0.6 * smooth_field(rng, shape, 4) + 0.3 * bend[0])
    through = np.exp(-1.1 * strength**2 * swirl * (0.3 + np.minimum(depth, 2)))
    pale, foul = np.float32([0.75, 0.78, 0.72]), np.float32([0.62, 0.42, 0.12])
    haze = np.float32(view.usual) * (pale + rng.beta(0.8, 1.0) * (foul - pale))
    haze = haze * (0.25 + 0.3 * swirl / (0.4 + depth))[:, :, None]
    light = light * (1 + 0.25 * strength * np.tanh(bend[1]))[:, :, None]
    light, left = _veil(light.astype(np.float32), haze.astype(np.float32), (1 - through).astype(np.float32))
    return View(light, depth, clear * left, view.variance_px + film**2)


def flare(view, strength):
    """Scatter light in the lens: what dazzles lies as a veil over the dark parts too."""
    veil = np.float32(0.8 * strength) * view.light[::4, ::4].mean(axis=(0, 1))
    light = view.light + veil
    return replace(view, light=light, clear=view.clear * view.light[:, :, 1] / np.maximum(light[:, :, 1], 1e-9))


def defocus(view, rng, strength):
    """Blur what is nearer than the depth of field, which recedes with the strength, and what a smudge covers."""
    limit = NEAR_LIMIT * (1 + 4 * strength)
    beyond = np.maximum(1 / np.maximum(view.depth, 0.03) - 1 / limit, 0)
    smudge = np.clip(1.1 + 0.5 * smooth_field(rng, view.depth.shape, 2), 0.1, None) * rng.uniform(0.3, 1.2)
    radius = PUPIL * DIAGONAL_PX / 2 * beyond * (1 + 2 * strength) + 20 * strength**2 * smudge
    sigma = (0.5 * np.minimum(radius, 32)).astype(np.float32)
    return replace(view, light=soften(view.light, sigma * view.scale), variance_px=view.variance_px + sigma**2)


def draw_motion(rng, strength):
    """Draw what the scope moves and turns by while the shutter is open, in its own axes; (3,) and (3,)."""
    shutter = rng.uniform(1 / 60, 1 / 30)
    speed, turn = rng.normal(0, [[0.4, 0.4, 1.0], [1.0, 1.0, 0.6]])
    turn *= rng.uniform(0.6, 1.0) / np.hypot(*turn[:2])
    return strength**2 * SPEED * shutter * speed, strength**2 * TURN * shutter * turn


def move(view, rays, velocity, turn):
    """Smear a view along the motion of its points while the shutter is open."""
    flow = image_flow(view.depth[::2, ::2], rays[:, ::2, ::2], velocity, turn) * np.float32(DIAGONAL_PX / 2)
    flow = enlarge(flow.transpose(1, 2, 0), view.depth.shape).transpose(2, 0, 1)
    variance = (flow[0] ** 2 + flow[1] ** 2) / 12
    return replace(view, light=smear(view.light, flow * view.scale), variance_px=view.variance_px + variance)
