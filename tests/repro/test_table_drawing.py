"""Tables as figures: the right words in the right cells."""

import pytest

from repro import plotting, table_drawing


@pytest.fixture
def ax():
    return plotting.subplots()[1][0]


def test_triangle_shows_the_points_at_which_two_differ(ax):
    table_drawing.draw_triangle(
        ax, ["a", "b", "c"], {("b", "a"): table_drawing.points_cell((0.001, 0.01), 2), ("c", "b"): ("5", 1)}
    )
    shown = {tuple(map(int, text.get_position()[::-1])): text.get_text() for text in ax.texts}
    assert shown == {(0, 0): ".001\n.01", (1, 0): "-", (1, 1): "5"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "c"]
    with pytest.raises(ValueError, match=r"\('a', 'b'\)"):
        table_drawing.draw_triangle(ax, ["a", "b", "c"], {("a", "b"): ("1", 1)})


def test_many_points_stand_three_in_a_line():
    assert table_drawing.points_cell((1, 2, 4, 5), 5) == ("1 2 4\n5", 0.8)
    assert table_drawing.points_cell((0.1, 0.15, 0.2), 3)[0] == ".1\n.15\n.2"


def test_p_values_are_written_as_in_the_paper():
    assert [table_drawing.p_cell(p)[0] for p in (3e-5, 0.0123, 1.0)] == ["<.0001", ".0123", "1.0000"]
    shades = [table_drawing.p_cell(p)[1] for p in (3e-5, 0.0123, 0.05)]
    assert shades == sorted(shades, reverse=True)
    assert len(set(shades)) == 3


def test_rows_are_drawn_under_their_names(ax):
    table_drawing.draw_rows(ax, [{"layer": "conv1", "pad": 0}, {"layer": "conv2", "pad": 2}])
    (table,) = ax.tables
    shown = {place: cell.get_text().get_text() for place, cell in table.get_celld().items()}
    assert shown == {(0, 0): "layer", (0, 1): "pad", (1, 0): "conv1", (1, 1): "0", (2, 0): "conv2", (2, 1): "2"}
    assert not ax.axison
