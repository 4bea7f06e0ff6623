import numpy as np
from matplotlib.figure import Figure

from repro.box_drawing import draw_boxes


def test_boxes_have_tukey_s_whiskers_and_both_numbers():
    """1 to 9 and 16: quartiles 3.25 and 7.75, so that whiskers end at 9 (below 14.5), and 16 lies beyond."""
    values = np.array([*range(1, 10), 16.0])
    ax = Figure().subplots()
    draw_boxes(ax, {"fc8": values, "scratch": values / 2}, ["a", "b"], {"fc8": (101.0, 133.0)})
    upper = ax.get_lines()[1].get_ydata()
    np.testing.assert_allclose(upper, [7.75, 9])
    assert [text.get_text() for text in ax.texts] == ["6\n±4", "101\n±133", "3\n±2"]
