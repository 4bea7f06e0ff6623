"""The heart, the great vessels and the gullet, and how far the contrast medium has come."""

from dataclasses import dataclass

import numpy as np

from data_prep.phantoms.ctpa_body import heart_depth
from data_prep.phantoms.ctpa_shapes import Field, ellipsoid, join, tube
from data_prep.phantoms.ctpa_tissue import organ, smooth_noise


@dataclass(frozen=True)
class Contrast:
    """How the blood was enhanced, HU.

    Attributes
    ----------
    artery, left, aorta : float
        Pulmonary arteries and right ventricle; left heart; aorta: the medium reaches them one after the other.
    cava : float
        Upper vena cava, dense with medium; `mixing` of it streams into the right atrium with plain blood.
    plain : float
        Blood without medium.
    veins : tuple of float
        The four pulmonary veins: right upper, right lower, left upper, left lower.
    streaks : float
        Strength of the streaks about the upper vena cava.
    """

    artery: float
    left: float
    aorta: float
    cava: float
    plain: float
    veins: tuple[float, float, float, float]
    streaks: float


def draw_contrast(rng, difficulty):
    """Draw the time of a scan after the injection; at a `difficulty` of 0, one at which veins look like arteries."""
    artery = np.clip(rng.normal(345, 55), 250, 460)
    late = np.clip(rng.normal(0.75, 0.22), 0.25, 1.0)  # how much of it has reached the left heart
    plain = rng.uniform(38, 52)
    left = plain + late * (artery - plain)
    veins = []
    for _ in range(4):
        behind = difficulty * rng.uniform(0, 0.35) + (rng.random() < 0.18 * difficulty) * rng.uniform(0.4, 0.9)
        veins.append(float(plain + (left - plain) * max(0.0, 1.05 - behind)))
    cava = rng.uniform(420, 900) if rng.random() < 0.8 else artery * rng.uniform(0.9, 1.1)
    streaks = difficulty * rng.uniform(0.3, 1.0) * max(0.0, cava - 350) / 6
    return Contrast(artery, left, plain + 0.92 * (left - plain), cava, plain, tuple(veins), streaks)


def mediastinum_organs(body, contrast, lattice):
    """List the organs between the lungs, on a lattice, in the order in which they are painted.

    Parameters
    ----------
    body : Body
    contrast : Contrast
    lattice : Lattice

    Returns
    -------
    list of Organ or None
    """
    return [*_heart(body, contrast, lattice), *_tubes(body, contrast, lattice)]


def _heart(body, contrast, lattice):
    """Make the sac's fat, the muscle, and blood in four chambers with rough walls."""
    rough, streams = smooth_noise([body.seed, 11], 7, lattice), smooth_noise([body.seed, 12], 14, lattice)
    names = "right ventricle", "right atrium", "left atrium", "left ventricle"
    walls = {name: np.maximum(ellipsoid(lattice, *body.chambers[name]), -12) for name in names}
    muscle = walls["right ventricle"]
    for name in names[1:]:
        muscle = join(muscle, walls[name], np.float32(9))
    mixed = contrast.artery + (contrast.cava - contrast.artery) * 0.25 * streams + 30 * rough
    mixed = Field(lattice, np.maximum(mixed, contrast.plain).astype(np.float32))
    right, left = contrast.artery * 0.98, contrast.left
    outflow = tube(lattice, np.array([(-84, -46, 10, 15), (-60, -34, 18, 13)]) * [*body.scale, 1])
    root = tube(lattice, np.array([(-86, -14, 26, 11), (-64, -8, 2, 12)]) * [*body.scale, 1])
    sac = heart_depth(body, lattice)
    return [
        organ(lattice, sac + 2.5, (0, -94.0)),
        organ(lattice, np.minimum(muscle, sac), (0, 92.0)),
        organ(lattice, walls["right ventricle"] - 3.5 + 1.3 * rough, (0, Field(lattice, right + 12 * streams))),
        organ(lattice, outflow - 1 + rough, (0, right)),
        organ(lattice, walls["right atrium"] - 2.5 + rough, (0, mixed)),
        organ(lattice, walls["left atrium"] - 2.0 + 0.5 * rough, (0, left)),
        organ(lattice, walls["left ventricle"], (0, 98.0)),
        organ(lattice, walls["left ventricle"] - 10.5 + 1.8 * rough, (0, left)),
        organ(lattice, root, (0, left)),
    ]


def _tubes(body, contrast, lattice):
    """Gullet and vessels of the mediastinum."""
    streams = smooth_noise([body.seed, 13], 12, lattice)
    dense = Field(lattice, np.maximum(contrast.cava * (1 + 0.12 * streams), contrast.plain).astype(np.float32))
    half = Field(lattice, (contrast.plain + 22 + 18 * streams).astype(np.float32))
    blood = dict.fromkeys(("innominate artery", "carotid", "subclavian", "aorta"), contrast.aorta)
    blood |= {"azygos": contrast.plain + 15, "lower cava": half, "left innominate": dense, "cava": dense}
    blood["right innominate"] = contrast.plain + 40
    depths = {name: tube(lattice, body.tubes[name]) for name in blood}
    walls = np.max([depth + (1.3 if name == "aorta" else 0.6) for name, depth in depths.items()], axis=0)
    walls = np.minimum(walls, 1 - ellipsoid(lattice, *body.chambers["right atrium"]))  # the venae cavae open into it
    lumens = [organ(lattice, depths[name], (0, hu)) for name, hu in reversed(blood.items())]
    return [_gullet(body, lattice, streams), organ(lattice, walls, (0, 42.0)), *lumens]


def _gullet(body, lattice, streams):
    """Make the oesophagus, collapsed."""
    depth = tube(lattice, body.tubes["oesophagus"])
    return organ(lattice, depth, (0, Field(lattice, (44 + 4 * streams).astype(np.float32))))
