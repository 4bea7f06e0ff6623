"""The large vessels and airways between the lungs, laid after anatomy and fitted to a patient's hila.

Way points are (slice, row, column) in millimetres of `ctpa_body`'s average chest, whose hila lie at `HILA`: up, back,
to the patient's left, 0 at the height where the windpipe forks. They end where every region of a lung has an open
end; there `ctpa_branching` takes over.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator

from data_prep.phantoms.ctpa_body import HILA
from data_prep.phantoms.ctpa_branching import Sprouts, unit

SIDES = "right", "left"
REGIONS = "upper", "middle", "superior", "basal"  # of either lung; the left lung's "middle" is the lingula
STEP_MM = 4.0
WANDER_MM = 1.0

# Name, the one it comes from, its share of that one's flow (of a root: its radius in mm), radius at its end over that
# at its start, way points after its parent's end (of a root: all).
ARTERIES = (
    ("trunk", None, 13.9, 0.965, ((-60, -34, 18), (-44, -34, 22), (-26, -24, 23), (-14, -7, 18))),
    ("right main", "trunk", 0.53, 0.92, ((-14, 0, 3), (-15, 4, -14), (-16, 7, -29))),
    ("right upper", "right main", 0.32, 0.87, ((-10, 8, -37), (0, 9, -44))),
    ("right interlobar", "right main", 0.68, 0.88, ((-22, 14, -39), (-32, 20, -45))),
    ("right middle", "right interlobar", 0.28, 0.9, ((-37, 14, -51), (-41, 8, -57))),
    ("right lower", "right interlobar", 0.72, 0.95, ((-37, 24, -47), (-41, 27, -48))),
    ("right superior", "right lower", 0.26, 0.92, ((-43, 33, -51), (-42, 40, -54))),
    ("right basal", "right lower", 0.74, 0.85, ((-50, 29, -50), (-60, 31, -52))),
    ("left main", "trunk", 0.47, 0.90, ((-5, 8, 27), (0, 22, 36))),
    ("left upper", "left main", 0.37, 0.85, ((7, 20, 43), (14, 20, 49))),
    ("left interlobar", "left main", 0.63, 0.88, ((-3, 33, 45), (-14, 38, 51), (-22, 38, 53))),
    ("left middle", "left interlobar", 0.3, 0.9, ((-27, 32, 57), (-32, 24, 61))),
    ("left lower", "left interlobar", 0.7, 0.95, ((-28, 38, 54), (-32, 38, 55))),
    ("left superior", "left lower", 0.2, 0.92, ((-33, 44, 58), (-32, 51, 60))),
    ("left basal", "left lower", 0.8, 0.85, ((-42, 38, 56), (-52, 39, 58))),
)
VEINS = (
    ("right upper trunk", None, 7.3, 0.92, ((-46, 20, -8), (-38, 11, -22), (-30, 1, -36), (-25, -3, -44))),
    ("right upper", "right upper trunk", 0.66, 0.82, ((-17, -4, -50), (-8, -2, -54))),
    ("right middle", "right upper trunk", 0.34, 0.85, ((-33, -5, -51), (-42, -5, -58))),
    ("right lower trunk", None, 6.9, 0.92, ((-55, 26, -6), (-60, 33, -24), (-61, 39, -38))),
    ("right superior", "right lower trunk", 0.28, 0.85, ((-55, 45, -46), (-48, 50, -52))),
    ("right basal", "right lower trunk", 0.72, 0.85, ((-67, 42, -44), (-76, 45, -50))),
    ("left upper trunk", None, 7.2, 0.92, ((-44, 20, 18), (-36, 10, 29), (-26, 6, 40), (-21, 5, 47))),
    ("left upper", "left upper trunk", 0.66, 0.82, ((-11, 5, 53), (-1, 6, 57))),
    ("left middle", "left upper trunk", 0.34, 0.85, ((-29, 4, 54), (-38, 5, 61))),
    ("left lower trunk", None, 6.7, 0.92, ((-53, 28, 16), (-56, 35, 32), (-56, 42, 43))),
    ("left superior", "left lower trunk", 0.28, 0.85, ((-50, 51, 50), (-43, 57, 55))),
    ("left basal", "left lower trunk", 0.72, 0.85, ((-62, 45, 49), (-71, 47, 55))),
)
BRONCHI = (
    ("right main", None, 7.4, 0.92, ((1, 20, 0), (-6, 23, -11), (-12, 25, -24))),
    ("right upper", "right main", 0.35, 0.95, ((-9, 23, -31), (-6, 20, -37))),
    ("right lower", "right main", 0.65, 0.9, ((-22, 28, -31), (-34, 30, -36), (-44, 32, -40))),
    ("left main", None, 6.4, 0.92, ((1, 20, 0), (-8, 24, 12), (-17, 28, 26), (-23, 29, 37))),
    ("left upper", "left main", 0.4, 0.95, ((-23, 26, 43), (-21, 22, 48))),
    ("left lower", "left main", 0.6, 0.9, ((-29, 30, 42), (-38, 31, 45))),
)
# The large airway that the bronchus beside a region's artery comes from.
BRONCHUS_OF = {"upper": "upper", "middle": "lower", "superior": "lower", "basal": "lower"}


class _Layer:
    """Branches laid one after another."""

    def __init__(self):
        self.parts, self.size, self.ends = [], 0, {}

    def lay(self, name, source, radii, way):
        """Lay a branch through way points, from another's end (of a root: None), tapering from a radius to another."""
        segment, generation = -1, 0
        if source is not None:
            place, _, _, segment, generation, _ = self.ends[source]
            way, generation = np.concatenate([[place], way]), generation + 1
        side = -1 if "main" in name or "trunk" in name else int(name.startswith("left"))
        nodes = _smooth(way)
        radii = radii[0] * (radii[1] / radii[0]) ** np.linspace(0, 1, len(nodes))
        number = self.size + np.arange(len(nodes) - 1)
        parts = nodes[:-1], nodes[1:], radii[:-1], radii[1:], np.r_[segment, number[:-1]]
        self.parts.append((*parts, np.full(len(number), generation), np.full(len(number), side)))
        self.size += len(number)
        self.ends[name] = nodes[-1], unit(nodes[-1] - nodes[-2]), radii[-1], number[-1], generation, side


def lay(rng, table, hila, regions=REGIONS):
    """Lay the branches of a table through their way points, each of them a little off.

    Parameters
    ----------
    rng : numpy.random.Generator
    table : tuple
        `ARTERIES`, `VEINS` or `BRONCHI`.
    hila : ndarray of shape (2, 3)
        Right and left, in mm of the patient's frame.
    regions : sequence of str
        Whose ends to give, as the table names them after the side.

    Returns
    -------
    laid : dict of ndarray
        The fields of `ctpa_trees.Tree`.
    sprouts : Sprouts
        The end in each region of the right lung, then of the left.
    """
    layer = _Layer()
    for name, source, flow, taper, way in table:
        way = _fit(np.array(way, float) + rng.normal(0, WANDER_MM, (len(way), 3)), hila)
        radius = flow if source is None else layer.ends[source][2] * np.cbrt(flow)
        layer.lay(name, source, (radius, radius * taper), way)
    fields = "start", "end", "radius_start", "radius_end", "parent", "generation", "side"
    laid = {field: np.concatenate(part) for field, part in zip(fields, zip(*layer.parts, strict=True), strict=True)}
    columns = zip(*[layer.ends[f"{side} {region}"] for side in SIDES for region in regions], strict=True)
    return laid, Sprouts(*map(np.array, columns))


def _fit(points, hila):
    """Move points from the average chest to a patient's."""
    average = np.array(HILA, float)
    wide = np.linalg.norm(hila[1] - hila[0]) / np.linalg.norm(average[1] - average[0])
    return (points - average.mean(axis=0)) * np.array([1, 1, wide]) + np.mean(hila, axis=0)


def _smooth(way):
    """Lay a curve through way points, a node about every `STEP_MM`."""
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))]
    number = max(2, round(along[-1] / STEP_MM)) + 1
    return PchipInterpolator(along, way)(np.linspace(0, along[-1], number))


def region_of(points_mm, hila):
    """Tell which region of which lung each point belongs to.

    Parameters
    ----------
    points_mm : ndarray of shape (n, 3)
    hila : ndarray of shape (2, 3)

    Returns
    -------
    ndarray of shape (n,), int64
        Number in `REGIONS`, + 4 in the left lung. The oblique fissure rises to the back through the hilum; in front
        of it the middle lobe or lingula lies below the hilum, behind it the superior segment above the basal ones.
    """
    left = (points_mm[:, 2] > hila[:, 2].mean()).astype(int)
    offset = points_mm - hila[left]
    front = 0.6 * offset[:, 0] - 0.8 * offset[:, 1] > -4
    low = np.where(front, offset[:, 0] < -8, offset[:, 0] < -16)
    return 4 * left + np.where(front, 0, 2) + low
