import csv
import json
import pickle
from unittest.mock import Mock

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat
from scipy.ndimage import gaussian_filter, map_coordinates

from data_prep.phantoms import carotid
from data_prep.phantoms.carotid import cohort, render_frame, truth, write
from data_prep.phantoms.carotid_scanner import LOSS_DB, Probe, View, draw_probe, loss_db, receive
from data_prep.phantoms.carotid_scatterers import DENSITY, SPACING_MM, fill, place
from data_prep.phantoms.carotid_tissue import Anatomy, boundaries_at, draw_anatomy
from data_prep.phantoms.settings import CarotidPhantom

SMALL = {"height": 120, "width": 140, "seed": 4}
VIEW = View(top_mm=14.0, mm_per_pixel=0.06, height=110, width=130)


def straighten(pixels, line, mm_per_pixel, low_mm, high_mm):
    """Sample the image along a line, from low to high beneath it: shape (depths, columns), a depth every 15 um."""
    rows = line + np.arange(low_mm, high_mm, 0.015)[:, None] / mm_per_pixel
    columns = np.broadcast_to(np.arange(line.size), rows.shape)
    return map_coordinates(pixels.astype(float), [rows, columns], order=1, mode="nearest")


def correlation_width(image, axis):
    """Lag at which the autocorrelation falls to a half, in pixels."""
    image = image - image.mean()
    power = np.abs(np.fft.fft(image, axis=axis)) ** 2
    curve = np.fft.ifft(power.mean(axis=1 - axis)).real
    curve = curve / curve[0]
    last = np.argmax(curve < 0.5) - 1
    return last + (curve[last] - 0.5) / (curve[last] - curve[last + 1])


def random_scatterers(seed):
    """Fill the view and its margin with equal, unordered scatterers."""
    rng = np.random.default_rng(seed)
    number = int(DENSITY * 12 * 12)
    return rng.uniform(-6, 6, number), rng.uniform(12, 24, number), np.ones(number)


def sheet(depth_mm, slope=0.0):
    """Lay one straight interface across the view."""
    lateral = np.arange(-6, 6, SPACING_MM)
    return lateral, depth_mm + slope * lateral, np.full(lateral.size, 1.0)


def test_a_patient_depends_on_the_seed_alone():
    few, many = CarotidPhantom(2, **SMALL), CarotidPhantom(5, **SMALL)
    pixels, lines, size, rois = render_frame(few, 1, 2)
    carotid._scene.cache_clear()
    carotid._geometry.cache_clear()
    again = render_frame(many, 1, 2)
    assert np.array_equal(pixels, again[0])
    assert np.array_equal(lines, again[1])
    assert (size, rois) == again[2:]
    assert not np.array_equal(pixels, render_frame(CarotidPhantom(2, **SMALL | {"seed": 5}), 1, 2)[0])


def test_frames_and_truth_have_their_shape_and_type():
    pixels, lines, size, _ = render_frame(CarotidPhantom(3, **SMALL), 2, 1)
    assert (pixels.shape, pixels.dtype) == ((120, 140), np.uint8)
    assert (lines.shape, lines.dtype) == ((2, 140), np.float64)
    assert 0.05 <= size <= 0.08


def test_thickness_is_that_of_carotids_in_every_frame():
    phantom = CarotidPhantom(30)
    thickness, sizes = [], []
    for patient in range(30):
        for frame in range(3):
            (li, ma), size, _ = truth(phantom, patient, frame)
            thickness.append((ma - li) * size)
            sizes.append(size)
    assert 0.4 <= np.min(thickness) < 0.55
    assert 0.9 < np.max(thickness) <= 1.3
    assert 0.55 < np.median(thickness) < 0.75
    assert np.percentile(thickness, 95) > 0.9
    assert np.ptp(sizes) > 0.02


def test_some_far_walls_hold_a_plaque_and_most_do_not():
    rough = []
    for patient in range(100):
        lines = draw_anatomy(np.random.default_rng(patient), 1.0).boundaries_mm
        rough.append(np.ptp(lines[5] - lines[4]) > 0.35)
    assert 0.1 < np.mean(rough) < 0.3


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_a_patient_has_three_regions_over_its_frames(frames):
    phantom = CarotidPhantom(2, frames)
    found = [truth(phantom, 1, frame)[2] for frame in range(frames)]
    lefts = [roi[1] for rois in found for roi in rois]
    assert [len(rois) for rois in found] == [len(range(frame, 3, frames)) for frame in range(frames)]
    assert min(np.diff(sorted(lefts))) > 20
    assert all(roi[2:] == (60, 92) for rois in found for roi in rois)


@pytest.mark.parametrize(("height", "width"), [(400, 440), (120, 140)])
def test_a_region_holds_both_interfaces_but_does_not_tell_their_rows(height, width):
    phantom = CarotidPhantom(30, height=height, width=width, seed=2)
    above = []
    for patient in range(30):
        for frame in range(3):
            lines, _, rois = truth(phantom, patient, frame)
            for top, left, roi_height, roi_width in rois:
                li, ma = lines[:, left : left + roi_width] - top
                above.append(li.mean())
                assert li.min() >= 8
                assert ma.max() <= roi_height - 1 - 8
                assert 0 <= top <= height - roi_height
                assert 0 <= left <= width - roi_width
    assert np.std(above) > 5


def test_a_sharp_echo_rises_to_half_its_height_at_its_reflector():
    """To a tenth of a pixel, 6 um, wherever the reflector lies between two rows."""
    probe = Probe(focus_mm=17.0)
    for row in (51.0, 51.37, 51.5, 51.84):
        echo = np.abs(receive(probe, VIEW, sheet(VIEW.top_mm + row * 0.06)))[:, 65]
        peak = np.argmax(echo)
        first = np.argmax(echo > echo[peak] / 2)
        half = first - (echo[first] - echo[peak] / 2) / (echo[first] - echo[first - 1])
        assert abs(half - row) < 0.15


def test_a_tilted_interface_echoes_less():
    square, tilted, steep = (
        np.abs(receive(Probe(), VIEW, sheet(17.0, slope))).max(axis=0)[40:90].mean() for slope in (0.0, 0.05, 0.1)
    )
    assert square > 1.3 * tilted > 1.6 * steep


def test_speckle_is_fully_developed():
    """Mean over deviation of a Rayleigh distributed envelope is (pi / (4 - pi)) ** .5 = 1.91; its power is 1."""
    envelope = np.stack([np.abs(receive(Probe(), VIEW, random_scatterers(seed))) for seed in range(12)])
    assert envelope.mean() / envelope.std() == pytest.approx(1.913, abs=0.06)
    assert (envelope**2).mean() == pytest.approx(1, abs=0.1)


def test_speckle_is_wider_out_of_focus_and_no_longer():
    near, far = Probe(focus_mm=17.0, range_mm=6.0), Probe(focus_mm=5.0, range_mm=6.0)
    widths = np.array(
        [
            [
                np.mean([correlation_width(np.abs(receive(probe, VIEW, random_scatterers(s))), axis) for s in range(6)])
                for axis in (0, 1)
            ]
            for probe in (near, far)
        ]
    )
    beams = [probe.beam_at(17.3) for probe in (near, far)]
    assert widths[1, 1] / widths[0, 1] == pytest.approx(beams[1] / beams[0], rel=0.25)
    assert widths[1, 0] == pytest.approx(widths[0, 0], rel=0.15)
    assert widths[0, 1] > 1.5 * widths[0, 0]


def test_loss_is_summed_along_the_beam():
    """By hand at 5 MHz: 10 mm of tissue, 2 mm of blood, and 1 mm of wall in a shadow of 7 dB."""
    depths = np.array([0, 8.0, 9.0, 10.0, 12.0, 13.0, 14.0, 60.0])
    boundaries = np.repeat(depths[:, None], 31, axis=1)
    shadows = np.zeros((3, 31))
    shadows[1] = 7
    anatomy = Anatomy(np.linspace(-9, 9, 31), boundaries, np.zeros(8), 0.0, np.zeros(7), shadows)
    view = View(13.0 + 1.5, 0.05, 110, 130)  # the margin of 1.5 mm is the first row
    expected = 5 * np.dot(LOSS_DB, [8, 1, 1, 2, 1, 0, 0]) + 7
    assert loss_db(anatomy, view, 0.0, 5.0)[0] == pytest.approx(expected)


def test_the_wall_is_seen_where_it_is():
    """Without clutter the mean grey rises fastest at LI and at MA or up to 160 um above: a bright echo shows early."""
    phantom = CarotidPhantom(8, seed=1, height=200, width=200, difficulty=0.0)
    away = []
    for patient in range(4):
        pixels, lines, size, _ = render_frame(phantom, patient, 0)
        for line in lines:
            profile = straighten(pixels, line, size, -0.2, 0.2).mean(axis=1)
            away.append(np.argmax(np.gradient(profile)) * 0.015 - 0.2)
    assert -0.16 < np.min(away) <= np.max(away) < 0.03
    assert np.mean(away) > -0.11


def test_scatterers_stay_in_their_layer_and_move_with_it():
    anatomy = draw_anatomy(np.random.default_rng(3), 1.0)
    scatterers = fill(np.random.default_rng(4), anatomy, (10.0, 28.0), 17.0, 1.0)
    for swelling in (0.0, 1.0):
        lateral, depth = place(anatomy, scatterers, swelling)
        lines = boundaries_at(anatomy, lateral, swelling)
        above = np.take_along_axis(lines, scatterers.layer[None], 0)[0]
        below = np.take_along_axis(lines, scatterers.layer[None] + 1, 0)[0]
        expected = above + scatterers.fraction * (below - above)
        assert np.abs(depth - expected).max() < 0.001


def test_speckle_goes_with_the_wall():
    """Beneath MA, straightened and slid along: frames of one patient are alike, those of two are not."""
    phantom = CarotidPhantom(3, difficulty=0.5, **SMALL)
    strips = {}
    for patient, frame in np.ndindex(3, 2):
        pixels, lines, size, _ = render_frame(phantom, patient, frame)
        strips[patient, frame] = straighten(pixels, lines[1], size, 0.0, 1.5)

    def alike(first, second):
        pieces = [second[:, k : k + 100] for k in range(41)]
        return max(np.corrcoef(first[:, 20:120].ravel(), piece.ravel())[0, 1] for piece in pieces)

    same = [alike(strips[p, 0], strips[p, 1]) for p in range(3)]
    other = [alike(strips[p, 0], strips[(p + 1) % 3, 1]) for p in range(3)]
    assert min(same) > 0.7
    assert min(same) > max(other) + 0.2


def test_the_artery_swells_and_its_wall_thins():
    phantom = CarotidPhantom(5)
    for patient in range(5):
        rest, swollen = (truth(phantom, patient, frame) for frame in (0, 1))
        size = rest[1]
        assert 0.01 < (swollen[0][1] - rest[0][1]).mean() * size < 0.5
        thickness = [np.diff(part[0], axis=0).mean() * size for part in (rest, swollen)]
        assert 0.93 < thickness[1] / thickness[0] < 0.97


def test_difficulty_hides_li_and_clouds_the_lumen():
    hidden, clouded = [], []
    for difficulty in (0.0, 1.5):
        phantom = CarotidPhantom(9, difficulty=difficulty, **SMALL)
        frames = [render_frame(phantom, patient, 0) for patient in range(9)]
        echo = [straighten(p, lines[0], size, 0.0, 0.3).max(axis=0) for p, lines, size, _ in frames]
        lumen = [straighten(p, lines[0], size, -1.5, -0.5).max() for p, lines, size, _ in frames]
        hidden.append(np.mean([(along < 0.4 * np.median(along)).mean() for along in echo]))
        clouded.append(np.mean(lumen))
    assert hidden[1] > hidden[0] + 0.05
    assert clouded[1] > clouded[0] + 10


def test_cohort_reads_frames_when_asked_and_says_phantom():
    phantom = CarotidPhantom(3, 2, **SMALL)
    found = cohort(phantom)
    scan = pickle.loads(pickle.dumps(found.subjects[2].images[1]))
    pixels, lines, size, rois = render_frame(phantom, 2, 1)
    assert [(subject.name, len(subject.images)) for subject in found.subjects] == [("p00", 2), ("p01", 2), ("p02", 2)]
    assert "phantom" in found.caveats[0]
    assert (scan.name, scan.mm_per_pixel, scan.rois) == ("p02_f1", size, rois)
    assert np.array_equal(scan.read_pixels(), pixels)
    assert np.array_equal(scan.read_interfaces(), lines)


def test_a_written_folder_holds_what_was_rendered(tmp_path):
    phantom, told = CarotidPhantom(2, 2, **SMALL), []
    folder = write(phantom, tmp_path / "set", progress=lambda done, total: told.append((done, total)))
    rows = list(csv.DictReader((folder / "scans.csv").read_text().splitlines()))
    assert [(row["scan"], row["subject"]) for row in rows[1:3]] == [("p00_f1", "p00"), ("p01_f0", "p01")]
    assert json.loads((folder / "phantom.json").read_text())["width"] == 140
    assert told == [(1, 2), (2, 2)]
    for row, (patient, frame) in zip(rows, np.ndindex(2, 2), strict=True):
        pixels, lines, size, rois = render_frame(phantom, patient, frame)
        assert np.array_equal(iio.imread(folder / "images" / f"{row['scan']}.png"), pixels)
        table = np.genfromtxt(folder / "interfaces" / f"{row['scan']}.csv", delimiter=",", names=True)
        assert table.dtype.names == ("column", "li", "ma")
        assert np.abs([table["li"], table["ma"]] - lines).max() < 0.0001
        assert float(row["mm_per_pixel"]) == size
        assert [tuple(map(int, roi.split())) for roi in row["rois"].split(";")] == list(rois)


def test_processes_write_the_same_bytes(tmp_path):
    phantom = CarotidPhantom(2, 2, **SMALL)
    one, two = write(phantom, tmp_path / "one"), write(phantom, tmp_path / "two", jobs=2)
    files = sorted(path.relative_to(one) for path in one.rglob("*.*"))
    assert len(files) == 2 * 2 * 2 + 2  # frames and interfaces, phantom.json, scans.csv
    assert all((one / path).read_bytes() == (two / path).read_bytes() for path in files)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(carotid, "render_frame", Mock(side_effect=OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write(CarotidPhantom(2, **SMALL), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"num_patients": 0}, {"frames_per_patient": 0}, {"height": 90}, {"width": 95}, {"difficulty": -1}]
)
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ValueError, match="Received"):
        CarotidPhantom(**{"num_patients": 2} | wrong)


def test_an_echo_comes_a_second_time():
    """A tenth of it, 1.2 mm (20 rows) below."""
    once, twice = (
        np.abs(receive(Probe(reverberation=ghosts), VIEW, sheet(17.0)))[:, 65] for ghosts in ((), ((1.2, -20.0),))
    )
    assert np.argmax(twice - once) == np.argmax(once) + 20
    assert (twice - once).max() == pytest.approx(0.1 * once.max(), rel=0.01)


def test_an_easy_scanner_is_set_without_error():
    easy, real = (draw_probe(np.random.default_rng(7), 18.0, difficulty) for difficulty in (0.0, 1.0))
    assert (easy.focus_mm, np.ptp(easy.tgc_db)) == (18.0, 0.0)
    assert real.noise_db > easy.noise_db + 5
    assert all(now[1] > then[1] + 20 for now, then in zip(real.reverberation, easy.reverberation, strict=True))
    assert np.ptp(real.tgc_db) > 1


def layers_of(pixels, lines, size):
    """Median grey of lumen, wall and adventitia, and the grain's height and width in mm beneath MA.

    What is larger than .6 by 1.2 mm is taken out before the grain is measured: layers, not grain.
    """
    beneath = straighten(pixels, lines[1], size, 0.2, 2.0)
    wall = straighten(pixels, lines[0], size, 0.1, 0.4)
    fine = beneath - gaussian_filter(beneath, (0.3 / 0.015, 0.6 / size))
    grain = correlation_width(fine, 0) * 0.015, correlation_width(fine, 1) * size
    lumen = np.median(straighten(pixels, lines[0], size, -1.5, -0.5))
    return lumen, np.median(wall), np.median(beneath[: int(0.4 / 0.015)]), *grain


def read_cyprus(folder):
    """Read an image, and its interfaces where both were drawn."""
    about = loadmat(folder / f"{folder.name}.scl")
    columns, rows = about["Param_3"].ravel(), about["Param_4"].ravel()
    order = [np.argsort(columns[k::2]) for k in (0, 1)]
    drawn = [(columns[k::2][order[k]], rows[k::2][order[k]]) for k in (0, 1)]
    first, last = (int(edge(line[0])) for edge, line in ((np.min, drawn[0]), (np.max, drawn[0])))
    lines = np.stack([np.interp(np.arange(first, last), *line) for line in drawn])
    return (
        np.asarray(Image.open(folder / f"{folder.name}.CRI").convert("L"))[:, first:last],
        lines,
        float(about["scale"][0, 0]),
    )


def test_layers_and_grain_are_as_in_real_images(real_data):
    folders = sorted(path for path in (real_data / "cyprus-imt").iterdir() if path.is_dir())[::4]
    real = np.median([layers_of(*read_cyprus(folder)) for folder in folders], axis=0)
    phantom = CarotidPhantom(12, height=200, width=300, seed=1)
    ours = np.median([layers_of(*render_frame(phantom, patient, 0)[:3]) for patient in range(12)], axis=0)
    assert np.abs(ours[:3] - real[:3]).max() < 25
    assert ours[3:] == pytest.approx(real[3:], rel=0.25)
