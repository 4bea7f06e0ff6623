"""The wall of a phantom colon: radius, colour and wetness on a grid of angle and depth.

Lengths are in mean colon radii (about 25 mm). The tube's cross-sections stay perpendicular to the z axis and
their centre moves sideways with z, so that the depth of any point is its z and no nearest point of a curve
has to be sought. The wall is a height field; what overhangs it is in `colon_bodies`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2
from scipy.ndimage import gaussian_filter, gaussian_filter1d

N_Z, N_THETA = 1536, 768
LENGTH = 10.0
STEP_Z, STEP_THETA = LENGTH / N_Z, 2 * np.pi / N_THETA

# Linear-light albedos between which a colon's mucosa lies: pink, orange, yellow, pale. Chosen so that encoded
# frames cover the medians of the CVC-ColonDB sequences (red 87-188, green 49-117, blue 24-85).
MUCOSA = np.array([[0.90, 0.30, 0.19], [0.92, 0.26, 0.07], [0.90, 0.38, 0.08], [0.78, 0.36, 0.28]])
STOOL = np.array([0.75, 0.40, 0.08])
BLOOD = np.array([0.25, 1.0, 0.85])  # how strongly a vessel takes away red, green and blue light


@dataclass(frozen=True)
class Wall:
    """A colon without its bodies.

    Attributes
    ----------
    line : ndarray of shape (N_Z, 4), float32
        Centre x and y at each z, and their differences to the next z.
    corners : ndarray of shape (N_Z * N_THETA, 4), float32
        Radius at a grid cell's four corners, so that a bilinear reading is one gather.
    layers : ndarray of shape (N_Z * (N_THETA + 1), 8), float32
        dR/dtheta, dR/dz, albedo red, green, blue, wetness, and two slopes of the wet film; the first angle
        again at the end.
    base : ndarray of shape (3,), float32
        Mean albedo of the mucosa.
    """

    line: np.ndarray
    corners: np.ndarray
    layers: np.ndarray
    base: np.ndarray


def smooth_noise(rng, scale, shape=(N_Z, N_THETA)):
    """Draw periodic Gaussian noise with a Gaussian spectrum.

    Parameters
    ----------
    rng : numpy.random.Generator
    scale : float
        Standard deviation of the equivalent Gaussian filter on white noise, in grid cells.
    shape : tuple of int

    Returns
    -------
    ndarray of that shape, float32
        Mean 0, standard deviation 1.
    """
    rows = min(shape[0] // 2 - 1, int(np.ceil(3 * shape[0] / (2 * np.pi * scale))))
    columns = min(shape[1] // 2, int(np.ceil(3 * shape[1] / (2 * np.pi * scale))))
    spectrum = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
    u = np.arange(-rows, rows + 1)
    v = np.arange(columns + 1)
    decay = np.exp(-2 * (np.pi * scale) ** 2 * ((u[:, None] / shape[0]) ** 2 + (v / shape[1]) ** 2))
    waves = rng.standard_normal((2, u.size, v.size)) * decay
    spectrum[u[:, None], v[None, :]] = waves[0] + 1j * waves[1]
    noise = irfft2(spectrum, shape)
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def build_wall(rng):
    """Grow one colon wall.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Wall
    """
    ridges, radius = _folds(rng)
    radius += 0.03 * smooth_noise(rng, 60) + 0.011 * smooth_noise(rng, 16) + 0.0018 * smooth_noise(rng, 5)
    radius, fluid = _pour(rng, radius)
    base = rng.dirichlet(np.full(len(MUCOSA), 0.6)) @ MUCOSA
    albedo = _colour(rng, base, ridges, fluid)
    wet = np.clip(0.5 * smooth_noise(rng, 24) + 0.6 * ridges + 2.0 * fluid - 0.25, 0.0, 1.5)
    slopes = _film(rng, fluid)
    layers = np.stack([*_slopes(radius), *albedo, wet, *slopes], axis=-1)
    layers = np.concatenate([layers, layers[:, :1]], axis=1).reshape(-1, layers.shape[-1])
    return Wall(_centre_line(rng), _corners(radius), layers.astype(np.float32), base.astype(np.float32))


def _centre_line(rng):
    """Bend the tube: three waves for each of x and y, slope of about one where it bends most."""
    z = np.arange(N_Z + 1) * STEP_Z
    wavelength = rng.uniform([5.0, 3.2, 2.0], [9.0, 5.0, 3.2], (2, 3))
    slope = rng.uniform([0.2, 0.15, 0.0], [0.7, 0.5, 0.25], (2, 3))
    phase = rng.uniform(0, 2 * np.pi, (2, 3))
    waves = np.sin(2 * np.pi * z[:, None, None] / wavelength + phase) * slope * wavelength / (2 * np.pi)
    centre = waves.sum(axis=2)
    return np.concatenate([centre[:-1], np.diff(centre, axis=0)], axis=1).astype(np.float32)


def _folds(rng):
    """Raise haustral folds: crescents that tilt and waver, with the wall bulging outward between them."""
    theta = np.arange(N_THETA) * STEP_THETA
    z = np.arange(N_Z)[:, None] * STEP_Z
    spacing, depth, lobes = rng.uniform(0.55, 1.1), rng.uniform(0.18, 0.42), rng.choice([1, 2, 3], 2)
    places = np.cumsum(rng.uniform(0.6, 1.4, int(LENGTH / spacing / 0.75)) * spacing)
    height = np.zeros((N_Z, N_THETA), np.float32)
    for place in places[places < LENGTH]:
        tilt, turn = rng.uniform(0.0, 0.25), rng.uniform(0, 2 * np.pi, 3)
        crest = place + tilt * np.cos(theta - turn[0]) + 0.04 * np.sin(5 * theta + turn[1])
        arc = 0.5 + 0.5 * np.cos(rng.choice(lobes) * theta + turn[2])
        width = rng.uniform(0.06, 0.13)
        near = np.abs(z[:, 0] - place) < 4 * width + tilt + 0.05
        profile = np.exp(-0.5 * ((z[near] - crest) / width) ** 2)
        fold = depth * rng.uniform(0.5, 1.2) * (0.12 + 0.88 * arc) * profile
        height[near] = np.maximum(height[near], fold)
    return height / depth, (1.04 - height).astype(np.float32)


def _pour(rng, radius):
    """Lay pools of fluid at the bottom: a level surface cuts each cross-section off.

    Returns the radius with the pools' surface and the depth of fluid below it.
    """
    down = rng.uniform(0, 2 * np.pi)
    facing = np.cos(np.arange(N_THETA) * STEP_THETA - down)
    level = 0.92 + 0.08 * smooth_noise(rng, 90)[:, :1] + rng.uniform(-0.04, 0.12)
    surface = np.where(facing > 0.3, level / np.maximum(facing, 0.3), 9.0)
    return np.minimum(radius, surface), np.clip(radius - surface, 0.0, None)


def _colour(rng, base, ridges, fluid):
    """Mottle the mucosa, draw vessels, drop residue, and tint what lies under fluid; (3, N_Z, N_THETA)."""
    red, pale = smooth_noise(rng, 70), smooth_noise(rng, 45)
    grain = 1.6 * smooth_noise(rng, 1.6) + 1.3 * smooth_noise(rng, 10)
    pale += 1.5 * ridges
    shift = np.multiply.outer([0.02, -0.14, -0.12], red) + np.multiply.outer([0.05, 0.10, 0.12], pale)
    shift += np.multiply.outer([0.012, 0.03, 0.035], grain)
    strength = rng.uniform(0.15, 0.8)
    shift -= np.multiply.outer(BLOOD * strength, _vessels(rng))
    albedo = base[:, None, None] * np.exp(shift)
    specks = smooth_noise(rng, 3.5) + 1.1 * smooth_noise(rng, 60) - rng.uniform(2.6, 4.2)
    stain = np.clip(1.5 * specks, 0.0, 0.8) + (1.0 - np.exp(-6.0 * fluid)) * rng.uniform(0.3, 0.9)
    stain = np.minimum(stain, 0.9)
    return albedo * (1 - stain) + STOOL[:, None, None] * rng.uniform(0.7, 1.3) * stain


def _vessels(rng):
    """Draw branching vessels, thick to thin: each generation leaves the last one; (N_Z, N_THETA), 0 to 1."""
    total = np.zeros((N_Z, N_THETA), np.float32)
    count = rng.integers(20, 45)
    start = rng.uniform(0, [N_Z, N_THETA], (count, 2))
    heading = rng.uniform(0, 2 * np.pi, count)
    for steps, sigma, strength in ((260, 1.5, 1.0), (150, 1.1, 0.75), (90, 0.8, 0.55), (60, 0.7, 0.4)):
        bends = gaussian_filter1d(rng.standard_normal((len(start), steps)), 7, axis=1)
        angle = heading[:, None] + np.cumsum(0.13 * bends, axis=1)
        path = start[:, None] + np.cumsum(np.stack([np.sin(angle), np.cos(angle)], axis=-1), axis=1)
        total = np.maximum(total, strength * _stroke(path.reshape(-1, 2), sigma))
        pick = rng.integers(0, len(start), 3 * count), rng.integers(10, steps, 3 * count)
        start, heading = path[pick], angle[pick] + rng.choice([-1, 1], 3 * count) * rng.uniform(0.4, 1.0)
        count = min(3 * count, 300)
    return total


def _stroke(path, sigma):
    """Blur a path's points into a line of peak one."""
    cells = np.floor(path).astype(int) % (N_Z, N_THETA)
    ink = np.zeros(N_Z * N_THETA, np.float32)
    ink[cells[:, 0] * N_THETA + cells[:, 1]] = 1.0
    ink = gaussian_filter(ink.reshape(N_Z, N_THETA), sigma, mode="wrap")
    return np.minimum(ink * sigma * np.sqrt(2 * np.pi), 1.0)


def _film(rng, fluid):
    """Ripple the wet film on the mucosa: slopes that break highlights into spots; still on fluid."""
    film = 0.25 * smooth_noise(rng, 1.5) + 1.1 * smooth_noise(rng, 5.0)
    calm = np.exp(-20 * fluid)
    return [0.8 * calm * slope for slope in np.gradient(film)[::-1]]


def _slopes(radius):
    """Differentiate the radius by angle and by z, periodic in the angle."""
    by_theta = (np.roll(radius, -1, 1) - np.roll(radius, 1, 1)) / (2 * STEP_THETA)
    return by_theta, np.gradient(radius, STEP_Z, axis=0)


def _corners(radius):
    """Pack each cell's four corners, the next z repeated at the end and the angle wrapped."""
    below = np.concatenate([radius[1:], radius[-1:]])
    corners = [radius, np.roll(radius, -1, 1), below, np.roll(below, -1, 1)]
    return np.stack(corners, axis=-1).reshape(-1, 4).astype(np.float32)


def locate(wall, points):
    """Find where points lie in the tube.

    Parameters
    ----------
    wall : Wall
    points : ndarray of shape (3, n), float32
        x, y, z in colon radii.

    Returns
    -------
    dict of ndarray of shape (n,)
        `dx`, `dy`, `rho` from the centre line, `row` and `column` on the grid as int, `down` and `right`
        the fractions of a cell.
    """
    down = np.clip(points[2] * np.float32(1 / STEP_Z), 0, N_Z - 1.01)
    row = down.astype(np.int32)
    down -= row
    line = wall.line.take(row, axis=0)
    dx = points[0] - (line[:, 0] + down * line[:, 2])
    dy = points[1] - (line[:, 1] + down * line[:, 3])
    right = np.arctan2(dy, dx) * np.float32(1 / STEP_THETA)
    right += np.float32(N_THETA) * (right < 0)
    column = np.minimum(right.astype(np.int32), N_THETA - 1)
    right -= column
    place = {"dx": dx, "dy": dy, "rho": np.sqrt(dx * dx + dy * dy)}
    return place | {"row": row, "column": column, "down": down, "right": right}


def wall_gap(wall, points):
    """Measure the radial room between points and the wall, in colon radii; negative behind the wall."""
    place = locate(wall, points)
    near = wall.corners.take(place["row"] * N_THETA + place["column"], axis=0)
    right, down = place["right"], place["down"]
    above = near[:, 0] + right * (near[:, 1] - near[:, 0])
    below = near[:, 2] + right * (near[:, 3] - near[:, 2])
    return above + down * (below - above) - place["rho"]


def wall_surface(wall, points):
    """Read normals and material of the wall at points on it.

    Parameters
    ----------
    wall : Wall
    points : ndarray of shape (3, n), float32

    Returns
    -------
    normals : ndarray of shape (3, n), float32
        Unit vectors into the lumen: the gradient of `wall_gap`.
    material : ndarray of shape (6, n), float32
        The layers from the albedo on.
    """
    place = locate(wall, points)
    layers = _read(wall, place["row"], place["column"], place["down"], place["right"])
    return _normals(wall, place, layers[0], layers[1]), layers[2:]


def wall_material(wall, row, column):
    """Read the material alone at fractional grid places (n,), the angle wrapped; (6, n)."""
    row = np.clip(row, 0, N_Z - 1.01)
    column = np.mod(column, np.float32(N_THETA - 0.01))
    return _read(wall, row.astype(np.int32), column.astype(np.int32), row % 1, column % 1)[2:]


def _read(wall, row, column, down, right):
    """Interpolate the layers between a cell's corners; (8, n), contiguous by layer."""
    cell, down, right = row * (N_THETA + 1) + column, down[:, None], right[:, None]
    above, below = wall.layers.take(cell, axis=0), wall.layers.take(cell + N_THETA + 1, axis=0)
    above += right * (wall.layers.take(cell + 1, axis=0) - above)
    below += right * (wall.layers.take(cell + N_THETA + 2, axis=0) - below)
    above += down * (below - above)
    return np.ascontiguousarray(above.T)


def _normals(wall, place, by_theta, by_z):
    """Turn the radius' slopes into unit normals (chain rule through the moving centre line)."""
    dx, dy, rho = place["dx"], place["dy"], np.maximum(place["rho"], 1e-6)
    slope = wall.line[:, 2:].take(place["row"], axis=0) / np.float32(STEP_Z)
    swing = by_theta / (rho * rho)
    x, y = -dx / rho - swing * dy, -dy / rho + swing * dx
    z = by_z - slope[:, 0] * x - slope[:, 1] * y
    length = np.sqrt(x * x + y * y + z * z)
    return np.stack([x / length, y / length, z / length])
