import pickle
from functools import partial

import numpy as np
import pytest
from skimage.draw import ellipse

from data_prep.candidates import polyps
from data_prep.candidates.edges import Edges
from data_prep.candidates.forests import INWARD, Sides
from data_prep.candidates.polyps import elect, fit_detector, hit
from data_prep.cohort import Image, Subject

HEIGHT, WIDTH = 217, 311
# Half height and half width of the polyp in frame 0, 1, 2 of a subject; the fourth has none.
SIZES = ((25, 34), (40, 30), (31, 31), None)


def _shape(subject, frame):
    rng = np.random.default_rng([subject, frame])
    if SIZES[frame] is None:
        return None, (np.zeros(0, int), np.zeros(0, int))
    centre, size = rng.uniform((70, 80), (HEIGHT - 100, WIDTH - 90)), SIZES[frame]
    return (centre, size), ellipse(*centre, *size, shape=(HEIGHT, WIDTH))


def _pixels(subject, frame):
    """A shaded wall with a straight fold, and a dome that is lit from above."""
    rng = np.random.default_rng([subject, frame, 1])
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wall = 150 - 0.15 * columns + 0.1 * rows
    wall[HEIGHT - 45 : HEIGHT - 25] += 40
    known, inside = _shape(subject, frame)
    if known:
        (row, column), (half_height, half_width) = known
        far = ((rows - row) / half_height) ** 2 + ((columns - column) / half_width) ** 2
        wall[inside] += 20 + 35 * (1 - far[inside])
    rgb = wall[:, :, None] * np.array([1.1, 0.75, 0.6]) + rng.normal(0, 2, (HEIGHT, WIDTH, 1))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _truth(subject, frame):
    truth = np.zeros((HEIGHT, WIDTH), np.int32)
    truth[_shape(subject, frame)[1]] = 1
    return truth


def _subject(number):
    frames = range(len(SIZES))
    images = tuple(Image(f"{k}", partial(_pixels, number, k), partial(_truth, number, k)) for k in frames)
    return Subject(f"colon {number}", images)


@pytest.fixture(scope="module")
def detector():
    return fit_detector([_subject(k) for k in range(5)], seed=2)


def _overlap(box, other):
    end = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    shared = np.clip(end - np.maximum(box[:2], other[:2]), 0, None).prod()
    return shared / (box[2:].prod() + other[2:].prod() - shared)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_unseen_polyp_comes_first_with_its_box(detector, frame):
    (centre, size), _ = _shape(11, frame)
    found = detector.propose(_pixels(11, frame))
    assert hit(found.points, _truth(11, frame))[0] == 1
    true_box = np.concatenate([centre - size, 2 * np.array(size)])
    assert _overlap(found.boxes[0], true_box) > 0.4


def test_candidates_are_sorted_and_no_more_than_asked_for():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, 700)
    points = rng.uniform((0, 0), (217, 288), (700, 2)).astype(np.float32)
    inward = np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
    edges = Edges(np.concatenate([points, points]), np.concatenate([inward, -inward]))
    found = elect(Sides(edges, np.zeros((1400, 1)), (217, 288), 1.5), rng.uniform(size=1400), 7)
    assert found.points.shape == (7, 2)
    assert found.boxes.shape == (7, 4)
    assert np.all(np.diff(found.scores) <= 0)
    assert 0 <= found.scores[-1] < found.scores[0] <= 1


def test_frame_without_polyp_scores_lower(detector):
    empty = detector.propose(_pixels(11, 3)).scores
    assert empty.max(initial=0) < 0.5 * detector.propose(_pixels(11, 2)).scores[0]


def test_twice_the_frame_gives_twice_the_candidates_places(detector):
    pixels = _pixels(11, 2)
    small, large = detector.propose(pixels, 1), detector.propose(np.kron(pixels, np.ones((2, 2, 1), np.uint8)), 1)
    np.testing.assert_allclose(2 * small.points, large.points, atol=8)
    np.testing.assert_allclose(2 * small.boxes, large.boxes, atol=16)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (41, 29), (3, 500)])
@pytest.mark.parametrize("level", [0, 130, 255])
def test_even_frames_have_no_candidates(detector, size, level):
    found = detector.propose(np.full((*size, 3), level, np.uint8))
    assert found.points.shape == (0, 2)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


def test_same_seed_same_detector_for_any_jobs_and_after_pickling():
    subjects = [_subject(k) for k in range(3)]
    one, two = fit_detector(subjects, seed=5, jobs=1), fit_detector(subjects, seed=5, jobs=2)
    other = fit_detector(subjects, seed=6)
    pixels = _pixels(13, 1)
    expected = one.propose(pixels)
    for again in (two, pickle.loads(pickle.dumps(one))):
        np.testing.assert_array_equal(again.propose(pixels).scores, expected.scores)
        np.testing.assert_array_equal(again.propose(pixels).boxes, expected.boxes)
    assert not np.array_equal(other.propose(pixels).scores, expected.scores)
    assert one.subjects == ("colon 0", "colon 1", "colon 2")


def test_points_are_those_of_the_full_frame():
    """A ring of radius 20 round (80, 110) of the reduced frame, of which one pixel is three of the original."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    out = np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
    points = np.float32([80, 110]) + 20 * out
    edges = Edges(np.concatenate([points, points]), np.concatenate([-out, out]))
    found = elect(Sides(edges, np.zeros((120, 1)), (175, 288), 3.0), np.r_[np.ones(60), np.zeros(60)], 1)
    np.testing.assert_allclose(found.points, [[241, 331]], atol=6)
    np.testing.assert_allclose(found.boxes, [[241 - 60, 331 - 60, 120, 120]], atol=16)
    assert found.scores[0] > 0.9
    assert len(elect(Sides(edges, np.zeros((120, 1)), (175, 288), 3.0), np.zeros(120), 5).scores) == 0


def test_hit_names_the_lesion_under_each_point():
    truth = np.zeros((17, 23), np.int32)
    truth[2:5, 3:9] = 1
    truth[10:17, 20:23] = 7
    points = [(2, 3), (4.4, 8.4), (4.6, 8), (16, 22), (16.6, 22), (-1, 21), (12, 23), (0, 0)]
    assert hit(np.array(points), truth).tolist() == [1, 1, -1, 7, -1, -1, -1, -1]
    assert hit(np.zeros((0, 2), np.float32), truth).shape == (0,)
    assert hit(np.float32(points), truth).dtype == np.int32


@pytest.fixture
def learnt(monkeypatch):
    """Return what the forests would learn from: the sides and classes of every frame."""
    frames = []

    def note(sides, classes, *_):
        frames.extend(zip(sides, classes, strict=True))
        return None, None

    monkeypatch.setattr(polyps, "fit_stages", note)
    return frames


def test_each_frame_is_learnt_from_at_both_sizes(learnt):
    """At half size, with a rim of half a frame's width, the boundary lies round the centre at half the distance."""
    fit_detector([_subject(0), _subject(1)], seed=0, most_frames=2)
    assert len(learnt) == 2 * 2
    (centre, size), _ = _shape(0, 0)
    for (sides, classes), factor in zip(learnt, (1, 2), strict=False):
        boundary = sides.edges.points[classes == INWARD] * sides.scale
        rim = WIDTH // factor * (factor - 1) / 2
        away = (boundary - rim - centre / factor) / (np.array(size) / factor)
        assert np.abs(np.hypot(*away.T) - 1).max() < 0.1 * factor
        assert len(np.unique(np.floor(np.arctan2(*away.T) * 4 / np.pi))) == 8  # all round


@pytest.mark.parametrize(("most", "frames"), [(1, 3), (7, 6), (100, 12)])
def test_frames_are_dealt_evenly_among_subjects(learnt, most, frames):
    """3 subjects with 4 frames each, every one of which is seen twice."""
    fit_detector([_subject(k) for k in range(3)], seed=0, most_frames=most)
    assert len(learnt) == 2 * frames


def test_what_cannot_be_learnt_from_is_refused():
    with pytest.raises(ValueError, match=r"two subjects.*Received: 1 subjects"):
        fit_detector([_subject(0)], seed=0)
    empty = [Subject(f"{k}", _subject(k).images[3:]) for k in range(2)]
    with pytest.raises(ValueError, match=r"Received: 2 frames of 2 subjects"):
        fit_detector(empty, seed=0)


def test_frames_that_are_not_colour_bytes_are_refused(detector):
    with pytest.raises(ValueError, match=r"Received: \(217, 311\), float64"):
        detector.propose(np.zeros((217, 311)))
