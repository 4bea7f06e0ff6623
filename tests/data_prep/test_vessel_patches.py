import pickle

import numpy as np
import pytest
from scipy import ndimage

from data_prep.vessel_patches import (
    WINDOW_HU,
    Axes,
    Crops,
    VesselGrid,
    VesselTable,
    cut_crops,
    find_axes,
    join,
    orthogonal_views,
    views,
)

SPACING = np.array([1.5, 0.6, 0.7])
SHAPE = (37, 81, 73)
MIDDLE = np.array([18.0, 40, 36])


def upright(number=1):
    """v1 along the columns, v2 along the slices, v3 along the rows."""
    directions = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    return Axes(np.tile(directions, (number, 1, 1)), np.ones(number, np.float32))


def anyhow(number, seed=11):
    """Right-handed directions at random."""
    frames = np.linalg.qr(np.random.default_rng(seed).normal(size=(number, 3, 3)))[0]
    frames[:, 2] = np.cross(frames[:, 0], frames[:, 1])
    return Axes(frames.astype(np.float32), np.full(number, 2, np.float32))


def places():
    """Of every voxel about the middle one, in mm."""
    return (np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1) - MIDDLE) * SPACING


def tissue(seed=0):
    """Smooth noise of all grey levels."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 1.5)
    return np.rint(400 + 200 * noise / noise.std()).astype(np.int16)


def by_scipy(volume, point, axes, width_mm, offset, angle, size):
    """Sample the two planes of a view trilinearly at every pixel."""
    v1, v2, v3 = axes.directions[0].astype(float)
    down, across = np.cos(angle) * v2 + np.sin(angle) * v3, np.cos(angle) * v3 - np.sin(angle) * v2
    steps = ((np.arange(size) + 0.5) / size - 0.5) * width_mm
    planes = []
    for right in (v1, across):
        mm = offset * width_mm * v1 + steps[:, None, None] * down + steps[None, :, None] * right
        coordinates = np.moveaxis(point + mm / SPACING, -1, 0)
        planes.append(ndimage.map_coordinates(volume.astype(float), coordinates, order=1, cval=-1024))
    low, high = WINDOW_HU
    return np.clip((np.stack(planes, axis=-1) - low) / (high - low) * 255, 0, 255)


@pytest.mark.parametrize(("size", "most"), [(31, 0.51), (227, 5)])
def test_views_are_what_scipy_samples(size, most):
    """Small views to the rounding; large ones are enlarged from samples a quarter of a voxel apart."""
    volume, point, axes = tissue(), np.add(MIDDLE, (0.3, -0.7, 0.2)), anyhow(1)
    found = views(volume, SPACING, point, widths_mm=(7, 12), size=size, axes=axes)
    assert found.shape == (2 * 3 * 5, size, size, 3)
    for view, width, offset, angle in [(0, 7, -0.2, 0), (7, 7, 0, 2 * np.pi / 5), (29, 12, 0.2, 4 * np.pi / 5)]:
        difference = np.abs(found[view, ..., :2] - by_scipy(volume, point, axes, width, offset, angle, size))
        assert difference.max() <= most
        assert difference.mean() < 0.4


def test_the_second_channel_is_repeated_and_width_changes_slowest():
    volume, axes = tissue(), anyhow(2)
    second = Axes(axes.directions[1:], axes.elongation[1:])
    both = views(volume, SPACING, [MIDDLE, MIDDLE + 1], size=31, axes=axes)
    assert both.shape == (2 * 45, 31, 31, 3)
    np.testing.assert_array_equal(both[..., 1], both[..., 2])
    alone = views(volume, SPACING, MIDDLE + 1, (15,), 0.2, 3, 5, 31, axes=second)
    np.testing.assert_array_equal(both[45 + 15 : 45 + 30], alone)


def test_a_ramp_of_hounsfield_units_is_a_ramp_of_grey():
    """40 HU a mm along the columns, 400 in the middle: 102 grey levels for 10 mm."""
    volume = np.rint(400 + 40 * places()[..., 2]).astype(np.int16)
    view = views(volume, SPACING, MIDDLE, (10,), 0, 1, 1, 100, axes=upright())[0]
    expected = np.rint((500 + 40 * (np.arange(100) - 49.5) / 10) * 0.255)
    assert np.abs(view[..., 0].astype(int) - expected).max() <= 1
    assert (view[..., 1] == np.rint(500 * 0.255)).all()


def test_the_window_is_that_asked_for():
    volume = np.full(SHAPE, 150, np.int16)
    grey = [
        views(volume, SPACING, MIDDLE, (10,), 0, 1, 1, 9, axes=upright(), window_hu=window)[0, 4, 4, 0]
        for window in [(-100, 900), (50, 250), (150, 250), (-50, 150), (200, 300)]
    ]
    assert grey == [64, 128, 0, 255, 0]


def test_a_ball_stays_round_and_as_wide_as_it_is():
    """Voxels of 1.5 x .6 x .7 mm; a ball of 4 mm radius covers pi 16 of 400 square mm in every plane."""
    volume = np.where(np.linalg.norm(places(), axis=-1) < 4, 2000, -1000).astype(np.int16)
    found = views(volume, SPACING, MIDDLE, (20,), 0, 1, 3, 99, axes=anyhow(1))[..., :2]
    for view in np.moveaxis(found, -1, 1).reshape(-1, 99, 99):
        rows, columns = np.nonzero(view > 127)
        assert abs(len(rows) / 99**2 - np.pi * 16 / 400) < 0.006
        assert abs(np.ptp(rows) - np.ptp(columns)) <= 3


def brightest(picture):
    return np.unravel_index(picture.argmax(), picture.shape)


@pytest.mark.parametrize(("width_mm", "size"), [(10, 99), (20, 227)])
def test_a_marker_is_where_its_millimetres_say(width_mm, size):
    """4 mm along the vessel it is that far to the right; 3 mm along v3 it is to the right in the second channel."""
    axes = anyhow(1)
    v1, _, v3 = axes.directions[0]
    for direction, distance, channel in [(v1, 4, 0), (v3, 3, 1)]:
        far = np.linalg.norm(places() - distance * direction, axis=-1)
        volume = np.rint(900 * np.exp(-(far**2) / 2)).astype(np.int16)
        row, column = brightest(views(volume, SPACING, MIDDLE, (width_mm,), 0, 1, 1, size, axes=axes)[0, ..., channel])
        middle, mm = (size - 1) / 2, size / width_mm
        assert abs(row - middle) < 0.35 * mm
        assert abs(column - middle - distance * mm) < 0.35 * mm


def test_translations_move_along_the_vessel():
    """A marker in the middle goes a fifth of the width to the right and to the left, and leaves the cross-section."""
    volume = np.rint(900 * np.exp(-np.sum(places() ** 2, axis=-1) / 2)).astype(np.int16)
    found = views(volume, SPACING, MIDDLE, (15,), 0.2, 3, 1, 75, axes=anyhow(1))
    columns = [brightest(view[..., 0])[1] for view in found]
    np.testing.assert_allclose(columns, [37 + 15, 37, 37 - 15], atol=1)
    assert found[1, ..., 1].max() > 200 > 60 > max(found[0, ..., 1].max(), found[2, ..., 1].max())


def test_rotations_turn_the_cross_section_evenly_over_half_a_turn():
    """A marker beside the vessel turns by 36 degrees a view; the vessel itself stays where it is."""
    axes = anyhow(1)
    far = np.linalg.norm(places() - 4 * axes.directions[0, 2], axis=-1)
    volume = np.rint(900 * np.exp(-(far**2) / 2)).astype(np.int16)
    found = views(volume, SPACING, MIDDLE, (12,), 0, 1, 5, 121, axes=axes)
    marks = np.array([brightest(view[..., 1]) for view in found]) - 60
    angles = np.degrees(np.unwrap(np.arctan2(marks[:, 0], marks[:, 1])))
    np.testing.assert_allclose(angles, np.arange(5) * 36, atol=3)
    np.testing.assert_allclose(np.hypot(*marks.T), 40, atol=3)


def half_tube():
    """A tube with a gradient along it, cut in half, so that v2 is as sure as v1, which is nearest to the slices."""
    direction = np.array([0.8, 0.36, 0.48])
    along = places() @ direction
    distance = np.linalg.norm(places() - along[..., None] * direction, axis=-1)
    inside = (distance < 3) & (places() @ [-0.6, 0.48, 0.64] < 0.5)
    return ndimage.gaussian_filter(np.where(inside, 350 + 15 * along, 0), 0.6 / SPACING).astype(np.int16)


@pytest.mark.parametrize("turn", [(1, 2, 0), (2, 0, 1)])
def test_a_volume_turned_about_its_diagonal_gives_the_same_views(turn):
    """Axes in cyclic order: a rotation that leaves the rule of signs as it is."""
    volume, swapped = half_tube(), list(turn)
    plain = views(volume, SPACING, MIDDLE, size=33)
    turned = views(volume.transpose(turn), SPACING[swapped], MIDDLE[swapped], size=33)
    assert np.abs(plain.astype(int) - turned).max() <= 1
    assert plain.std(axis=(1, 2)).min() > 10


def test_a_volume_turned_about_the_head_gives_views_that_are_the_same_but_for_the_sign_of_v2():
    """A quarter of a turn: columns become rows, and rows are counted backwards."""
    volume = half_tube()
    turned, middle, spacing = np.rot90(volume, axes=(2, 1)), MIDDLE[[0, 2, 1]], SPACING[[0, 2, 1]]
    before, after = (find_axes(*one).directions[0] for one in [(volume, SPACING, MIDDLE), (turned, spacing, middle)])
    expected = before[:, [0, 2, 1]] * [1, 1, -1]
    signs = np.sign(np.sum(expected * after, axis=1))
    np.testing.assert_allclose(expected * signs[:, None], after, atol=1e-3)
    assert signs.tolist() == [1, -1, -1]
    plain, found = (views(*one, size=33) for one in [(volume, SPACING, MIDDLE), (turned, spacing, middle)])
    assert np.abs(plain[:, ::-1, :, 0].astype(int) - found[..., 0]).max() <= 1
    assert np.abs(plain[:, ::-1, ::-1, 1].astype(int) - found[..., 1]).max() <= 1


def test_outside_of_the_volume_there_is_black():
    volume = np.full(SHAPE, 900, np.int16)
    corner = views(volume, SPACING, (0, 0, 0), (10,), 0, 1, 1, 50, axes=upright())[0, ..., 0]
    assert (corner[26:, 26:] == 255).all()
    assert (corner[:16].max(), corner[:, :23].max()) == (0, 0)


def test_orthogonal_views_have_the_head_up_the_front_up_and_the_patients_right_on_the_left():
    """A marker 4 mm towards the head, 3 to the back and 2 to the patient's left, in views of 12 mm and 60 pixels."""
    far = np.linalg.norm(places() - [4, 3, 2], axis=-1)
    volume = np.rint(900 * np.exp(-(far**2) / 40)).astype(np.int16)
    view = orthogonal_views(volume, SPACING, [MIDDLE, MIDDLE + 1], 12, 60)[0]
    expected = [(29.5 + 15, 29.5 + 10), (29.5 - 20, 29.5 + 15), (29.5 - 20, 29.5 + 10)]
    marks = [ndimage.center_of_mass(view[..., k] == view[..., k].max()) for k in range(3)]
    np.testing.assert_allclose(marks, expected, atol=3)


def table_of(crops, number=40):
    grid = VesselGrid()
    draw = np.random.default_rng(3)
    candidate, view = draw.integers(len(crops), size=number), draw.integers(len(grid), size=number)
    return VesselTable(crops, candidate, view, draw.integers(2, size=number), grid, 21)


def test_crops_of_several_volumes_give_the_views_of_the_volumes():
    grid = VesselGrid()
    points = [[MIDDLE, MIDDLE + 2], [[3.2, 9, 70]]]
    axes = [anyhow(2, 1), anyhow(1, 2)]
    crops = join([cut_crops(tissue(k), SPACING, points[k], axes[k], grid.reach_mm) for k in (0, 1)])
    table = table_of(crops)
    rows = np.array([7, 3, 3, *range(40)])
    whole = np.concatenate([views(tissue(k), SPACING, points[k], size=21, axes=axes[k]) for k in (0, 1)])
    assert set(table.candidate.tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(table.cut(rows), whole[table.candidate[rows] * 45 + table.view[rows]])


def test_a_memory_map_is_opened_again_and_not_pickled(tmp_path):
    crops = cut_crops(tissue(), SPACING, [MIDDLE, MIDDLE + 1], anyhow(2), VesselGrid().reach_mm)
    np.save(tmp_path / "voxels.npy", crops.voxels)
    mapped = Crops(**(crops.__dict__ | {"voxels": np.load(tmp_path / "voxels.npy", mmap_mode="r")}))
    stored = pickle.dumps(table_of(mapped))
    assert len(stored) < 10_000 < len(pickle.dumps(table_of(crops)))
    again = pickle.loads(stored)
    assert isinstance(again.crops.voxels, np.memmap)
    np.testing.assert_array_equal(again.cut(np.arange(40)), table_of(crops).cut(np.arange(40)))


def test_a_part_of_a_memory_map_is_pickled_as_it_is(tmp_path):
    crops = cut_crops(tissue(), SPACING, [MIDDLE, MIDDLE + 1], anyhow(2), 5)
    np.save(tmp_path / "voxels.npy", np.concatenate([[1, 2, 3], crops.voxels]).astype(np.int16))
    part = Crops(**(crops.__dict__ | {"voxels": np.load(tmp_path / "voxels.npy", mmap_mode="r")[3:]}))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(part)).voxels, crops.voxels)


def test_cutting_reads_only_the_candidates_asked_for(monkeypatch):
    crops = cut_crops(tissue(), SPACING, MIDDLE + np.arange(5)[:, None], anyhow(5), VesselGrid().reach_mm)
    read, cube = [], Crops.cube
    monkeypatch.setattr(Crops, "cube", lambda self, number: (read.append(int(number)), cube(self, number))[1])
    table = table_of(crops)
    table.cut(np.array([0, 1]))
    assert sorted(read) == sorted(table.candidate[:2].tolist())


def test_no_rows_give_no_patches():
    table = table_of(cut_crops(tissue(), SPACING, MIDDLE, anyhow(1), VesselGrid().reach_mm))
    assert table.cut(np.arange(0)).shape == (0, 21, 21, 3)


def test_views_are_numbered_by_width_translation_and_rotation():
    grid = VesselGrid((10, 15, 20), 0.2, 3, 5)
    assert len(grid) == 45
    assert [int(part) for part in grid.locate(2 * 15 + 1 * 5 + 4)] == [2, 1, 4]
    np.testing.assert_allclose(grid.offsets, [-0.2, 0, 0.2])
    np.testing.assert_allclose(np.degrees(grid.angles), [0, 36, 72, 108, 144])
    assert VesselGrid(translations=1, rotations=1).offsets.tolist() == [0]


def test_floats_are_rounded_and_held_to_16_bits():
    volume = np.full(SHAPE, 10.7)
    volume[:, :, 36:] = 1e6
    crops = cut_crops(volume, SPACING, MIDDLE, anyhow(1), 3)
    assert np.unique(crops.voxels).tolist() == [11, 32767]


def test_mistakes_are_told():
    small = cut_crops(tissue(), SPACING, MIDDLE, anyhow(1), 16)
    with pytest.raises(ValueError, match=r"reach 17\.2 mm from a candidate\. Received: crops that hold 16"):
        table_of(small)
    with pytest.raises(ValueError, match="each of 2 points"):
        cut_crops(tissue(), SPACING, [MIDDLE, MIDDLE], anyhow(1), 5)
    with pytest.raises(ValueError, match="translations=0"):
        VesselGrid(translations=0)
    with pytest.raises(ValueError, match=r"widths_mm=\(10, 0\)"):
        VesselGrid((10, 0))
