"""How far our numbers are from the paper's: rows of the report, computed from the csv files that scripts write.

For `paper`, which says what to hold against what. A direction holds or fails by its values alone, however
small their difference: intervals are the figures' and the claims'.
"""

import csv
from dataclasses import dataclass

import numpy as np

from experiments.fig_convergence import NEAR
from repro.evaluation.froc import sensitivity_at

RULES = {
    "above": lambda difference, margin: difference > margin,
    "below": lambda difference, margin: difference < -margin,
    "about equal": lambda difference, margin: abs(difference) <= margin,
    "no less": lambda difference, margin: difference >= -margin,
    "no more": lambda difference, margin: difference <= margin,
}
"""What a difference, first minus second, has to be; a difference of 0 is no order."""


@dataclass(frozen=True)
class Row:
    """One thing that the paper reports, beside ours.

    Attributes
    ----------
    what : str
        "conv1 against scratch".
    paper, ours : str
        Formatted for people; plain text.
    difference : str
        Ours minus the paper's number; where the paper gives an order, between our two values; may be empty.
    agrees : bool or None
        Whether a direction holds, or every cell is the paper's. None where there is nothing to agree with: errors on
        other images, or what was not measured.
    """

    what: str
    paper: str
    ours: str
    difference: str
    agrees: bool | None


@dataclass(frozen=True)
class Order:
    """An order of two values that the paper reports.

    Attributes
    ----------
    what, paper : str
        As in `Row`.
    first, second : tuple
        Keys of one value, or of two whose difference is meant: a gap.
    rule : str
        Key of `RULES`.
    margin : float
        0 for plain orders.
    """

    what: str
    paper: str
    first: tuple
    second: tuple
    rule: str = "above"
    margin: float = 0.0


def read_rows(path):
    """Return the rows of a figure's csv as dicts of text; none when there is no such file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def seeds_note(rows):
    """Say which seeds the rows of a csv are means over; nothing where it has no seeds."""
    seeds = sorted({int(row["seed"]) for row in rows if row.get("seed")})
    if not seeds:
        return ""
    return (
        f"Ours: seed {seeds[0]} alone." if len(seeds) == 1 else f"Ours: means over seeds {', '.join(map(str, seeds))}."
    )


def order_rows(orders, values, unit=""):
    """Hold orders against values: a row for each.

    Parameters
    ----------
    orders : sequence of Order
    values : dict of key to float
        A key that is missing, or a value that is not finite, was not measured.
    unit : str
        Written after every value, with one decimal; without one, values are shares (.55).

    Returns
    -------
    list of Row
    """
    return [_order_row(order, values, unit) for order in orders]


def _order_row(order, values, unit):
    sides = []
    for keys in (order.first, order.second):
        found = [values.get(key, np.nan) for key in keys]
        sides.append(found[0] - sum(found[1:]))
    difference = round(sides[0] - sides[1], 9)  # a tie stays a tie after means over seeds
    if not np.isfinite(difference):
        return Row(order.what, order.paper, "not measured", "", None)
    is_gap = len(order.first) > 1
    ours = " and ".join(quantity(side, unit, signed=is_gap) for side in sides)
    holds = bool(RULES[order.rule](difference, order.margin))
    return Row(order.what, order.paper, ours, quantity(difference, unit, signed=True), holds)


def curve_values(rows, across, up, points):
    """Read curves at operating points, as means over seeds.

    Parameters
    ----------
    rows : list of dict
        Of a figure of curves; those of kind "curve" are read.
    across, up : str
        Columns: "fp_per_frame", "sensitivity".
    points : sequence of float

    Returns
    -------
    dict of (panel, arm, fraction, point) to float
    """
    curves = {}
    for row in rows:
        if row["kind"] == "curve":
            key = row["panel"], row["arm"], float(row["fraction"]), row["seed"]
            curves.setdefault(key, []).append((float(row[across]), float(row[up])))
    read = {(*key, at): float(sensitivity_at(*np.transpose(of), at)) for key, of in curves.items() for at in points}
    return _mean_over_seeds({(*key[:3], key[4], key[3]): value for key, value in read.items()})


def area_values(rows):
    """Read areas under ROC curves, as means over seeds: a dict of ("auc", arm, fraction) to float."""
    of = [row for row in rows if row["kind"] == "auc_bootstrap"]
    return _mean_over_seeds({("auc", r["arm"], float(r["fraction"]), r["seed"]): float(r["auc"]) for r in of})


def error_rows(rows, paper):
    """Hold means and deviations of boundary errors against the paper's, and the order that they put arms in.

    Parameters
    ----------
    rows : list of dict
        Of Figure 9: an ROI of a run each.
    paper : dict of str to dict of str to (float, float)
        Mean and standard deviation in micrometres by arm, by interface.

    Returns
    -------
    list of Row
        An arm each, for each interface; its spread is over ROIs, those of all seeds together, as in the figure. Then
        a row for each interface that counts the pairs of arms in the paper's order.
    """
    found = []
    for interface, of in paper.items():
        errors = _errors(rows, interface)
        for arm, (mean, deviation) in of.items():
            what, theirs = f"{interface}: {arm}", f"{mean:.1f} ± {deviation:.1f} µm"
            if len(errors.get(arm, ())) < 2:
                found.append(Row(what, theirs, "not measured", "", None))
                continue
            ours = f"{np.mean(errors[arm]):.1f} ± {np.std(errors[arm], ddof=1):.1f} µm"
            found.append(Row(what, theirs, ours, quantity(np.mean(errors[arm]) - mean, "µm", signed=True), None))
    return found + [_pairs_in_order(interface, of, _errors(rows, interface)) for interface, of in paper.items()]


def error_values(rows):
    """Return mean errors in micrometres: a dict of (interface, arm) to float."""
    interfaces = ("LI", "MA")
    return {(name, arm): float(np.mean(of)) for name in interfaces for arm, of in _errors(rows, name).items()}


def _errors(rows, interface):
    """List an interface's errors by arm."""
    errors = {}
    for row in rows:
        errors.setdefault(row["arm"], []).append(float(row[f"{interface.lower()}_um"]))
    return errors


def _pairs_in_order(interface, paper, errors):
    arms = [arm for arm in paper if arm in errors]
    pairs = [(first, second) for k, first in enumerate(arms) for second in arms[:k]]
    alike = sum(
        (paper[first][0] < paper[second][0]) == (np.mean(errors[first]) < np.mean(errors[second]))
        for first, second in pairs
    )
    counts = [f"{number} of {len(pairs)}" for number in (len(pairs), alike)]
    return Row(f"{interface}: pairs of arms in the paper's order", *counts, "", bool(alike == len(pairs)))


def convergence_rows(rows, applications):
    """Hold mini-batches to convergence, and what they lead to, against the paper's Figure 10.

    Parameters
    ----------
    rows : list of dict
        Of Figure 10: application, arm, init, seed, batches, auc.
    applications : dict of str to bool
        Whether Xavier's or MSRA's initialisation led further than Gaussians in the paper.

    Returns
    -------
    list of Row
        For each application, fine-tuning against each initialisation, then the initialisations' own ends.
    """
    batches, best = _converged(rows)
    found = []
    for application, gains in applications.items():
        name, tuned = application.replace("_", " "), (application, "conv1")
        starts = {start: (application, start) for start in ("gaussian", "xavier", "msra")}
        for start, scratch in starts.items():
            found.append(_sooner(f"{name}: conv1 against scratch, {start}", batches, best, tuned, scratch))
        further = max((starts["xavier"], starts["msra"]), key=lambda key: best.get(key, -np.inf))
        paper, rule = ("a gain", "above") if gains else ("no gain", "no more")
        what, sides = f"{name}: best AUC of Xavier or MSRA against Gaussian", ((further,), (starts["gaussian"],))
        found += order_rows([Order(what, paper, *sides, rule, NEAR)], best)
    return found


def _sooner(what, batches, best, first, second):
    """Hold mini-batches to the common level; infinitely many for a network that never has it."""
    paper = "far fewer mini-batches"
    if first not in best or second not in best:
        return Row(what, paper, "not measured", "", None)
    words = [f"{batches[key]:.0f}" if np.isfinite(batches[key]) else "never" for key in (first, second)]
    ours = " and ".join(
        f"{word} (best {quantity(best[key])})" for word, key in zip(words, (first, second), strict=True)
    )
    both = np.isfinite([batches[first], batches[second]]).all()
    difference = f"{batches[first] - batches[second]:+.0f}" if both else ""
    return Row(what, paper, ours, difference, bool(batches[first] < batches[second]))


def _converged(rows):
    """Return mini-batches to within `NEAR` of the best AUC of any network from scratch, and every network's best AUC.

    Two dicts, means over seeds; batches are infinite where a seed's network never had that AUC.
    """
    runs, best, level = {}, {}, {}
    for row in rows:
        key = row["application"], "conv1" if row["arm"] == "conv1" else row["init"], row["seed"]
        runs.setdefault(key, []).append((float(row["batches"]), float(row["auc"])))
    for key, points in runs.items():
        best[key] = max(auc for _, auc in points)
        if key[1] != "conv1":
            level[key[::2]] = max(level.get(key[::2], -np.inf), best[key] - NEAR)
    reached = {
        key: min((after for after, auc in points if auc >= level.get(key[::2], np.inf)), default=np.inf)
        for key, points in runs.items()
    }
    return _mean_over_seeds(reached), _mean_over_seeds(best)


def quantity(value, unit="", signed=False):
    """Write a value for people: .55, +.05, 50.3 µm, +26.1 µm; no difference at all is 0."""
    if signed and value == 0:
        return "0"
    text = f"{value:{'+' if signed else ''}.{1 if unit else 2}f}"
    return f"{text} {unit}" if unit else text.replace("0.", ".", 1) if abs(value) < 0.995 else text


def _mean_over_seeds(values):
    """Average values whose keys end in a seed."""
    of = {}
    for key, value in values.items():
        of.setdefault(key[:-1], []).append(value)
    return {key: float(np.mean(found)) for key, found in of.items()}
