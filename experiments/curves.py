"""Figures of FROC or ROC curves, for the scripts of this folder: panels of arms, each with curve and intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from repro import plotting
from repro.evaluation.froc import curve
from repro.evaluation.intervals import froc_interval, idca_interval
from repro.finetune import label


@dataclass(frozen=True)
class Curves:
    """How a kind of curve is drawn and written.

    Attributes
    ----------
    draw : callable
        `repro.plotting.draw_froc` or `draw_roc`.
    x, y : str
        Columns of the csv.
    intervals : dict of str to callable
        By the name of the kind of bar, from (detections, at) to an `Interval`.
    """

    draw: Callable
    x: str
    y: str
    intervals: dict[str, Callable]


_FROC_INTERVALS = {"idca": froc_interval, "bootstrap": partial(froc_interval, method="bootstrap")}
FROC = Curves(plotting.draw_froc, "fp_per_frame", "sensitivity", _FROC_INTERVALS)
FROC_3D = Curves(partial(plotting.draw_froc, unit="volume", log=False), "fp_per_volume", "sensitivity", _FROC_INTERVALS)
ROC = Curves(
    plotting.draw_roc,
    "false_positive_rate",
    "true_positive_rate",
    {"idca": partial(idca_interval, fixed_rate=True), "bootstrap": partial(froc_interval, method="bootstrap")},
)


def draw_panels(curves, panels, at, options, notes):
    """Draw panels (a), (b), ... of curves, the first seed's with intervals.

    Parameters
    ----------
    curves : Curves
    panels : dict of str to dict
        By title, what `command.make` returned.
    at : sequence of float
        Where intervals are drawn.
    options : argparse.Namespace
    notes : str
        The foot.

    Returns
    -------
    figure : matplotlib.figure.Figure
    rows : list of dict
        Every number drawn.
    """
    figure, axes = plotting.subplots(columns=len(panels), width_in=7.5, height_in=7)
    rows = []
    for ax, letter, (title, found) in zip(axes, "abcdef", panels.items(), strict=False):
        firsts = [key for key in found if key[2] == options.seeds[0]]
        for key, (detections, _) in found.items():
            place = (firsts.index(key), len(firsts)) if key in firsts else None
            rows += [{"panel": letter} | row for row in _draw_run(curves, ax, key, detections, at, place)]
        plotting.finish(ax, f"({letter}) {title}", notes if letter == "a" else "")
    return figure, rows


def bars(subjects):
    """Explain the bars; `subjects` are what the bootstrap draws: "videos"."""
    return (
        "95 % intervals, side by side round each point: thin, the paper's (IDCA), with the fitted curve's value; "
        f"thick, a bootstrap over {subjects}."
    )


def other_seeds(options):
    """Explain the pale curves, when there are any."""
    return "Pale, without bars: the seeds after the first." if len(options.seeds) > 1 else ""


def _draw_run(curves, ax, key, detections, at, place):
    """Draw a run's curve, and where it has a place among the first seed's, its intervals; return its numbers."""
    arm, fraction, seed = key
    across, up, _ = curve(detections)
    name = label(arm) if fraction == 1 else f"{label(arm)}, {fraction:.0%}"
    curves.draw(ax, across, up, name if place else None, arm, fraction=fraction)
    entry = {"arm": arm, "fraction": fraction, "seed": seed}
    rows = [entry | {"kind": "curve", curves.x: x, curves.y: y} for x, y in zip(across, up, strict=True)]
    for kind, estimate in curves.intervals.items():
        found = estimate(detections, at)
        if place:
            plotting.draw_interval(ax, found, at, arm, kind, place)
        rows += [
            entry | {"kind": kind, curves.x: x, curves.y: y, "low": low, "high": high, "note": found.note}
            for x, y, low, high in zip(at, found.value, found.low, found.high, strict=True)
        ]
    return rows
