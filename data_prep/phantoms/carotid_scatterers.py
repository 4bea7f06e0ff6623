"""Scatterers that fill the layers of a neck and move with them.

A scatterer belongs to a layer and keeps its fraction of the layer's thickness when the artery swells.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from data_prep.phantoms.carotid_tissue import (
    ADVENTITIA,
    DEEP,
    FAR_WALL,
    LI,
    LUMEN,
    MA,
    MUSCLE,
    NEAR_ADVENTITIA,
    NEAR_WALL,
    REACH_MM,
    boundaries_at,
    bump,
    spread_pulse,
    wavy,
)

DENSITY = 60.0  # scatterers a mm2: over ten in a resolution cell, enough for fully developed speckle
SPACING_MM = 0.03  # along an interface: well below the beam's width, so that it echoes as one mirror
PATCHES_MM = np.array([0.9, 2.5])  # axial and lateral size of patches of brighter and darker tissue
# Sheets within a layer: how many in 10 mm2, half length in mm, slope relative to the artery, level in dB.
LAMELLAE = (
    (MUSCLE, 0.45, 8.0, 0.02, -9.0),
    (NEAR_ADVENTITIA, 4.5, 4.0, 0.01, 1.0),
    (ADVENTITIA, 5.5, 2.5, 0.01, 3.0),
    (DEEP, 0.7, 2.0, 0.1, -3.0),
)
FADE_DB = 5.0  # from MA to the lower edge of the adventitia
# How much the echo of each layer differs from patch to patch.
WITHIN_DB = np.array([4.0, 3.0, 1.5, 0.0, 1.5, 2.0, 7.0])


@dataclass(frozen=True)
class Scatterers:
    """Points that echo, each fixed to its tissue: arrays of shape (n,).

    Attributes
    ----------
    lateral_mm, fraction, strength : ndarray, float64
        Position along the artery at end diastole, fraction of the layer's thickness, amplitude of the echo.
    layer : ndarray, int64
    """

    lateral_mm: np.ndarray
    layer: np.ndarray
    fraction: np.ndarray
    strength: np.ndarray


def fill(rng, anatomy, depths_mm, reach_mm, difficulty):
    """Fill the layers with scatterers.

    Parameters
    ----------
    rng : numpy.random.Generator
    anatomy : Anatomy
    depths_mm : tuple of (float, float)
        From where to where.
    reach_mm : float
        How far to both sides of the middle; at most `REACH_MM`.
    difficulty : float
        How far the echo of LI drops out here and there.

    Returns
    -------
    Scatterers
        Random ones everywhere but in the lumen, and sheets of evenly spaced ones: the interfaces, fasciae of the
        muscle, lamellae of the adventitia and of the tissue below. Spaced closer than the beam is wide, a sheet
        echoes as a mirror does: strongly where it lies square to the beam, less the more it tilts.
    """
    number = int(DENSITY * 2 * reach_mm * (depths_mm[1] - depths_mm[0]))
    lateral, depth = rng.uniform(-reach_mm, reach_mm, number), rng.uniform(*depths_mm, number)
    layer, fraction = _locate(anatomy, lateral, depth)
    kept = layer != LUMEN
    lateral, depth, layer, fraction = lateral[kept], depth[kept], layer[kept], fraction[kept]
    random = lateral, layer, fraction, _patchy(rng, anatomy, lateral, depth, layer)
    sheets = [_interfaces(rng, anatomy, reach_mm, difficulty), _lamellae(rng, anatomy, depths_mm, reach_mm)]
    parts = [np.concatenate(part) for part in zip(random, *sheets, strict=True)]
    parts[3] *= 10 ** (-FADE_DB / 20 * parts[2] * (parts[1] == ADVENTITIA))
    return Scatterers(*parts)


def _locate(anatomy, lateral, depth):
    """Find the layer that holds each point and the point's fraction of the layer's thickness."""
    lines = boundaries_at(anatomy, lateral)
    layer = np.clip((depth >= lines[1:7]).sum(axis=0), 0, 6)
    points = np.arange(depth.size)
    above, below = lines[layer, points], lines[layer + 1, points]
    return layer, (depth - above) / (below - above)


def _patchy(rng, anatomy, lateral, depth, layer):
    """Amplitude of the tissue at each point: its layer's level and patches of brighter and darker tissue."""
    patches = rng.normal(size=(int(60 / PATCHES_MM[0]) + 2, int(2 * REACH_MM / PATCHES_MM[1]) + 2))
    flat = depth - np.interp(lateral, anatomy.lateral_mm, anatomy.boundaries_mm[MA] - anatomy.boundaries_mm[MA].mean())
    where = np.stack([np.clip(flat, 0, 60) / PATCHES_MM[0], (lateral + REACH_MM) / PATCHES_MM[1]])
    varied = map_coordinates(patches, where, order=1, mode="nearest") * 1.4  # between knots interpolation evens out
    return 10 ** ((anatomy.level_db[layer] + WITHIN_DB[layer] * varied) / 20)


def _sheet(rng, anatomy, lateral, depth, level_db, roughness_mm=0.006):
    """Lay points along a line, with an echo in dB above that of fully developed adventitia."""
    layer, fraction = _locate(anatomy, lateral, depth + rng.normal(0, roughness_mm, depth.size))
    return lateral, layer, fraction, np.full(depth.size, 0.135) * 10 ** (level_db / 20)


def _interfaces(rng, anatomy, reach_mm, difficulty):
    """Lay the interfaces of both walls; where LI's echo drops out, the wall begins with its faint speckle."""
    lateral = np.arange(-reach_mm, reach_mm, SPACING_MM)
    lines = boundaries_at(anatomy, lateral)
    drop = np.maximum(0, wavy(rng, lateral, 3, 7.0) - 4) + np.abs(wavy(rng, lateral, 1, 2))
    wall_db = anatomy.level_db[FAR_WALL]
    levels = {
        NEAR_WALL: -6 + wavy(rng, lateral, 2, 3),
        LUMEN: -16 + wavy(rng, lateral, 2, 4),
        LI: wall_db + 9.5 + 3 * (1 - difficulty) - difficulty * drop,
        MA: 1 + anatomy.level_db[ADVENTITIA] + wavy(rng, lateral, 2, 2 * difficulty),
    }
    sheets = [_sheet(rng, anatomy, lateral, lines[line], level) for line, level in levels.items()]
    return tuple(map(np.concatenate, zip(*sheets, strict=True)))


def _lamellae(rng, anatomy, depths_mm, reach_mm):
    """Lay fasciae in the muscle and collagen in the adventitia and the tissue below, along the artery or askew."""
    centre = boundaries_at(anatomy, np.zeros(1))[:, 0]
    lines = []
    for layer, number, half_mm, slope, level_db in LAMELLAE:
        low, high = max(centre[layer], depths_mm[0]), min(centre[layer + 1], depths_mm[1])
        for _ in range(rng.poisson(number / 5 * reach_mm * max(0, high - low))):
            middle, half = rng.uniform(-reach_mm, reach_mm), half_mm * rng.uniform(0.4, 1.6)
            lateral = np.arange(max(middle - half, -reach_mm), min(middle + half, reach_mm), SPACING_MM)
            follow = np.interp(lateral, anatomy.lateral_mm, anatomy.boundaries_mm[layer] - centre[layer])
            askew = rng.normal(0, slope) * (lateral - middle) + wavy(rng, lateral, 6, 3 * slope)
            taper_db = 20 * np.log10(bump(lateral, middle, half) + 0.03) + rng.normal(0, 3)
            lines.append((lateral, rng.uniform(low, high) + follow + askew, level_db + taper_db))
    if not lines:
        return _sheet(rng, anatomy, *np.zeros((3, 0)))
    return _sheet(rng, anatomy, *map(np.concatenate, zip(*lines, strict=True)))


def place(anatomy, scatterers, swelling):
    """Move the scatterers with their tissue.

    Parameters
    ----------
    anatomy : Anatomy
    scatterers : Scatterers
    swelling : float
        As `distension` gives it.

    Returns
    -------
    lateral_mm, depth_mm : ndarray of shape (n,), float64
    """
    moved = anatomy.boundaries_mm + swelling * spread_pulse(anatomy)
    step = anatomy.lateral_mm[1] - anatomy.lateral_mm[0]
    where = np.clip((scatterers.lateral_mm + REACH_MM) / step, 0, anatomy.lateral_mm.size - 1.001)
    left = where.astype(int)
    share = where - left
    thickness = np.diff(moved, axis=0)
    mix = [
        (1 - share) * table[scatterers.layer, left] + share * table[scatterers.layer, left + 1]
        for table in (moved, thickness)
    ]
    return scatterers.lateral_mm + swelling * anatomy.slide_mm, mix[0] + scatterers.fraction * mix[1]
