import csv
import json
import pickle
from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, label

from data_prep.phantoms import ctpa
from data_prep.phantoms.ctpa import CAVEAT, NAME, cohort, find_grid, render_volume, write
from data_prep.phantoms.ctpa_blood import Clouds, draw_clouds, draw_nodes, paint_arteries, paint_veins
from data_prep.phantoms.ctpa_body import draw_body, find_lungs
from data_prep.phantoms.ctpa_bones import lay_ribs
from data_prep.phantoms.ctpa_chest import chest_organs
from data_prep.phantoms.ctpa_mediastinum import draw_contrast
from data_prep.phantoms.ctpa_scanner import Scanner, draw_scanner, draw_steps, expose, noise_slices, streak
from data_prep.phantoms.ctpa_shapes import (
    STEP_MM,
    Field,
    Lattice,
    cover,
    ellipsoid,
    join,
    join_tube,
    meet,
    smooth,
    tube,
)
from data_prep.phantoms.ctpa_tissue import Painter, Sampler, organ, smooth_noise
from data_prep.phantoms.ctpa_trees import Tree
from data_prep.phantoms.ctpa_tubes import Grid
from data_prep.phantoms.settings import CtpaPhantom

SMALL = {"size": (20, 60, 52), "region": "right", "seed": 9}
SCANNER = Scanner(blur_mm=0.5, slice_share=0.4, noise_hu=20.0, peak_mm=4.0, shared=0.5, stretch=1.0)


@pytest.fixture(scope="module")
def patient():
    """One patient's body, lungs and arteries, and contrast medium."""
    body, lungs, trees = ctpa._anatomy(9, 0)
    return body, lungs, trees, draw_contrast(np.random.default_rng(3), 1.0)


@pytest.fixture(scope="module")
def chest(patient):
    """That patient's lower chest in voxels of 4 mm, without vessels of the lungs, noise and blur: HU, grid."""
    body, lungs, _, contrast = patient
    grid = Grid((33, 76, 90), (4.0, 4.0, 4.0), (-160.0, -150.0, -178.0))
    lattice = cover(np.array(grid.origin_mm) - 5, grid.to_mm(np.array(grid.shape)) + 5)
    painter = Painter(chest_organs(body, contrast, lungs, lattice), grid)
    return np.stack([painter.slice_at(height) for height in grid.axes_mm[0]]), grid


def straight(column):
    """One segment of radius 3 mm across the slices."""
    one = np.zeros(1, int)
    return Tree(np.array([[0.0, 5, column]]), np.array([[30.0, 5, column]]), one + 3.0, one + 3.0, one - 1, one, one)


def level_at(hu, grid, point):
    """HU of the voxel that holds a point."""
    return hu[tuple(np.round(grid.to_voxels(point)).astype(int))]


def test_a_patient_depends_on_the_seed_alone():
    few, many = CtpaPhantom(2, **SMALL), CtpaPhantom(5, **SMALL)
    voxels, truth, to_patient = render_volume(few, 1)
    ctpa._anatomy.cache_clear()
    ctpa._body.cache_clear()
    again = render_volume(many, 1)
    assert all(np.array_equal(*pair) for pair in zip((voxels, truth, to_patient), again, strict=True))
    assert not np.array_equal(voxels, render_volume(CtpaPhantom(2, **SMALL | {"seed": 5}), 1)[0])


def test_voxels_truth_and_place_have_their_shape_and_type():
    phantom = CtpaPhantom(4, **SMALL)
    voxels, truth, to_patient = render_volume(phantom, 0)
    spacing = np.linalg.norm(to_patient[:, :3], axis=0)
    assert (voxels.shape, voxels.dtype) == ((20, 60, 52), np.int16)
    assert (truth.shape, truth.dtype) == ((20, 60, 52), np.int32)
    assert 0.5 <= spacing[0] <= 1.5
    assert 0.66 <= spacing[1] == spacing[2] <= 0.8
    assert (to_patient[:, :3].argmax(axis=0) == [2, 1, 0]).all()  # slices to the head, rows to the back, columns left


def test_emboli_are_counted_from_one_and_darker_than_their_artery():
    counts = []
    for patient in range(6):
        phantom = CtpaPhantom(6, (32, 72, 66), "right", seed=9, difficulty=0.5)
        voxels, truth, _ = render_volume(phantom, patient)
        numbers = np.unique(truth[truth > 0])
        counts.append(len(numbers))
        assert (numbers == np.arange(1, len(numbers) + 1)).all()
        inner = binary_erosion(truth > 0, iterations=2)
        if inner.sum() > 30:
            assert 20 < voxels[inner].mean() < 100
    assert sum(count > 0 for count in counts) >= 4
    assert max(counts) > 1


def test_breathing_leaves_no_gap_between_the_numbers_of_emboli():
    truth = np.zeros((3, 4, 5), np.int32)
    truth[1, 2], truth[2, 3] = 2, 5
    assert ctpa._renumber(truth).tolist() == np.where(truth == 5, 2, np.where(truth == 2, 1, 0)).tolist()
    assert not ctpa._renumber(np.zeros((2, 3, 4), np.int32)).any()


@pytest.mark.parametrize("region", ["chest", "hila", "right", "left"])
def test_a_window_lies_where_its_name_says(region):
    grids = [find_grid(CtpaPhantom(9, (100, 200, 200), region), patient) for patient in range(9)]
    middles = np.array([grid.to_mm((np.array(grid.shape) - 1) / 2) for grid in grids])
    widths = np.array([grid.shape[2] * grid.spacing_mm[2] for grid in grids])
    column = {"chest": 0, "hila": 2, "right": -50, "left": 54}[region]
    assert np.abs(middles[:, 2] - column).max() < 15
    assert np.ptp(widths) > 5
    assert (widths > 290).all() if region == "chest" else (widths < 165).all()


def test_a_whole_chest_has_the_voxels_of_a_scanner():
    phantom = CtpaPhantom(25, (250, 512, 512), "chest")
    spacing = np.array([find_grid(phantom, patient).spacing_mm for patient in range(25)])
    assert 0.9 < spacing[:, 0].min() < spacing[:, 0].max() < 1.5
    assert 0.55 < spacing[:, 1].min() < spacing[:, 1].max() < 0.86


def test_slices_of_a_window_are_half_a_millimetre_to_one_and_a_half():
    """FUMPE's are .5, 1 and 1.5 mm."""
    phantom = CtpaPhantom(25, (100, 200, 200), "hila")
    spacing = [find_grid(phantom, patient).spacing_mm[0] for patient in range(25)]
    assert 0.5 < min(spacing) < 0.6
    assert 1.4 < max(spacing) < 1.5


def test_a_small_window_shows_what_the_whole_chest_shows(patient, chest):
    body, lungs, _, contrast = patient
    whole, grid = chest
    part, window = grid.crop((20, 10, 20), (29, 52, 66))
    lattice = cover(np.array(part.origin_mm) - 5, part.to_mm(np.array(part.shape) - 1) + 5)
    painter = Painter(chest_organs(body, contrast, lungs, lattice), part)
    cropped = np.stack([painter.slice_at(height) for height in part.axes_mm[0]])
    assert np.abs(cropped - whole[window]).max() < 1
    assert np.ptp(cropped) > 1200


def test_tissues_have_the_hounsfield_units_of_a_chest(patient, chest):
    body, lungs, _, contrast = patient
    hu, grid = chest
    depth = lungs.inside(grid.points_mm.reshape(-1, 3)).reshape(grid.shape)
    aorta = body.tubes["aorta"]
    assert -880 < np.median(hu[depth > 8]) < -750
    assert level_at(hu, grid, (-30, -148, -170)) == -1000
    assert abs(level_at(hu, grid, aorta[np.argmin(np.abs(aorta[:, 0] + 60)), :3]) - contrast.aorta) < 15
    assert abs(level_at(hu, grid, body.chambers["left atrium"][0]) - contrast.left) < 15
    assert 30 < level_at(hu, grid, (-150 * body.scale[0], 0, -70 * body.scale[2])) < 110  # liver
    assert 300 < np.percentile(hu[hu > 200], 80) < 700  # bone and blood
    fat, muscle = ((hu > -125) & (hu < -75)).mean(), ((hu > 30) & (hu < 75)).mean()
    assert fat > 0.05
    assert muscle > 0.05


def test_lungs_darken_from_front_to_back_less_than_fat_does(patient, chest):
    _, lungs, _, _ = patient
    hu, grid = chest
    points = grid.points_mm
    inside = (lungs.inside(points.reshape(-1, 3)).reshape(grid.shape) > 5) & (np.abs(points[..., 0] + 40) < 40)
    front, back = (hu[inside & side].mean() for side in (points[..., 1] < -20, points[..., 1] > 40))
    assert 20 < back - front < 120


def test_lungs_are_two_and_as_large_as_lungs():
    for seed in range(2):
        body = draw_body(np.random.default_rng(seed))
        lungs = find_lungs(body)
        parts, _ = label(lungs.field.values > 1)
        litres = np.sort(np.bincount(parts.ravel())[1:])[::-1] * STEP_MM**3 / 1e6
        left, right = (lungs.inside([[-70 * body.scale[0], -10, x * body.scale[2]]])[0] for x in (75, -75))
        assert 1.2 < litres[1] < litres[0] < 4.5
        assert litres[2:].sum() < 0.05
        assert left < right  # the heart lies to the left
        assert lungs.inside(np.array(body.spine)).max() < 0


def test_ribs_descend_to_the_front_on_both_sides():
    body = draw_body(np.random.default_rng(7))
    points, cartilage = lay_ribs(body)
    ribs, soft = points.reshape(24, -1, 3), cartilage.reshape(24, -1)
    drops = [rib[0, 0] - rib[~hard][-1, 0] for rib, hard in zip(ribs, soft, strict=True)]
    bone = points[~cartilage]
    lateral = bone[(np.abs(bone[:, 1] - 10) < 1.5) & (bone[:, 2] > 0)]
    crossings = 1 + (np.diff(np.sort(lateral[:, 0])) > 8).sum()
    assert min(drops) > 20
    assert max(drops) < 110
    assert 8 <= crossings <= 12
    assert np.allclose(np.sort(points[:, 2]), np.sort(-points[:, 2]))
    assert cartilage[points[:, 1] < -70].mean() > cartilage[points[:, 1] > 0].mean()


def test_a_tube_and_an_ellipsoid_have_their_volumes():
    lattice = cover((-60, -50, -40), (60, 50, 40))
    pipe = tube(lattice, np.array([(-40.0, 0, 0, 12), (40, 0, 0, 18)]))
    egg = ellipsoid(lattice, (5, -3, 2), (40, 20, 12))
    cut = np.pi * 80 / 3 * (12**2 + 12 * 18 + 18**2)
    inner = pipe[np.abs(np.broadcast_to(lattice.axes_mm[0], pipe.shape)) <= 40]
    share = np.clip(inner / STEP_MM + 0.5, 0, 1).sum() * STEP_MM**3 * 80 / 82.5
    assert share == pytest.approx(cut, rel=0.03)
    egg_share = np.clip(egg / STEP_MM + 0.5, 0, 1).sum() * STEP_MM**3
    assert egg_share == pytest.approx(4 / 3 * np.pi * 40 * 20 * 12, rel=0.03)


def test_joining_fills_the_crease_and_meeting_rounds_the_edge():
    lattice = cover((-30, -30, -30), (30, 30, 30))
    first, second = (tube(lattice, np.array([(z, -25.0, 0, 9), (z, 25.0, 0, 9)]), -40) for z in (-8, 8))
    joined = join(first, second, np.float32(10))
    assert (joined >= np.maximum(first, second)).all()
    assert joined[12, 12, 15] > np.maximum(first, second)[12, 12, 15]
    assert (meet(first, second, np.float32(10)) <= np.minimum(first, second)).all()
    other = first.copy()
    join_tube(other, lattice, np.array([(8.0, -25.0, 0, 9), (8, 25.0, 0, 9)]), 10.0)
    assert np.abs(other - joined)[joined > -8].max() < 1e-4


def test_a_smooth_curve_passes_its_points_in_short_steps():
    points = np.array([(0, 0, 0, 5), (30, 0, 10, 6), (40, 30, 0, 7.0)])
    curve = smooth(points, 4.0)
    steps = [np.linalg.norm(b[:3] - a[:3]) for a, b in pairwise(curve)]
    assert max(steps) < 5.5
    assert np.allclose(curve[[0, -1]], points[[0, -1]])
    assert min(np.linalg.norm(curve[:, :3] - points[1, :3], axis=1)) < 3


def test_a_random_field_is_the_same_in_any_window():
    whole = Lattice((-40, -30, -20), (60, 50, 44))
    part = Lattice((-21, -17, -9), (13, 11, 17))
    for length_mm in (3.5, 12, 40):
        field = smooth_noise([5, 1], length_mm, whole)
        assert np.allclose(field[19:32, 13:24, 11:28], smooth_noise([5, 1], length_mm, part), atol=1e-5)
        assert 0.7 < field.std() < 1.3


def test_a_sampler_interpolates_linearly_and_knows_its_window():
    lattice = Lattice((-3, 2, -5), (7, 9, 11))
    z, y, x = lattice.axes_mm
    field = Field(lattice, (2 * z - y + 0.5 * x).astype(np.float32))
    grid = Grid((3, 40, 50), (1.0, 0.9, 1.1), (0.0, 0.0, -30.0))
    sampler = Sampler(field, grid)
    drawn = sampler.at(1.3)
    columns, rows = (grid.axes_mm[axis][part] for axis, part in zip((2, 1), sampler.window, strict=True))
    assert np.allclose(drawn, 2.6 - rows + 0.5 * columns[:, None], atol=1e-4)
    assert rows[0] - 0.9 < 5 <= rows[0]
    assert sampler.at(-9) is None


def test_later_organs_cover_earlier_ones_and_share_their_borders():
    lattice = cover((-20, -20, -20), (20, 20, 20))
    ball = organ(lattice, ellipsoid(lattice, (0, 0, 0), (9, 9, 9)), (0, 100.0), (3.0, 400.0))
    block = organ(lattice, np.full(lattice.shape, 5.0), (0, -50.0))
    grid = Grid((1, 37, 33), (1.0, 1.0, 1.0), (0.0, -18.0, -16.0))
    drawn = Painter([block, ball, organ(lattice, np.full(lattice.shape, -9.0), (0, 9e3))], grid).slice_at(0.0)
    assert drawn.shape == (37, 33)
    assert drawn[18, [16, 9, 0]] == pytest.approx([400, 100, -50], abs=1)
    assert drawn[18, 25] == pytest.approx(25, abs=12)  # 9 mm from the middle: half and half


def test_veins_have_a_contrast_of_their_own_and_end_in_the_atrium():
    grid = Grid((30, 11, 26), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    hu = np.full(grid.shape, -800, np.float32)
    atrium = np.array([40.0, 5, 5]), np.array([12.0, 6, 6]), np.eye(3)
    paint_veins(hu, [straight(5), straight(20)], (310.0, 70.0), atrium, grid)
    assert hu[15, 5, 20] == pytest.approx(70)
    assert hu[15, 5, 5] == -800  # its only segment ends in the atrium


def test_a_cloud_darkens_an_artery_softly_and_nothing_else():
    grid = Grid((31, 21, 21), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    hu = np.full(grid.shape, -800, np.float32)
    lumen = np.zeros(grid.shape, np.float32)
    lumen[:, 5:16, 5:16] = 1
    clouds = Clouds(np.array([[15.0, 10, 10]]), np.array([[1.0, 0, 0]]), np.array([2.0]), np.array([0.4]))
    paint_arteries(hu, lumen, 300.0, clouds, grid)
    assert hu[15, 10, 10] == pytest.approx(180)
    assert hu[15, 10, 10] < hu[19, 10, 10] < hu[15, 14, 10] <= 300
    assert np.abs(np.diff(hu[15, 5:16, 10])).max() < 60
    assert (hu[lumen == 0] == -800).all()


def test_look_alikes_vanish_without_difficulty(patient):
    body, _, trees, _ = patient
    rng = np.random.default_rng(0)
    assert len(draw_clouds(rng, trees["artery"], 0.0).share) == 0
    many = [draw_clouds(rng, trees["artery"], 1.0) for _ in range(20)]
    assert np.mean([len(clouds.share) for clouds in many]) > 3
    nodes = [len(draw_nodes(rng, body, trees["artery"], difficulty)) for difficulty in [0.0] * 20 + [1.0] * 20]
    assert np.mean(nodes[20:]) > np.mean(nodes[:20]) + 2
    assert all(40 < node[3] < 90 for node in draw_nodes(rng, body, trees["artery"], 1.0))


def test_contrast_is_that_of_an_angiogram_and_some_veins_are_unenhanced():
    drawn = [draw_contrast(np.random.default_rng(seed), 1.0) for seed in range(200)]
    arteries, veins = np.array([one.artery for one in drawn]), np.array([one.veins for one in drawn])
    assert 250 <= arteries.min() < arteries.max() <= 460
    assert 0.02 < (veins < 100).mean() < 0.4
    assert all(one.plain < one.aorta <= one.left <= one.artery + 1e-9 for one in drawn)
    easy = [draw_contrast(np.random.default_rng(seed), 0.0) for seed in range(50)]
    assert all(min(one.veins) >= one.left and one.streaks == 0 for one in easy)


def test_noise_is_grain_of_its_strength_shared_between_slices():
    grid = Grid((40, 90, 110), (1.0, 0.7, 0.7), (0.0, 0.0, 0.0))
    noise = np.stack(list(noise_slices(np.random.default_rng(0), SCANNER, grid)))
    neighbours = (noise[1:] * noise[:-1]).mean()
    power = np.abs(np.fft.rfft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(90, 0.7)[:, None], np.fft.rfftfreq(110, 0.7))
    spectrum = [power[:, (frequency > low) & (frequency <= low + 0.06)].mean() for low in np.arange(0, 0.66, 0.06)]
    assert noise.shape == grid.shape
    assert noise.std() == pytest.approx(1, rel=0.03)
    assert neighbours == pytest.approx(0.5 / 1.25, abs=0.05)
    assert (noise[2:] * noise[:-2]).mean() == pytest.approx(0, abs=0.03)
    assert abs(np.argmax(spectrum) * 0.06 + 0.03 - 1 / 4.0) < 0.07
    assert spectrum[0] < 0.6 * max(spectrum)
    assert spectrum[-1] < 0.2 * max(spectrum)


def test_noise_in_soft_tissue_is_that_of_chest_scans():
    levels = []
    for seed in range(60):
        scanner = draw_scanner(np.random.default_rng(seed), 1.0)
        levels.append(scanner.noise_hu)
    grid = Grid((12, 64, 58), (1.0, 0.7, 0.7), (0.0, -22.0, -20.0))
    out = expose(np.random.default_rng(1), SCANNER, np.full(grid.shape, 50, np.float32), grid)
    assert 15 <= min(levels) < 20 < 30 < max(levels) <= 35
    assert out.dtype == np.int16
    assert out.mean() == pytest.approx(50, abs=1)
    assert out.std() == pytest.approx(20, rel=0.1)


def test_streaks_run_from_the_vessel_and_fade():
    grid = Grid((1, 150, 140), (1.0, 0.7, 0.7), (0.0, -50.0, -50.0))
    drawn, window = streak(np.random.default_rng(2), (0.0, 0.0), 80.0, 18.0, grid)
    rows, columns = (grid.axes_mm[axis][part] for axis, part in zip((1, 2), window, strict=True))
    away = np.hypot(rows[:, None], columns)
    near, far = drawn[(away > 10) & (away < 16)].std(), drawn[away > 40].std()
    assert near > 20
    assert far < near / 3
    assert (drawn[away < 4] == 0).all()
    assert streak(np.random.default_rng(2), (900.0, 0.0), 80.0, 18.0, grid)[0].size == 0


def test_breathing_shifts_slabs_of_some_patients():
    rng = np.random.default_rng(0)
    orders = [draw_steps(rng, 50, 1.0, 1.0) for _ in range(200)]
    stepped = [order for order in orders if (order != np.arange(50)).any()]
    assert 0.3 < len(stepped) / 200 < 0.7
    assert all((order >= 0).all() and (order < 50).all() for order in orders)
    assert max(np.abs(order - np.arange(50)).max() for order in orders) in range(3, 16)
    assert (draw_steps(rng, 50, 1.0, 0.0) == np.arange(50)).all()


def test_a_cohort_renders_when_asked_and_pickles():
    phantom = CtpaPhantom(2, **SMALL)
    patients = pickle.loads(pickle.dumps(cohort(phantom)))
    volume = patients.subjects[1].images[0]
    voxels, truth, to_patient = render_volume(phantom, 1)
    assert [subject.name for subject in patients.subjects] == ["p00", "p01"]
    assert np.array_equal(volume.read_voxels(), voxels)
    assert np.array_equal(volume.read_truth(), truth)
    assert np.allclose(volume.to_patient, to_patient)
    assert volume.spacing_mm == pytest.approx(find_grid(phantom, 1).spacing_mm)
    assert volume.locate([[0, 0, 0]])[0] == pytest.approx(find_grid(phantom, 1).origin_mm[::-1])


def test_written_files_hold_what_is_rendered(tmp_path):
    phantom, progress = CtpaPhantom(2, **SMALL), Mock()
    folder = write(phantom, tmp_path / "phantom", progress)
    voxels, truth, to_patient = render_volume(phantom, 1)
    volume, labels = np.load(folder / "volumes" / "p01.npz"), np.load(folder / "labels" / "p01.npz")["labels"]
    assert volume["voxels"].dtype == np.int16
    assert labels.dtype == np.uint16
    assert np.array_equal(volume["voxels"], voxels)
    assert np.array_equal(volume["to_patient"], to_patient)
    assert np.array_equal(labels, truth)
    with open(folder / "subjects.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["volume", "subject"], ["p00", "p00"], ["p01", "p01"]]
    about = json.loads((folder / "phantom.json").read_text(encoding="utf-8"))
    assert (about["name"], about["caveat"], about["seed"]) == (NAME, CAVEAT, 9)
    assert progress.call_args_list[-1].args == (2, 2)
    with pytest.raises(FileExistsError, match="empty folder"):
        write(phantom, folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_patients": 0}, "one patient"),
        ({"num_patients": 1, "size": (20, 8, 40)}, "16 voxels"),
        ({"num_patients": 1, "size": (20, 40)}, "16 voxels"),
        ({"num_patients": 1, "region": "heart"}, "chest, hila, right, left"),
        ({"num_patients": 1, "difficulty": 2.5}, r"\[0, 2\]"),
    ],
)
def test_impossible_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        CtpaPhantom(**settings)
