import numpy as np
import pytest

from data_prep.candidates.rays import boxes_of, cast_rays, settle
from data_prep.candidates.voting import accumulate, find_maxima

SHAPE = (202, 288)


def test_score_counts_the_rays_that_meet_a_voter(both_sides, ellipse):
    points, inward = ellipse(100, 140, 21, 21, 96)
    edges = both_sides(points, inward)
    weights = np.r_[np.ones(96), np.zeros(96)]
    centre, radius = np.float32([[100, 140]]), np.float32([21])
    whole, reach = cast_rays(edges, weights, centre, radius)
    assert whole.shape == (1, 24)
    assert whole.mean() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(reach, 21, atol=1e-4)
    # Diameter 42, the 5th to 95th percentile of it, times 1.1.
    np.testing.assert_allclose(boxes_of(whole, reach, centre), [[77, 117, 46, 46]], atol=1.5)
    # Seen from inside, the other sides of the same points face away.
    assert cast_rays(edges, weights[::-1], centre, radius)[0].max() == 0
    # The points of the upper half vote no more: rays 12 to 23 point up.
    weights[48:96] = 0
    half, _ = cast_rays(edges, weights, centre, radius)
    assert np.all(half[0, 12:] == 0)
    assert half.mean() == pytest.approx(0.5, abs=1e-3)


def test_a_ray_takes_its_best_voter_not_its_last(both_sides):
    points = np.array([[100.0, 161.0], [100.5, 160.0]])
    edges = both_sides(points, [[0, -1], [0, -1]])
    strong_first, _ = cast_rays(edges, np.array([0.9, 0.3, 0, 0]), np.float32([[100, 140]]), np.float32([21]))
    strong_last, _ = cast_rays(edges, np.array([0.3, 0.9, 0, 0]), np.float32([[100, 140]]), np.float32([21]))
    assert strong_first.max() == pytest.approx(0.9, rel=0.02)
    assert strong_last.max() == pytest.approx(0.9, rel=0.02)


def test_the_best_candidate_settles_in_an_oval(both_sides, ellipse):
    edges = both_sides(*ellipse(90, 120, 20, 34, 80))
    weights = np.r_[np.full(80, 0.8), np.full(80, 0.1)]
    first, radii = find_maxima(accumulate(edges, weights, SHAPE), 10)
    # Votes are highest in the ends of an oval, more than 20 px off its centre.
    assert np.hypot(*(first[0] - [90, 120])) > 20
    centres, boxes, scores = settle(edges, weights, first, radii)
    best = np.argmax(scores)
    top, left, height, width = boxes[best]
    shared = (min(top + height, 110) - max(top, 70)) * (min(left + width, 154) - max(left, 86))
    assert shared / (height * width + 40 * 68 - shared) > 0.7
    np.testing.assert_allclose(centres[best], [90, 120], atol=5)


def test_nothing_moves_where_nothing_votes(both_sides, ellipse):
    edges = both_sides(*ellipse(90, 120, 20, 34, 80))
    centres, _, scores = settle(edges, np.ones(160), np.float32([[30, 250]]), np.float32([14]))
    np.testing.assert_allclose(centres, [[30, 250]], atol=1e-3)
    assert scores.tolist() == [0]
