import numpy as np
import pytest

from data_prep.phantoms.ctpa_tubes import Grid, paint


def straight(rng, length_mm, spacing_mm, radius_mm):
    """Lay a tube at a random angle through a grid that holds it: start, end, grid."""
    along = rng.normal(size=3)
    along *= length_mm / np.linalg.norm(along)
    half = np.abs(along) / 2 + radius_mm + 2
    shape = np.ceil(2 * half / spacing_mm).astype(int) + 1
    centre = rng.uniform(-50, 50, 3)
    return centre - along / 2, centre + along / 2, Grid(tuple(shape.tolist()), spacing_mm, tuple(centre - half))


@pytest.mark.parametrize(
    ("spacing_mm", "radius_mm"), [((1, 0.75, 0.7), 1.0), ((1.5, 0.6, 0.65), 3.0), ((0.5, 0.8, 0.8), 8.0)]
)
def test_a_tube_has_its_volume_at_any_angle(spacing_mm, radius_mm):
    rng = np.random.default_rng(3)
    for _ in range(5):
        start, end, grid = straight(rng, 30, spacing_mm, radius_mm)
        volume = paint([start], [end], [radius_mm], [radius_mm], grid).sum() * grid.voxel_mm3
        exact = np.pi * radius_mm**2 * 30 + 4 / 3 * np.pi * radius_mm**3
        assert volume == pytest.approx(exact, rel=0.02)


def test_a_tube_thinner_than_a_voxel_keeps_its_volume_on_average():
    rng = np.random.default_rng(5)
    volumes = []
    for _ in range(30):
        start, end, grid = straight(rng, 25, (1, 0.75, 0.7), 0.4)
        volumes.append(paint([start], [end], [0.4], [0.4], grid).sum() * grid.voxel_mm3)
    assert np.mean(volumes) == pytest.approx(np.pi * 0.4**2 * (25 + 4 / 3 * 0.4), rel=0.03)


def test_a_cone_has_its_volume_and_its_own_spheres():
    grid = Grid((61, 37, 39), (0.5, 0.7, 0.65), (-3.0, -12.6, -12.4))
    painted = paint([[4, 0, 0]], [[18, 0, 0]], [6.0], [2.0], grid)
    away = np.linalg.norm(grid.points_mm - [4, 0, 0], axis=-1)
    assert (painted[away < 5.2] == 1).all()
    slope = -4 / 14  # the two spheres' common tangent cone leaves them at these heights and radii
    low, high = ((at - slope * radius, radius * np.sqrt(1 - slope**2)) for at, radius in ((4, 6), (18, 2)))
    middle = np.pi / 3 * (high[0] - low[0]) * (low[1] ** 2 + low[1] * high[1] + high[1] ** 2)
    ends = [np.pi / 3 * cap**2 * (3 * r - cap) for cap, r in ((6 * (1 - slope), 6), (2 * (1 + slope), 2))]
    assert painted.sum() * grid.voxel_mm3 == pytest.approx(middle + sum(ends), rel=0.01)


def test_segments_are_cut_off_by_the_grid_and_do_not_add_up():
    grid = Grid((11, 17, 23), (1.0, 0.8, 0.7), (5.0, -6.0, -8.0))
    wide = Grid((41, 47, 53), (1.0, 0.8, 0.7), (-10.0, -18.0, -18.5))
    starts, ends = [[0, 0, 0], [8, -30, 3], [90, 0, 0]], [[30, 2, 1], [9, 30, -2], [95, 0, 0]]
    tubes = starts + starts, ends + ends, [3.0, 0.9, 5.0] * 2, [2.0, 1.1, 5.0] * 2
    whole = paint(*tubes, wide)
    assert np.allclose(paint(*tubes, grid), whole[15:26, 15:32, 15:38], atol=1e-5)
    assert whole.max() == 1
    assert not paint([[0, 0, 0]], [[9, 0, 0]], [2.0], [2.0], Grid((3, 4, 5), (1, 1, 1), (40, 40, 40))).any()


def test_a_crop_keeps_the_places_of_its_voxels():
    grid = Grid((9, 11, 13), (1.5, 0.6, 0.7), (-4.0, 2.0, 30.0))
    part, window = grid.crop((2, -3, 5), (7, 4, 99))
    assert part.shape == (5, 4, 8)
    assert np.allclose(part.points_mm, grid.points_mm[window])
    assert np.allclose(grid.to_voxels(grid.to_mm([1.5, 2, 7])), [1.5, 2, 7])
    with pytest.raises(ValueError, match="at least one voxel"):
        Grid((0, 3, 3), (1, 1, 1), (0, 0, 0))
