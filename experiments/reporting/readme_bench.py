"""Tables of benchmarks, for README.md and BENCHMARKS.md, from benchmarks/measured.csv. For `experiments.readme`."""

import csv
import re
from collections import Counter
from itertools import groupby

from experiments.reporting.readme_tables import opened, table

APART = ("arms", "precision", "step_profile")
"""Scripts whose rows have tables of their own."""
HEADLINES = (
    "training step of 50 patches, FT:conv1-fc8: Caffe 227 px, 4096 units",
    "eight depths, 5 epochs: caffe 131 px, 512 units",
    "five depths, fc8 to conv4, 5 epochs: caffe 131 px, 512 units",
    "training with its input, first epoch: FT:conv1-fc8, caffe 227 px, 4096 units",
    "training with its input, later epochs: FT:conv1-fc8, caffe 227 px, 4096 units",
    "views of a box of 100 px: 3 scales x 9 translations x 8 orientations, 227 px",
    "vessel-aligned views: 227 px, voxels of 1x0.65x0.65 mm",
    "confidence maps of 60x92 pixels: caffe 227 px, 4096 units, 8 px a pixel, 92 columns",
    "FROC curve with its IDCA fit and 2,000 resamples of subjects, 100,000 candidates",
    "a figure drawn again, from the command to its picture (Figure 2, quick profile)",
    "most memory of a sweep of the paper's size: polyps, 100,000 patches of 227 pixels",
)
"""What the README shows of it: one case of each, on the default backend, in this order."""
STEP = re.compile(r"training step, (?P<arm>.+?): (?P<network>.+?)(?:, frozen prefix)?")
FLOOR = re.compile(r"floor (?P<floor>[\d.]+) ms \(x(?P<times>[\d.]+)\)")
PROFILE = re.compile(r"profile of a training step, (?P<arm>.+?): (?P<network>.+)")
PART = re.compile(r"(?P<kind>.+) (?P<quantity>[-\d.e]+(?: \(\d+ %\))?)")
CHANGE = re.compile(r"(?P<change>training\.\w+=\w+): (?P<where>.+), (?P<arm>\w+), seed (?P<seed>\d+)")
MOVED = re.compile(r"AUC (?P<before>[\d.]+) becomes (?P<after>[\d.]+); scores differ by (?P<apart>[\d.]+) at most")


def headlines(root):
    """Show the comparisons that the README has, a column for each machine."""
    shown = {}
    for machine, rows in _by_machine(root).items():
        if kept := [row for what in HEADLINES for row in rows if row["ratio"] and _what(row) == what]:
            shown[machine] = kept
    if missing := set(HEADLINES).difference(row["what"] for rows in shown.values() for row in rows):
        raise ValueError(f"measured.csv lacks what the README shows: {sorted(missing)}. Measure it: make bench.")
    return "\n\n".join([_dated(shown), _ratios(shown)])


def bench(root):
    """Show all that the benchmarks compared, a column for each machine, and what they timed without a rival."""
    machines = _by_machine(root)
    compared = {machine: [row for row in rows if row["ratio"]] for machine, rows in machines.items()}
    parts = [_dated(machines), _ratios(compared)]
    alone = {machine: [row for row in rows if not row["ratio"]] for machine, rows in machines.items()}
    parts += [_side_by_side(["timed alone"], "{after} {unit}", alone)] if any(alone.values()) else []
    return "\n\n".join(parts)


def arms(root):
    """Show where the time of each arm goes: its step beside its floor, a column for each machine and backend."""
    machines = {}
    for (machine, backend), rows in _groups(root, ["machine", "backend"], "arms"):
        machines[machine if _default(backend) else f"{machine}, {backend}"] = rows
    rates, cells = [], {}
    for name, rows in machines.items():
        timed = [(STEP.fullmatch(row["what"]), row) for row in rows]
        known = [f"{row['what']} {_quantity(row, 'after')}" for step, row in timed if not step]
        rates.append(f"- {'; '.join([_heading(rows[0]['machine'], rows), *known])}")
        for step, row in timed:
            if step:
                cells.setdefault((step["network"], step["arm"]), {})[name] = _beside_floor(row)
    shown = [[*key, *(found.get(name, "") for name in machines)] for key, found in cells.items()]
    return "\n".join([*rates, "", table(["network", "arm", *machines], shown)])


def profile(root, most=None):
    """Show where the time of each arm's step goes, on so many machines at most: by kind of operation, and their sum."""
    parts = []
    for (machine, _), rows in _groups(root, ["machine", "backend"], "step_profile")[:most]:
        steps = [(PROFILE.fullmatch(row["what"]), _parts(row["note"]), _number(row["after"])) for row in rows]
        kinds = list(dict.fromkeys(kind for _, times, _ in steps for kind in times))
        networks = ", ".join(dict.fromkeys(step["network"] for step, _, _ in steps))
        shown = [[step["arm"], *(times.get(kind, "") for kind in kinds), total] for step, times, total in steps]
        parts.append(f"{_heading(machine, rows)}; {networks}, ms an image:")
        parts.append(table(["arm", *kinds, "all"], shown))
    return "\n\n".join(parts)


def precision(root):
    """Show how far another precision moves results: by change and arm, areas under the ROC curve of each seed."""
    parts = []
    for (machine, _), rows in _groups(root, ["machine", "backend"], "precision"):
        found = [(CHANGE.fullmatch(row["what"]), MOVED.fullmatch(row["note"])) for row in rows]
        cells = {}
        for change, moved in found:
            cells.setdefault((change["change"], change["where"], change["arm"]), []).append(moved)
        shown = [[f"`{change}`", where, arm, *_areas(seeds)] for (change, where, arm), seeds in cells.items()]
        parts.append(f"{_heading(machine, rows)}:")
        parts.append(table(["change", "on", "arm", "AUC by seed", "becomes", "scores differ by at most"], shown))
    return "\n\n".join(parts)


def _groups(root, keys, script=None):
    """Return rows, those of one script or all, in groups that have some columns in common.

    The machine with the most rows comes first in every table: the note of the first one is shown, and should be there.
    """
    with opened(root / "benchmarks" / "measured.csv") as file:
        rows = list(csv.DictReader(file))
    number = Counter(row["machine"] for row in rows)
    rows = sorted(rows, key=lambda row: (-number[row["machine"]], row["machine"]))
    rows = [row for row in rows if script in (None, row["script"])]
    return [(values, list(group)) for values, group in groupby(rows, lambda row: [row[key] for key in keys])]


def _by_machine(root):
    """Return the rows of each machine, but for those of scripts that have tables of their own."""
    machines = {}
    for (machine,), rows in _groups(root, ["machine"]):
        if kept := [row for row in rows if row["script"] not in APART]:
            machines[machine] = kept
    return machines


def _dated(machines):
    """Name the machines, a line for each."""
    return "\n".join(f"- {_heading(machine, rows)}" for machine, rows in machines.items())


def _ratios(machines):
    """Make the table of what was compared."""
    return _side_by_side(["what", "against"], "**{ratio}**: {before} to {after} {unit}", machines)


def _heading(machine, rows):
    """Name the machine, the backends and the dates."""
    backends, dates = (", ".join(sorted({row[key] for row in rows} - {""})) for key in ("backend", "date"))
    return ", ".join(filter(None, (machine, backends, dates)))


def _side_by_side(heads, cell, machines):
    """Make a table with a column for each machine, filled by `cell` or empty, and the note of the first that has one.

    Notes of others differ from it in digits.
    """
    found = {}
    for machine, rows in machines.items():
        for row in rows:
            found.setdefault((_what(row), row["against"]), {})[machine] = row
    rows = []
    for key, seen in found.items():
        first, *_ = seen.values()
        cells = [_filled(cell, seen[machine]) if machine in seen else "" for machine in machines]
        rows.append([*key[: len(heads)], *cells, first["note"]])
    return table([*heads, *machines, "note"], rows)


def _filled(cell, row):
    numbers = {key: _number(row[key]) for key in ("before", "after", "ratio") if row[key]}
    return cell.format(**numbers, unit=row["unit"])


def _what(row):
    """Name what was timed, and the backend where it is not the default one."""
    return row["what"] if _default(row["backend"]) else f"{row['what']}; {row['backend']}"


def _default(backend):
    return not backend or backend.startswith("tensorflow")


def _beside_floor(row):
    """Write an arm's step as how many times its floor it takes, on patches and, where it has one, with a prefix."""
    found, steps = FLOOR.match(row["note"]), [_number(row[key]) for key in ("before", "after") if row[key]]
    return f"**{_number(found['times'])}**: {' to '.join(steps)} ms, floor {_number(found['floor'])}"


def _parts(note):
    """Read "convolutions 4.31 (87 %); update 1.2": texts by kind."""
    found = [PART.fullmatch(part) for part in note.split("; ")]
    return {part["kind"]: part["quantity"] for part in found}


def _areas(seeds):
    before, after = (" ".join(moved[key].lstrip("0") for moved in seeds) for key in ("before", "after"))
    return [before, after, max((moved["apart"] for moved in seeds), key=float).lstrip("0")]


def _quantity(row, key):
    return f"{_number(row[key])} {row['unit']}"


def _number(text):
    value = float(text)
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}"
