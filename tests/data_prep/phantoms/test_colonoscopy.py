import csv
import pickle
from dataclasses import replace
from unittest.mock import Mock

import imageio.v3 as iio
import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, binary_opening, median_filter
from skimage.measure import label
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from data_prep.cohort import lesions
from data_prep.phantoms import colon_wall, colonoscopy
from data_prep.phantoms.colon_bodies import grow_polyps
from data_prep.phantoms.colon_truth import find_spoilt, truth_map
from data_prep.phantoms.colon_wall import N_Z, build_wall
from data_prep.phantoms.colonoscopy import cohort, render_frame, render_video, write
from data_prep.phantoms.settings import ColonoscopyPhantom

# A third of the real height and width: a frame takes a tenth of the time.
SMALL = {"height": 116, "width": 166, "seed": 4}


@pytest.fixture(scope="module")
def videos():
    """Nine videos of 8 frames of half the size: list of (frames, truth)."""
    phantom = ColonoscopyPhantom(9, 8, height=175, width=250, seed=2)
    return [render_video(phantom, index) for index in range(9)]


def inside_field(frame):
    """Tell the bright field from the black border, wherever the light reaches."""
    return frame.max(axis=2) > 8


def test_a_video_depends_on_its_seed_alone():
    few, many = ColonoscopyPhantom(2, 3, **SMALL), ColonoscopyPhantom(5, 3, **SMALL)
    pixels, truth = render_video(few, 1)
    colonoscopy._scene.cache_clear()
    again = render_frame(many, 1, 2)
    assert np.array_equal(pixels[2], again[0])
    assert np.array_equal(truth[2], again[1])
    assert not np.array_equal(pixels[2], render_frame(ColonoscopyPhantom(2, 3, **SMALL | {"seed": 5}), 1, 2)[0])


def test_frames_and_truth_have_their_shape_and_type():
    pixels, truth = render_frame(ColonoscopyPhantom(1, 2), 0, 1)
    assert (pixels.shape, pixels.dtype) == ((350, 500, 3), np.uint8)
    assert (truth.shape, truth.dtype) == ((350, 500), np.int32)


def test_truth_is_inside_the_field_and_each_lesion_a_region_of_its_own(videos):
    for frames, truth in videos:
        border = frames.max(axis=(0, 3)) == 0
        assert 0.05 < border.mean() < 0.5
        assert not truth[:, border].any()
        for frame, mask in zip(frames, truth, strict=True):
            assert np.array_equal(label(mask > 0, connectivity=2), mask)
            assert all(lesion.area_px >= 60 for lesion in lesions(mask))
            assert all(np.median(frame[mask == k, 0]) >= 25 for k in np.unique(mask)[1:])


def test_the_mask_is_what_a_polyp_paints(monkeypatch):
    """Polyps turned blue: what takes on half of that colour or more is the mask, to 4 pixels at its edge.

    Blur, interlace and colour fringes move edges by that much; highlights stay white.
    """
    phantom = ColonoscopyPhantom(3, 3)
    wall, bodies, *rest = colonoscopy._scene(phantom, 2)
    plain, truth = render_frame(phantom, 2, 0)
    paint = np.float32([0.3, 1.0, 4.0])
    blue = [replace(body, tint=body.tint * paint) if body.kind == "polyp" else body for body in bodies]
    monkeypatch.setattr(colonoscopy, "_scene", lambda *_: (wall, blue, *rest))
    painted, _ = render_frame(phantom, 2, 0)
    hue, old = ((frame[:, :, 2] + 1.0) / (frame[:, :, 0] + 1.0) for frame in (painted, plain))
    turned = (hue / old > np.median((hue / old)[truth > 0]) ** 0.5) & (plain.max(axis=2) > 30)
    core, whole = (grow(truth > 0, iterations=4) for grow in (binary_erosion, binary_dilation))
    assert core.sum() > 200
    assert turned[core].mean() > 0.9
    assert not turned[~whole].any()


def test_some_frames_show_a_polyp_and_some_do_not(videos):
    empty = [np.mean([not mask.any() for mask in truth]) for _, truth in videos]
    assert 0.2 < np.mean(empty) < 0.5
    assert max(empty) < 1


def test_polyps_are_as_large_as_real_ones_or_a_little_smaller(videos):
    """Of 500-pixel frames; CVC-ColonDB's 5, 50 and 95 % are 39, 86 and 251 pixels, root of the area."""
    sizes = [2 * lesion.area_px**0.5 for _, truth in videos for mask in truth for lesion in lesions(mask)]
    small, median, large = np.percentile(sizes, [5, 50, 95])
    assert 15 < small < 50
    assert 45 < median < 125
    assert 130 < large < 300


def test_frames_follow_each_other(videos):
    def apart(first, second):
        return np.abs(first.astype(float) - second).mean()

    following = np.mean([apart(f[k], f[k + 1]) for f, _ in videos for k in range(7)])
    distant = np.mean([apart(f[k], f[k + 5]) for f, _ in videos for k in range(3)])
    others = np.mean([apart(videos[v][0][k], videos[v - 1][0][k]) for v in range(9) for k in range(8)])
    assert 2 < following < 0.85 * distant
    assert following < 0.85 * others


def test_videos_differ_in_colour_and_light(videos):
    colours = np.array([frames[inside_field(frames[0])[None].repeat(8, 0)].mean(axis=0) for frames, _ in videos])
    hue = colours / colours.sum(axis=1, keepdims=True)
    assert (colours[:, 0] > colours[:, 1]).all()
    assert (colours[:, 1] > colours[:, 2]).all()
    assert np.ptp(hue[:, 2]) > 0.05


def test_polyps_are_not_told_by_colour_alone(videos):
    """A forest on RGB, fitted on six videos and asked on three, is far from telling polyps from the rest."""
    rng = np.random.default_rng(0)

    def draw(chosen):
        pixels, truth = (np.concatenate([video[part] for video in chosen]) for part in (0, 1))
        kinds = np.flatnonzero(truth > 0), np.flatnonzero((truth == 0) & (pixels.max(axis=3) > 8))
        picked = np.concatenate([rng.choice(kind, 3000) for kind in kinds])
        return pixels.reshape(-1, 3)[picked], np.arange(6000) < 3000

    forest = RandomForestClassifier(25, min_samples_leaf=20, random_state=0).fit(*draw(videos[:6]))
    colour, polyp = draw(videos[6:])
    assert roc_auc_score(polyp, forest.predict_proba(colour)[:, 1]) < 0.85


def test_highlights_are_few_small_and_white(videos):
    shares = []
    for frames, _ in videos:
        grey = frames[::3].min(axis=3).astype(float)
        shares.append((grey - median_filter(grey, (1, 11, 11)) > 60).mean())
    assert 0.0005 < np.mean(shares) < 0.03


def test_vessels_are_thin_red_and_of_low_contrast(monkeypatch):
    """What they take from the light, beside the same wall without blood; none is 11 cells (1.8 mm) wide."""
    wall = build_wall(np.random.default_rng(3))
    monkeypatch.setattr(colon_wall, "BLOOD", np.zeros(3))
    bare = build_wall(np.random.default_rng(3))
    red, green, _ = (wall.layers[:, 2:5] / bare.layers[:, 2:5]).reshape(N_Z, -1, 3).transpose(2, 0, 1)
    vessels = green < 0.95
    assert 0.01 < vessels.mean() < 0.3
    assert green.min() > 0.4
    assert (red[vessels] > green[vessels]).all()
    assert binary_opening(vessels, np.ones((11, 11))).sum() < 0.1 * vessels.sum()


def test_contrast_makes_polyps_stand_out():
    """At 0 a polyp has its mucosa's colour and no stalk; tint grows with contrast, the margin sharpens."""
    wall = build_wall(np.random.default_rng(3))
    grown = [grow_polyps(np.random.default_rng(8), wall, c, [3.0] * 60) for c in (0.0, 0.4, 1.0)]
    tint, margin = [], []
    for polyps in grown:
        tint.append(np.mean([np.abs(np.log(polyp.tint)).sum() for polyp in polyps]))
        margin.append(np.mean([polyp.blend / polyp.axes.max() for polyp in polyps]))
    assert tint[0] == 0 < tint[1] < tint[2]
    assert margin[0] > 1.3 * margin[1] > 1.6 * margin[2]
    assert [sum(polyp.stalk > 0 for polyp in polyps) > 0 for polyps in grown] == [False, True, True]


@pytest.fixture
def drawn():
    """Two polyps drawn by hand: their bodies, an owner map with both, and its grey pixels."""
    bodies = grow_polyps(np.random.default_rng(8), build_wall(np.random.default_rng(3)), 0.5, [3.0, 4.0])
    owner = np.zeros((40, 60), int)
    owner[5:25, 5:15], owner[5:25, 20:50] = 1, 2
    return bodies, owner, np.full((40, 60, 3), 90, np.uint8)


def test_polyps_that_cannot_be_asked_for_are_found(drawn):
    bodies, owner, pixels = drawn
    columns = np.arange(60)
    assert find_spoilt(owner, bodies, pixels) is None
    assert truth_map(owner, bodies).max() == 2
    assert find_spoilt(owner, bodies, np.where(owner[..., None] == 2, 10, pixels)) == 1
    assert find_spoilt(np.where(owner == 0, 1, owner), bodies, pixels) == 1
    assert find_spoilt(np.where(columns // 3 == 10, 0, owner), bodies, pixels) == 1
    assert find_spoilt(np.where(columns < 8, 0, owner), bodies, pixels) == 0


def test_the_smallest_polyp_has_sixty_pixels(drawn):
    bodies, _, pixels = drawn
    away = np.abs(np.arange(40)[:, None] - 20) + np.abs(np.arange(60) - 30)
    assert find_spoilt((away <= 5).astype(int), bodies, pixels) is None
    assert find_spoilt((away <= 4).astype(int), bodies, pixels) == 0


def test_cohort_reads_frames_when_asked_and_says_phantom():
    phantom = ColonoscopyPhantom(3, 5, **SMALL)
    found = cohort(phantom)
    image = pickle.loads(pickle.dumps(found.subjects[2].images[4]))
    pixels, truth = render_frame(phantom, 2, 4)
    assert [len(subject.images) for subject in found.subjects] == [5, 5, 5]
    assert "phantom" in found.caveats[0]
    assert image.name == "v02_f004"
    assert np.array_equal(image.read_pixels(), pixels)
    assert np.array_equal(image.read_truth(), truth)


def test_written_frames_read_back_exactly(tmp_path):
    phantom, told = ColonoscopyPhantom(2, 3, **SMALL), []
    write(phantom, tmp_path / "set", progress=lambda done, total: told.append((done, total)))
    with open(tmp_path / "set" / "frames.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["sequence"] for row in rows] == ["v00"] * 3 + ["v01"] * 3
    assert told == [(1, 2), (2, 2)]
    for row, (video, frame) in zip(rows, np.ndindex(2, 3), strict=True):
        pixels, truth = render_frame(phantom, video, frame)
        assert np.array_equal(iio.imread(tmp_path / "set" / "images" / f"{row['frame']}.png"), pixels)
        mask = iio.imread(tmp_path / "set" / "masks" / f"{row['frame']}.png")
        assert np.array_equal(label(mask == 255, connectivity=2), truth)
        assert set(np.unique(mask)) <= {0, 255}


def test_processes_write_the_same_bytes(tmp_path):
    phantom = ColonoscopyPhantom(2, 2, **SMALL)
    one, two = write(phantom, tmp_path / "one"), write(phantom, tmp_path / "two", jobs=2)
    files = sorted(path.relative_to(one) for path in one.rglob("*.*"))
    assert len(files) == 2 * 2 * 2 + 2  # frames and masks, phantom.json, frames.csv
    assert all((one / path).read_bytes() == (two / path).read_bytes() for path in files)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(colonoscopy, "render_frame", Mock(side_effect=OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write(ColonoscopyPhantom(2, 2, **SMALL), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_write_does_not_touch_a_folder_that_holds_something(tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="Expected a new or an empty folder"):
        write(ColonoscopyPhantom(1, 1, **SMALL), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


@pytest.mark.parametrize("wrong", [{"num_videos": 0}, {"frames_per_video": 0}, {"polyp_contrast": 1.5}])
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ValueError, match="Received"):
        ColonoscopyPhantom(**{"num_videos": 2, "frames_per_video": 3} | wrong)
