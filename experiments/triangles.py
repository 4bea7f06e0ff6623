"""Tables S1 to S3: which pairs of curves differ at fixed false positives, the paper's and ours by three rules.

For the scripts of this folder.
"""

from functools import partial

from experiments import captions
from repro import plotting, table_drawing
from repro.evaluation.comparison import compare
from repro.evaluation.intervals import idca_interval
from repro.finetune import label

RULES = {
    "ours, the paper's rule (IDCA intervals do not overlap)": lambda pair: pair.differ_idca,
    "ours, bootstrap intervals over {subjects} do not overlap": lambda pair: pair.differ_bootstrap,
    "ours, paired bootstrap over {subjects}, p < .05 after Holm": lambda pair: pair.p_holm < 0.05,
}


def draw_table(arms, points, paper, subjects, notes, roc=False):
    """Draw the paper's table and ours by three rules.

    Parameters
    ----------
    arms : dict of str to Detections
        In the table's order.
    points : sequence of float
        Operating points.
    paper : dict of str to dict of str to sequence of float or None
        The paper's cells: points by column, by row; None where they cannot be read.
    subjects : str
        What is resampled: "videos".
    notes : str
        The foot.
    roc : bool
        Points are false positive rates, not false positives per image.

    Returns
    -------
    figure : matplotlib.figure.Figure
    rows : list of dict
        Every number of every pair.
    notes : str
        As given, and what the number of subjects does not allow.
    """
    pairs = compare(arms, points, partial(idca_interval, fixed_rate=True) if roc else idca_interval)
    names = [label(arm) for arm in arms]
    cells = {(label(row), label(column)): at for row, of in paper.items() for column, at in of.items()}
    panels = {"the paper, on its own images": cells}
    panels |= {title.format(subjects=subjects): _cells(pairs, rule) for title, rule in RULES.items()}
    notes = "\n".join([notes, *captions.few_for_holm(len(next(iter(arms.values())).subjects), len(pairs))])
    figure, axes = plotting.subplots(columns=2, rows=2, width_in=8.5, height_in=6)
    for ax, (title, cells) in zip(axes.flat, panels.items(), strict=True):
        table_drawing.draw_triangle(ax, names, {pair: _cell(at, len(points)) for pair, at in cells.items()})
        plotting.finish(ax, title)
    plotting.finish(axes[0, 0], next(iter(panels)), notes)
    return figure, [vars(pair) for pair in pairs], notes


def _cell(points, most):
    return ("?", 0.0) if points is None else table_drawing.points_cell(points, most)


def _cells(pairs, rule):
    cells = {}
    for pair in filter(rule, pairs):
        cells.setdefault((label(pair.second), label(pair.first)), []).append(pair.at)
    return cells
