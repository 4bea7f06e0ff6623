import numpy as np
import pytest

from repro.handcrafted.textures import DETAILS, HARALICK, haralick, wavelet_energies


def test_textures_grow_with_noise():
    generator = np.random.default_rng(1)
    planes = 128 + np.array([0, 8, 32]).reshape(3, 1, 1, 1) * generator.normal(size=(1, 2, 32, 32))
    planes = np.clip(planes, 0, 255).astype(np.uint8)
    contrast = haralick(planes)[:, [0, 6]]
    np.testing.assert_array_equal(contrast[0], 0)
    # Of independent neighbours, twice the variance; of their mean grey level of eight, too.
    np.testing.assert_allclose(contrast[1:], [[2 + 1 / 6] * 2, [32] * 2], rtol=0.1)
    assert np.all(np.diff(wavelet_energies(planes), axis=0) > 1)


def test_wavelets_tell_stripes_across_from_stripes_along():
    stripes = np.uint8(128 + 50 * np.sign(np.sin(np.arange(32) * 1.7)))
    planes = np.stack([np.tile(stripes, (32, 1)), np.tile(stripes[:, None], 32)])[None]
    first, second = np.exp(wavelet_energies(planes)).reshape(2, 2, 3)[:, 0]
    assert first[1] == pytest.approx(second[0])
    assert first[1] > 20
    np.testing.assert_allclose([*first[[0, 2]], *second[1:]], 1, atol=1e-6)


def test_wavelets_keep_the_energy_of_noise():
    """In an orthonormal base, noise of SD 30 has details of SD 30 at each level, up to the border."""
    noise = np.clip(128 + 30 * np.random.default_rng(2).normal(size=(40, 2, 32, 32)), 0, 255).astype(np.uint8)
    np.testing.assert_allclose(np.exp(wavelet_energies(noise)).mean(axis=0), 31, rtol=0.2)


def test_mirrored_pictures_have_the_same_textures():
    generator = np.random.default_rng(3)
    planes = np.cumsum(generator.integers(0, 9, (5, 3, 19, 27)), axis=3).astype(np.uint8)
    for textures, names in ((haralick, HARALICK), (wavelet_energies, DETAILS)):
        found = textures(planes)
        assert found.shape == (5, 3 * len(names))
        np.testing.assert_allclose(textures(planes[:, :, ::-1]), found)
        np.testing.assert_allclose(textures(planes[..., ::-1]), found)
