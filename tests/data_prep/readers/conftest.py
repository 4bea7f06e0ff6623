"""Small files as the tests of the readers need them."""

import numpy as np
import PIL.Image
import pytest

SIZE = (17, 23)


def frame_pixels(seed):
    """A coloured frame of 17x23 that no other seed has."""
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def polyp_mask(size=SIZE):
    """One polyp: 6 rows from row 4, 5 columns from column 9, so 30 pixels."""
    mask = np.zeros(size, dtype=np.uint8)
    mask[4:10, 9:14] = 255
    return mask


@pytest.fixture
def save(tmp_path):
    """Return save(name, pixels=frame, **options): writes an image below tmp_path and returns its path."""

    def save_image(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels).save(path, **options)
        return path

    return save_image


@pytest.fixture
def save_pair(save):
    """Return save_pair(frame, mask, seed): writes a random frame and a mask with one polyp."""

    def save_both(frame, mask, seed=0):
        return save(frame, frame_pixels(seed)), save(mask, polyp_mask())

    return save_both


@pytest.fixture
def listed(save_pair, tmp_path):
    """A folder of the form images/, masks/, frames.csv with three frames of two sequences."""
    for number, name in enumerate(("a1", "a2", "a10")):
        save_pair(f"images/{name}.jpg", f"masks/{name}.png", number)
    (tmp_path / "frames.csv").write_text("frame,sequence\na2,early\na1,late\na10,late\n")
    return tmp_path
