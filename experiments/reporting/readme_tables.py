"""The README's tables, each from files that scripts wrote: real data, times. For `experiments.readme`."""

from statistics import fmean, median

from experiments.reporting.held_against import read_rows
from experiments.reporting.page_claims import number
from experiments.reporting.page_facts import duration
from repro.finetune import label

# Of a figure's foot, what was trained and tested with, in this order; and what explains the drawing, or repeats the
# first seed's numbers.
LEDGER_NOTES = ("Trained on", "Candidates hit", "Frames to train", "Segmented", "By share of the training patients")
DRAWING_NOTES = ("95 % intervals", "Pale", "Not shown", "By share", "Area under", "IMT, found", "Boxes hold")


def areas(stem, root):
    """Show the areas under the ROC curves of a figure: the mean over its seeds, then each seed's."""
    found = {}
    for row in rows_of(root, stem):
        if row["kind"] == "auc_bootstrap":
            found.setdefault(_arm(row), []).append(float(row["auc"]))
    rows = [[arm, _mean(of)] for arm, of in found.items()]
    return _on_real_data(root, stem, ["arm", "area under the ROC curve"], rows)


def sensitivities(stem, points, root):
    """Show sensitivities of a figure's arms at false positives a frame: the mean over its seeds, then each seed's."""
    found = {}
    for row in rows_of(root, stem):
        at = float(row["fp_per_frame"])
        if row["kind"] == "bootstrap" and at in points:
            # By seed, because conv1 and scratch stand in both panels.
            found.setdefault(_arm(row), {}).setdefault(at, {})[row["seed"]] = float(row["sensitivity"])
    rows = [[arm, *(_mean(list(of[at].values())) for at in points)] for arm, of in found.items()]
    heads = [f"sensitivity at {point(at)} false positives a frame" for at in points]
    return _on_real_data(root, stem, ["arm", *heads], rows)


def errors(stem, root):
    """Show the errors of a figure's interfaces in micrometres, over ROIs and seeds: means, then medians."""
    found = {}
    for row in rows_of(root, stem):
        for interface in ("li", "ma"):
            found.setdefault(_arm(row), {}).setdefault(interface, []).append(float(row[f"{interface}_um"]))
    rows = [[arm, *(f"{take(of[name]):.0f}" for take in (fmean, median) for name in of)] for arm, of in found.items()]
    heads = [f"{name} {what}, µm" for what in ("mean", "median") for name in ("LI", "MA")]
    return _on_real_data(root, stem, ["arm", *heads], rows)


def times(root):
    """Show how long each script of `make figures` took, and all."""
    rows, (note, *_) = rows_of(root, "times"), notes_of(root, "times")
    counted = next(name for name in rows[0] if name not in ("script", "seconds"))
    shown = [[f"`{row['script']}`", duration(float(row["seconds"])), row[counted]] for row in rows]
    sums = duration(sum(float(row["seconds"]) for row in rows)), str(sum(int(row[counted]) for row in rows))
    return f"{note}:\n\n{table(['script', 'time', f'new {counted}'], [*shown, ['all', *sums]])}"


def table(heads, rows):
    """Write a table in Markdown; cells are text."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rows_of(root, stem):
    """Return the rows of a csv in figures/ as dicts of text.

    Raises
    ------
    FileNotFoundError
        When there are none; names the file.
    """
    path = root / "figures" / f"{stem}.csv"
    rows = read_rows(path)
    if not rows:
        made_by = "times" if stem == "times" else "figures"
        raise FileNotFoundError(f"{path} is not there, or has no rows. Make it: make {made_by}")
    return rows


def notes_of(root, stem):
    """Return the lines that open a csv in figures/, its title first."""
    with opened(root / "figures" / f"{stem}.csv") as file:
        return [line[2:].strip() for line in file if line.startswith("# ")]


def ledger(notes):
    """Say, from a figure's notes, what was trained and tested with."""
    of = [line for start in LEDGER_NOTES for line in notes if line.startswith(start)]
    return " ".join(of)


def files(stem):
    """Link a figure and its numbers."""
    return f"[Figure](figures/{stem}.png), [numbers](figures/{stem}.csv)."


def caveats(lines):
    """Write caveats as sentences behind each other; nothing where there are none."""
    sentences = [f"{line[0].upper()}{line[1:].rstrip('.')}." for line in lines]
    return " ".join(["Caveats:", *sentences]) if lines else ""


def point(at):
    """Write an operating point: .1, 1, 2."""
    return f"{float(at):g}".replace("0.", ".", 1)


def _on_real_data(root, stem, heads, rows):
    """Write a table of a figure on real data, between what was trained and tested on and the caveats."""
    title, *notes = notes_of(root, stem)
    each = (
        " Means over seeds, in brackets each seed's."
        if any("(" in cell for _, *cells in rows for cell in cells)
        else ""
    )
    made = f"{title.partition('. ')[2]}. {ledger(notes)} {files(stem)}{each}"
    others = [line for line in notes if not line.startswith((*LEDGER_NOTES, *DRAWING_NOTES))]
    return "\n".join([made, "", table(heads, rows), "", caveats(others)]).rstrip()


def _mean(values):
    """Write the mean of values, and each of them where they differ."""
    each = f" ({', '.join(map(number, values))})" if len(set(values)) > 1 else ""
    return f"{number(fmean(values))}{each}"


def _arm(row):
    name, fraction = label(row["arm"]), float(row["fraction"])
    return name if fraction == 1 else f"{name}, {fraction * 100:g} %"


def opened(path):
    """Open a file that a script makes, or say that one must.

    Raises
    ------
    FileNotFoundError
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. Its script in experiments/ or benchmarks/ makes it.")
    return path.open(newline="", encoding="utf-8")
