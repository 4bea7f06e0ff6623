"""The branching law: vessels that fill a lung, a generation at a time.

Every open end owns a cloud of target points. The cloud is cut in two, each half gets a branch that heads for it, and
so on until a branch is thin (after Tawhai et al., J Appl Physiol 2004, whose airways fill a lung likewise). Flow goes
with the number of targets, so radii follow Murray's law, r0^3 = r1^3 + r2^3; branching angles are those of least work.
"""

from dataclasses import dataclass, fields

import numpy as np

STEPS = 3  # segments a branch
THINNEST_MM = 0.42  # a branch that would begin thinner is not drawn
PLEURA_MM = 2.5  # nearest that a branch's axis comes to the lung's surface
LENGTH_RADII, LENGTH_MM = (2.0, 2.6), (2.0, 7.0)  # of a branch: from 2 r + 2 mm to 2.6 r + 7 mm
# Attempts at a branch: its length over the drawn one, and how far it turns towards its targets; each next one leans
# farther away from the lung's surface.
TRIES = (1, 0.5), (1, 0.6), (0.8, 0.8), (0.6, 0.9), (0.4, 0.9)
BEHIND = -0.3  # cosine of the angle with its direction from which on an end leaves targets to its neighbours
TAPER = 0.004, 0.0012  # share of its radius lost on a mm, and more on a mm for each mm of radius
ANGLE_SD_DEGREES = 7.0


@dataclass(frozen=True)
class Sprouts:
    """Open ends that grow: arrays over n ends.

    Attributes
    ----------
    place, direction : ndarray of shape (n, 3), float64
        In mm; unit vectors.
    radius : ndarray of shape (n,), float64
        In mm.
    segment : ndarray of shape (n,), int64
        Number of the segment that ends here.
    generation, side : ndarray of shape (n,), int64
    """

    place: np.ndarray
    direction: np.ndarray
    radius: np.ndarray
    segment: np.ndarray
    generation: np.ndarray
    side: np.ndarray

    def take(self, chosen):
        """Keep some of them."""
        return Sprouts(*(getattr(self, field.name)[chosen] for field in fields(self)))


def unit(vectors):
    """Scale vectors, shape (..., 3), to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def grow(rng, lungs, sprouts, targets, owner, numbered):
    """Grow branches from open ends until they are thin.

    Parameters
    ----------
    rng : numpy.random.Generator
    lungs : ctpa_body.Lungs
    sprouts : Sprouts
    targets : ndarray of shape (m, 3), float64
        Points to fill, in mm.
    owner : ndarray of shape (m,), int64
        The sprout that each target belongs to.
    numbered : int
        The first new segment's number.

    Returns
    -------
    dict of ndarray
        The fields of `ctpa_trees.Tree`, over the new segments.
    """
    grown = []
    while len(sprouts.place):
        sprouts, targets, owner = _fork(rng, sprouts, targets, owner)
        nodes, radii, kept = _extend(rng, lungs, sprouts, targets, owner)
        sprouts = sprouts.take(kept)
        grown.append(_segments(sprouts, nodes[kept], radii[kept], numbered))
        numbered += STEPS * len(sprouts.place)
        targets, owner = _pass_on(targets, owner, kept)
        nodes, radii, number = nodes[kept], radii[kept], numbered - 1 - STEPS * np.arange(len(sprouts.place))[::-1]
        heading = unit(nodes[:, -1] - nodes[:, -2])
        sprouts = Sprouts(nodes[:, -1], heading, radii[:, -1], number, sprouts.generation, sprouts.side)
    return {name: np.concatenate([part[name] for part in grown]) for name in grown[0]}


def _pass_on(targets, owner, kept):
    """Forget the targets of ends that do not grow on, and number the others' owners anew."""
    number = np.cumsum(kept) - 1
    alive = kept[owner]
    return targets[alive], number[owner[alive]]


def _middles(targets, owner, n):
    """Count the targets of each of n owners, and find their middle."""
    count = np.bincount(owner, minlength=n)
    sums = np.stack([np.bincount(owner, targets[:, axis], n) for axis in range(3)], axis=1)
    return count, sums / np.maximum(count, 1)[:, None]


def _fork(rng, sprouts, targets, owner):
    """Cut every end's cloud across its widest direction; the children carry shares of the flow, at least-work angles.

    Ends with fewer than two targets end for good. Children too thin to be drawn vanish with their targets.
    """
    ahead = np.einsum("ij,ij->i", unit(targets - sprouts.place[owner]), sprouts.direction[owner]) > BEHIND
    targets, owner = targets[ahead], owner[ahead]
    count, _ = _middles(targets, owner, len(sprouts.place))
    sprouts, (targets, owner) = sprouts.take(count > 1), _pass_on(targets, owner, count > 1)
    n = len(sprouts.place)
    count, middle = _middles(targets, owner, n)
    wide = _widest(rng, sprouts, targets - middle[owner], owner)
    order = np.lexsort((np.einsum("ij,ij->i", targets, wide[owner]), owner))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    first = np.clip(np.round(rng.beta(3.5, 3.5, n) * count), 1, count - 1)
    child = 2 * owner + (rank >= first[owner])
    share = np.stack([first, count - first], axis=1) / count[:, None]
    radius = sprouts.radius[:, None] * np.cbrt(share)
    direction = _fork_directions(rng, sprouts, radius, _middles(targets, child, 2 * n)[1].reshape(n, 2, 3))
    twice = sprouts.take(np.repeat(np.arange(n), 2))
    forked = Sprouts(
        twice.place, direction.reshape(-1, 3), radius.ravel(), twice.segment, twice.generation + 1, twice.side
    )
    thick = forked.radius >= THINNEST_MM
    return forked.take(thick), *_pass_on(targets, child, thick)


def _widest(rng, sprouts, offsets, owner):
    """Find the direction, square to an end's own, in which its targets spread most; jittered."""
    n = len(sprouts.place)
    spread = np.empty((n, 3, 3))
    for i in range(3):
        for j in range(3):
            spread[:, i, j] = np.bincount(owner, offsets[:, i] * offsets[:, j], n)
    across = np.eye(3) - 0.8 * sprouts.direction[:, :, None] * sprouts.direction[:, None, :]
    vectors = np.linalg.eigh(across @ spread @ across)[1][:, :, -1]
    vectors *= np.sign(np.einsum("ij,j->i", vectors, [0.48, 0.6, 0.64]))[:, None]  # eigh leaves the sign open
    return unit(vectors + rng.normal(0, 0.15, (n, 3)))


def _fork_directions(rng, sprouts, radius, goals):
    """Turn each child away from its parent by the angle of least work, towards its goal.

    cos a1 = (r0^4 + r1^4 - r2^4) / (2 r0^2 r1^2) (Murray, J Gen Physiol 1926), give or take `ANGLE_SD_DEGREES`.
    """
    parent, other = sprouts.radius[:, None], radius[:, ::-1]
    cosine = (parent**4 + radius**4 - other**4) / (2 * parent**2 * radius**2)
    angle = np.arccos(np.clip(cosine, -1, 1)) + rng.normal(0, np.radians(ANGLE_SD_DEGREES), radius.shape)
    heading = sprouts.direction[:, None]
    towards = goals - sprouts.place[:, None]
    towards = unit(towards - np.sum(towards * heading, axis=-1, keepdims=True) * heading)
    return unit(np.cos(angle)[..., None] * heading + np.sin(angle)[..., None] * towards)


def _extend(rng, lungs, sprouts, targets, owner):
    """Bend a branch from its direction towards its targets, as long as the law says and the lung allows.

    Returns
    -------
    nodes : ndarray of shape (n, STEPS + 1, 3)
    radii : ndarray of shape (n, STEPS + 1)
    kept : ndarray of shape (n,), bool
        False where no branch stays within the lung.
    """
    n = len(sprouts.place)
    middle = _middles(targets, owner, n)[1]
    goal = middle - sprouts.place
    distance = np.linalg.norm(goal, axis=1)
    low, high = (LENGTH_RADII[k] * sprouts.radius + LENGTH_MM[k] for k in range(2))
    length = np.clip(0.45 * distance, low, high) * rng.lognormal(0, 0.2, n)
    sway = rng.normal(0, 0.12, (n, 3))
    shares = np.linspace(0, 1, STEPS + 1)[:, None]
    nodes = np.empty((n, STEPS + 1, 3))
    kept = np.zeros(n, bool)
    begun = lungs.inside(sprouts.place)  # below 0 in the hilum, from where every step must lead into the lung
    lean = sway * 0.5
    for shorter, turned in TRIES:
        heading = unit((1 - turned) * sprouts.direction + turned * unit(goal) + lean)
        far = (shorter * length)[:, None, None]
        bend = far * (shares * (1 - shares))[None] * sprouts.direction[:, None]
        path = sprouts.place[:, None] + bend + far * (shares**2)[None] * heading[:, None]
        depth = lungs.inside(path[:, 1:].reshape(-1, 3)).reshape(n, STEPS)
        new = (depth >= np.minimum(PLEURA_MM, begun[:, None])).all(axis=1) & ~kept
        nodes[new] = path[new]
        kept |= new
        lean = lean + 0.5 * _inwards(lungs, path[:, -1])
    ran = np.linalg.norm(np.diff(nodes, axis=1), axis=2).sum(axis=1)
    taper = np.exp(-(TAPER[0] + TAPER[1] * sprouts.radius) * ran)
    return nodes, sprouts.radius[:, None] * taper[:, None] ** shares[:, 0], kept


def _inwards(lungs, points):
    """Find the direction in which a lung gets deeper."""
    steps = 4 * np.stack([-np.eye(3), np.eye(3)])[:, :, None]
    depth = lungs.inside((points + steps).reshape(-1, 3)).reshape(2, 3, -1)
    return unit((depth[1] - depth[0]).T)


def _segments(sprouts, nodes, radii, numbered):
    """Cut branches into the fields of a tree; a branch's segments follow each other."""
    n = len(nodes)
    number = numbered + np.arange(n * STEPS).reshape(n, STEPS)
    return {
        "start": nodes[:, :-1].reshape(-1, 3),
        "end": nodes[:, 1:].reshape(-1, 3),
        "radius_start": radii[:, :-1].ravel(),
        "radius_end": radii[:, 1:].ravel(),
        "parent": np.concatenate([sprouts.segment[:, None], number[:, :-1]], axis=1).ravel(),
        "generation": np.repeat(sprouts.generation, STEPS),
        "side": np.repeat(sprouts.side, STEPS),
    }
