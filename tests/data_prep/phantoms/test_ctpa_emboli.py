import gzip
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from data_prep.phantoms.ctpa_body import draw_body, find_lungs
from data_prep.phantoms.ctpa_clots import Manner, lay_worm
from data_prep.phantoms.ctpa_emboli import (
    CRUMB_MM3,
    FEW_MM3,
    MANY,
    MANY_MM3,
    PATIENTS,
    SHARES,
    draw_manner,
    draw_number,
    draw_volumes,
    place,
)
from data_prep.phantoms.ctpa_trees import Tree, grow_lung_trees
from data_prep.phantoms.ctpa_tubes import Grid, paint

CHEST = Grid((111, 129, 169), (2.2, 1.8, 1.7), (-165.0, -100.0, -143.0))
CROP = Grid((60, 110, 125), (1.5, 1.2, 1.1), (-80.0, -50.0, -68.0))
JOINED = np.ones((3, 3, 3))


@pytest.fixture(scope="module")
def arteries():
    """Three patients' arteries."""
    lungs = find_lungs(draw_body(np.random.default_rng(8)))
    return [grow_lung_trees(np.random.default_rng(seed), lungs)["artery"] for seed in range(3)]


@pytest.fixture(scope="module")
def emboli(arteries):
    """Emboli of 60 patients, on coarse grids: the number wanted and the volumes found of each, in mm3."""
    lumens = [paint(*tree.tubes, CHEST) for tree in arteries]
    found = []
    for patient in range(60):
        rng = np.random.default_rng([4, patient])
        number = draw_number(rng)
        labels = place(rng, arteries[patient % 3], CHEST, 1.0, lumens[patient % 3], number)[1]
        found.append((number, np.bincount(labels.ravel(), minlength=1)[1:] * CHEST.voxel_mm3))
    return found


def straight_artery():
    """Lay one straight artery of 5 mm radius and 80 mm length, and its grid."""
    height = np.linspace(-40.0, 40, 21)
    nodes = np.stack([height, 0 * height + 1, 0 * height + 2], axis=1)
    radius, zero = np.full(20, 5.0), np.zeros(20, int)
    tree = Tree(nodes[:-1], nodes[1:], radius, radius, np.arange(-1, 19), zero, zero)
    return tree, Grid((81, 23, 29), (1.0, 0.7, 0.6), (-40.0, -6.7, -6.4))


def read_mask(file):
    """Read a NIfTI mask: volumes of its components in mm3."""
    raw = gzip.decompress(file.read_bytes())
    columns, rows, slices = struct.unpack("<3h", raw[42:48])
    spacing = struct.unpack("<3f", raw[80:92])
    mask = np.frombuffer(raw, np.uint8, offset=int(struct.unpack("<f", raw[108:112])[0]))
    filled = np.flatnonzero(mask[: mask.size // 8 * 8].view(np.uint64))
    if not filled.size:
        return np.zeros(0)
    places = np.stack(np.unravel_index(8 * filled, (slices, rows, columns)))  # each stands for 8 voxels of a row
    window = [slice(low, high + 8) for low, high in zip(places.min(axis=1), places.max(axis=1), strict=True)]
    parts = label(mask.reshape(slices, rows, columns)[tuple(window)], JOINED)[0]
    return np.bincount(parts.ravel())[1:] * np.prod(spacing)


def test_the_constants_are_fumpe_s(real_data):
    files = sorted((real_data / "fumpe-labels").glob("*.nii.gz"))
    with ThreadPoolExecutor(2) as pool:
        volumes = [found[found >= CRUMB_MM3] for found in pool.map(read_mask, files)]
    numbers, times = np.unique([len(found) for found in volumes], return_counts=True)
    assert dict(zip(numbers.tolist(), times.tolist(), strict=True)) == PATIENTS
    for table, chosen in ((FEW_MM3, lambda n: n < MANY), (MANY_MM3, lambda n: n >= MANY)):
        pooled = np.concatenate([found for found in volumes if chosen(len(found))])
        assert np.allclose(np.quantile(pooled, SHARES), table, rtol=0.01, atol=0.5)


def test_numbers_and_patients_without_emboli_follow_fumpe():
    rng = np.random.default_rng(1)
    drawn = np.array([draw_number(rng) for _ in range(9000)])
    assert np.mean(drawn == 0) == pytest.approx(2 / 35, abs=0.009)
    assert drawn.mean() == pytest.approx(91 / 35, abs=0.09)
    assert np.mean(drawn >= 5) == pytest.approx(6 / 35, abs=0.016)


def test_volumes_of_the_phantom_follow_fumpe_by_quantile(emboli):
    pooled = {True: [], False: []}
    for number, volumes in emboli:
        assert len(volumes) == number
        pooled[number >= MANY].extend(volumes)
    for many, table in ((False, FEW_MM3), (True, MANY_MM3)):
        assert len(pooled[many]) > 40
        found = np.quantile(pooled[many], [0.25, 0.5, 0.75])
        assert np.abs(np.log(found / np.array(table)[3:6])).max() < 0.6  # of 60 patients; the table spans e^8
    every = np.concatenate([volumes for _, volumes in emboli])
    assert np.abs(np.log(np.quantile(every, [0.25, 0.5, 0.75]) / [345, 1127, 5286])).max() < 0.6


def test_emboli_reach_the_volume_that_was_drawn(arteries):
    errors = []
    for patient in range(8):
        labels = place(np.random.default_rng([7, patient]), arteries[0], CHEST, number=2)[1]
        wanted = draw_volumes(np.random.default_rng([7, patient]), 2)
        assert 300 < wanted.sum() < 62300
        errors.extend(np.abs(np.log(np.bincount(labels.ravel())[1:] * CHEST.voxel_mm3 / wanted)))
    assert np.median(errors) < 0.08
    assert np.mean(np.array(errors) < 0.2) > 0.9


def test_emboli_lie_inside_arteries_apart_and_in_one_piece(arteries):
    lumen = paint(*arteries[1].tubes, CROP)
    fraction, labels = place(np.random.default_rng(2), arteries[1], CROP, number=9)
    assert fraction.dtype == np.float32
    assert labels.dtype == np.int32
    assert (fraction <= lumen).all()
    assert (fraction[labels > 0] > 0).all()
    assert np.unique(labels).tolist() == list(range(10))
    assert label(labels > 0, JOINED)[1] == 9
    for number, box in enumerate(find_objects(labels), 1):
        assert label(labels[box] == number, JOINED)[1] == 1


def test_the_same_seed_places_the_same_emboli(arteries):
    first, again = (place(np.random.default_rng(6), arteries[2], CROP, number=3) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_no_emboli_and_no_arteries_leave_nothing(arteries):
    fraction, labels = place(np.random.default_rng(0), arteries[0], CROP, number=0)
    assert not fraction.any()
    assert not labels.any()
    nowhere = Grid((8, 9, 10), (1, 1, 1), (400.0, 0, 0))
    assert not place(np.random.default_rng(0), arteries[0], nowhere, number=4)[1].any()


def test_large_emboli_sit_in_large_arteries(arteries):
    tree = arteries[0]
    labels = place(np.random.default_rng(11), tree, CHEST, number=4)[1]
    few = place(np.random.default_rng(3), tree, CHEST, number=14)[1]
    widest = []
    for found in (labels, few):
        middle = (tree.start + tree.end) / 2
        voxels = np.round(CHEST.to_voxels(middle)).astype(int)
        inside = ((voxels >= 0) & (voxels < CHEST.shape)).all(axis=1)
        hit = np.zeros(len(tree), int)
        hit[inside] = found[tuple(voxels[inside].T)]
        sizes = np.bincount(found.ravel())[1:]
        radii = [tree.radius_start[hit == k].max(initial=0) for k in range(1, found.max() + 1)]
        widest.append((sizes, np.array(radii)))
    sizes, radii = (np.concatenate(part) for part in zip(*widest, strict=True))
    large = sizes > np.median(sizes)
    assert radii[large].mean() > 1.5 * radii[~large].mean()


@pytest.mark.parametrize(("aside", "gaps"), [(0.0, (2.0, 2.0)), (1.0, (0.0, 4.0))])
def test_a_central_embolus_has_a_rim_all_round_and_an_eccentric_one_touches_a_wall(aside, gaps):
    tree, grid = straight_artery()
    worm = lay_worm(np.random.default_rng(0), tree, 10, Manner(0.6, aside, 0.0), np.ones(20, bool))
    fraction = paint(*worm.cut(15.0), grid)
    assert not fraction[[22, 62]].any()  # the seat at 2 mm, 15 mm of reach, round ends of up to 3 mm, a voxel
    rows, columns = np.nonzero(fraction[40] > 0.5)
    away = np.hypot(grid.axes_mm[1][rows] - 1, grid.axes_mm[2][columns] - 2)
    assert 5 - away.max() == pytest.approx(gaps[0], abs=0.7)
    reach = grid.points_mm[40] - [0, 1, 2]
    free = (np.linalg.norm(reach, axis=-1) < 5) & (fraction[40] < 0.5)
    assert free.sum() * 0.42 == pytest.approx(np.pi * (25 - 8.1), rel=0.2)
    middle = np.array([grid.axes_mm[1][rows].mean() - 1, grid.axes_mm[2][columns].mean() - 2])
    assert np.linalg.norm(middle) == pytest.approx((gaps[1] - gaps[0]) / 2, abs=0.35)


def test_without_difficulty_every_embolus_has_a_rim():
    rng = np.random.default_rng(0)
    easy, real = ([draw_manner(rng, 500.0, difficulty) for _ in range(300)] for difficulty in (0.0, 1.0))
    assert max(manner.share for manner in easy) < 0.83
    assert max(manner.aside for manner in easy) < 0.36
    assert np.mean([manner.share > 1 for manner in real]) == pytest.approx(0.35, abs=0.08)
    assert np.mean([manner.aside > 0.8 for manner in real]) == pytest.approx(0.3, abs=0.08)


def test_an_embolus_enters_both_branches_only_by_luck():
    nodes = {"start": [[0, 0, 0], [20, 0, 0], [20, 0, 0]], "end": [[20, 0, 0], [35, 12, 0], [33, -14, 0]]}
    radii = np.array([5.0, 4.2, 3.6])
    tree = Tree(
        *map(np.array, nodes.values()), radii, radii, np.array([-1, 0, 0]), np.array([0, 1, 1]), np.zeros(3, int)
    )
    for branching, pieces in ((0.0, 3), (1.0, 4)):
        worm = lay_worm(np.random.default_rng(1), tree, 0, Manner(0.7, 0.0, branching), np.ones(3, bool))
        assert len(worm.near) == pieces
    starts = worm.cut(10.5)[0]
    assert len(starts) == 4
    assert worm.reach_mm == pytest.approx(10 + np.sqrt(15**2 + 12**2), abs=0.5)
