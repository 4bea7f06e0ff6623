from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from data_prep.candidates.tobogganing import Candidates
from data_prep.vessel_patches import Axes
from repro.handcrafted.embolism import FEATURES, GROUPS, SCALES_MM, describe, intensities, shape, vesselness

SHAPE, SPACING = (33, 55, 61), (1.25, 0.7, 0.6)
CENTRE = np.array([16, 27, 30])
TILTED = np.array([0.48, 0.6, 0.64])


def places(sides=SHAPE, spacing=SPACING):
    """Of all voxels, from the centre, in mm: (3, s, r, c)."""
    return np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in sides), indexing="ij")) * np.reshape(
        spacing, (3, 1, 1, 1)
    )


def across(axis):
    """Return the distance of all voxels from an axis through the centre, in mm."""
    return np.linalg.norm(places() - np.multiply.outer(axis, np.tensordot(axis, places(), 1)), axis=0)


def ball(radius_mm, centre_mm=(0, 0, 0)):
    return np.linalg.norm(places() - np.reshape(centre_mm, (3, 1, 1, 1)), axis=0) < radius_mm


def scan(vessel, clot, outside=-850, noise=0, seed=0):
    """Paint blood of 350 and a clot of 60 HU, as sharp as a scanner shows them."""
    sharp = np.select([clot, vessel], [60.0, 350.0], outside)
    blurred = gaussian_filter(sharp, 0.5 / np.array(SPACING))
    return (blurred + noise * np.random.default_rng(seed).normal(size=SHAPE)).astype(np.int16)


def frame(axis):
    """Three directions, right-handed, the first one given."""
    second = np.cross(axis, [1.0, 0, 0] if abs(axis[0]) < 0.9 else [0, 1.0, 0])
    second /= np.linalg.norm(second)
    return np.stack([axis, second, np.cross(axis, second)]).astype(np.float32)


def one(region, axis=TILTED, point=CENTRE):
    """Return candidates and axes of one region."""
    candidates = Candidates(np.float32([point]), (np.argwhere(region),), np.float32([7.5]), np.ones(1, np.float32))
    return candidates, Axes(frame(np.asarray(axis, float))[None], np.float32([3]))


def read(voxels, region, axis=TILTED, point=CENTRE):
    """Describe one candidate: {short name: value}."""
    row = describe(voxels, SPACING, *one(region, axis, point))[0]
    return {name.partition(": ")[2]: value for name, value in zip(FEATURES, row, strict=True)}


def test_a_clot_is_dark_inside_and_bright_on_all_sides():
    vessel, clot = across(TILTED) < 5, ball(2.5)
    seen = read(scan(vessel, clot), clot)
    assert 60 < seen["inside mean"] < 180
    assert seen["contrast"] == pytest.approx(seen["shell mean"] - seen["inside mean"], rel=1e-5)
    assert seen["contrast"] > 100
    assert seen["bright shell"] > 0.8
    assert seen["one-sidedness"] < 0.1
    beside = read(scan(places()[2] > 2.5, ball(2.5), outside=50), ball(2.5))
    assert beside["one-sidedness"] > 0.6
    assert read(scan(vessel, vessel & ~vessel), clot)["contrast"] < 0


def test_intensities_by_hand():
    """A voxel of 60 HU, air below, contrast elsewhere; slices 2.5 mm apart, so that one on each side is near."""
    voxels = np.full((5, 7, 9), 200, np.int16)
    voxels[:2], voxels[2, 3, 4] = -900, 60
    spacing = np.array([2.5, 1, 1])
    found = dict(zip(GROUPS["intensity"], intensities(voxels, np.array([[2, 3, 4]]), spacing), strict=True))
    assert found["intensity: inside mean"] == found["intensity: inside p95"] == 60
    assert found["intensity: shell mean"] == found["intensity: shell p5"] == 200
    assert found["intensity: contrast to noise"] == pytest.approx(14)
    # In the slices beside, what is within sqrt(9 - 6.25) = 1.7 mm: 3 x 3; in its own, 29 within 3 mm but 5 within 1.
    assert found["intensity: air in shell"] == pytest.approx(9 / (9 + 9 + 29 - 5))


def test_a_clot_along_its_vessel():
    vessel, along = across(TILTED) < 3, np.tensordot(TILTED, places(), 1)
    clot = (across(TILTED) < 1.5) & (np.abs(along) < 7)
    seen = read(scan(vessel, clot), clot)
    assert np.exp(seen["log length"]) == pytest.approx(14 / np.sqrt(12), rel=0.05)
    assert np.exp(seen["log alignment"]) == pytest.approx(14 / np.sqrt(12) / (1.5 / 2), rel=0.1)
    assert np.exp(seen["log elongation"]) == pytest.approx(3)
    assert seen["depth"] == 7.5


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1.5, 0.6, 0.7)])
def test_a_ball_is_more_spherical_than_a_rod(spacing):
    spacing = np.array(spacing)
    around = places((15, 35, 31), spacing).reshape(3, -1).T
    sphere = around[np.linalg.norm(around, axis=1) < 4]
    rod = around[(np.hypot(around[:, 0], around[:, 2]) < 1.6) & (np.abs(around[:, 1]) < 8)]
    volume, longest, second, third, sphericity, _ = shape(sphere, spacing, np.eye(3)[1])
    assert np.exp(volume) == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.05)
    assert np.exp(longest) == pytest.approx(4 / np.sqrt(5), rel=0.05)
    assert min(second, third, sphericity) > 0.95
    _, longest, second, third, sphericity, along = shape(rod, spacing, np.eye(3)[1])
    assert np.exp(longest) == pytest.approx(16 / np.sqrt(12), rel=0.05)
    assert max(second, third) < 0.25
    assert sphericity < 0.5
    assert np.exp(along) > 4
    assert np.exp(shape(rod, spacing, np.eye(3)[0])[-1]) < 0.5


@pytest.mark.parametrize("radius", [2.0, 3.5, 5.0])
@pytest.mark.parametrize(("outside", "name"), [(-850, "tissue radius"), (20, "lumen radius")])
def test_the_radius_of_a_tube_is_found_within_a_voxel(radius, outside, name):
    """In the lung by what is no air, in the mediastinum by what is no contrast; the clot does not hollow the tube."""
    axis = np.array([0, 0.8, 0.6])
    vessel, clot = across(axis) < radius, ball(1.4)
    assert read(scan(vessel, clot, outside), clot, axis)[name] == pytest.approx(radius, abs=np.mean(SPACING))


def test_the_share_of_the_lumen_is_a_share():
    vessel = across(TILTED) < 3
    near = np.count_nonzero(vessel & ball(5))
    for radius in (1.5, 2.5):
        share = read(scan(vessel, ball(radius), 20), ball(radius))["share of lumen"]
        assert share == pytest.approx(np.count_nonzero(ball(radius)) / near, rel=0.2)


def test_hessian_knows_a_vessel_from_a_clot_and_a_wall():
    vessel, nothing = across(TILTED) < 3, np.zeros(SHAPE, bool)
    full, clot, wall = scan(vessel, nothing), scan(across(TILTED) < 5, ball(2)), scan(places()[0] > 0, nothing)
    full, clot, wall = (read(voxels, ball(1.4)) for voxels in (full, clot, wall))
    assert full["vesselness 1.75 mm"] > 0.7
    assert wall["vesselness 1.75 mm"] < 0.1
    assert clot["vesselness 1.0 mm"] == 0
    assert clot["darkness 1.0 mm"] > 50
    # Half of what it is beside a lung of -850 HU, which counts as fat here.
    assert -200 < full["darkness 1.75 mm"] < -80
    assert abs(wall["darkness 1.0 mm"]) < 1


def test_a_vessel_without_end_has_the_radius_of_the_cube():
    blood, corner = np.full((2, *SHAPE), 300, np.int16)
    corner[:10, :16, :16] = -850
    for voxels in (blood, corner):
        seen = read(voxels, ball(1.4))
        assert seen["lumen radius"] == seen["tissue radius"] == 10


def test_hessian_of_a_parabola_is_exact():
    """2 a, 2 b, 2 c on the diagonal and d beside it, in 1/mm2, whatever the voxels."""
    slices, rows, columns = places()
    parabola = 2 * slices**2 - 1.5 * rows**2 + 0.5 * columns**2 + 3 * rows * columns
    values = np.linalg.eigvalsh([[4, 0, 0], [0, -3, 3], [0, 3, 1]])
    found = vesselness(parabola, np.array(SPACING))[3:]
    np.testing.assert_allclose(found, values[1] * np.square(SCALES_MM))


def test_planes_follow_the_vessel():
    """A ribbed tube: change along it is on the longitudinal plane only, whatever the vessel's direction."""
    for axis in (TILTED, np.array([0.0, 0.6, 0.8])):
        length = np.tensordot(axis, places(), 1)
        seen = read((150 + 150 * np.sin(2 * np.pi * length / 3.2)).astype(np.int16), ball(1.4), axis)
        along, beside = seen["longitudinal level 2 horizontal"], seen["cross-section level 2 horizontal"]
        assert along > seen["longitudinal level 2 vertical"] + 2
        assert along > beside + 2


@pytest.mark.parametrize("axis", range(3))
def test_a_mirrored_patient_has_the_same_features(axis):
    vessel, clot = across(TILTED) < 4, ball(2.2, (0.9, 1.3, -0.6)) & (places()[1] > -0.5)
    voxels = scan(vessel, clot, noise=25)
    candidates, axes = one(clot, point=CENTRE + np.array([1, 2, -1]))
    mirror = np.where(np.arange(3) == axis, -1, 1)
    moved = np.array(SHAPE) // 2 * 2

    def flip(points):
        return np.where(mirror < 0, moved - points, points)

    other = Candidates(flip(candidates.points), tuple(map(flip, candidates.regions)), candidates.depth_mm, None)
    # What was right-handed is left-handed in the mirror; `find_axes` turns one axis round.
    turned = Axes(axes.directions * mirror * np.array([[1], [1], [-1]]), axes.elongation)
    first = describe(voxels, SPACING, candidates, axes)
    np.testing.assert_allclose(describe(np.flip(voxels, axis), SPACING, other, turned), first, rtol=2e-3, atol=2e-3)
    assert np.abs(describe(voxels, SPACING, one(ball(2.2))[0], axes) - first).max() > 1


def test_all_is_finite_wherever_a_candidate_lies():
    """Corners, one voxel, the whole of a small volume, two slices about a third, one value only, huge voxels."""
    generator = np.random.default_rng(3)
    small = generator.integers(-1000, 900, (5, 9, 7)).astype(np.int16)
    whole = np.argwhere(np.ones(small.shape))
    for voxels in (small, *(np.full_like(small, value) for value in (-3000, 0, 3000))):
        regions = (whole[:1], whole[-1:], whole, whole[whole[:, 0] % 4 == 0])
        candidates = Candidates(np.float32([[0, 0, 0], [4, 8, 6], [2, 4, 3], [0, 1, 0]]), regions, np.zeros(4), None)
        axes = Axes(np.stack([frame(axis) for axis in (*np.eye(3), TILTED)]), np.float32([1, 2, 1e9, 3]))
        found = describe(voxels, (1.5, 0.5, 40.0), candidates, axes)
        assert (found.shape, found.dtype) == ((4, len(FEATURES)), np.float32)
        assert np.isfinite(found).all()
    nobody = Candidates(np.empty((0, 3)), (), np.empty(0), None)
    assert describe(small, SPACING, nobody, Axes(np.empty((0, 3, 3)), np.empty(0))).shape == (0, len(FEATURES))


def test_names_are_one_each_and_in_groups():
    assert tuple(name for names in GROUPS.values() for name in names) == FEATURES
    assert len(set(FEATURES)) == len(FEATURES) == 56
    assert set(GROUPS) == {"intensity", "shape", "vessel", "Haralick", "wavelet"}


def test_errors_say_what_came():
    region = ball(2)
    candidates, axes = one(region)
    with pytest.raises(ValueError, match=r"Received: shape \(33, 55\), spacing_mm=\(1.25"):
        describe(np.zeros((33, 55)), SPACING, candidates, axes)
    with pytest.raises(ValueError, match=r"three distances.*spacing_mm=0\.7"):
        describe(np.zeros(SHAPE, np.int16), 0.7, candidates, axes)
    two = SimpleNamespace(directions=np.zeros((2, 3, 3)), elongation=np.ones(1))
    with pytest.raises(ValueError, match=r"\[1, 1, 1, 2, 1\]"):
        describe(np.zeros(SHAPE, np.int16), SPACING, candidates, two)
