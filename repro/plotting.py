"""One style for every figure; functions draw into an axes and return it.

An arm has the same colour, line and marker wherever it is drawn. The eight depths run along one ramp,
matplotlib's plasma, whose lightness falls evenly from shallow to deep, so the order survives colour blindness and grey
print; dashes and markers tell neighbours apart. What is not fine-tuned is off the ramp:
scratch black and dashed, the handcrafted rivals grey and dotted.
"""

import csv
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

_DEPTHS = ("fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1")
_DASHES = ("-", (0, (5, 1.2)), (0, (5, 1.2, 1.2, 1.2)), (0, (2.2, 1)))
_MARKERS = "osD^vP*X"
ARM_STYLES = {
    arm: {
        # The ramp stops short of plasma's yellow, which is lost on white.
        "color": mpl.colormaps["plasma"](0.82 - 0.82 * place / (len(_DEPTHS) - 1)),
        "linestyle": _DASHES[place % len(_DASHES)],
        "marker": _MARKERS[place],
    }
    for place, arm in enumerate(_DEPTHS)
} | {
    "scratch": {"color": "black", "linestyle": (0, (6, 3)), "marker": "<"},
    "handcrafted": {"color": "0.5", "linestyle": ":", "marker": "x"},
    "wavelet": {"color": "0.65", "linestyle": (0, (1, 2.5)), "marker": "+"},
    "edges": {"color": "0.65", "linestyle": (0, (4, 2, 1, 2)), "marker": "1"},
}
# Of networks from scratch where they differ in how they start; the colour is the arm's.
INIT_STYLES = {
    "gaussian": {"linestyle": (0, (6, 3)), "marker": "<"},
    "xavier": {"linestyle": (0, (1, 1.5)), "marker": "^"},
    "msra": {"linestyle": (0, (6, 2, 1, 2)), "marker": ">"},
}
# The paper's Figure 2.
LOG_LIMITS = (1e-4, 10.0)


def subplots(columns=1, rows=1, width_in=6.0, height_in=5.0):
    """Make a figure of axes, each of the given size, without pyplot and its global state.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, of shape (columns,), with several rows (rows, columns)
    """
    figure = Figure(figsize=(columns * width_in, rows * height_in), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes[0] if rows == 1 else axes


def draw_froc(ax, fp_per_image, sensitivity, label, arm, fraction=1.0, unit="frame", log=True):
    """Draw an FROC curve as the steps it consists of.

    What lies left of the log axis is not lost: the curve enters at 1e-4 with the sensitivity that it has there,
    be it at no false positive at all. It ends, with a dot, where its candidates end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    fp_per_image, sensitivity : array of shape (points,)
        As `repro.evaluation.froc_curve` returns them.
    label : str or None
        None for one more run of an arm that has its label: out of the legend, pale, without markers.
    arm : str
        A key of `ARM_STYLES`.
    fraction : float
        Share of the training set: less is drawn thinner, with markers half full (from .5) or hollow, below .25 paler.
    unit : str
        What false positives are counted in: "frame" or "volume".
    log : bool
        Log axis 1e-4..10 (the paper's Figure 2) or linear 0..10 (Figure 4).

    Returns
    -------
    matplotlib.axes.Axes
    """
    limits = LOG_LIMITS if log else (0.0, LOG_LIMITS[1])
    ax.set_xscale("log" if log else "linear")
    ax.set(xlim=limits, xlabel=f"False positives per {unit}", ylabel="Sensitivity")
    return _draw_steps(ax, *_from_left(fp_per_image, sensitivity, limits[0]), label, arm, fraction)


def draw_roc(ax, fpr, tpr, label, arm, fraction=1.0):
    """Draw an ROC curve as steps; parameters as for `draw_froc`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax.set(xlim=(0, 1), xlabel="False positive rate", ylabel="True positive rate")
    return _draw_steps(ax, *_from_left(fpr, tpr, 0.0), label, arm, fraction)


def draw_interval(ax, interval, at, arm, kind="idca", place=(0, 1)):
    """Draw the confidence intervals of one arm at its operating points.

    Bars stand beside each other by some points on paper, on a linear and on a log axis alike, so that those of
    different arms, and the two kinds of one arm, stay apart.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    interval : repro.evaluation.Interval
        Of shape (points,).
    at : array of shape (points,)
        False positives per image.
    arm : str
        A key of `ARM_STYLES`.
    kind : {"idca", "bootstrap"}
        A thin bar with caps and the arm's marker; or, to its right, a broad pale one without.
    place : tuple of int
        Which of how many arms: (0, 6) stands leftmost of six.

    Returns
    -------
    matplotlib.axes.Axes
    """
    looks = {
        "idca": {"elinewidth": 1.1, "capsize": 1.6, "capthick": 1.1, "ms": 3},
        "bootstrap": {"elinewidth": 2.2, "alpha": 0.45, "ms": 0},
    }
    if kind not in looks:
        raise ValueError(f"kind must be one of {list(looks)}. Received: {kind!r}.")
    style, (number, of) = _style(arm), place
    step_pt = min(7.0, 46.0 / of)
    shift_pt = step_pt * (number - (of - 1) / 2 + (0.22 if kind == "bootstrap" else -0.22))
    moved = ax.transData + ScaledTranslation(shift_pt / 72, 0, ax.figure.dpi_scale_trans)
    # A value can sit on its own limit and lose the last digit beside it; bars of -1e-17 are refused.
    lengths = np.maximum([interval.value - interval.low, interval.high - interval.value], 0)
    look = {"fmt": style["marker"], "color": style["color"], "zorder": 3} | looks[kind]
    ax.errorbar(at, interval.value, yerr=lengths, transform=moved, **look)
    return ax


def draw_convergence(ax, points, kept, label, arm, init=""):
    """Draw how the validation AUC of a network rose while it was trained, as the paper's Figure 10.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its horizontal axis becomes logarithmic.
    points : array of shape (n, 2)
        Mini-batches, from 1, and the AUC after them; joined in this order.
    kept : int
        Mini-batches after which the weights were those that the network has: a ring is drawn there.
    label : str or None
        None for one more run that has its label: out of the legend, pale, without markers and ring.
    arm : str
        A key of `ARM_STYLES`.
    init : str
        How a network from scratch started, a key of `INIT_STYLES`, which has its dashes and its marker; else empty.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if init and init not in INIT_STYLES:
        raise ValueError(f"No style for this start. Received: {init!r}. Expected one of {list(INIT_STYLES)}.")
    points = np.asarray(points, dtype=float)
    at_end = points[points[:, 0] == kept]
    if not len(at_end):
        raise ValueError(f"kept must be one of the mini-batches {points[:, 0].tolist()}. Received: {kept}.")
    style = _style(arm) | INIT_STYLES.get(init, {})
    pale = {"marker": "", "alpha": 0.35} if label is None else {}
    ax.plot(*points.T, label=label, **style | {"linewidth": 1.6, "markersize": 4} | pale)
    if label is not None:
        ax.plot(*at_end.T, "o", markersize=10, markerfacecolor="none", color=style["color"])
    ax.set_xscale("log")
    # Short trainings do not reach the second power of ten.
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="Mini-batches", ylabel="AUC of the validation patches")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    return ax


def finish(ax, title, caveat=""):
    """Give an axes its title and its legend, and its figure the caveats at the foot, with room for them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    title : str
    caveat : str
        What a reader of the numbers must know, a line for each; wrapped. The figure's only foot: given with one
        of its axes, whichever.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax.set_title(title, fontsize=10)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper left" if ax.get_xscale() == "log" else "lower right", frameon=False, handlelength=4)
    if caveat:
        # About 15 characters of 8 pt an inch.
        width = int(15 * ax.figure.get_size_inches()[0])
        text = "\n".join(fill(line, width, subsequent_indent="   ") for line in caveat.splitlines())
        ax.figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="0.3")
    return ax


def share_legend(axes):
    """Keep the first panel's legend, where it hides least, for all panels of a figure, which have the same entries.

    Parameters
    ----------
    axes : iterable of matplotlib.axes.Axes
        After `finish`.

    Returns
    -------
    matplotlib.legend.Legend
    """
    first, *others = axes
    for ax in others:
        ax.get_legend().remove()
    return first.legend(loc="best", frameon=False, handlelength=5)


def save_figure(figure, stem, columns, caveat=""):
    """Write a figure as .png (200 dpi) and .pdf, and its numbers as .csv, beside each other.

    The same figure gives the same bytes: no dates are written.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    stem : path
        Without ending; its folder is made when missing.
    columns : dict of str to sequence
        The numbers drawn, all columns of one length.
    caveat : str
        Opens the .csv below the figure's title, each line behind "#": numbers must not travel without it.

    Returns
    -------
    tuple of pathlib.Path
        The .png, the .pdf and the .csv.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Columns must be of one length. Received: {lengths}.")
    png, pdf, table = (Path(f"{stem}.{ending}") for ending in ("png", "pdf", "csv"))
    png.parent.mkdir(parents=True, exist_ok=True)
    # Each canvas itself: savefig lays a figure out for every file, and draws it once more to do so.
    figure.dpi = 200
    FigureCanvasAgg(figure).print_png(png)
    figure.set_layout_engine("none")
    # Imported late, so that the .png is there as soon as can be.
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    with mpl.rc_context({"pdf.fonttype": 42}):  # TrueType: text stays text
        FigureCanvasPdf(figure).print_pdf(pdf, metadata={"CreationDate": None})
    with table.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in [*figure.get_suptitle().splitlines(), *caveat.splitlines()])
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return png, pdf, table


def _style(arm):
    if arm not in ARM_STYLES:
        raise ValueError(f"No style for this arm. Received: {arm!r}. Expected one of {list(ARM_STYLES)}.")
    return ARM_STYLES[arm]


def _from_left(x, y, left):
    """Cut a step curve at the left limit, where it holds its last value; drop points that draw nothing."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    first = max(int(np.searchsorted(x, left, side="right")) - 1, 0)
    x, y = np.maximum(x[first:], left), y[first:]
    # Of a level stretch only its ends are seen: a curve of 100,000 thresholds has a few thousand corners.
    corner = np.append(True, y[1:] != y[:-1])
    corner[-1] = True
    return x[corner], y[corner]


def _draw_steps(ax, x, y, label, arm, fraction):
    style = _style(arm) | {"linewidth": max(2 * fraction**0.5, 0.6), "markersize": 5}
    style["fillstyle"] = "full" if fraction == 1 else "left" if fraction >= 0.5 else "none"
    if fraction < 0.25:
        # Lines do not get thinner for ever: paler, to .4 at 1 %.
        style["alpha"] = max(1 + 0.3 * np.log10(fraction), 0.2)
    if label is None:
        style |= {"marker": "", "alpha": 0.35}
    # Markers at equal distances along the drawn line, as a share of the axes' diagonal.
    ax.plot(x, y, label=label, drawstyle="steps-post", markevery=0.12, **style)
    ax.plot(x[-1:], y[-1:], ".", color=style["color"], markersize=6)
    ax.set_ylim(0, 1)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    return ax
