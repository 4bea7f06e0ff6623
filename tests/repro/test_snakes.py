import numpy as np
import pytest

from repro.snakes import MAX_SLIDE_PX, _spline, _usable, open_snake, thin, trace

COLUMNS = np.arange(92)
LINE = 30 + 0.05 * (COLUMNS - 46) + 4 * np.sin(2 * np.pi * COLUMNS / 70)


def ridge(line, rows=60, width=2.5):
    """Return a map with a ridge of height 1 along a line."""
    return np.exp(-0.5 * ((np.arange(rows)[:, None] - line) / width) ** 2)


def spoilt(line, seed=0):
    """Let the ridge jitter, and one column in eleven jump to a layer 20 rows higher."""
    generator = np.random.default_rng(seed)
    line = line + 0.7 * generator.normal(size=line.size)
    line[generator.choice(line.size, line.size // 11, replace=False)] -= 20
    return ridge(line)


def error(found, line):
    return np.mean(np.abs(found - line))


def test_rows_of_the_maximum_by_hand():
    confidence = np.array([[0.1, 1, 0, 0.7], [0.9, 1, 0, 0.7], [0.2, 1, 0, 0.1], [0.3, 0, 0, 0.7], [0.5, 0, 0, 0]])
    np.testing.assert_array_equal(thin(confidence), [1, 1, 2, 1])
    assert thin(confidence).dtype.kind == "i"


def test_a_plateau_is_thinned_to_its_middle():
    """A saturated network: exact ones 9 rows high."""
    assert error(thin((ridge(LINE, width=4) > 0.5).astype(np.float32)), LINE) < 0.5


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_snake_recovers_a_line_below_a_pixel(step, seed):
    columns, line = COLUMNS[::step], LINE[::step]
    clean, _ = open_snake(ridge(line), thin(ridge(line)), columns)
    confidence = spoilt(line, seed)
    rows, fell_back = open_snake(confidence, thin(confidence), columns)
    assert not fell_back
    assert error(clean, line) < 0.2
    assert error(rows, line) < 0.5
    assert error(thin(confidence), line) > 1.5


def test_snake_reads_the_map_and_not_only_its_start():
    """A start 5 rows too low everywhere is drawn back up to the ridge, by more than half."""
    rows, fell_back = open_snake(ridge(LINE), LINE + 5)
    assert not fell_back
    assert error(rows, LINE) < 0.2


def test_short_waves_are_smoothed_away_and_long_ones_kept():
    wavy = LINE + 3 * np.sin(2 * np.pi * COLUMNS / 16)
    rows, _ = open_snake(ridge(wavy), thin(ridge(wavy)))
    assert error(rows, LINE) < 0.6 < 1.5 < error(wavy, LINE)


def test_stiffness_is_in_pixels_of_the_image():
    """The same line evaluated in every and in every fourth column, by the snake and by what stands in for it."""
    line = LINE + 2 * np.sin(2 * np.pi * COLUMNS / 32)
    dense, _ = open_snake(ridge(line), thin(ridge(line)))
    sparse, _ = open_snake(ridge(line)[:, ::4], thin(ridge(line)[:, ::4]), COLUMNS[::4])
    assert error(sparse, dense[::4]) < 0.3
    splines = [_spline(line[::step], COLUMNS[::step], COLUMNS) for step in (1, 4)]
    assert error(*splines) < 0.15


def test_brightness_along_the_line_does_not_pull_the_snake_off_its_ends():
    rows, fell_back = open_snake(ridge(LINE) * np.linspace(0.1, 1, 92) ** 2, thin(ridge(LINE)))
    assert not fell_back
    assert error(rows, LINE) < 0.2


@pytest.mark.parametrize("line", [40 - 0.9 * COLUMNS, np.zeros(92)])
def test_a_snake_that_leaves_the_roi_falls_back_to_a_spline_inside(line):
    confidence = ridge(line)
    rows, fell_back = open_snake(confidence, thin(confidence))
    assert fell_back
    assert rows.min() == pytest.approx(0, abs=1e-6)
    assert error(rows, line.clip(0)) < 1


def test_what_makes_a_snake_unusable():
    places, rows = np.arange(9.0), np.full(9, 5.0)
    folded, slid = places.copy(), places + MAX_SLIDE_PX + 0.1
    folded[4] = 2.9
    assert _usable(rows, places, (11, 9))
    assert not _usable(rows, folded, (11, 9))
    assert not _usable(rows, slid, (11, 9))
    assert not _usable(np.append(rows[1:], np.nan), places, (11, 9))
    assert not _usable(rows + 5.6, places, (11, 9))


def test_trace_finds_both_lines_apart_in_image_rows():
    """Nothing keeps MA below LI."""
    maps = np.stack([ridge(LINE), ridge(LINE - 12)], axis=2)[:, ::4]
    found, fell_back = trace(maps, 200, 310 + COLUMNS[::4])
    assert found.shape == (23, 2)
    assert error(found, 200 + np.stack([LINE, LINE - 12], axis=1)[::4]) < 0.2
    assert fell_back.tolist() == [False, False]


def test_trace_counts_the_fallback_of_one_interface():
    maps = np.stack([ridge(LINE), ridge(np.zeros(92))], axis=2)
    assert trace(maps, 7, COLUMNS)[1].tolist() == [False, True]


def test_trace_starts_where_it_is_told():
    """Two equal ridges in one map: the start decides, where the maximum cannot."""
    both = np.maximum(ridge(LINE), ridge(LINE - 20))
    found, _ = trace(np.stack([both, both], axis=2), 0, COLUMNS, start=[LINE - 20, LINE])
    assert error(found, np.stack([LINE - 20, LINE], axis=1)) < 0.3


def test_wrong_maps_are_refused():
    with pytest.raises(ValueError, match=r"1 NaN or infinite.*diverged"):
        thin(np.where(np.eye(7, 11) * np.arange(11) == 3, np.nan, 0.5))
    with pytest.raises(ValueError, match=r"11 columns, \(10,\) start rows"):
        open_snake(np.ones((7, 11)), np.ones(10))
    with pytest.raises(ValueError, match="at least 5 columns"):
        open_snake(np.ones((7, 4)), np.ones(4))
    with pytest.raises(ValueError, match=r"Received: \(7, 11, 3\)"):
        trace(np.ones((7, 11, 3)), 0, np.arange(11))
