"""Tables as figures: who differs from whom (Tables S1 to S4), and plain rows and columns (Tables I and II)."""

import numpy as np


def draw_triangle(ax, names, cells):
    """Draw what pairs of arms have to say of each other, as the paper's Tables S1 to S4 do: a lower triangle.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    names : sequence of str, length n
        Arms in their order; rows are all but the first, columns all but the last.
    cells : dict of (row name, column name) to (str, float)
        Text and shade, from 0 to 1, of a cell; a pair that is missing differs nowhere ("-").

    Returns
    -------
    matplotlib.axes.Axes
    """
    unknown = [pair for pair in cells if pair not in _triangle(names)]
    if unknown:
        raise ValueError(f"Cells outside the lower triangle of {list(names)}. Received: {unknown}.")
    shades = np.full((len(names) - 1, len(names) - 1), np.nan)
    for pair, (i, j) in _triangle(names).items():
        text, shades[i, j] = cells.get(pair, ("-", 0.0))
        ax.text(j, i, text, ha="center", va="center", fontsize=8)
    ax.imshow(shades, cmap="Blues", vmin=0, vmax=2, aspect="auto")
    ax.set_xticks(range(len(names) - 1), names[:-1], rotation=45, ha="right")
    ax.set_yticks(range(len(names) - 1), names[1:])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def points_cell(points, most):
    """Make a cell of `draw_triangle` of the operating points at which two arms differ, of `most` in all.

    Where more than three may differ, three stand in a line: a cell has no room for more lines.
    """
    words, wide = [f"{point:g}".replace("0.", ".") for point in points], 1 if most <= 3 else 3
    lines = [" ".join(words[first : first + wide]) for first in range(0, len(words), wide)]
    return "\n".join(lines), min(len(points) / most, 1.0)


def p_cell(p):
    """Make a cell of `draw_triangle` of a p value, written and shaded as the paper's Table S4: the lower the darker."""
    text = "<.0001" if p < 1e-4 else f"{p:.4f}".replace("0.", ".", 1)
    return text, 1.0 if p < 1e-4 else 0.6 if p < 0.05 else 0.0


def draw_rows(ax, rows):
    """Draw plain rows and columns.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict of str to object
        All with the same keys, which head the columns.

    Returns
    -------
    matplotlib.axes.Axes
    """
    cells = [[str(value) for value in row.values()] for row in rows]
    table = ax.table(cells, colLabels=list(rows[0]), loc="center", cellLoc="center", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.auto_set_column_width(range(len(rows[0])))
    table.scale(1, 1.3)
    ax.set_axis_off()
    return ax


def _triangle(names):
    """Map (row name, column name) to its place; rows start at the second arm."""
    return {(names[i + 1], names[j]): (i, j) for i in range(len(names) - 1) for j in range(i + 1)}
