"""The wall of the chest, what lies below the diaphragm, bones and lungs, in the order in which they are painted."""

from functools import partial

import numpy as np

from data_prep.phantoms import ctpa_bones as bones
from data_prep.phantoms.ctpa_body import cage_depth, diaphragm_depth, fluid_depth
from data_prep.phantoms.ctpa_mediastinum import mediastinum_organs
from data_prep.phantoms.ctpa_shapes import STEP_MM, Field, ellipsoid, join, meet, tube
from data_prep.phantoms.ctpa_tissue import organ, smooth_noise

FAT, MUSCLE, AIR = -102.0, 54.0, -985.0


def chest_organs(body, contrast, lungs, lattice):
    """List the organs on a lattice, from the couch to the heart; airways and vessels of the lungs come after them.

    Parameters
    ----------
    body : Body
    contrast : Contrast
    lungs : Lungs
    lattice : Lattice

    Returns
    -------
    list of Organ or None
    """
    noise = partial(_noise, body.seed, lattice)
    cage = cage_depth(body, lattice)
    return [
        *_couch(body, lattice),
        *_wall(body, lattice, cage, noise),
        _fluid(body, lattice, cage),
        *_abdomen(body, lattice, cage, noise),
        *_bones(body, lattice, cage, noise),
        *_lung(body, lungs, lattice, noise),
        *mediastinum_organs(body, contrast, lattice),
    ]


def _noise(seed, lattice, number, length_mm):
    """Draw one of a patient's random fields."""
    return smooth_noise([seed, number], length_mm, lattice)


def outline_depth(body, lattice, cage):
    """Measure depth below the skin; arms are raised."""
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    knots = [-240, -140, -60, 20, 60, 110, 150]
    half_x = np.interp(z, knots, [148, 153, 155, 160, 166, 160, 130]) + 0.9 * body.fat_mm
    half_y = np.interp(z, knots, [109, 114, 116, 114, 102, 88, 78]) + 0.8 * body.fat_mm
    middle = np.interp(z, knots, [17, 16, 17, 22, 30, 33, 28])
    power = 2.35
    level = 1 - ((np.abs(x) / half_x) ** power + (np.abs(y - middle) / half_y) ** power) ** (1 / power)
    radius = np.sqrt(x**2 + (y - middle) ** 2) / np.maximum(1 - level, 1e-2)
    depth = (level * radius).astype(np.float32)
    if body.female:
        for side in (-1, 1):
            breast = ellipsoid(lattice, np.array((-60, -92, 74 * side)) * body.scale, (58, 26 + 0.8 * body.fat_mm, 54))
            depth = join(depth, np.maximum(breast, -40), np.float32(20))
    return join(depth, cage + 16 + 0.3 * body.fat_mm, np.float32(10))


def _couch(body, lattice):
    """Make the couch, a shallow trough of foam in a thin shell."""
    _, y, x = lattice.axes_mm
    below = np.float32(134 * body.scale[1] + 0.8 * body.fat_mm * body.scale[1] + 6)
    top = below - np.float32(0.00125) * x**2
    depth = np.minimum(np.minimum(y - top, top + 46 - 0.00035 * x**2 - y), 215 - np.abs(x))
    return [organ(lattice, np.broadcast_to(depth, lattice.shape), (0, -300.0), (2.0, -900.0))]


def _wall(body, lattice, cage, noise):
    """Skin, fat, muscles with fat between them; the mediastinum's and the abdomen's fat within the cage."""
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    skin = outline_depth(body, lattice, cage)
    wavy = noise(0, 30)
    lobules = noise(1, 6)
    fat = Field(lattice, FAT + 7 * lobules + 5 * wavy)
    thick = body.fat_mm * (1 + 0.25 * wavy) * np.clip(0.75 + 0.35 * np.abs(x) / 130, 0.7, 1.2) + 2
    front = (y < -30) & (np.abs(x) < 110)
    back = np.interp(np.abs(x), [0, 50, 85, 120], [40, 38, 16, 20])
    bulk = np.where(
        y > 40,
        back,
        np.where(front, np.interp(z, [-80, -20, 60], [5, 18, 34]), np.interp(z, [-120, 0, 70], [9, 16, 40])),
    )
    muscle = np.minimum(np.minimum(skin - thick, cage + 13 + bulk), skin - 4)
    groove = 7 - np.hypot(x * 1.2, y - 138)  # between the long muscles of the back
    muscle = np.minimum(muscle, -groove)
    planes = [at + 2.5 * noise(number, 22) for number, at in ((2, 13), (3, 24), (4, 36))]
    clefts = np.max([0.4 + 1.1 * wavy - np.abs(cage + plane) for plane in planes], axis=0)
    clefts = np.where(cage < -9, clefts, -5)
    strands = MUSCLE + 4 * wavy + 5 * lobules
    axilla = [
        ellipsoid(lattice, np.array((52, 10, 150 * side)) * body.scale, (46, 30, 17)) + 3 * wavy for side in (-1, 1)
    ]
    fat_inside = Field(lattice, FAT + 6 + 6 * lobules)
    return [
        organ(lattice, skin, (0, 5.0), (1.7, fat)),
        organ(lattice, muscle, (0, Field(lattice, strands))),
        organ(lattice, np.minimum(clefts, muscle + 1), (0, -85.0)),
        organ(lattice, np.minimum(np.maximum(*axilla), skin - 6), (0, fat)),
        *_glands(body, lattice, skin, wavy, lobules),
        organ(lattice, cage + 9, (0, Field(lattice, strands)), (7.5, fat_inside)),
    ]


def _glands(body, lattice, skin, wavy, lobules):
    """Glands of the breasts, strands in fat."""
    if not body.female:
        return []
    depths = [
        ellipsoid(lattice, np.array((-62, -112 - 0.4 * body.fat_mm, 76 * side)) * body.scale, (34, 16, 32))
        for side in (-1, 1)
    ]
    return [organ(lattice, np.minimum(np.maximum(*depths) - 3 + 5 * lobules + 2 * wavy, skin - 6), (0, 35.0))]


def _fluid(body, lattice, cage):
    """Pleural effusions, if there are any."""
    return organ(lattice, np.minimum(fluid_depth(body, lattice), cage - 1), (0, 11.0)) if max(body.fluid_mm) else None


def _abdomen(body, lattice, cage, noise):
    """Make what lies below the diaphragm, as far as a chest scan shows it: liver, stomach, spleen."""
    x = lattice.axes_mm[2]
    below = np.minimum(-diaphragm_depth(body, lattice), cage)
    grain = noise(5, 7)
    right = np.broadcast_to(6 - x, lattice.shape).astype(np.float32)
    left_lobe = ellipsoid(lattice, np.array((-134, -34, 16)) * body.scale, (24, 46, 58))
    liver = meet(below - 3.5, join(right, np.maximum(left_lobe, -30), np.float32(24)), np.float32(8))
    back = noise(6, 60)
    spleen = np.minimum(ellipsoid(lattice, np.array((-158, 48, 92)) * body.scale, (44, 40, 34)), below - 4)
    stomach = np.minimum(ellipsoid(lattice, np.array((-160, -18, 62)) * body.scale, (38, 46, 42)), below - 4)
    level = np.broadcast_to(-26 * body.scale[1] - lattice.axes_mm[1], lattice.shape)
    return [
        organ(lattice, below, (0, 48.0), (3.0, FAT + 4)),
        organ(lattice, spleen, (0, Field(lattice, 104 + 6 * grain))),
        organ(lattice, liver, (0, Field(lattice, 72 + 5 * grain + 4 * back))),
        organ(lattice, stomach, (0, 48.0), (3.5, 16.0)),
        organ(lattice, np.minimum(stomach - 3.5, level), (0, AIR)),
    ]


def _bones(body, lattice, cage, noise):
    """Cortical shells around spongy bone."""
    grain = noise(7, 3.5)
    rib, soft = bones.rib_depth(body, lattice, cage)
    spine, canal = bones.spine_depth(body, lattice)
    spongy = Field(lattice, 175 + 45 * grain)
    disc = tube(lattice, np.c_[body.spine, np.full(len(body.spine), 15.5)])
    blades = bones.blade_depth(body, lattice, cage)
    return [
        organ(lattice, disc, (0, 88.0)),
        organ(lattice, soft, (0, Field(lattice, 108 + 22 * grain))),
        organ(lattice, blades, (0, 480.0), (1.3, spongy)),
        organ(lattice, rib, (0, 620.0), (1.2, spongy)),
        organ(lattice, bones.front_depth(body, lattice), (0, 430.0), (1.0, spongy)),
        organ(lattice, spine, (0, 420.0), (1.2, spongy)),
        organ(lattice, canal, (0, -20.0), (1.6, 22.0)),
    ]


def _lung(body, lungs, lattice, noise):
    """Parenchyma: denser towards the back, grainy, with fissures."""
    whole = lungs.field.lattice
    ends = STEP_MM * np.array(whole.first), STEP_MM * (np.array(whole.first) + whole.shape - 1)
    lattice = lattice.window(*ends)
    if lattice is None:
        return []
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    window = tuple(slice(f - g, f - g + n) for f, g, n in zip(lattice.first, whole.first, lattice.shape, strict=True))
    depth = lungs.field.values[window]
    noise = partial(noise.func, noise.args[0], lattice)
    grain, patches = noise(8, 3.2), noise(9, 35)
    # Where two smooth fields vanish at once there are lines: vessels too thin for the trees.
    twigs = np.exp(-12 * (noise(14, 9) ** 2 + noise(15, 9) ** 2))
    level = body.aeration_hu + 42 * (y / 90) + 10 * grain + 12 * patches + 230 * twigs - 20
    level += 90 * np.exp(-np.maximum(depth, 0) / 3) * np.clip((y - 55) / 35, 0, 1)  # gravity on the lowest lung
    wave = 4 * noise(10, 50)
    oblique = 0.6 * (z + 20) - 0.8 * (y - 20) + 6 + wave
    level_fissure = np.where(x < 0, (z + 22 + 0.15 * y) + wave, 50)
    level_fissure = np.where(oblique > 0, level_fissure, 50)
    return (
        organ(lattice, depth, (0, Field(lattice, level.astype(np.float32)))),
        _fissure(lattice, depth, oblique),
        _fissure(lattice, depth, level_fissure),
    )


def _fissure(lattice, depth, away):
    """Make a sheet of pleura, half a millimetre to each side."""
    return organ(lattice, np.minimum(0.15 - np.abs(away), depth - 1), (0, -560.0))
