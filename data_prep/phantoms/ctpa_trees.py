"""Arteries, veins and bronchi of two lungs, grown by a seeded branching law.

The large vessels of the mediastinum are laid by hand (`ctpa_trunks`); from the lobes on, trees grow into the lungs
(`ctpa_branching`). Points are (slice, row, column) in millimetres: up, back, to the patient's left.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial import cKDTree

from data_prep.phantoms.ctpa_branching import grow, unit
from data_prep.phantoms.ctpa_trunks import ARTERIES, BRONCHI, BRONCHUS_OF, REGIONS, VEINS, lay, region_of

TARGETS = 4000  # points that the branches of both lungs are to reach
AROUND_MM = np.array([170.0, 130, 160])  # no lung reaches farther from the middle of the hila
BRONCHUS_SHARE = 0.75  # a bronchus's lumen over the radius of its artery
SMALLEST_ARTERY_MM = 0.9  # that a bronchus accompanies
APART_MM = 0.6  # least lung between the walls of an artery and a vein


@dataclass(frozen=True)
class Tree:
    """Tapered segments, each after its parent: arrays over n segments.

    Attributes
    ----------
    start, end : ndarray of shape (n, 3), float64
        Slice, row, column, in mm. A segment starts where its parent ends.
    radius_start, radius_end : ndarray of shape (n,), float64
        Of the lumen, in mm.
    parent : ndarray of shape (n,), int64
        -1 at roots; smaller than the segment's own number.
    generation : ndarray of shape (n,), int64
        Bifurcations passed since the root.
    side : ndarray of shape (n,), int64
        0 in the right lung, 1 in the left lung, -1 in the mediastinum between.
    """

    start: np.ndarray
    end: np.ndarray
    radius_start: np.ndarray
    radius_end: np.ndarray
    parent: np.ndarray
    generation: np.ndarray
    side: np.ndarray

    def __len__(self):
        return len(self.parent)

    @property
    def tubes(self):
        """What `ctpa_tubes.paint` takes before the grid."""
        return self.start, self.end, self.radius_start, self.radius_end

    @property
    def root(self):
        """Number of the root that each segment hangs on, from 0 in their order: ndarray of shape (n,), int64.

        Of veins: right upper with middle, right lower, left upper with lingula, left lower. Of bronchi: right, left.
        """
        up = np.where(self.parent >= 0, self.parent, np.arange(len(self)))
        while (up[up] != up).any():
            up = up[up]
        return np.unique(up, return_inverse=True)[1]

    @property
    def length_mm(self):
        """Of each segment."""
        return np.linalg.norm(self.end - self.start, axis=1)

    def take(self, chosen):
        """Keep some segments; a segment whose parent goes becomes a root."""
        chosen = np.arange(len(self))[chosen]
        number = np.full(len(self) + 1, -1)
        number[chosen] = np.arange(len(chosen))
        parts = {field.name: getattr(self, field.name)[chosen] for field in fields(self)}
        return Tree(**(parts | {"parent": number[self.parent[chosen]]}))


def grow_lung_trees(rng, lungs):
    """Grow one patient's vessels and airways.

    Parameters
    ----------
    rng : numpy.random.Generator
    lungs : ctpa_body.Lungs

    Returns
    -------
    dict of Tree
        "artery": pulmonary trunk, main, interlobar and lobar arteries and all that follows, down to .42 mm radius.
        "vein": from the left atrium. "bronchus": the lumen, from the fork of the windpipe on, beside arteries of
        1.8 mm diameter and more.
    """
    artery, stems = _grow(rng, lungs, ARTERIES, _draw_targets(rng, lungs))
    targets = _draw_targets(rng, lungs)
    distance = cKDTree(artery.end).query(targets)[0]
    between = targets[np.sort(np.argsort(-distance, kind="stable")[: len(targets) * 3 // 4])]
    vein, _ = _grow(rng, lungs, VEINS, between)
    bronchus = _accompany(artery, stems, *lay(rng, BRONCHI, lungs.hila, [BRONCHUS_OF[region] for region in REGIONS]))
    return {"artery": artery, "vein": _part(vein, artery), "bronchus": bronchus}


def _draw_targets(rng, lungs):
    """Draw points that fill both lungs evenly."""
    found, middle = np.zeros((0, 3)), np.mean(lungs.hila, axis=0)
    for _ in range(20):
        points = rng.uniform(middle - AROUND_MM, middle + AROUND_MM, (4 * TARGETS, 3))
        found = np.concatenate([found, points[lungs.inside(points) > 4]])
        if len(found) >= TARGETS:
            return found[:TARGETS]
    raise ValueError(
        f"Expected lungs around their hila at {np.round(lungs.hila, 1).tolist()} mm, but lungs.inside(points) is below "
        "4 mm nearly everywhere there. Give depth in mm, positive inside."
    )


def _grow(rng, lungs, table, targets):
    """Lay a table's trunks and grow a tree from their open ends: tree, numbers of the segments it grows from."""
    laid, sprouts = lay(rng, table, lungs.hila)
    grown = grow(rng, lungs, sprouts, targets, region_of(targets, lungs.hila), len(laid["parent"]))
    tree = Tree(**{name: np.concatenate([laid[name], grown[name]]) for name in laid})
    return tree, sprouts.segment


def _part(vein, artery, rounds=10):
    """Push the veins' nodes within the lungs away from arteries that they would touch."""
    tree = cKDTree(artery.end)
    end = vein.end.copy()
    free = vein.generation > vein.generation[vein.side >= 0].min()
    for _ in range(rounds):
        distance, near = tree.query(end)
        overlap = artery.radius_end[near] + vein.radius_end + APART_MM - distance
        push = np.where(free & (overlap > 0), 0.6 * overlap, 0)
        end += push[:, None] * unit(end - artery.end[near])
    start = np.where(vein.parent[:, None] >= 0, end[vein.parent], vein.start)
    return Tree(start, end, vein.radius_start, vein.radius_end, vein.parent, vein.generation, vein.side)


def _accompany(artery, stems, laid, sprouts):
    """Lay a bronchus beside every artery above `SMALLEST_ARTERY_MM`, joined to the large airways.

    `stems` are the segments that the arteries' regions grow from, `sprouts` the large airways' ends for each of them.
    """
    place, beside = artery.end.copy(), np.zeros((len(artery), 3))
    beside[stems] = sprouts.place - artery.end[stems]
    apart = artery.radius_end * (1 + 1.25 * BRONCHUS_SHARE) + 0.5
    heading = unit(artery.end - artery.start)
    chosen = np.zeros(len(artery), bool)
    chosen[stems] = True
    for i in range(stems.min(), len(artery)):
        if i not in stems:
            above = artery.parent[i]
            if not chosen[above] or artery.radius_start[i] < SMALLEST_ARTERY_MM:
                continue
            chosen[i], beside[i] = True, beside[above]
        beside[i] = unit(beside[i] - (beside[i] @ heading[i]) * heading[i])
        place[i] += apart[i] * beside[i]
    chosen[stems] = False
    return _join(artery, place, stems, np.flatnonzero(chosen), (laid, sprouts))


def _join(artery, place, stems, along, trunks):
    """Make one tree of the large airways, a piece from them to each stem, and the bronchi beside the arteries."""
    laid, sprouts = trunks
    number = np.full(len(artery), -1)
    number[np.r_[stems, along]] = len(laid["parent"]) + np.arange(len(stems) + len(along))
    lumen = BRONCHUS_SHARE * artery.radius_end
    added = {
        "start": np.concatenate([sprouts.place, place[artery.parent[along]]]),
        "end": place[np.r_[stems, along]],
        "radius_start": np.concatenate([lumen[stems] * 1.1, BRONCHUS_SHARE * artery.radius_start[along]]),
        "radius_end": lumen[np.r_[stems, along]],
        "parent": np.concatenate([sprouts.segment, number[artery.parent[along]]]),
        "generation": np.concatenate([sprouts.generation + 1, artery.generation[along]]),
        "side": artery.side[np.r_[stems, along]],
    }
    return Tree(**{name: np.concatenate([laid[name], added[name]]) for name in laid})
