"""Views of boxes: where they are cut, how they are turned, what happens at the edge, and tables of them."""

import pickle

import numpy as np
import pytest

from data_prep.cohort import Image
from data_prep.patches import FrameCache, PatchTable, ViewGrid, random_crops, views


def gradient(height=170, width=230):
    """Return an image whose red channel is its row and whose green channel is its column."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.full_like(rows, 7)]).astype(np.uint8)


def centre(patch):
    """Return the row and column of the image that a patch's centre shows."""
    middle = patch.shape[0] // 2
    return patch[middle - 1 : middle + 1, middle - 1 : middle + 1, :2].reshape(-1, 2).mean(axis=0)


def test_default_is_the_papers_grid():
    assert views(gradient(), (40, 60, 30, 30), size=16).shape == (3 * 5 * 8, 16, 16, 3)


def test_a_box_at_its_own_size_is_a_copy():
    patch = views(gradient(), (40, 60, 32, 32), scales=(1.0,), shift=0, orientations=1, size=32)[0]
    np.testing.assert_array_equal(patch, gradient()[40:72, 60:92])


def test_scales_enlarge_about_the_centre():
    small, large = views(gradient(), (50, 80, 20, 20), scales=(1.0, 1.5), shift=0, orientations=1, size=40)
    np.testing.assert_allclose(centre(small), (59.5, 89.5), atol=0.6)
    np.testing.assert_allclose(centre(large), (59.5, 89.5), atol=0.6)
    assert np.ptp(small[:, :, 0]) == pytest.approx(20, abs=1.5)
    assert np.ptp(large[:, :, 0]) == pytest.approx(30, abs=1.5)


def test_translations_are_a_tenth_of_the_scaled_box():
    """Box of 40, scale 1.5: 6 pixels left, right, up, down of (69.5, 99.5)."""
    found = [centre(patch) for patch in views(gradient(), (50, 80, 40, 40), (1.5,), 0.1, 1, 60)]
    expected = [(69.5, 99.5), (69.5, 93.5), (69.5, 105.5), (63.5, 99.5), (75.5, 99.5)]
    np.testing.assert_allclose(found, expected, atol=0.6)


def test_an_oblong_box_becomes_square_and_keeps_shapes():
    """A box of 20 x 50 at (60, 80) is the square of 50 at (45, 80)."""
    oblong = views(gradient(), (60, 80, 20, 50), (1.0,), 0, 1, 50)
    np.testing.assert_array_equal(oblong[0], gradient()[45:95, 80:130])


def test_eight_orientations_differ_and_are_the_square_s_symmetries():
    patches = views(gradient(), (40, 60, 32, 32), scales=(1.0,), shift=0, size=32)
    upright = patches[0]
    turned = [np.rot90(side, k) for side in (upright, upright[:, ::-1]) for k in range(4)]
    assert {patch.tobytes() for patch in patches} == {patch.tobytes() for patch in turned}
    assert len({patch.tobytes() for patch in patches}) == 8
    mirrored, upside_down, half_a_turn = upright[:, ::-1], upright[::-1], upright[::-1, ::-1]
    expected = [upright, mirrored, upside_down, half_a_turn]
    transposed = upright.transpose(1, 0, 2)
    expected += [transposed, transposed[:, ::-1], transposed[::-1], transposed[::-1, ::-1]]
    np.testing.assert_array_equal(patches, expected)


def test_beyond_the_edge_the_nearest_pixel_is_repeated():
    """A box that leaves a 170 x 230 image by 10 rows at the top and 12 columns on the right."""
    patch = views(gradient(), (-10, 202, 40, 40), scales=(1.0,), shift=0, orientations=1, size=40)[0]
    assert (patch[:10, :28, 0] == 0).all()
    assert (patch[:, 28:, 1] == 229).all()
    np.testing.assert_array_equal(patch[10:, :28], gradient()[:30, 202:230])


def test_shrinking_averages():
    """A checkerboard of single pixels becomes gray, where point sampling would leave black or white."""
    board = (np.indices((96, 96)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    patch = views(board, (8, 8, 80, 80), scales=(1.0,), shift=0, orientations=1, size=20)[0]
    assert abs(patch.astype(int) - 127).max() <= 10


def test_many_boxes_are_the_boxes_one_by_one():
    boxes = np.array([[40, 60, 30, 20], [-5, 100, 33, 44], [100.5, 90.25, 25, 25]])
    together = views(gradient(), boxes, size=24)
    apart = [views(gradient(), box, size=24) for box in boxes]
    np.testing.assert_array_equal(together, np.concatenate(apart))


def test_nine_places_are_the_five_and_the_diagonals():
    """Box of 40, scale 1.5: 6 pixels up and left of (69.5, 99.5), and so on; all inside the image."""
    frames, grid = [gradient()], ViewGrid((1.5,), 0.1, 1, places=9)
    boxes, none = np.tile(np.array([50, 80, 40, 40], np.float32), (9, 1)), np.zeros(9, int)
    found = PatchTable(frames, none, boxes, np.arange(9), none, grid, 60).cut(np.arange(9))
    np.testing.assert_array_equal(found[:5], views(gradient(), boxes[0], (1.5,), 0.1, 1, 60))
    diagonals = [(63.5, 93.5), (63.5, 105.5), (75.5, 93.5), (75.5, 105.5)]
    np.testing.assert_allclose([centre(patch) for patch in found[5:]], diagonals, atol=0.6)
    with pytest.raises(ValueError, match=r"5 or 9.*Received: 8"):
        ViewGrid(places=8)


def test_a_patch_does_not_depend_on_what_is_cut_with_it():
    """Boxes of thirds of pixels, far from the corner, where 32 bits leave five decimals; one that leaves the image."""
    image = np.random.default_rng(1).integers(0, 256, (900, 1300, 3), dtype=np.uint8)
    boxes = np.array([[600 + k / 3, 1000 + k / 7, 81.3, 90.1] for k in range(20)] + [[-400, 1250, 500, 300]])
    together = views(image, boxes, scales=(1.0, 1.2), orientations=1, size=67)
    apart = [views(image, box, scales=(1.0, 1.2), orientations=1, size=67) for box in boxes]
    np.testing.assert_array_equal(together, np.concatenate(apart))
    beyond = views(image, (-500, -500, 99, 99), (1.0,), 0, 1, 67)[0]
    np.testing.assert_array_equal(beyond, np.broadcast_to(image[0, 0], (67, 67, 3)))


@pytest.mark.parametrize(("side", "size"), [(40.7, 67), (98.6, 67), (95.6, 99), (222.6, 227)])
def test_squares_that_stand_below_each_other_equal_those_cut_alone(side, size):
    """Growing and shrinking; of the last two some windows are higher than wide and than the patch: Pillow 13 resizes
    those down first."""
    image = np.random.default_rng(2).integers(0, 256, (500, 700, 3), dtype=np.uint8)
    boxes = [(round(12 + 7.3 * k, 3), 300.18, side, side) for k in range(20)] + [(-60.5, 300.18, side, side)]
    together = views(image, boxes, (1.0,), 0, 8, size)
    apart = [views(image, box, (1.0,), 0, 8, size) for box in boxes]
    np.testing.assert_array_equal(together, np.concatenate(apart))


@pytest.mark.parametrize("box", [(1, 2, 0, 4), (1, 2, 3), (1, np.nan, 3, 3)])
def test_a_box_without_area_is_refused(box):
    with pytest.raises(ValueError, match="positive sides"):
        views(gradient(), box)


def test_orientations_must_close_under_mirroring():
    with pytest.raises(ValueError, match=r"1, 2, 4 or 8\. Received: 3"):
        ViewGrid(orientations=3)


class Reader:
    """Counts how often it reads."""

    def __init__(self, pixels):
        self.pixels, self.times = pixels, 0

    def __call__(self):
        self.times += 1
        return self.pixels


def table(readers, most=2):
    """Return 60 patches drawn from as many images as there are readers."""
    draw, grid = np.random.default_rng(5), ViewGrid()
    frames = FrameCache([Image(str(k), reader, None) for k, reader in enumerate(readers)], most)
    boxes = draw.uniform((0, 0, 20, 20), (100, 100, 60, 70), (60, 4)).astype(np.float32)
    image, view = draw.integers(0, len(readers), 60), draw.integers(0, len(grid), 60)
    return PatchTable(frames, image, boxes, view, np.arange(60) % 2, grid, 24)


def test_a_table_cuts_what_views_gives():
    readers = [Reader(gradient(150 + 9 * k, 200 + 7 * k)) for k in range(3)]
    patches = table(readers)
    cut = patches.cut(np.array([41, 3, 17]))
    for found, row in zip(cut, (41, 3, 17), strict=True):
        expected = views(readers[patches.image[row]].pixels, patches.boxes[row], size=24)[patches.view[row]]
        np.testing.assert_array_equal(found, expected)


def test_only_so_many_frames_stay_in_memory():
    readers = [Reader(gradient()) for _ in range(5)]
    patches = table(readers, most=2)
    patches.cut(np.arange(60))
    assert [reader.times for reader in readers] == [1] * 5
    patches.cut(np.flatnonzero(patches.image >= 3))
    assert [reader.times for reader in readers] == [1] * 5
    patches.cut(np.flatnonzero(patches.image == 0))
    assert readers[0].times == 2


def test_pixels_stay_behind_when_a_table_is_pickled():
    patches = table([Reader(gradient(400, 400)) for _ in range(2)])
    empty = len(pickle.dumps(patches))
    patches.cut(np.arange(60))
    assert len(pickle.dumps(patches)) == empty


def test_random_crops_lie_inside_and_reach_every_place():
    """A side of 14.5 in 17x23 leaves corners at rows 0 to 2 and columns 0 to 8."""
    boxes = random_crops((17, 23), 500, 14.5, np.random.default_rng(0))
    assert boxes.dtype == np.float32
    assert sorted(set(boxes[:, 0].tolist())) == [0, 1, 2]
    assert sorted(set(boxes[:, 1].tolist())) == list(range(9))
    np.testing.assert_array_equal(boxes[:, 2:], 14.5)


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"\(17, 23\).*side of 18"):
        random_crops((17, 23), 1, 18, np.random.default_rng(0))
