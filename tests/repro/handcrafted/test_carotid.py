from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from data_prep.readers.carotid import read_cyprus_imt
from repro.evaluation import boundary_error
from repro.handcrafted.carotid import STEP_COST, _thickness_px, best_pair, gradient, interfaces
from repro.snakes import trace

MM = 0.06


def wall(li, ma, rows=60, seed=0):
    """Paint lumen, intima, media and adventitia below each other, with speckle."""
    row = np.arange(rows)[:, None]
    grey = np.select([row < li, row < li + 3, row < ma], [6, 70, 30], 140)
    speckle = gaussian_filter(np.random.default_rng(seed).normal(size=grey.shape), (0.8, 2)) * 1.2
    return np.clip(grey * (1 + speckle), 0, 255).astype(np.uint8)


def sloping(columns=92):
    li = 22 + 3 * np.sin(2 * np.pi * np.arange(columns) / 90)
    return np.stack([li, li + 11 + 1.5 * np.cos(np.arange(columns) / 20)])


def brute_force(edges, thinnest, thickest):
    """Try every pair of paths."""
    rows, columns = edges.shape
    paths = [path for path in product(range(rows), repeat=columns) if np.max(np.abs(np.diff(path))) <= 1]
    value = {path: edges[path, range(columns)].sum() - STEP_COST * np.abs(np.diff(path)).sum() for path in paths}
    pairs = ((li, ma) for li in paths for ma in paths)
    fitting = [pair for pair in pairs if all(thinnest <= m - i <= thickest for i, m in zip(*pair, strict=True))]
    return max(fitting, key=lambda pair: value[pair[0]] + value[pair[1]])


@pytest.mark.parametrize("seed", range(4))
def test_the_best_pair_is_the_best_of_all(seed):
    edges = np.random.default_rng(seed).random((6, 4)) * 0.3
    np.testing.assert_array_equal(best_pair(edges, 2, 3), brute_force(edges, 2, 3))


def test_both_interfaces_of_a_wall_are_found_within_a_pixel():
    truth = sloping()
    maps, start = interfaces(wall(*truth), MM)
    assert np.mean(np.abs(start - truth + 0.5), axis=1).max() < 1
    found, fell_back = trace(maps, 0, np.arange(92), start)
    assert np.mean(np.abs(found.T - truth + 0.5), axis=1).max() < 0.7
    assert not fell_back.any()


def test_maps_belong_to_their_own_path():
    maps, start = interfaces(wall(*sloping()), MM)
    assert maps.shape == (60, 92, 2)
    assert (maps.min(), maps.max()) == (0, 1)
    assert not np.any(maps[..., 0] * maps[..., 1])
    for side in range(2):
        assert np.mean(maps[start[side], np.arange(92), side]) > 5 * maps[..., side].mean()


def test_a_path_climbs_for_an_edge_and_not_for_noise():
    edges = np.random.default_rng(3).random((31, 47)) * 0.02
    edges[[7, 19]] += 0.5 * (np.arange(47) % 12 > 3)
    np.testing.assert_array_equal(best_pair(edges, 5, 20), np.repeat([[7], [19]], 47, axis=1))


@pytest.mark.parametrize(("mm", "limits"), [(0.06, (5, 26)), (0.1, (3, 16))])
def test_thickness_and_slope_keep_their_limits_even_in_noise(mm, limits):
    noise = np.random.default_rng(1).integers(0, 256, (57, 71), dtype=np.uint8)
    assert _thickness_px(noise.shape, mm) == limits
    _, (li, ma) = interfaces(noise, mm)
    assert limits[0] <= np.min(ma - li) <= np.max(ma - li) <= limits[1]
    assert np.max(np.abs(np.diff([li, ma]))) == 1


def test_widths_are_in_millimetres():
    """The same wall in pixels of half the side: the same gradient, twice as fine."""
    coarse = wall(*sloping()).astype(float)
    fine = gradient(np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1), MM / 2)
    assert np.mean(np.abs(fine[1::2, 1::2] - gradient(coarse, MM))) < 0.03


def test_an_empty_roi_gives_an_answer():
    maps, (li, ma) = interfaces(np.zeros((60, 31), dtype=np.uint8), MM)
    assert not maps.any()
    assert np.ptp(li) == np.ptp(ma) == 0


def test_wrong_rois_are_refused():
    with pytest.raises(ValueError, match=r"grey.*\(60, 92, 3\)"):
        interfaces(np.zeros((60, 92, 3), dtype=np.uint8), MM)
    with pytest.raises(ValueError, match=r"4 rows of 0.06 mm"):
        interfaces(np.zeros((4, 92), dtype=np.uint8), MM)
    with pytest.raises(ValueError, match="in millimetres"):
        interfaces(np.zeros((60, 92), dtype=np.uint8), 60.0)


def test_real_walls_are_found_about_as_well_as_a_second_observer_would(real_data):
    """One ROI of each of 9 patients; observers of such images differ by .18 mm (METHODS E)."""
    errors = []
    for subject in read_cyprus_imt(real_data / "cyprus-imt").subjects[:9]:
        scan = subject.images[0]
        top, left, height, width = scan.rois[0]
        pixels = scan.read_pixels()[top : top + height, left : left + width]
        maps, start = interfaces(pixels, scan.mm_per_pixel)
        columns = np.arange(left, left + width)
        found, _ = trace(maps, top, columns, start)
        lines = zip(found.T, scan.read_interfaces()[:, columns], strict=True)
        errors.append([boundary_error(*line, 1000 * scan.mm_per_pixel) for line in lines])
    assert np.median(errors, axis=0).max() < 180
