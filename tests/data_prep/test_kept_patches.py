"""Each patch is cut once, is the right one, and is shared by equal tables only."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep import kept_patches
from data_prep.kept_patches import KeptPatches, keep
from data_prep.vessel_patches import Axes, VesselGrid, VesselTable, cut_crops

GRID = VesselGrid((6.0, 9.0), 0.0, 1, 2)
SIZE = 19


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch):
    monkeypatch.setattr(kept_patches, "_shelf", type(kept_patches._shelf)())


def table(seed=0, candidate=(0, 1, 1, 2, 0, 2, 1)):
    voxels = np.random.default_rng(seed).integers(-900, 900, (21, 23, 25)).astype(np.int16)
    points = np.array([[9, 11, 12], [10, 12, 11], [11, 10, 12]], float)
    axes = Axes(np.tile(np.eye(3, dtype=np.float32), (3, 1, 1)), np.ones(3, np.float32))
    crops = cut_crops(voxels, (1.0, 0.8, 0.7), points, axes, GRID.reach_mm)
    return VesselTable(crops, np.array(candidate), np.arange(7) % 4, np.arange(7) % 2, GRID, SIZE)


def test_patches_are_those_of_the_table_in_any_order_and_cut_once(monkeypatch):
    asked, plain = [], table()
    expected = plain.cut(np.arange(7))
    monkeypatch.setattr(VesselTable, "cut", lambda _, rows: asked.extend(rows.tolist()) or expected[rows])
    kept = KeptPatches(plain)
    for rows in ([4, 2, 4], [0, 2, 6], [6, 5, 4, 3, 2, 1, 0]):
        np.testing.assert_array_equal(kept.cut(rows), expected[rows])
    assert sorted(asked) == list(range(7))
    np.testing.assert_array_equal(kept.labels, plain.labels)


def test_equal_tables_share_and_others_do_not():
    first = keep(table(), 1 << 20)
    assert keep(table(), 1 << 20) is first
    others = [table(seed=1), table(candidate=(0, 1, 1, 2, 0, 2, 2)), replace(table(), window_hu=(-100.0, 500.0))]
    others += [replace(table(), labels=1 - table().labels), replace(table(), view=np.zeros(7, int))]
    for other in others:
        assert keep(other, 1 << 20) is not first
        assert keep(table(), 1 << 20) is first


def test_of_few_tables_the_one_not_asked_for_longest_goes():
    first, second = (keep(table(seed), 1 << 20) for seed in (0, 1))
    for seed in (2, 3, 0, 4):
        keep(table(seed), 1 << 20)
    assert keep(table(0), 1 << 20) is first
    assert keep(table(1), 1 << 20) is not second


def test_a_large_table_stays_as_it_is():
    large = table()
    assert keep(large, 7 * SIZE**2 * 3 - 1) is large
    assert isinstance(keep(large, 7 * SIZE**2 * 3), KeptPatches)
