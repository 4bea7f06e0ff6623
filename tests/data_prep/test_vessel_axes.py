import pickle

import numpy as np
import pytest
from scipy import ndimage

from data_prep.vessel_axes import Axes, find_axes

SPACING = np.array([1.25, 0.7, 0.6])
SHAPE = (25, 45, 53)
MIDDLE = np.array([12, 22, 26])
BLOOD, CLOT, TISSUE, LUNG = 350, 50, 40, -850


def places():
    """Of every voxel about the middle one, in mm."""
    return np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1) * SPACING - MIDDLE * SPACING


def to_axis(direction):
    """Distance of every voxel from a line through the middle, and its place along the line, in mm."""
    along = places() @ direction
    return np.linalg.norm(places() - along[..., None] * direction, axis=-1), along


def scanned(volume, rng):
    """As a scanner shows it: blurred by .6 mm, then noise of 30 HU, a tenth of the vessel's contrast in tissue."""
    return np.rint(ndimage.gaussian_filter(volume.astype(float), 0.6 / SPACING) + rng.normal(0, 30, SHAPE))


def unit(rng):
    direction = rng.normal(size=3)
    return direction / np.linalg.norm(direction)


def degrees(first, second):
    return np.degrees(np.arccos(min(1, abs(float(first @ second)))))


@pytest.mark.parametrize("radius_mm", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("around", [LUNG, TISSUE])
def test_the_axis_of_a_tube_with_a_clot_is_found_within_5_degrees(radius_mm, around):
    """At random angles, from a candidate beside the axis, which lies in a clot that fills most of the tube, or none."""
    rng = np.random.default_rng([radius_mm, around + 1000])
    for clot in (False, True, True):
        direction = unit(rng)
        beside = np.cross(direction, unit(rng)) * 0.5 * radius_mm
        distance, _ = to_axis(direction)
        volume = np.where(distance < radius_mm, BLOOD, around)
        volume[clot & (distance < radius_mm) & (np.linalg.norm(places() - beside, axis=-1) < 0.8 * radius_mm)] = CLOT
        axes = find_axes(scanned(volume, rng), SPACING, MIDDLE + beside / SPACING)
        assert degrees(axes.directions[0, 0], direction) < 5
        assert not axes.branching[0]


def test_a_region_shows_where_an_occluded_vessel_runs():
    """14 mm of a vessel in tissue are as bright as the tissue: nothing but the region tells them apart."""
    direction = np.array([0.48, 0.6, 0.64])
    distance, along = to_axis(direction)
    volume = np.where(distance < 3, np.where(np.abs(along) < 7, CLOT, BLOOD), TISSUE)
    volume = scanned(volume, np.random.default_rng(2))
    region = np.argwhere((distance < 3) & (np.abs(along) < 7))
    axes = find_axes(volume, SPACING, [MIDDLE, MIDDLE], [region, region[:0]])
    assert degrees(axes.directions[0, 0], direction) < 5
    assert axes.branching.tolist() == [False, True]


def test_a_region_fills_a_hollow_vessel():
    direction = np.array([0.48, 0.6, 0.64])
    distance, along = to_axis(direction)
    inside = (distance < 3.5) & (np.abs(along) < 7)
    volume = np.where(inside, CLOT, np.where(distance < 4.5, BLOOD, TISSUE))
    hollow, filled = (
        find_axes(volume, SPACING, (12, 22, 32), [region]).elongation[0]
        for region in (np.zeros((0, 3), int), np.argwhere(inside))
    )
    assert filled > 1.2 * hollow


def tubes(angles, radius_mm, rng):
    """Tubes from the middle outward, at angles of a plane that lies anyhow; its two directions."""
    first = unit(rng)
    second = np.cross(first, unit(rng))
    second /= np.linalg.norm(second)
    vessel = np.zeros(SHAPE, bool)
    for angle in np.radians(angles):
        distance, along = to_axis(np.cos(angle) * first + np.sin(angle) * second)
        vessel |= (distance < radius_mm) & (along > -radius_mm / 2)
    return scanned(np.where(vessel, BLOOD, LUNG), rng), first


@pytest.mark.parametrize("seed", [0, 1])
def test_a_branching_without_an_axis_is_flagged_and_a_side_branch_is_not(seed):
    rng = np.random.default_rng(seed)
    fork, _ = tubes((0, 120, 240), 2, rng)
    crossing, _ = tubes((0, 90, 180, 270), 1.5, rng)
    side, direction = tubes((0, 180, 90), 2, rng)
    axes = [find_axes(volume, SPACING, MIDDLE) for volume in (fork, crossing, side)]
    assert [bool(found.branching[0]) for found in axes] == [True, True, False]
    assert degrees(axes[2].directions[0, 0], direction) < 10


def test_a_vessel_beside_does_not_count():
    """Parallel to the rows and 4 mm beside, between the candidate's vessel and the end of the ball."""
    direction = np.array([0, 0, 1.0])
    beside = np.abs(places()[..., 1] - 4.2) < 1.2
    volume = np.where(to_axis(direction)[0] < 2, BLOOD, TISSUE)
    axes = [find_axes(np.where(other, BLOOD, volume), SPACING, MIDDLE) for other in (False, beside)]
    assert degrees(axes[1].directions[0, 0], direction) < 1
    assert axes[0].elongation[0] == axes[1].elongation[0]


def test_what_is_less_than_half_as_bright_does_not_count():
    """A vein of 200 HU that touches an artery of 500 HU."""
    across = places()[..., 1]
    artery = np.where(to_axis(np.array([0, 0, 1.0]))[0] < 2, 500, TISSUE)
    vein = np.where((across > 1.5) & (across < 4) & (np.abs(places()[..., 0]) < 4) & (artery == TISSUE), 200, artery)
    axes = [find_axes(volume, SPACING, MIDDLE) for volume in (artery, vein)]
    assert axes[0].elongation[0] == axes[1].elongation[0] > 4


def test_a_wall_of_the_chest_beside_a_thin_vessel_does_not_tilt_it():
    rng = np.random.default_rng(4)
    direction = np.array([0.48, 0.8, 0.36])
    volume = np.where(places()[..., 1] > 3.5, TISSUE, LUNG)
    volume[to_axis(direction)[0] < 1.2] = BLOOD
    assert degrees(find_axes(scanned(volume, rng), SPACING, MIDDLE).directions[0, 0], direction) < 5


def test_a_candidate_beside_the_axis_sees_the_same_vessel():
    volume = np.where(to_axis(np.array([0, 0, 1.0]))[0] < 4, BLOOD, TISSUE)
    middle, beside = find_axes(volume, SPACING, [MIDDLE, (12, 26, 26)]).elongation
    assert abs(beside / middle - 1) < 0.15


@pytest.mark.parametrize("turn", [(1, 2, 0), (2, 1, 0), (1, 0, 2)])
def test_a_turned_volume_has_turned_axes(turn):
    """Axes of the volume swapped: the same vessel, the same directions but for their sign."""
    rng = np.random.default_rng(7)
    distance, _ = to_axis(unit(rng))
    volume = scanned(np.where(distance < 3, BLOOD, TISSUE), rng)
    plain = find_axes(volume, SPACING, MIDDLE)
    turned = find_axes(volume.transpose(turn), SPACING[list(turn)], MIDDLE[list(turn)])
    cosines = np.abs(np.sum(plain.directions[0][:, turn] * turned.directions[0], axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    np.testing.assert_allclose(plain.elongation, turned.elongation, rtol=1e-5)


def test_directions_are_right_handed_units_and_their_signs_fixed():
    rng = np.random.default_rng(8)
    volume = rng.normal(130, 150, SHAPE)
    points = rng.uniform(0, 1, (20, 3)) * (np.array(SHAPE) - 1)
    axes = pickle.loads(pickle.dumps(find_axes(volume, SPACING, points)))
    squares = axes.directions @ axes.directions.transpose(0, 2, 1)
    np.testing.assert_allclose(squares, np.tile(np.eye(3), (20, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(axes.directions), 1, atol=1e-5)
    largest = np.take_along_axis(axes.directions, np.abs(axes.directions).argmax(axis=2)[..., None], axis=2)
    assert (largest[:, :2] > 0).all()
    assert axes.directions.dtype == np.float32
    assert len(axes) == 20


def test_where_there_is_no_vessel_none_stands_out():
    """In air, at the corners, in a speck of two voxels."""
    volume = np.full(SHAPE, LUNG, np.int16)
    volume[6, 11, 13:15] = BLOOD
    axes = find_axes(volume, SPACING, [MIDDLE, (0, 0, 0), (24, 44, 52), (6, 11, 13)])
    assert axes.branching.all()
    np.testing.assert_allclose(axes.elongation[:3], 1)


def test_half_as_long_again_is_not_a_branching():
    axes = Axes(np.zeros((2, 3, 3), np.float32), np.array([1.49, 1.5], np.float32))
    assert axes.branching.tolist() == [True, False]


@pytest.mark.parametrize(
    ("spacing", "points", "regions", "message"),
    [
        ((1.25, 0.7), [MIDDLE], None, r"Received: \(1.25, 0.7\)"),
        ((1.25, 0, 0.7), [MIDDLE], None, "three positive distances"),
        (SPACING, [[12, 22, 53]], None, r"Received: \[12.0, 22.0, 53.0\]"),
        (SPACING, [[12, 22]], None, r"points of shape \(1, 2\)"),
        (SPACING, [MIDDLE, MIDDLE], [np.zeros((0, 3), int)], "each of 2 points. Received: 1"),
    ],
)
def test_mistakes_are_told(spacing, points, regions, message):
    with pytest.raises(ValueError, match=message):
        find_axes(np.zeros(SHAPE, np.int16), spacing, points, regions)
