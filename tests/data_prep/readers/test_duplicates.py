from functools import partial

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from data_prep.cohort import Cohort, Frame, Subject
from data_prep.readers import duplicates
from data_prep.readers.duplicates import MAX_DISTANCE, check_unlike, group_alike, perceptual_hash
from data_prep.readers.images import list_images, read_pixels


def test_a_hash_survives_shrinking_and_compression_but_not_mirroring(real_data, tmp_path):
    path = real_data / "cvc-colondb" / "images" / "77.jpg"
    with PIL.Image.open(path) as image:
        image.resize((287, 250)).save(tmp_path / "small.jpg", quality=40)
        image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.jpg")
    original, small, mirrored = map(perceptual_hash, (path, tmp_path / "small.jpg", tmp_path / "mirrored.jpg"))
    assert original.shape == (255,)
    assert np.count_nonzero(original != small) <= 12
    assert np.count_nonzero(original != mirrored) > 60


def test_no_group_joins_two_sequences_of_real_colondb(real_data):
    """Frames 242, 245, ... 263 are one picture again and again; no frame is grouped with another sequence's."""
    folder = real_data / "cvc-colondb"
    lines = (folder / "frames.csv").read_text().split()[1:]
    sequence_of = dict(line.split(",") for line in lines)
    groups = group_alike(list_images(folder / "images"))
    assert all(sequence_of[name] == sequence_of[group] for name, group in groups.items())
    assert [name for name, group in groups.items() if group == "242"] == [str(n) for n in range(242, 264, 3)]


def test_the_distance_is_the_number_of_different_bits(real_data):
    paths = {name: real_data / "cvc-colondb" / "images" / f"{name}.jpg" for name in ("9", "10", "77")}
    bits = {name: perceptual_hash(path) for name, path in paths.items()}
    nearest = np.count_nonzero(bits["9"] != bits["10"])
    assert group_alike(paths, nearest) == {"9": "9", "10": "9", "77": "77"}
    assert group_alike(paths, nearest - 1) == {"9": "9", "10": "10", "77": "77"}


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.jpg: expected an image"):
        perceptual_hash(tmp_path / "broken.jpg")


def cohort_of(paths):
    """One subject for each of {subject: paths}, its frames named as their files are."""
    return Cohort(
        "test",
        tuple(
            Subject(name, tuple(Frame(path.name, partial(read_pixels, path), True) for path in files))
            for name, files in paths.items()
        ),
    )


@pytest.fixture
def alike(save):
    """Subjects a, b and c of 2, 2 and 3 frames: b's second repeats a's first, c's third repeats c's first."""
    noise = np.random.default_rng(5).integers(0, 200, (5, 40, 52, 3), dtype=np.uint8)
    return cohort_of(
        {
            "a": [save("a1.png", noise[0]), save("a2.png", noise[1])],
            "b": [save("b1.png", noise[2]), save("b2.jpg", noise[0] + 30, quality=90)],
            "c": [save("c1.png", noise[3]), save("c2.png", noise[4]), save("c3.jpg", noise[3], quality=90)],
        }
    )


@pytest.mark.parametrize("rows", [1, 1000])
def test_near_identical_images_across_the_split_are_an_error_unless_allowed(alike, monkeypatch, rows):
    monkeypatch.setattr(duplicates, "ROWS_AT_A_TIME", rows)
    with pytest.raises(
        ValueError, match=r"1 such pair \(.*\n.* bits: 'b2\.jpg' of 'b' \(test\) and 'a1\.png' of 'a'\n"
    ) as caught:
        check_unlike(alike, ["b"])
    assert "--set 'frame_quality.allowed_alike=[NAME]'" in str(caught.value)
    check_unlike(alike, ["c"])
    check_unlike(alike, ["a", "b"])
    for name in ("a1.png", "b2.jpg"):
        check_unlike(alike, ["b", "c"], allowed=[name])
    with pytest.raises(ValueError, match=r"a1\.png"):
        check_unlike(alike, ["a"], allowed=["a2.png"])


def test_an_unknown_name_is_an_error(alike):
    with pytest.raises(ValueError, match=r"an allowed image, as 'a1\.png'. Received: \['a7\.png'\]"):
        check_unlike(alike, ["c"], allowed=["a7.png", "a1.png"])
    with pytest.raises(ValueError, match=r"a test subject, as 'a'. Received: \['d'\]"):
        check_unlike(alike, ["d"])


def test_all_pairs_are_counted_and_the_first_are_shown(save, monkeypatch):
    """3 test frames and 4 others, all alike: 12 pairs in blocks of 2 rows."""
    noise = np.random.default_rng(6).integers(0, 250, (40, 52, 3), dtype=np.uint8)
    paths = [save(f"{number}.png", noise + np.uint8(number)) for number in range(7)]
    monkeypatch.setattr(duplicates, "ROWS_AT_A_TIME", 2)
    with pytest.raises(ValueError, match="12 such pairs") as caught:
        check_unlike(cohort_of({"t": paths[:3], "o": paths[3:]}), ["t"])
    assert str(caught.value).count(" bits: ") == 5
    assert "... and 7 more" in str(caught.value)
    assert "0 bits: '0.png' of 't' (test) and '3.png' of 'o'" in str(caught.value)
    assert set(group_alike({path.name: path for path in paths}).values()) == {"0.png"}


def red_out(brightness):
    """A frame of one colour behind the dark corners of an endoscope."""
    rows, columns = np.mgrid[:180, :180]
    shown = np.abs(rows - 90) + np.abs(columns - 90) < 125
    return (brightness * np.array([150.0, 50, 40]) * shown[..., None]).astype(np.uint8)


@pytest.mark.parametrize("brightness", [(1.11, 1.01), (0, 0)])
def test_frames_without_structure_are_not_compared(save, brightness):
    paths = [save(f"{number}.png", red_out(value)) for number, value in enumerate(brightness)]
    bits = [perceptual_hash(path) for path in paths]
    assert np.count_nonzero(bits[0] != bits[1]) <= MAX_DISTANCE  # so the hash alone would call them copies
    check_unlike(cohort_of({"t": paths[:1], "o": paths[1:]}), ["t"])


def test_real_frames_are_compared_even_when_dark_and_blurred(real_data, save):
    for name in ("77", "168", "320"):
        path = real_data / "cvc-colondb" / "images" / f"{name}.jpg"
        with PIL.Image.open(path) as image:
            dim = np.asarray(image.filter(PIL.ImageFilter.GaussianBlur(5)), dtype=float) * 0.8
        copy = save("copy.jpg", dim.astype(np.uint8), quality=60)
        with pytest.raises(ValueError, match=rf"'copy\.jpg' of 't' \(test\) and '{name}\.jpg'"):
            check_unlike(cohort_of({"t": [copy], "o": [path]}), ["t"])


def test_images_that_are_not_files_are_refused():
    frame = Frame("made", partial(np.zeros, (17, 23, 3), np.uint8), True)
    other = Frame("other", partial(np.zeros, (17, 23, 3), np.uint8), True)
    with pytest.raises(ValueError, match="s/made: expected an image read from a file"):
        check_unlike(Cohort("test", (Subject("s", (frame,)), Subject("o", (other,)))), ["s"])
