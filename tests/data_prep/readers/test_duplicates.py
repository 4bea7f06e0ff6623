import numpy as np
import PIL.Image
import pytest

from data_prep.readers.duplicates import group_alike, perceptual_hash
from data_prep.readers.images import list_images


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
