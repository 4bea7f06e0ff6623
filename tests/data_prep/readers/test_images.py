import cv2
import numpy as np
import PIL.Image
import pytest

from data_prep.readers.images import (
    FRAME_MODES,
    list_images,
    natural_key,
    number_lesions,
    read_mask,
    read_pixels,
    read_size,
    read_truth,
)

COLOURS = np.random.default_rng(4).integers(0, 256, (17, 23, 3), dtype=np.uint8)


def disc(height, width, radius):
    rows, columns = np.ogrid[:height, :width]
    inside = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < radius**2
    return inside.astype(np.uint8) * 255


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "TIFF", "PNG"])
def test_frames_come_out_as_they_were_written(save, suffix):
    path = save(f"1.{suffix}", COLOURS)
    assert np.array_equal(read_pixels(path), COLOURS)
    assert read_size(path, FRAME_MODES) == (17, 23)


def test_an_opaque_alpha_channel_is_dropped_and_a_palette_looked_up(save, tmp_path):
    opaque = np.dstack([COLOURS, np.full((17, 23), 255, np.uint8)])
    assert np.array_equal(read_pixels(save("opaque.png", opaque)), COLOURS)
    indexed = PIL.Image.fromarray(np.array([[0, 1, 1], [1, 0, 0]], np.uint8)).convert("P")
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.save(tmp_path / "indexed.png")
    assert read_pixels(tmp_path / "indexed.png")[0].tolist() == [[10, 20, 30], [200, 100, 50], [200, 100, 50]]


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (COLOURS[..., 0], "Received: L, 1 page"),
        (COLOURS[..., 0].astype(np.uint16) * 257, "Received: I;16"),
        (np.dstack([COLOURS, COLOURS[..., 0]]), "Received: transparent pixels"),
    ],
)
def test_a_frame_that_needs_a_guess_is_refused(save, pixels, message):
    with pytest.raises(ValueError, match=r"odd\.png.*" + message):
        read_pixels(save("odd.png", pixels))


def test_16_bit_colour_is_refused_and_not_rounded(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), COLOURS.astype(np.uint16) * 257)
    with pytest.raises(ValueError, match=r"deep\.png.*16 bits"):
        read_size(tmp_path / "deep.png", FRAME_MODES)


def test_pages_of_a_tiff_are_refused(tmp_path):
    page = PIL.Image.fromarray(COLOURS)
    page.save(tmp_path / "film.tiff", save_all=True, append_images=[page])
    with pytest.raises(ValueError, match=r"film\.tiff.*2 page"):
        read_pixels(tmp_path / "film.tiff")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "bmp"])
@pytest.mark.parametrize("kept", [0, 60, 0.5])
def test_a_file_cut_short_is_named(save, suffix, kept):
    path = save(f"short.{suffix}", np.tile(COLOURS, (9, 7, 1)))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(ValueError, match=rf"short\.{suffix}.*damaged or cut short"):
        read_pixels(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        read_pixels(tmp_path / "gone.png")


def test_masks_of_every_kind_of_file_agree(save, tmp_path):
    grey = disc(60, 80, 20)
    for name, pixels in (("l.png", grey), ("b.png", grey > 0), ("rgb.bmp", np.dstack([grey] * 3))):
        assert np.array_equal(read_mask(save(name, pixels)), grey == 255)
    PIL.Image.fromarray(grey).convert("P").save(tmp_path / "p.png")
    assert np.array_equal(read_mask(tmp_path / "p.png"), grey == 255)


def test_jpeg_masks_are_cut_at_128(save):
    grey = disc(120, 160, 40)
    path = save("mask.jpg", np.dstack([grey] * 3), quality=75)
    stored = read_pixels(path)[..., 0]
    assert len(np.unique(stored)) > 10  # JPEG rings around the border
    assert np.array_equal(read_mask(path), stored >= 128)
    assert np.mean(read_mask(path) != (grey == 255)) < 0.002


def test_a_mask_without_polyp_is_all_false(save):
    assert not read_mask(save("none.png", np.zeros((17, 23), np.uint8))).any()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (COLOURS[..., 0], "Is it a photo"),
        (disc(17, 23, 6) // 255, "values from 0 to 1, none of them 128"),
        (disc(17, 23, 6)[..., None] * np.array([1, 0, 0], np.uint8), "black and white.*differ by 255"),
    ],
)
def test_a_mask_that_is_not_black_and_white_is_refused(save, mask, message):
    with pytest.raises(ValueError, match=r"p1\.png.*" + message):
        read_truth(save("p1.png", mask))


def test_every_real_photo_is_refused_as_a_mask(real_data):
    photos = list(list_images(real_data / "cvc-colondb" / "images").values())[::7]
    for photo in photos:
        with pytest.raises(ValueError, match=r"\.jpg: expected a mask"):
            read_mask(photo)


def test_the_values_at_which_a_mask_is_cut(save):
    mask = np.repeat(np.array([[0, 127, 128, 255]], np.uint8), [49, 2, 2, 47], axis=1)
    assert read_mask(save("mask.png", mask))[0].tolist() == [False] * 51 + [True] * 49
    mask[0, 47:49] = 65, 191  # 6 of 100 grey
    with pytest.raises(ValueError, match="6% of the pixels"):
        read_mask(save("mask.png", mask))


def test_lesions_are_numbered_and_specks_left_out():
    mask = np.zeros((17, 23), dtype=bool)
    mask[0:5, 0:5] = True  # 25 pixels: the least
    mask[0:4, 8:14] = True  # 24: a speck
    mask[8:11, 2:8] = mask[11:14, 8:14] = True  # two blocks of 18 that touch at a corner: one lesion
    numbers = number_lesions(mask)
    assert np.bincount(numbers.ravel()).tolist() == [17 * 23 - 25 - 36, 25, 36]
    assert (numbers[2, 2], numbers[2, 10], numbers[9, 3], numbers[12, 10]) == (1, 0, 2, 2)
    assert numbers.dtype == np.int32
    assert number_lesions(mask, min_lesion_px=24).max() == 3


def test_only_images_are_listed_in_the_order_of_their_numbers(save):
    for name in ("10.png", "2.PNG", "p1.tif", "._2.png"):
        folder = save(name, COLOURS).parent
    (folder / "Thumbs.db").touch()
    assert list(list_images(folder)) == ["2", "10", "p1"]
    assert sorted(["b2", "b10", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "b2", "b10"]


def test_two_files_of_one_frame_are_refused(save):
    save("7.png", COLOURS)
    with pytest.raises(ValueError, match=r"Two files for frame '7'.*7\.jpg and 7\.png"):
        list_images(save("7.jpg", COLOURS).parent)
