import numpy as np
import pytest

from data_prep.candidates.chest import Grid, darken, estimate_blood, find_lungs, keep_vessels, measure_depth, sample

SPACING = (1.5, 0.7, 0.8)


def _ball(shape, spacing, centre_mm, radius_mm):
    axes = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    return sum((axis - c) ** 2 for axis, c in zip(axes, centre_mm, strict=True)) < radius_mm**2


def _chest(shape=(30, 130, 120), table=False):
    """Two lungs of different size, 16 mm apart, in a body with air around."""
    voxels = np.full(shape, -1000, np.int16)
    voxels[:, 4:96, 2:118] = 40
    voxels[:, 18:78, 14:50] = -850
    voxels[:, 18:78, 70:106] = -800
    if table:
        voxels[:, 103:125] = 0
        voxels[:, 107:121, 4:116] = -900
    return voxels


def test_ramp_is_sampled_where_the_grid_says():
    spacing = np.array(SPACING)
    places = np.stack(np.meshgrid(*map(np.arange, (23, 31, 41)), indexing="ij"), -1) * spacing
    ramp = places @ np.array([3.0, -2.0, 5.0])
    box = (slice(2, 21), slice(4, 29), slice(5, 38))
    grid = sample(ramp, SPACING, 0.9, 0.5, box)
    centre = tuple(n // 2 for n in grid.values.shape)
    at = (grid.origin + centre * grid.step) * spacing
    assert grid.values[centre] == pytest.approx(at @ [3, -2, 5], abs=1e-3)
    np.testing.assert_allclose(grid.step * spacing, 0.9)
    # Centred in the box.
    last = grid.origin + grid.step * (np.array(grid.values.shape) - 1)
    np.testing.assert_allclose(grid.origin - [2, 4, 5], np.array([20, 28, 37]) - last)


def test_one_grid_is_read_at_the_samples_of_another():
    coarse = Grid(np.float32(np.arange(5)[:, None, None] * np.ones((5, 3, 4))), np.array([1.0, 0, 0]), np.full(3, 2.0))
    fine = Grid(np.zeros((9, 2, 2)), np.array([0.0, 0, 0]), np.ones(3))
    expected = np.clip((np.arange(9) - 1) / 2, 0, 4)
    np.testing.assert_allclose(coarse.on(fine), expected[:, None, None] * np.ones((9, 2, 2)))


def test_depth_is_measured_in_millimetres_from_the_surface_of_the_lungs():
    depth = measure_depth(_chest(), SPACING)
    points = Grid(np.zeros((1, 1, 120)), np.array([15, 47.5, 0]), np.ones(3))
    along = depth.on(points)[0, 0]
    # A lung is 36 columns of .8 mm wide, its middle 14.4 mm deep; 20 columns lie between the lungs.
    assert along[32] == pytest.approx(14, abs=2)
    assert along[8] == pytest.approx(-5, abs=2)
    assert depth.values.min() < -5


@pytest.mark.parametrize(("gap", "closed"), [(16, True), (28, False)])
def test_hila_of_less_than_20_mm_are_closed(gap, closed):
    voxels = np.full((20, 60, 90), 40, np.int16)
    voxels[:, 5:55, 5:85] = -850
    voxels[:, 5:55, 45 - gap // 2 : 45 + gap // 2] = 40
    depth = measure_depth(voxels, (1, 1, 1))
    at = Grid(np.zeros((1, 1, 1)), np.array([10, 30, 45]), np.ones(3))
    assert (depth.on(at).item() > 0) == closed


def test_table_is_no_lung():
    alone, above = (find_lungs(sample(_chest(table=table), SPACING, 2.5, 1).values) for table in (False, True))
    np.testing.assert_array_equal(alone, above)
    assert 0.2 < alone.mean() < 0.5


def test_blanket_is_no_lung():
    voxels = _chest()
    voxels[:, 96:109, 2:118] = -600
    expected = find_lungs(sample(_chest(), SPACING, 2.5, 1).values)
    np.testing.assert_array_equal(find_lungs(sample(voxels, SPACING, 2.5, 1).values), expected)


def test_emphysema_at_the_border_of_a_reduced_field_of_view_is_lung():
    voxels = np.full((40, 60, 70), -850, np.int16)
    voxels[10:18, 22:30, :9] = -980
    voxels[:, :, 40:] = 40
    lungs = find_lungs(sample(voxels, (1, 1, 1), 2.5, 1).values)
    assert lungs[:, :, :15].all()
    assert not lungs[:, :, 17:].any()


def test_lungs_that_touch_the_border_are_lungs():
    voxels = _chest()[:, 20:76, 16:104]
    lungs = find_lungs(sample(voxels, SPACING, 2.5, 1).values)
    assert lungs[:, 0].any()
    assert lungs[:, :, 0].all()
    assert lungs.mean() == pytest.approx((voxels < -400).mean(), abs=0.05)
    assert measure_depth(np.full((20, 30, 40), -850, np.int16), (1, 1, 1)).values.min() == 100


def test_blood_is_found_at_any_contrast():
    rng = np.random.default_rng(0)
    soft = rng.normal(40, 20, 5000)
    for level, vessels in [(180, 400), (320, 900), (600, 3000)]:
        values = np.concatenate([soft, rng.normal(level, 20, vessels), rng.uniform(40, level, 200)])
        assert estimate_blood(values) == pytest.approx(level, rel=0.05)
    assert estimate_blood(soft[:300]) == 100


def test_bones_are_no_vessels():
    bright = np.zeros((20, 30, 40), bool)
    depth_mm = np.broadcast_to(np.arange(40.0) - 10, bright.shape)
    bright[5, 5, 2:12] = True  # a rib: not deeper than 1 mm
    bright[12, 5:25, 2:30] = True  # a heart and its arteries
    kept = keep_vessels(bright, depth_mm)
    assert not kept[5].any()
    np.testing.assert_array_equal(kept[12], bright[12])


def test_clot_is_dark_and_neither_blood_nor_lung_is():
    values = np.full((25, 40, 50), -850, np.float32)
    values[:, 10:30, 10:40] = 350
    values[:, 15:25, 30:40] = 50
    darkness, blood = darken(values, np.full(values.shape, 20.0))
    assert (darkness[1:-1, 16:24, 31:39] == 1).all()
    assert blood[12, 20, 20]
    assert not blood[12, 10, 20]  # beside the lung
    assert darkness[:, :15].max() == 0
    assert (darkness[:, 30:] == 0).all()


@pytest.mark.parametrize("level", [-1000, 40])
def test_volumes_without_lung_are_refused(level):
    with pytest.raises(ValueError, match=r"Expected a chest.*Received: 0\.0 ml.*Hounsfield"):
        measure_depth(np.full((20, 30, 40), level, np.int16), (1.0, 0.8, 0.8))
