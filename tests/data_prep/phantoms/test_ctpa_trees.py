from dataclasses import fields

import numpy as np
import pytest
from scipy.spatial import cKDTree

from data_prep.phantoms.ctpa_body import draw_body, find_lungs
from data_prep.phantoms.ctpa_trees import grow_lung_trees


@pytest.fixture(scope="module")
def lungs():
    return find_lungs(draw_body(np.random.default_rng(8)))


@pytest.fixture(scope="module")
def trees(lungs):
    return grow_lung_trees(np.random.default_rng(5), lungs)


def forks(tree):
    """List the segments that end in two branches, and their branches: n, (n, 2)."""
    children = np.flatnonzero(tree.parent >= 0)
    order = children[np.argsort(tree.parent[children], kind="stable")]
    parents, first, count = np.unique(tree.parent[order], return_index=True, return_counts=True)
    assert count.max() == 2
    double = first[count == 2]
    return parents[count == 2], np.stack([order[double], order[double + 1]], axis=1)


def test_a_seed_gives_one_tree_and_another_seed_another(lungs, trees):
    again, other = (grow_lung_trees(np.random.default_rng(seed), lungs) for seed in (5, 6))
    for name, tree in trees.items():
        for field in fields(tree):
            assert np.array_equal(getattr(tree, field.name), getattr(again[name], field.name))
        assert len(tree) != len(other[name])


@pytest.mark.parametrize("name", ["artery", "vein"])
def test_radii_follow_murray_at_every_fork(trees, name):
    tree = trees[name]
    parent, branches = forks(tree)
    assert len(parent) > 800
    cubes = (tree.radius_start[branches] ** 3).sum(axis=1)
    assert np.allclose(cubes, tree.radius_end[parent] ** 3, rtol=1e-9)
    assert (tree.generation[branches] == tree.generation[parent][:, None] + 1).all()


@pytest.mark.parametrize("name", ["artery", "vein", "bronchus"])
def test_segments_hang_together_and_taper(trees, name):
    tree = trees[name]
    inner = tree.parent >= 0
    assert (tree.parent[inner] < np.flatnonzero(inner)).all()
    assert np.allclose(tree.start[inner], tree.end[tree.parent[inner]])
    assert (tree.radius_end <= tree.radius_start + 1e-12).all()
    assert tree.length_mm.max() < (60 if name == "bronchus" else 17)
    assert len(np.unique(tree.root)) == {"artery": 1, "vein": 4, "bronchus": 2}[name]


def test_vessels_stay_inside_the_lungs_but_near_the_hila(lungs, trees):
    for tree in trees.values():
        away = np.linalg.norm(tree.end[:, None] - lungs.hila, axis=-1).min(axis=1)
        assert lungs.inside(tree.end[(tree.side >= 0) & (away > 50)]).min() > 0
        sides = np.where(tree.end[:, 2] > 0, 1, 0)
        assert (sides == tree.side)[tree.side >= 0].all()
    grown = trees["artery"].radius_start < 2
    assert np.mean(lungs.inside(trees["artery"].end[grown]) > 2) > 0.98


def test_arteries_fill_the_lungs(lungs, trees):
    rng = np.random.default_rng(2)
    points = rng.uniform([-190, -110, -150], [110, 130, 150], (20000, 3))
    points = points[lungs.inside(points) > 5]
    for name in ("artery", "vein"):
        distance = cKDTree(trees[name].end).query(points)[0]
        assert np.median(distance) < 9
        assert np.mean(distance > 25) < 0.03


def test_calibres_are_those_of_adults(trees):
    artery = trees["artery"]
    diameter = 2 * artery.radius_start
    trunk, main = (diameter[(artery.generation == k) & (artery.side < 0)] for k in (0, 1))
    assert 26 < trunk.min() < trunk.max() < 30
    assert 18 < main.min() < main.max() < 24
    ends = np.bincount(artery.parent[artery.parent >= 0], minlength=len(artery)) == 0
    assert 0.7 < 2 * np.quantile(artery.radius_end[ends], 0.02) < 2 * np.quantile(artery.radius_end[ends], 0.98) < 1.6


def test_bronchi_run_beside_arteries_and_veins_between(trees):
    artery, vein, bronchus = (trees[name] for name in ("artery", "vein", "bronchus"))
    distance, near = cKDTree(artery.end).query(bronchus.end)
    gap = distance - artery.radius_end[near] - bronchus.radius_end
    beside = bronchus.generation > 4
    assert np.mean(gap[beside] < 3) > 0.97
    assert np.mean(gap[beside] > 0) > 0.9
    distance, near = cKDTree(artery.end).query(vein.end)
    assert np.mean(distance < artery.radius_end[near] + vein.radius_end) < 0.02


def test_a_part_of_a_tree_keeps_its_links(trees):
    tree = trees["vein"]
    part = tree.take(np.arange(len(tree)) % 5 > 0)
    linked = part.parent >= 0
    assert np.allclose(part.start[linked], part.end[part.parent[linked]])
    lost = np.flatnonzero(np.arange(len(tree)) % 5 == 0)
    kept = np.arange(len(tree)) % 5 > 0
    assert (part.parent < 0).sum() == (kept & (np.isin(tree.parent, lost) | (tree.parent < 0))).sum()


def test_lungs_that_are_nowhere_are_refused(lungs):
    class Nowhere:
        hila = lungs.hila

        def inside(self, points):
            return np.full(len(points), -5.0)

    with pytest.raises(ValueError, match="depth in mm, positive inside"):
        grow_lung_trees(np.random.default_rng(0), Nowhere())
