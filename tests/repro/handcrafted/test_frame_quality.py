import csv
import pickle

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy import ndimage
from scipy.fft import dctn, idctn

from repro.evaluation import auc
from repro.handcrafted import frame_quality
from repro.handcrafted.frame_quality import (
    METHODS,
    features,
    fit,
    haar,
    isolated_ratio,
    pool,
    reconstruct,
    reconstruction_error,
    wavelet_energies,
)


def frame(seed, blur_px=0.0, height=131, width=203):
    """Patches with sharp contours, blurred if asked, then with a sensor's noise; nowhere as dark as a border."""
    generator = np.random.default_rng(seed)
    fine, coarse = (ndimage.gaussian_filter(generator.normal(size=(height, width)), size) for size in (3, 8))
    patches = 20 * np.sign(fine) + 20 * np.sign(coarse)
    grey = 150 + ndimage.gaussian_filter(patches, blur_px) + 2 * generator.normal(size=(height, width))
    return np.clip(np.stack([grey, grey - 20, grey - 40], axis=-1), 0, 255).astype(np.uint8)


def describe(method, seeds, blur_px=5.0, **size):
    """Features and labels of sharp and blurred versions of frames."""
    frames = [frame(seed, blur, **size) for blur in (0.0, blur_px) for seed in seeds]
    return np.stack([features(pixels, method) for pixels in frames]), np.repeat([1, 0], len(seeds))


@pytest.mark.parametrize("method", METHODS)
def test_sharp_frames_score_above_blurred_ones_of_another_size(method):
    judge = fit(method, *describe(method, range(6)), seed=0)
    described, labels = describe(method, range(50, 54), blur_px=4.0, height=158, width=217)
    scores = judge.score(described)
    assert auc(labels, scores) == 1
    assert (scores.shape, scores.dtype) == ((8,), float)
    assert np.all((scores >= 0) & (scores <= 1))


@pytest.mark.parametrize(("cell", "kept"), [(8, 1), (8, 4), (32, 2)])
def test_reconstruction_is_the_inverse_transform_of_the_low_coefficients(cell, kept):
    grey = np.random.default_rng(1).uniform(0, 255, (64, 96)).astype(np.float32)
    rebuilt = reconstruct(grey, cell, kept)
    for corner in ((0, 0), (32, 64)):
        block = np.s_[corner[0] : corner[0] + cell, corner[1] : corner[1] + cell]
        coefficients = dctn(grey[block].astype(float), norm="ortho")
        coefficients[kept:], coefficients[:, kept:] = 0, 0
        np.testing.assert_allclose(rebuilt[block], idctn(coefficients, norm="ortho"), atol=1e-3)


def test_all_coefficients_rebuild_all():
    grey = np.random.default_rng(2).uniform(0, 255, (48, 80)).astype(np.float32)
    np.testing.assert_allclose(reconstruct(grey, 16, 16), grey, atol=1e-3)
    assert np.abs(reconstruct(grey, 16, 4) - grey).mean() > 10


def test_error_is_the_mean_of_nine_reconstructions():
    """A checkerboard of +-10 about 100: no low coefficient of an even cell sees it, so every one is off by about 10."""
    board = 100 + 10 * (-1.0) ** np.add.outer(np.arange(64), np.arange(96)).astype(np.float32)
    error, _ = reconstruction_error(board.astype(np.float32), np.ones(board.shape, bool))
    assert error.mean() == pytest.approx(10, abs=0.3)
    flat, _ = reconstruction_error(np.full((64, 96), 77, np.float32), np.ones((64, 96), bool))
    assert flat.max() < 1e-3


def test_cells_that_meet_the_border_do_not_count():
    inside = np.ones((70, 101), bool)
    inside[40, 5] = False
    _, whole = reconstruction_error(np.zeros(inside.shape, np.float32), inside)
    expected = np.ones(inside.shape, bool)
    expected[32:64, 0:32] = False
    np.testing.assert_array_equal(whole, expected)


def test_pooling_by_hand():
    """Errors of 1, 2 and 4 are 8, 12 and 16 quarters of an octave above 1/4; the last region is not counted."""
    error, counted = np.ones((6, 9), np.float32), np.ones((6, 9), bool)
    error[:2, :3], error[:2, 3:6], counted[4:, 6:] = 2, [4, 4, 1000], False
    histograms = pool(error, counted).reshape(10, 32)
    assert histograms[1, 12] == histograms[3, 8] == 1
    np.testing.assert_allclose(histograms[2, [16, 31]], [2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(histograms[0, [8, 12, 16, 31]], [36 / 48, 6 / 48, 4 / 48, 2 / 48], rtol=1e-6)
    assert not histograms[9].any()


def test_regions_see_which_half_is_blurred():
    """Left or right blurred: the whole frame's histogram is about the same, those of the sides are not."""
    sharp, blurred = frame(3, height=230, width=331), frame(3, 4.0, height=230, width=331)
    left, right = sharp.copy(), sharp.copy()
    left[:, :165], right[:, 166:] = blurred[:, :165], blurred[:, 166:]
    distance = np.abs(features(left, "handcrafted") - features(right, "handcrafted")).reshape(10, 32).sum(axis=1)
    assert distance[0] < 0.2
    assert distance[[1, 3, 4, 6, 7, 9]].min() > 1


@pytest.mark.parametrize("method", METHODS)
def test_the_black_border_does_not_count(method):
    """What stands in it and in cut corners (JPEG noise, a line of text) is not seen; a wider one moves little."""
    pixels = frame(4, height=230, width=331)
    corner = np.add.outer(np.arange(230), np.arange(331)) < 90
    pixels[corner | corner[::-1, ::-1]] = 0
    pixels = np.pad(pixels, ((20, 30), (60, 9), (0, 0)))
    noise, written = np.random.default_rng(0).integers(0, 15, pixels.shape, np.uint8), pixels.copy()
    written[pixels == 0] = noise[pixels == 0]
    written[100:108, 5:40] = 255
    np.testing.assert_array_equal(features(written, method), features(pixels, method))
    if method != "edges":
        wider = np.pad(pixels, ((140, 11), (0, 220), (0, 0)))
        other = frame(4, 3.0, height=230, width=331)
        moved, apart = (np.abs(features(each, method) - features(pixels, method)).mean() for each in (wider, other))
        assert moved < 0.25 * apart


def test_haar_keeps_energy_and_tells_directions():
    grey = np.random.default_rng(5).normal(size=(18, 26))
    coarse, details = haar(grey)
    assert np.sum(coarse**2) + np.sum(details**2) == pytest.approx(np.sum(grey**2))
    _, details = haar(np.outer([1, -1, 1, -1], np.ones(6)))
    np.testing.assert_array_equal(details[0], np.full((2, 3), 2))
    assert not details[1:].any()


def test_wavelet_energies_by_hand():
    """Columns in turns +-3: at the finest level 6 along the columns, else nothing but the rounding's own 0.29."""
    stripes = np.tile(np.array([3, -3], np.float32), (64, 48))
    energies = np.exp(wavelet_energies(stripes, np.ones(stripes.shape, bool))).reshape(4, 3)
    expected = np.full((4, 3), 12**-0.5)
    expected[0, 1] += 6
    np.testing.assert_allclose(energies, expected, rtol=1e-5)


def test_contours_are_not_isolated_and_noise_is():
    rows, columns = np.mgrid[:90, :121]
    disk = np.where(np.hypot(rows - 45, columns - 60) < 30, 200, 60).astype(np.float32)
    inside = np.ones(disk.shape, bool)
    noise = np.random.default_rng(6).normal(100, 2, disk.shape).astype(np.float32)
    assert isolated_ratio(disk, inside) == 0
    assert isolated_ratio(noise, inside) > 0.001
    assert isolated_ratio(np.full(disk.shape, 50, np.float32), inside) == 1
    overexposed = np.where(columns < 6, noise, 255).astype(np.float32)
    assert isolated_ratio(overexposed, inside) > 0.1


def test_isolated_pixels_by_hand(monkeypatch):
    """A dot, two that touch at their corners, a line of five: 1 of 8 edge pixels is alone."""
    edges = np.zeros((64, 70), bool)
    edges[3, 3] = edges[10, 11] = edges[11, 12] = edges[40, 20:25] = True
    monkeypatch.setattr(frame_quality, "canny", lambda *_, **__: edges)
    assert isolated_ratio(np.eye(64, 70, dtype=np.float32) * 100, np.ones(edges.shape, bool)) == 1 / 8


@pytest.mark.parametrize("method", METHODS)
def test_any_size_and_a_black_frame_give_the_same_number_of_features(method):
    shapes = ((64, 64), (71, 300), (350, 500))
    described = [features(frame(7, height=height, width=width), method) for height, width in shapes]
    described.append(features(np.zeros((90, 80, 3), np.uint8), method))
    assert {(each.shape, each.dtype.name) for each in described} == {
        (({"handcrafted": 320, "wavelet": 12, "edges": 1}[method],), "float32")
    }
    assert np.isfinite(described).all()


def test_forest_follows_from_its_seed(monkeypatch):
    monkeypatch.setattr(frame_quality, "TREES", 40)
    described, labels = describe("handcrafted", range(4))
    unseen, _ = describe("handcrafted", range(20, 23), blur_px=0.8)
    first = fit("handcrafted", described, labels, seed=8)
    np.testing.assert_array_equal(first.score(unseen), fit("handcrafted", described, labels, seed=8).score(unseen))
    np.testing.assert_array_equal(first.score(unseen), pickle.loads(pickle.dumps(first)).score(unseen))
    assert not np.array_equal(first.score(unseen), fit("handcrafted", described, labels, seed=9).score(unseen))


def test_errors_say_what_came():
    with pytest.raises(ValueError, match=r"\(90, 80, 3\) float64"):
        features(np.zeros((90, 80, 3)), "edges")
    with pytest.raises(ValueError, match=r"at least 64.*40, 80"):
        features(np.zeros((40, 80, 3), np.uint8), "edges")
    with pytest.raises(ValueError, match="'dct'"):
        features(frame(0), "dct")
    with pytest.raises(ValueError, match=r"both must occur. Received: \(3,\) labels, \[1\]"):
        fit("edges", np.zeros((3, 1)), np.ones(3, int), seed=0)


def test_blur_lowers_the_error_of_real_frames(real_data):
    """Each frame that its annotators called informative, against itself blurred by three pixels."""
    with open(real_data / "endo-angel" / "labels.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["label"] == "qualified"]
    centre = np.arange(frame_quality.BINS)
    for name in names:
        pixels = np.asarray(Pillow.open(real_data / "endo-angel" / name).convert("RGB"))
        blurred = ndimage.gaussian_filter(pixels, (3, 3, 0))
        sharp_bin, blurred_bin = (features(each, "handcrafted")[:32] @ centre for each in (pixels, blurred))
        assert blurred_bin < sharp_bin - 1, name
    assert len(names) == 10
