import numpy as np
import pytest

from data_prep.candidates.voting import accumulate, find_maxima

SHAPE = (202, 288)


def _fold(row, count):
    """Both edges of a straight fold, 24 px apart, each with its normal into the fold."""
    columns = np.linspace(20, 260, count)
    upper = np.column_stack([np.full(count, row - 12), columns])
    lower = np.column_stack([np.full(count, row + 12), columns])
    return np.concatenate([upper, lower]), np.repeat([[1, 0], [-1, 0]], count, axis=0)


@pytest.fixture
def disc_and_fold(both_sides, ellipse):
    disc, towards = ellipse(60, 100, 22, 22, 46)
    fold, into = _fold(150, 80)
    return both_sides(np.concatenate([disc, fold]), np.concatenate([towards, into]))


def test_disc_beats_a_longer_straight_fold(disc_and_fold):
    edges = disc_and_fold
    weights = np.ones(len(edges.points))
    votes = accumulate(edges, weights, SHAPE)
    centres, _ = find_maxima(votes, 10)
    np.testing.assert_allclose(centres[0], [60, 100], atol=4)
    best = votes.max(axis=0)
    # The fold's middle line (row 150) has more voters than the disc's centre, but of one orientation.
    assert best[50, 20:80].max() < 0.2 * best[20, 33]


def test_maxima_spread_and_come_by_falling_votes(both_sides):
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, 2 * np.pi, 400)
    points = rng.uniform((0, 0), SHAPE, (400, 2))
    edges = both_sides(points, np.column_stack([np.sin(angle), np.cos(angle)]))
    votes = accumulate(edges, rng.uniform(size=800), SHAPE)
    centres, radii = find_maxima(votes, 10)
    assert 3 < len(centres) <= 10
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) + 1e3 * np.eye(10)
    # The tenth is at least 8 + 4 x 9 px away from the nine before it, unless there are fewer.
    assert apart[-1].min() > 8 + 4 * (len(centres) - 1)
    level = np.searchsorted([9, 14, 21, 32, 48, 72, 100], radii)
    row, column = (centres / 3).round().astype(int).T
    assert np.all(np.diff(votes[level, row, column]) <= 0)


def test_a_small_polyp_on_a_large_one_stays_a_candidate():
    votes = np.zeros((7, 68, 96))
    votes[6, 30, 30], votes[6, 30, 48] = 5, 4  # radius 100 px, 54 px apart: the same
    votes[0, 30, 48] = 3  # radius 9 px at the second place: another
    votes[0, 35, 48], votes[0, 24, 48] = 2, 1  # 15 px from that: too near for a third; 18 px: not
    centres, radii = find_maxima(votes, 10)
    assert centres.tolist() == [[90, 90], [90, 144], [72, 144]]
    assert radii.tolist() == [100, 9, 9]


def test_no_voters_no_maxima(both_sides):
    edges = both_sides(np.zeros((0, 2)), np.zeros((0, 2)))
    centres, radii = find_maxima(accumulate(edges, np.zeros(0), SHAPE), 10)
    assert centres.shape == (0, 2)
    assert radii.shape == (0,)
