import pickle
from functools import partial

import numpy as np
import pytest

from data_prep import roi_patches
from data_prep.roi_patches import BACKGROUND, LI, MA, CanvasCache, RoiPatches, label_pixels, roi_canvas

ROI = (4, 6, 5, 7)


def noise(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (17, 23), dtype=np.uint8)


@pytest.mark.parametrize(("size", "zoom"), [(9, 4), (15, 3), (27, 8)])
def test_a_patch_is_a_window_of_the_canvas_with_its_pixel_in_the_middle(size, zoom):
    canvas = roi_canvas(noise(), ROI, size, zoom)
    assert canvas.shape == (4 * zoom + size, 6 * zoom + size)
    for row, column in [(0, 0), (3, 5), (4, 6)]:
        patch = canvas[row * zoom :, column * zoom :][:size, :size]
        np.testing.assert_array_equal(patch, roi_canvas(noise(), (4 + row, 6 + column, 1, 1), size, zoom))
        assert patch[size // 2, size // 2] == noise()[4 + row, 6 + column]


def test_a_canvas_is_bilinear():
    """At zoom 2, an odd size: every second canvas pixel is a pixel, those between are means."""
    canvas = roi_canvas(noise(), (4, 6, 2, 3), 1, 2).astype(float)
    np.testing.assert_array_equal(canvas[::2, ::2], noise()[4:6, 6:9])
    between = (noise()[4, 6].astype(float) + noise()[5, 6]) / 2
    assert abs(canvas[1, 0] - between) <= 0.5


def test_past_the_edge_the_nearest_pixel_is_repeated():
    canvas = roi_canvas(noise(), (0, 20, 1, 3), 21, 2)
    np.testing.assert_array_equal(canvas[0], canvas[9])
    assert (canvas[10, -10:] == noise()[0, -1]).all()


def test_gamma_spreads_the_dark_greys():
    """16 of 255 at gamma .5 is the root of 16 * 255 = 63.9; black and white stay."""
    canvas = roi_canvas(np.array([[0, 16, 255]], np.uint8), (0, 0, 1, 3), 1, 1, 0.5)
    assert canvas.tolist() == [[0, 64, 255]]


def test_a_fractional_zoom_is_refused():
    with pytest.raises(ValueError, match="zoom=0"):
        roi_canvas(noise(), ROI, 9, 0)


def test_patches_are_cut_as_asked_grey_three_times():
    cache = CanvasCache([(partial(noise, 0), ROI), (partial(noise, 1), (2, 1, 6, 4))], size=9, zoom=4, most=1)
    table = RoiPatches(cache, np.array([1, 0, 1]), np.array([5, 2, 0]), np.array([3, 6, 1]), np.array([1, 2, 0]))
    patches = table.cut(np.array([2, 1, 1]))
    assert patches.shape == (3, 9, 9, 3)
    np.testing.assert_array_equal(patches[0, ..., 2], roi_canvas(noise(1), (2, 2, 1, 1), 9, 4))
    np.testing.assert_array_equal(patches[1, ..., 0], roi_canvas(noise(0), (6, 12, 1, 1), 9, 4))
    np.testing.assert_array_equal(patches[1], patches[2])


def test_the_cache_keeps_so_many_and_leaves_them_behind_when_pickled(monkeypatch):
    made = []
    monkeypatch.setattr(roi_patches, "roi_canvas", lambda *arguments: made.append(arguments[1]) or noise())
    cache = CanvasCache([(noise, (k, 0, 1, 1)) for k in range(3)], size=9, zoom=4, most=2)
    empty = pickle.dumps(cache)
    for number in (0, 1, 0, 2, 0, 1):
        cache[number]
    assert [roi[0] for roi in made] == [0, 1, 2, 1]
    assert pickle.dumps(cache) == empty


def test_pixels_are_on_an_interface_or_far_from_both_or_neither():
    """LI at row 5.4 and MA at 9.5 of the image, ROI from row 3: rows 2 and 7 (half up); far is more than 2 pixels."""
    interfaces = np.full((2, 23), np.nan)
    interfaces[:, 4:7] = [[5.4] * 3, [9.5] * 3]
    labels = label_pixels(interfaces, (3, 3, 9, 5), 1.9)
    expected = [BACKGROUND, -1, LI, -1, -1, -1, -1, MA, -1]
    np.testing.assert_array_equal(labels[:, 1:4], np.repeat(expected, 3).reshape(9, 3))
    assert (labels[:, [0, 4]] == -1).all()


def test_an_interface_outside_the_roi_labels_nothing():
    interfaces = np.stack([np.full(23, 1.0), np.full(23, 16.0)])
    labels = label_pixels(interfaces, (3, 3, 9, 5), 3)
    assert set(np.unique(labels).tolist()) == {-1, BACKGROUND}
