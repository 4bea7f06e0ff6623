"""A chest: the cage of the ribs, the diaphragm, the mediastinum and the two lungs between them.

Places are (slice, row, column) = (z, y, x) in millimetres from the middle of the chest at the windpipe's bifurcation:
z to the head, y to the back, x to the patient's left. The landmarks below are an average chest's; `draw_body` scales
and moves them. They were read off textbook levels (bifurcation at T4/5, valve plane of the pulmonary artery 5 to
6 cm below, domes of the diaphragm 10 to 12 cm below) and set beside a real slice until the outlines agreed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from data_prep.phantoms.ctpa_shapes import Field, cover, ellipsoid, join, join_tube, meet, normalise, smooth

CHEST_MM = (-205.0, -135.0, -175.0), (115.0, 135.0, 175.0)
# Tubes of the mediastinum: z, y, x and radius, mm.
TUBES = {
    "trachea": [(150, -8, 0, 9), (100, -2, 0, 9), (50, 9, 0, 9), (12, 18, 1, 9), (-1, 20, 1, 9)],
    "right bronchus": [(1, 20, 0, 8), (-6, 23, -11, 7.5), (-12, 25, -24, 7)],
    "left bronchus": [(1, 20, 0, 7.5), (-8, 24, 12, 6.5), (-17, 28, 26, 6.2), (-24, 29, 38, 6)],
    "oesophagus": [(150, 12, 3, 6), (60, 27, 5, 6), (0, 41, 6, 7), (-50, 46, 6, 7.5), (-90, 40, 8, 8),
                   (-130, 26, 16, 8)],
    "aorta": [(-66, -8, 2, 13), (-50, -19, -10, 16.5), (-25, -26, -18, 16), (2, -22, -17, 15.5), (25, -8, -5, 15),
              (34, 6, 14, 14), (27, 26, 27, 13.5), (0, 48, 31, 12.5), (-40, 57, 30, 12.5), (-100, 61, 26, 12),
              (-160, 56, 14, 11.5), (-230, 50, 5, 11)],
    "cava": [(48, -16, -26, 7.5), (10, -15, -33, 9), (-25, -13, -36, 9.5), (-56, -8, -35, 10.5)],
    "lower cava": [(-230, 32, -24, 11), (-130, 18, -28, 12), (-100, 4, -30, 13), (-85, -4, -32, 13)],
    "left innominate": [(50, -17, -25, 6.5), (64, -24, 0, 6), (75, -20, 26, 6), (90, -6, 46, 6), (104, 4, 80, 6)],
    "right innominate": [(47, -16, -26, 7), (75, -8, -32, 6.5), (95, 2, -50, 6), (106, 6, -80, 6)],
    "innominate artery": [(34, -8, -5, 7), (60, 0, -12, 6), (80, 5, -20, 5.5), (150, 8, -24, 4)],
    "carotid": [(39, 6, 11, 4.5), (65, 5, 15, 4), (150, 8, 24, 4)],
    "subclavian": [(36, 22, 23, 5.5), (62, 20, 27, 5.5), (84, 14, 36, 5), (100, 8, 70, 4.5)],
    "azygos": [(-205, 54, -7, 3.5), (-100, 57, -7, 3.8), (-20, 51, -9, 4), (3, 44, -14, 4.5), (12, 26, -26, 4.5),
               (10, 6, -32, 5), (6, -10, -33, 5)],
    "trunk": [(-60, -34, 18, 13.5), (-44, -34, 22, 13.5), (-26, -24, 23, 13.5), (-14, -7, 18, 13)],
    "right artery": [(-14, -7, 18, 12), (-14, 0, 3, 11.5), (-15, 4, -14, 11), (-16, 7, -29, 10.5), (-24, 15, -40, 9)],
    "left artery": [(-14, -7, 18, 12), (-5, 8, 27, 11), (0, 22, 36, 10.5), (-4, 33, 45, 9.5)],
    "right upper vein": [(-46, 20, -8, 7.3), (-38, 11, -22, 7.2), (-30, 1, -36, 7)],
    "right lower vein": [(-55, 26, -6, 7), (-60, 33, -24, 6.8), (-61, 38, -36, 6.5)],
    "left upper vein": [(-44, 20, 18, 7.2), (-36, 10, 29, 7.1), (-26, 6, 40, 7)],
    "left lower vein": [(-53, 28, 16, 7), (-56, 35, 32, 6.8), (-56, 41, 41, 6.5)],
}  # fmt: skip
HILA = (-20, 16, -42), (-12, 28, 42)  # right, left: where the trees of `ctpa_trees` are fitted
# What fat and nodes fill between them, at the back and at the front, and the sac of the heart.
FILLING = [
    [(-75, -12, 2, 34), (-50, -18, 0, 33), (-20, -14, 2, 31), (20, -8, 0, 29), (50, 0, 0, 26), (110, 10, 0, 24)],
    [(-130, 42, 8, 13), (-60, 38, 8, 16), (-20, 36, 6, 22), (25, 32, 10, 24), (110, 30, 4, 18)],
    [(-135, -78, 14, 24), (-80, -74, 10, 21), (-30, -64, 4, 9), (10, -54, 0, 5), (50, -40, 0, 10)],
]
SAC = (-83, -18, 16), (64, 46, 44), (-0.34, -0.34, 0.88)
SPINE = [(150, 40, 0), (80, 47, 0), (40, 60, 0), (0, 69, 0), (-60, 75, 0), (-120, 71, 0), (-240, 56, 0)]
# Chambers: centre, half axes, long axis (the first half axis lies along it); all z, y, x.
CHAMBERS = {
    "left atrium": ((-53, 21, 4), (33, 20, 19), (0.05, -0.05, 1)),
    "left ventricle": ((-92, -13, 42), (53, 31, 31), (-0.42, -0.5, 0.76)),
    "right ventricle": ((-87, -43, 12), (46, 27, 27), (-0.35, -0.12, 0.93)),
    "right atrium": ((-80, -12, -32), (34, 27, 24), (1, 0.1, -0.1)),
}
# The cage at heights along the patient, sheared so that its front hangs lower: half width, half depth, middle.
CAGE = np.array(
    [(-240, 126, 74, 14), (-160, 134, 88, 6), (-100, 137, 93, -1), (-50, 133, 91, 0), (0, 125, 84, 6),
     (40, 118, 74, 13), (80, 110, 62, 18), (150, 100, 50, 22)], float,
)  # fmt: skip
SHEAR, CLOSING_MM, TOP_MM = 0.24, 18.0, 106.0


@dataclass(frozen=True, eq=False)
class Body:
    """One patient.

    Attributes
    ----------
    scale : ndarray of shape (3,)
        How much longer, deeper and wider than the average chest.
    tubes : dict of str to ndarray of shape (n, 4)
        Smooth centre lines and radii in mm, by the names of `TUBES`.
    hila : ndarray of shape (2, 3)
        The middle of the right and of the left hilum.
    spine : ndarray of shape (n, 3)
        The middle of the vertebral bodies.
    chambers : dict of str to (centre, half axes, axes)
        Ellipsoids of the heart, outer walls.
    heart : float
        How much larger than in the average chest, beside the scale.
    domes_mm : tuple of (float, float)
        Heights of the right and the left dome of the diaphragm.
    fluid_mm : tuple of (float, float)
        How deep fluid stands behind the right and the left lung; 0 in most.
    aeration_hu : float
        Of parenchyma at mid height.
    fat_mm : float
        Under the skin of the chest's side.
    female : bool
    seed : int
        For whatever else of this patient is random.
    """

    scale: np.ndarray
    tubes: dict
    hila: np.ndarray
    spine: np.ndarray
    chambers: dict
    heart: float
    domes_mm: tuple[float, float]
    fluid_mm: tuple[float, float]
    aeration_hu: float
    fat_mm: float
    female: bool
    seed: int


def draw_body(rng):
    """Draw a patient."""
    female = bool(rng.random() < 0.5)
    scale = (0.95 if female else 1.03) * (1 + rng.normal(0, [0.05, 0.05, 0.035]))
    thick = np.sqrt(scale.mean()) * rng.normal(1, 0.05)
    tubes = {}
    sway = rng.normal(0, 1.5, 3)
    for name, points in TUBES.items():
        points = np.array(points, float)
        points[:, :3] = points[:, :3] * scale + sway * [1, 1, 0.5]
        tubes[name] = smooth(points * [1, 1, 1, thick])
    heart = np.clip(rng.normal(1, 0.06), 0.88, 1.15)
    chambers = {}
    for name, (centre, half, along) in CHAMBERS.items():
        chambers[name] = centre * scale, np.array(half) * heart * scale.mean(), _frame(along + rng.normal(0, 0.04, 3))
    dome = (-102 + rng.normal(0, 8)) * scale[0]
    domes = dome, dome - rng.uniform(4, 18)
    fat = np.clip(rng.gamma(4, 4.0), 5, 38)
    fluid = tuple(float(rng.uniform(12, 45) * (rng.random() < 0.2)) for _ in range(2))
    hila, spine = HILA * scale + sway * [1, 1, 0.5], smooth(np.array(SPINE) * scale)
    aeration = rng.uniform(-868, -785)
    seed = int(rng.integers(2**31))
    return Body(scale, tubes, hila, spine, chambers, heart, domes, fluid, aeration, fat, female, seed)


def _frame(along):
    """Complete a direction to three orthogonal unit vectors, the second as level as can be."""
    first = np.asarray(along, float) / np.linalg.norm(along)
    third = np.cross(first, [0, 1, 0])
    third /= np.linalg.norm(third)
    return np.stack([first, np.cross(third, first), third])


def cage_depth(body, lattice):
    """Measure depth inside the surface that the ribs' inner sides lie on; it closes over the apices of the lungs."""
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    height = z - np.float32(SHEAR) * y
    half_width, half_depth, middle = (
        PchipInterpolator(CAGE[:, 0], CAGE[:, k])(height).astype(np.float32) for k in (1, 2, 3)
    )
    closing = np.maximum(height - CLOSING_MM, 0) / np.float32(TOP_MM - CLOSING_MM)
    power = np.float32(2.4)
    flat = (np.abs(x) / half_width) ** power + (np.abs(y - middle) / half_depth) ** power
    return normalise(1 - np.sqrt(flat ** np.float32(2 / 2.4) + closing**2))


def diaphragm_height(body, lattice):
    """Compute the height of the diaphragm over rows and columns, shape (1, rows, columns)."""
    _, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    heights = []
    for top, side in zip(body.domes_mm, (-1, 1), strict=True):
        away = np.sqrt(((x - side * 62) / 78) ** 2 + ((y + 8) / 92) ** 2)
        around = np.arctan2(y + 8, x - side * 62)
        away = away * (1 + 0.07 * np.sin(2 * around + body.seed % 7) + 0.04 * np.sin(3 * around + body.seed % 11))
        heights.append(top - 46 * np.minimum(away, 1.6) ** 2.4 - 12 * np.maximum((y + 8) / 92, 0) ** 1.5)
    return join(heights[0], heights[1], np.float32(20)).astype(np.float32)


def diaphragm_depth(body, lattice):
    """Measure depth above the diaphragm."""
    return normalise(np.broadcast_to(lattice.axes_mm[0] - diaphragm_height(body, lattice), lattice.shape))


def heart_depth(body, lattice):
    """Measure depth inside the pericardium."""
    centre, half, along = SAC
    sac = ellipsoid(lattice, centre * body.scale, np.array(half) * body.heart * body.scale.mean(), _frame(along))
    depth = np.maximum(sac, -30)
    outflow = np.array([(-84, -46, 10, 17), (-58, -35, 18, 14.5)]) * [*body.scale, 1]
    join_tube(depth, lattice, outflow, 14.0)
    for centre, half, axes in body.chambers.values():
        depth = join(depth, np.maximum(ellipsoid(lattice, centre, half, axes), -30), np.float32(14))
    return depth


def mediastinum_depth(body, lattice):
    """Measure depth inside what lies between the lungs: heart, vessels, airways, spine and the fat around them."""
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    half = np.interp(z, [-200, -60, -20, 20, 45, 80, 110], [12, 11, 9, 10, 15, 24, 32])
    share = np.interp(y, [-90, -40, -20, 60], [0.35, 0.6, 1, 1.2])
    depth = np.maximum((half * share - np.abs(x - 2)).astype(np.float32), -30) + np.zeros(lattice.shape, np.float32)
    depth = join(depth, heart_depth(body, lattice) + 3, np.float32(10))
    for points in FILLING:
        join_tube(depth, lattice, smooth(points * np.array([*body.scale, body.scale.mean()])), 14.0)
    for name, points in body.tubes.items():
        margin = 1.0 if "vein" in name or "artery" in name else 2.5
        join_tube(depth, lattice, points + np.array([0, 0, 0, margin]), 14.0)
    join_tube(depth, lattice, np.c_[body.spine, np.full(len(body.spine), 20.0)], 14.0)
    return depth


@dataclass(frozen=True, eq=False)
class Lungs:
    """Both lungs, for whoever grows vessels in them.

    Attributes
    ----------
    field : Field
        Signed depth in mm, positive inside a lung; linear within about 12 mm outside.
    hila : ndarray of shape (2, 3)
        The middle of the right and of the left hilum, mm.
    """

    field: Field
    hila: np.ndarray

    def inside(self, points_mm):
        """Interpolate the depth at points of shape (n, 3); outside the chest it stays negative."""
        return self.field.at(points_mm)


def fluid_depth(body, lattice):
    """Measure depth inside the fluid of pleural effusions: behind a sloping level, side by side."""
    z, y, x = (line / np.float32(scale) for line, scale in zip(lattice.axes_mm, body.scale, strict=True))
    heights = [112 - (deep + 22) * (1 - np.clip((z + 120) / 170, 0, 1.6)) * (deep > 0) for deep in body.fluid_mm]
    level = np.where(x < 0, heights[0], heights[1])
    curved = y - level + 0.0012 * np.abs(x) ** 2 - 10  # a little higher along the side
    return (0.9 * curved).astype(np.float32)


def lung_depth(body, lattice):
    """Measure depth inside the lungs, which end 1 mm inside the cage and on the diaphragm."""
    depth = meet(cage_depth(body, lattice) - 1, diaphragm_depth(body, lattice), np.float32(6))
    if max(body.fluid_mm):
        depth = meet(depth, -fluid_depth(body, lattice), np.float32(6))
    middle = lattice.window((-1e3, -1e3, -85 * body.scale[2]), (1e3, 1e3, 125 * body.scale[2]))
    part = slice(middle.first[2] - lattice.first[2], middle.first[2] - lattice.first[2] + middle.shape[2])
    depth[:, :, part] = meet(depth[:, :, part], -mediastinum_depth(body, middle), np.float32(5))
    return np.maximum(depth, -30)


def find_lungs(body):
    """Compute a patient's lungs once, for trees and for any window.

    Returns
    -------
    Lungs
    """
    lattice = cover(*(np.array(CHEST_MM) * body.scale))
    return Lungs(Field(lattice, lung_depth(body, lattice)), body.hila)
