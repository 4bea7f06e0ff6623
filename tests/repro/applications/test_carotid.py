"""From ROIs to patches, maps and lines: who trains, who tests, what is segmented, what is counted."""

from functools import partial

import numpy as np
import pytest

from data_prep.cohort import Cohort, Scan, Subject
from data_prep.roi_patches import BACKGROUND, LI, MA, roi_canvas
from repro.applications import carotid
from repro.evaluation.boundaries import roi_errors
from repro.profiles import load_profile
from repro.runs import Data, Run

# 7 subjects with 2 scans of 2 ROIs each; 3 test.
NAMES = tuple("abcdefg")
SHAPE = (50, 130)
ROIS = ((10, 5, 30, 40), (8, 60, 33, 44))


def interfaces():
    """Return LI and MA of every scan: 6 rows apart, sloping; nothing right of column 100."""
    columns = np.arange(SHAPE[1], dtype=float)
    lines = np.stack([20.3 + 0.02 * columns, 26.3 + 0.02 * columns])
    lines[:, 101:] = np.nan
    return lines


def pixels(number):
    """Return a scan: dark lumen, two bright lines on the interfaces, noise by its number."""
    scan = np.random.default_rng(number).integers(0, 30, SHAPE)
    columns = np.arange(101)
    for line in interfaces():
        scan[np.floor(line[:101] + 0.5).astype(int), columns] = 200
    return scan.astype(np.uint8)


def cohort(mm_per_pixel=0.06):
    subjects = []
    for k, name in enumerate(NAMES):
        scans = tuple(Scan(f"{name}{j}", partial(pixels, 2 * k + j), interfaces, mm_per_pixel, ROIS) for j in range(2))
        subjects.append(Subject(name, scans))
    return Cohort("toy", tuple(subjects), ("a caveat",))


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(carotid, "read_carotid", lambda _: cohort())
    return carotid.prepare(Data("toy", "", "f"), run().settings["carotid"], None)


def run(*changes, **values):
    settings = load_profile("smoke", ["carotid.test_share=0.4", *changes]).settings("carotid")
    values = {"arm": "fc8", "fraction": 1.0, "seed": 4} | values
    return Run("carotid", weights="imagenet", profile="smoke", settings=settings, data=Data("d", "", "f"), **values)


def test_subjects_are_split_and_their_rois_listed(task):
    assert (len(task.train), len(task.test)) == (4, 3)
    assert len(task.regions) == 7 * 4
    assert {region.subject for region in task.of(task.train)} == set(task.train)


def test_some_of_a_subject_s_rois_are_spread_over_its_scans(task):
    """Of four ROIs on two scans the second and the fourth are one on each."""
    assert [region.name for region in task.of("b", 2)] == ["b0 8,60", "b1 8,60"]
    assert [region.name for region in task.of("b", 1)] == ["b1 10,5"]
    assert len(task.of("b", 9)) == 4


def test_patches_are_balanced_distinct_and_show_what_their_label_says(task):
    """150 um of .06 mm pixels are 2.5: background lies 3 rows off."""
    regions = task.of("b")
    patches = carotid.labelled_patches(regions, 45, run())
    assert np.bincount(patches.labels).tolist() == [15, 15, 15]
    places = np.stack([patches.roi, patches.row, patches.column])
    assert np.unique(places, axis=1).shape == (3, 45)
    tops, lefts = (np.array([region.roi[k] for region in regions])[patches.roi] for k in (0, 1))
    offsets = tops + patches.row - interfaces()[:, lefts + patches.column]
    assert (np.abs(offsets[0, patches.labels == LI]) <= 0.5).all()
    assert (np.abs(offsets[1, patches.labels == MA]) <= 0.5).all()
    assert (np.abs(offsets[:, patches.labels == BACKGROUND]) > 2.5).all()


def test_a_patch_is_its_pixel_s_window(task):
    regions = task.of("b")
    patches = carotid.labelled_patches(regions, 45, run())
    top, left = regions[patches.roi[20]].roi[:2]
    place = (top + patches.row[20], left + patches.column[20], 1, 1)
    expected = roi_canvas(regions[patches.roi[20]].scan.read_pixels(), place, 67, 4)
    np.testing.assert_array_equal(patches.cut(np.array([20]))[0, ..., 1], expected)


def test_far_is_in_micrometres(monkeypatch):
    """6 rows of .06 mm are 360 um: there is background between the lines at 150, none at 190."""
    monkeypatch.setattr(carotid, "read_carotid", lambda _: cohort())
    regions = carotid.prepare(Data("toy", "", "f"), run().settings["carotid"], None).of("b")
    for far_um, expected in ((150, True), (190, False)):
        patches = carotid.labelled_patches(regions, 10**6, run(f"carotid.far_um={far_um}"))
        tops, lefts = (np.array([region.roi[k] for region in regions])[patches.roi] for k in (0, 1))
        row, lines = tops + patches.row, interfaces()[:, lefts + patches.column]
        between = (patches.labels == BACKGROUND) & (row > lines[0]) & (row < lines[1])
        assert between.any() == expected


def test_without_delineated_columns_there_is_nothing_to_learn(task, monkeypatch):
    monkeypatch.setattr(carotid, "label_pixels", lambda *_: np.full((30, 40), -1))
    with pytest.raises(ValueError, match=r"Received \[0, 0, 0\]"):
        carotid.labelled_patches(task.of("b"), 45, run())


def peaks(region, columns):
    """Return maps that are bright on the true lines, moved down by 2 rows for MA."""
    rows = region.roi[0] + np.arange(region.roi[2])[:, None, None]
    lines = region.scan.read_interfaces()[:, region.roi[1] + columns].T + np.array([0, 2])
    return np.exp(-((rows - np.where(np.isfinite(lines), lines, 30)) ** 2) / 4), None


def test_lines_are_traced_in_the_image_and_measured_in_micrometres(task):
    regions = task.of("bc", 1)
    contours = carotid.segment(regions, peaks, 4, True)
    assert contours.subjects == ("b", "c")
    assert [str(name) for name in contours.roi] == ["b1 10,5", "c1 10,5"]
    np.testing.assert_array_equal(contours.column[:10], 5 + 2 + 4 * np.arange(10))
    errors = roi_errors(contours)
    assert (errors[:, 0] < 15).all()
    np.testing.assert_allclose(errors[:, 1], 120, atol=15)
    assert contours.example.shape == (30, 40, 2)
    assert carotid.segment(regions, peaks, 4, False).example.size == 0


def test_the_rival_finds_lines_and_both_sides_are_counted(monkeypatch):
    monkeypatch.setattr(carotid, "read_carotid", lambda _: cohort())
    contours, record = carotid.perform(run("carotid.column_step=4", arm="handcrafted"), None)
    assert record["counts"]["train"] == {"subjects": 4, "images": 8, "ROIs": 16}
    assert record["counts"]["test"] == {"subjects": 3, "images": 3, "ROIs": 3}
    assert record["caveats"] == ["a caveat"]
    assert np.median(roi_errors(contours)) < 200


def test_a_network_s_maps_are_those_of_its_patches(task):
    """What `segment` hands to the snakes is what the network says of each pixel's patch."""
    from repro.alexnet import build_alexnet
    from repro.inference import probabilities

    model = build_alexnet(3, "torchvision", 67, 8, seed=1, init="msra")
    regions, settings = task.of("bc", 1), run().settings
    columns = np.array([3, 17])
    maps, start = carotid.network_maps(model, regions, settings)(regions[1], columns)
    place = np.stack([np.ones(60, int), np.repeat(np.arange(30), 2), np.tile(columns, 30), np.zeros(60, int)])
    patches = carotid.RoiPatches(carotid.canvases(regions, settings), *place)
    np.testing.assert_allclose(maps.reshape(60, 2), probabilities(model, patches)[:, [LI, MA]], atol=1e-4)
    assert np.ptp(maps) > 0.01
    assert start is None
