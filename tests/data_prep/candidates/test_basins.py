import numpy as np

from data_prep.candidates.basins import bottoms, merge, slide


def test_each_voxel_of_a_row_ends_in_its_valley():
    height = np.array([5, 4, 3, 4, 6, 2, 1, 0, 7, 1, 1.5])[None, None]
    visited = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 10])  # 8 is not: no way leads over it
    assert visited[slide(height, visited)].tolist() == [2, 2, 2, 2, 7, 7, 7, 7, 9, 9]


def test_basins_of_a_landscape_are_those_of_the_nearest_hole():
    """Cones of equal slope: each voxel belongs to the hole that is lowest as seen from it."""
    holes = np.array([(3, 4, 5), (12, 20, 7), (8, 11, 25)])
    places = np.stack(np.meshgrid(*map(np.arange, (17, 23, 29)), indexing="ij"), -1)
    distance = np.linalg.norm(places[..., None, :] - holes, axis=-1)
    visited = np.arange(distance[..., 0].size)
    ends = visited[slide(distance.min(-1), visited)].reshape(17, 23, 29)
    assert set(ends.ravel()) == set(np.ravel_multi_index(tuple(holes.T), (17, 23, 29)))
    two = np.sort(distance, axis=-1)
    clear = two[..., 1] - two[..., 0] > 2  # a step on the grid is no step towards the hole exactly
    expected = np.ravel_multi_index(tuple(holes.T), (17, 23, 29))[distance.argmin(-1)]
    np.testing.assert_array_equal(ends[clear], expected[clear])
    assert clear.mean() > 0.7


def test_a_slide_of_a_thousand_steps_ends():
    height = -np.arange(1001.0).reshape(7, 11, 13)
    visited = np.arange(0, 13)
    assert (slide(height, visited) == 12).all()
    long = np.linspace(1, 0, 1001)[:, None, None]
    assert (slide(long, np.arange(1001)) == 1000).all()


def test_flat_ground_stays_where_it_is():
    assert slide(np.zeros((2, 3, 5)), np.array([0, 7, 8, 29])).tolist() == [0, 1, 2, 3]
    assert slide(np.zeros((2, 3, 5)), np.array([], int)).shape == (0,)


def _basins(height):
    height = np.array(height)[:, None, None]
    visited = np.arange(len(height))
    return merge(slide(height, visited), visited, height, 3.75).tolist()


def test_basins_are_one_where_the_saddle_is_low():
    """Minima of 1, .92 and .9, far apart; saddles of .9, which is .98 of .92, and .5."""
    row = [-1, -0.95, -0.91, -0.9, -0.91, -0.91, -0.92, -0.8, -0.6, -0.5, -0.6, -0.8, -0.9]
    assert _basins(row) == [0] * 10 + [1] * 3


def test_basins_are_one_where_the_minima_are_close():
    assert _basins([-1, -0.5, -0.1, -0.9]) == [0, 0, 0, 0]
    assert _basins([-1, -0.5, -0.1, -0.2, -0.9]) == [0, 0, 0, 1, 1]


def test_bottoms_are_the_lowest_voxels_of_each_basin():
    assert bottoms(np.array([-3, -5, -4, -9, -2]), np.array([1, 0, 0, 1, 2])).tolist() == [1, 3, 4]
