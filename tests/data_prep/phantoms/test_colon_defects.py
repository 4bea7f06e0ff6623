from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from data_prep.phantoms.colon_blur import enlarge, image_flow, shift, smear, smooth_field, soften
from data_prep.phantoms.colon_bodies import centre_point
from data_prep.phantoms.colon_camera import HALF_DIAGONAL, lens
from data_prep.phantoms.colon_defects import (
    DEFECTS,
    blow_bubbles,
    defocus,
    draw_soil,
    flare,
    move,
    pour,
    press,
    submerge,
)
from data_prep.phantoms.colon_sensor import DIAGONAL_PX, View, expose
from data_prep.phantoms.colon_shading import Look
from data_prep.phantoms.colon_tracing import Hits
from data_prep.phantoms.colon_wall import build_wall
from data_prep.phantoms.procedures import render_defects
from data_prep.phantoms.settings import ProcedurePhantom

SMALL = ProcedurePhantom(2, 12, height=70, width=100, seed=1)
LOOK = Look(np.zeros(3, np.float32), np.ones(3, np.float32), 0.8, 0.7, 0.8, 0, 1.5)
FRAMES = ((0, 3), (0, 8), (1, 4))
BASE = np.float32([0.9, 0.3, 0.2])


@pytest.fixture
def view():
    """A flat wall 0.5 colon radii away with fine grain, 70x100."""
    grain = 1 + 0.2 * np.random.default_rng(3).standard_normal((70, 100, 1), dtype=np.float32)
    one = np.ones((70, 100), np.float32)
    return View(gaussian_filter(grain, (0.6, 0.6, 0)) * BASE, 0.5 * one, one, 0 * one)


def resolved(view, stops=0.0, look=LOOK):
    """Share resolved of a view whose whole rectangle is in the field."""
    return expose(view, look, np.ones(view.depth.shape, bool), stops, np.random.default_rng(2))[1]


def changes(light):
    """Mean absolute steps down the rows and along the columns."""
    return tuple(np.abs(np.diff(light, axis=axis)).mean() for axis in (0, 1))


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_hardly_present_defect_hardly_changes_a_frame(defect):
    """Each grows from nothing: at a ten-thousandth no pixel but noise's rounding moves; at full strength many do."""
    plain, hardly, full = (render_defects(SMALL, 1, 4, {defect: s})[0].astype(int) for s in (0.0, 1e-4, 1.0))
    assert np.abs(hardly - plain).max() <= 1
    assert (np.abs(full - plain) > 10).mean() > 0.02


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_stronger_a_defect_the_less_is_resolved(defect):
    """Allowed are the 5 % of a frame that more light, or a change of what is metered, gives back to dark places."""
    rungs = [0.0, 0.25, 0.5, 0.75, 1.0]
    shares = np.array([[render_defects(SMALL, v, f, {defect: s})[1].resolved for s in rungs] for v, f in FRAMES])
    assert np.diff(shares, axis=1).max() <= 0.05
    assert (np.diff(shares.mean(axis=0)) <= 0.01).all()
    assert shares[:, -1].mean() < 0.9 * shares[:, 0].mean()


def test_fluid_rises_from_the_bottom_and_hides_what_lies_under_it():
    """Rays straight down and up from a scope on the centre line, to a wall as deep as a pouch of the colon."""
    wall, soil = build_wall(np.random.default_rng(1)), draw_soil(np.random.default_rng(2))
    origin, down = centre_point(wall, 4.0), np.append(soil.down, 0)[:, None]
    gaze = np.float32(np.concatenate([down, -down], axis=1))
    depth, six = np.full(2, 1.5, np.float32), np.full((6, 2), 0.5, np.float32)
    hits = Hits(depth, origin[:, None] + 1.5 * gaze, -gaze, six, np.ones(2, np.float32), np.zeros(2, int))
    hardly, _ = pour(hits, wall, origin, soil, 1e-4)
    low, some = pour(hits, wall, origin, soil, 0.5)
    high, little = pour(hits, wall, origin, soil, 0.9)
    assert np.abs(hardly.material - six).max() < 0.002
    assert low.depth == pytest.approx([0.625, 1.5], abs=0.02)
    assert high.depth == pytest.approx([0.25, 1.5], abs=0.02)
    assert little[0] < some[0] < 0.01
    assert some[1] == little[1] == 1


def test_a_pan_smears_along_columns_and_a_tilt_along_rows(view):
    rays, still = lens(70, 100), np.zeros(3)
    panned = move(view, rays, still, np.array([0.0, 0.1, 0.0]))
    tilted = move(view, rays, still, np.array([0.1, 0.0, 0.0]))
    rows, columns = changes(view.light)
    assert changes(panned.light)[1] < 0.4 * columns
    assert changes(panned.light)[0] > 0.7 * changes(gaussian_filter(view.light, (0, 3, 0)))[0]
    assert changes(tilted.light)[0] < 0.4 * rows
    assert changes(tilted.light)[0] < 0.5 * changes(tilted.light)[1]


def test_image_points_move_as_the_lens_maps_them():
    """Turning by half the lens' half angle moves the middle by half a half diagonal; what is near moves more."""
    rays, turn = lens(61, 87), np.array([0.0, HALF_DIAGONAL / 50, 0.0])
    flow = image_flow(np.ones((61, 87)), rays, np.zeros(3), turn)
    assert flow[:, 30, 43] == pytest.approx([0.0, -1 / 50], abs=1e-4)
    near, far = (image_flow(np.full((61, 87), d), rays, [0.0, 0.02, 0.0], np.zeros(3))[:, 30, 43] for d in (0.2, 0.8))
    assert near[0] == pytest.approx(-0.02 / 0.2 / HALF_DIAGONAL, rel=0.01)
    assert near[0] == pytest.approx(4 * far[0], rel=0.01)


def test_a_roll_leaves_the_middle_and_smears_the_rim():
    flow = image_flow(np.ones((61, 87)), lens(61, 87), np.zeros(3), np.array([0.0, 0.0, 0.1]))
    length = np.hypot(*flow)
    assert length[30, 43] < 1e-6
    assert length[30, 0] == pytest.approx(0.1 * 43 / np.hypot(30.5, 43.5), rel=0.02)


def test_smear_is_a_box_along_the_motion():
    point = np.zeros((33, 47, 1), np.float32)
    point[16, 23] = 1
    flow = np.stack([np.zeros((33, 47)), np.full((33, 47), 12.0)])
    line = smear(point, flow)[:, :, 0]
    assert line.sum() == pytest.approx(1)
    assert np.flatnonzero(line.sum(axis=1)).tolist() == [16]
    assert np.var(np.repeat(np.arange(47), np.rint(line[16] * 256).astype(int))) == pytest.approx(12, rel=0.15)


def test_soften_blurs_each_pixel_by_its_own_width():
    noise = np.random.default_rng(0).standard_normal((60, 90, 2), dtype=np.float32)
    sigma = np.repeat(np.repeat([[0.0, 2.0, 8.0]], 60, axis=0), 30, axis=1)
    out = soften(noise, sigma)
    assert np.array_equal(out[:, :30], noise[:, :30])
    assert np.abs(out[5:-5, 35:55] - gaussian_filter(noise, (2, 2, 0), mode="nearest")[5:-5, 35:55]).max() < 0.02
    spread = [out[:, k : k + 20].std() for k in (5, 35, 65)]
    assert spread[0] > 3 * spread[1] > 6 * spread[2]


def test_enlarge_keeps_samples_and_halves_steps():
    plane = np.add.outer(3.0 * np.arange(9), 5.0 * np.arange(12))
    large = enlarge(plane, (17, 23))
    assert np.array_equal(large, np.add.outer(1.5 * np.arange(17), 2.5 * np.arange(23)))
    assert np.array_equal(enlarge(plane, (18, 24))[:17, :23], large)


def test_smooth_fields_look_alike_at_every_size():
    small, large = (smooth_field(np.random.default_rng(6), shape, 4) for shape in ((70, 100), (350, 500)))
    assert np.abs(large[2::5, 2::5] - small).max() < 0.05
    many = np.stack([smooth_field(np.random.default_rng(k), (13, 17), 3) for k in range(300)])
    assert many.std(axis=0) == pytest.approx(1, abs=0.2)


def test_shift_reads_from_the_place_moved_to():
    image = np.arange(35.0).reshape(5, 7, 1)
    moved = shift(image, np.full((5, 7), 1.2), np.full((5, 7), -2.0))
    assert moved[1, 4, 0] == image[2, 2, 0]
    assert moved[4, 0, 0] == image[4, 0, 0]


def test_near_walls_leave_the_depth_of_field(view):
    near, far = (replace(view, depth=np.full_like(view.depth, depth)) for depth in (0.07, 0.6))
    rng = np.random.default_rng
    assert defocus(far, rng(1), 0.0).light is far.light
    assert changes(defocus(near, rng(1), 0.0).light)[0] < 0.7 * changes(near.light)[0]
    assert resolved(defocus(near, rng(1), 0.0)) == 0 < resolved(far)


def test_what_is_put_before_the_mucosa_is_told_to_the_label(view):
    """Contact, water, foam and flare leave some light of the mucosa: never more than all, less where they cover."""
    rng = np.random.default_rng
    hidden = [press(view, rng(4), 0.6, BASE), submerge(view, rng(4), 0.6), blow_bubbles(view, rng(4), 0.9)]
    for after in (*hidden, flare(view, 0.6)):
        assert ((after.clear >= 0) & (after.clear <= 1)).all()
        assert after.clear.mean() < 0.9
    assert max(resolved(after) for after in hidden) < resolved(view) - 0.2
    for after in hidden[::2]:
        moved = np.abs(after.light - view.light).max(axis=2)
        assert moved[after.clear < 0.3].mean() > 2 * moved[after.clear > 0.9].mean()


def test_resolved_asks_spread_cover_noise_and_saturation(view):
    """Each limit of `colon_sensor` alone takes a well-seen wall away."""
    assert resolved(view) > 0.95
    assert resolved(replace(view, variance_px=view.variance_px + 15)) == 0
    assert resolved(replace(view, clear=0.25 * view.clear)) == 0
    assert resolved(view, look=replace(LOOK, noise=20.0)) == 0
    assert resolved(view, stops=-5) == 0
    assert resolved(view, stops=7) == 0


def test_resolved_does_not_depend_on_the_size_of_a_frame():
    sizes = [ProcedurePhantom(1, 9, height=h, width=w, seed=6) for h, w in ((84, 120), (168, 240))]
    for strengths in ({}, {"motion": 0.5}, {"contact": 0.5}, {"dark": 0.4}):
        small, large = (render_defects(phantom, 0, 3, strengths)[1].resolved for phantom in sizes)
        assert small == pytest.approx(large, abs=0.05)


def test_strengths_out_of_range_or_unknown_are_named():
    for wrong in ({"smoke": 0.5}, {"motion": 1.5}):
        with pytest.raises(ValueError, match="Received"):
            render_defects(SMALL, 0, 0, wrong)


def test_a_view_knows_its_scale(view):
    assert view.scale == pytest.approx(np.hypot(70, 100) / DIAGONAL_PX)
