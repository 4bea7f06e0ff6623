from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from repro import plotting
from repro.evaluation import Interval
from repro.finetune import ARMS, RIVALS


@pytest.fixture
def ax():
    return Figure().subplots()


def grey(arm):
    return np.dot(to_rgb(plotting.ARM_STYLES[arm]["color"]), [0.299, 0.587, 0.114])


def test_every_arm_has_a_style_of_its_own(ax):
    assert tuple(plotting.ARM_STYLES) == (*ARMS, *RIVALS)
    assert len({style["marker"] for style in plotting.ARM_STYLES.values()}) == 12
    with pytest.raises(ValueError, match=r"'conv6'.*fc8"):
        plotting.draw_roc(ax, [0, 1], [0, 1], "x", "conv6")


def test_depths_darken_from_shallow_to_deep_and_neighbours_have_other_dashes():
    depths = list(plotting.ARM_STYLES)[:8]
    assert np.all(np.diff([grey(arm) for arm in depths]) < -0.02)
    assert grey("fc8") < 0.8
    dashes = [plotting.ARM_STYLES[arm]["linestyle"] for arm in depths]
    assert all(one != other for one, other in pairwise(dashes))


def test_froc_enters_at_the_left_limit_and_ends_with_its_candidates(ax):
    """Sensitivity .3 at no false positive and .4 at 5e-5: .4 is what the log axis starts with."""
    assert plotting.draw_froc(ax, [0, 0, 5e-5, 0.02, 2], [0, 0.3, 0.4, 0.6, 0.7], "a", "conv3") is ax
    curve, end = ax.get_lines()
    np.testing.assert_array_equal(curve.get_xydata(), [[1e-4, 0.4], [0.02, 0.6], [2, 0.7]])
    assert curve.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(end.get_xydata(), [[2, 0.7]])


def test_level_stretches_keep_their_ends_only(ax):
    plotting.draw_roc(ax, np.arange(7) / 6, [0, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9], "a", "fc6")
    drawn = ax.get_lines()[0].get_xydata()
    np.testing.assert_allclose(drawn, [[0, 0], [1 / 6, 0.5], [4 / 6, 0.9], [1, 0.9]])


def test_a_curve_without_candidates_is_a_point(ax):
    plotting.draw_froc(ax, [0], [0], "nothing found", "fc8")
    np.testing.assert_array_equal(ax.get_lines()[0].get_xydata(), [[1e-4, 0]])


def test_less_data_is_thinner_and_hollower(ax):
    for fraction in (1.0, 0.5, 0.25):
        plotting.draw_froc(ax, [0, 1], [0, 1], "a", "conv1", fraction)
    lines = ax.get_lines()[::2]
    assert [line.get_fillstyle() for line in lines] == ["full", "left", "none"]
    assert [line.get_linewidth() for line in lines] == pytest.approx([2, 2 * 0.5**0.5, 1])
    assert len({line.get_color() for line in lines}) == 1


def test_a_further_seed_is_pale_and_out_of_the_legend(ax):
    plotting.draw_froc(ax, [0, 1, 2], [0, 0.5, 0.6], "FT:only fc8", "fc8")
    plotting.draw_froc(ax, [0, 1, 2], [0, 0.4, 0.7], None, "fc8")
    first, _, second, _ = ax.lines
    assert (first.get_alpha(), second.get_alpha(), second.get_marker()) == (None, 0.35, "")
    assert ax.get_legend_handles_labels()[1] == ["FT:only fc8"]


@pytest.mark.parametrize(("log", "at"), [(True, 0.01), (False, 3)])
def test_bars_of_arms_and_kinds_stand_apart_on_paper(ax, log, at):
    """No two of 10 arms x 2 kinds come closer than 2 points, on a log and on a linear axis."""
    plotting.draw_froc(ax, [0, 1], [0, 1], "a", "fc8", log=log)
    bar = Interval(*np.array([[0.5], [0.4], [0.7]]), method=np.array(["idca"]))
    for number in range(10):
        for kind in ("idca", "bootstrap"):
            plotting.draw_interval(ax, bar, [at], "scratch", kind, (number, 10))
    on_paper = [bar.get_transform().transform(bar.get_segments()[0]) for bar in ax.collections]
    shifts_pt = np.array([segment[0, 0] for segment in on_paper]) * 72 / ax.figure.dpi
    assert np.min(np.diff(shifts_pt)) > 2
    assert np.ptp(shifts_pt) < 50
    np.testing.assert_allclose(ax.collections[0].get_segments()[0], [[at, 0.4], [at, 0.7]])


def test_kinds_of_interval_look_different(ax):
    bar = Interval(*np.array([[0.5], [0.4], [0.7]]), method=np.array(["idca"]))
    for kind in ("idca", "bootstrap"):
        plotting.draw_interval(ax, bar, [0.1], "conv2", kind)
    thin, broad = (bars.get_linewidth()[0] for bars in ax.collections)
    assert broad == pytest.approx(2 * thin)
    assert len(ax.get_lines()) == 1 + 2 + 1  # marker and two caps of the thin one, an invisible marker of the other
    with pytest.raises(ValueError, match="'exact'"):
        plotting.draw_interval(ax, bar, [0.1], "conv2", "exact")


@pytest.mark.parametrize(("log", "limits"), [(True, (1e-4, 10)), (False, (0, 10))])
def test_axes_say_what_they_count(ax, log, limits):
    plotting.draw_froc(ax, [0, 1], [0, 1], "deep", "conv1", unit="volume", log=log)
    plotting.draw_froc(ax, [0, 1], [0, 1], None, "conv1", unit="volume", log=log)
    plotting.finish(ax, "PE")
    assert (ax.get_xlabel(), ax.get_title()) == ("False positives per volume", "PE")
    assert ax.get_xlim() == limits
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["deep"]


@pytest.mark.parametrize(("rows", "shape"), [(1, (3,)), (2, (2, 3))])
def test_axes_come_in_rows_of_the_size_asked(rows, shape):
    figure, axes = plotting.subplots(columns=3, rows=rows, width_in=2, height_in=5)
    assert axes.shape == shape
    assert tuple(figure.get_size_inches()) == (6, 5 * rows)


def test_a_network_s_way_is_joined_and_ringed_where_its_weights_were_kept(ax):
    points = [(1, 0.5), (7, 0.9), (10, 0.8)]
    assert plotting.draw_convergence(ax, points, 7, "FT", "conv1") is ax
    line, ring = ax.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), points)
    np.testing.assert_array_equal(ring.get_xydata(), [[7, 0.9]])
    assert (ax.get_xscale(), ring.get_markerfacecolor()) == ("log", "none")
    with pytest.raises(ValueError, match=r"kept.*\[1\.0, 7\.0, 10\.0\].*8"):
        plotting.draw_convergence(ax, points, 8, "FT", "conv1")


def test_starts_from_scratch_share_the_arm_s_colour_and_differ_in_dashes_and_markers(ax):
    for init in plotting.INIT_STYLES:
        plotting.draw_convergence(ax, [(1, 0.5), (3, 0.7)], 3, init, "scratch", init)
    lines = ax.get_lines()[::2]
    assert {line.get_color() for line in lines} == {plotting.ARM_STYLES["scratch"]["color"]}
    # A line gives no public handle on its dashes.
    assert len({line.get_marker() for line in lines}) == len({str(line._dash_pattern) for line in lines}) == 3
    with pytest.raises(ValueError, match=r"'he'.*gaussian.*xavier.*msra"):
        plotting.draw_convergence(ax, [(1, 0.5)], 1, "a", "scratch", "he")


def test_a_further_seed_s_way_is_pale_without_a_ring(ax):
    plotting.draw_convergence(ax, [(1, 0.5), (3, 0.7)], 3, None, "scratch", "msra")
    (line,) = ax.get_lines()
    assert (line.get_alpha(), line.get_marker()) == (0.35, "")
    assert ax.get_legend_handles_labels()[1] == []


def test_a_short_way_s_axis_has_plain_numbers(ax):
    plotting.draw_convergence(ax, [(1, 0.5), (8, 0.7)], 8, "FT", "conv1")
    ax.figure.draw_without_rendering()
    assert {"1", "2", "5"} <= {text.get_text() for text in ax.get_xticklabels()}
    assert not any(text.get_text() for text in ax.get_xticklabels(minor=True))


def test_panels_share_the_first_one_s_legend():
    _, axes = plotting.subplots(columns=3)
    for ax in axes:
        plotting.draw_convergence(ax, [(1, 0.5), (3, 0.7)], 3, "FT", "conv1")
        plotting.finish(ax, "title")
    legend = plotting.share_legend(axes)
    assert [ax.get_legend() for ax in axes] == [legend, None, None]
    assert [text.get_text() for text in legend.get_texts()] == ["FT"]


def test_figures_are_saved_with_numbers_and_caveats_and_twice_the_same(ax, tmp_path):
    plotting.draw_froc(ax, [0, 1], [0, 0.5], "ä", "fc7")
    ax.figure.suptitle("PHANTOM")
    columns = {"arm": ["fc7", "a,b"], "x": [0.1, ""], "note": ["", "few"]}
    first = plotting.save_figure(ax.figure, tmp_path / "new" / "fig_1.2", columns, "No patients.\nOne seed.")
    assert [path.name for path in first] == ["fig_1.2.png", "fig_1.2.pdf", "fig_1.2.csv"]
    text = "# PHANTOM\n# No patients.\n# One seed.\narm,x,note\nfc7,0.1,\n" + '"a,b",,few\n'
    assert first[2].read_text(encoding="utf-8") == text
    again = plotting.save_figure(ax.figure, tmp_path / "again", columns, "No patients.\nOne seed.")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_columns_of_several_lengths_are_refused(ax, tmp_path):
    with pytest.raises(ValueError, match="'a': 1, 'b': 2"):
        plotting.save_figure(ax.figure, tmp_path / "fig", {"a": [1], "b": [1, 2]})


def test_the_foot_has_room_for_caveats():
    """Long caveats push the axes up instead of covering its label or leaving the page."""
    figure, (ax,) = plotting.subplots()
    plotting.draw_roc(ax, [0, 1], [0, 1], "a", "fc8")
    plotting.finish(ax, "title", "word " * 90 + "\n" + "and " * 90)
    figure.draw_without_rendering()
    # A figure gives no public handle on its foot.
    foot, label = (artist.get_window_extent() for artist in (figure._supxlabel, ax.xaxis.label))
    assert foot.y1 < label.y0
    assert foot.x1 < figure.bbox.x1
    assert foot.height > 6 * 8
