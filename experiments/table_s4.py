"""Table S4: p values between the box plots of Figure 9, for each interface.

Claim tested: as Figure 9, arm by arm (C1, C3).
Paper: fc8, fc7 and the handcrafted rival differ from all others (p < .0001); conv5 to conv1 hardly from each other;
scratch is worse than conv4 and deeper. Evidently a paired t test over the 132 ROIs (METHODS B3).
Ours: the same test, Wilcoxon's and a paired bootstrap over subjects, each with Holm's correction in the csv; ROIs of
one subject are not independent, so that the bootstrap is the one to believe. On phantoms (quick profile) it leaves
fc8 worse than every other network for MA, a few pairs more for MA, and none for LI.
Time: seconds, when Figure 9 is done.

    python experiments/table_s4.py
    python experiments/table_s4.py --data FOLDER
"""

from experiments import captions, command, sources
from experiments.fig_carotid_boxplots import INTERFACES, SHOWN, evaluated
from repro import plotting, table_drawing
from repro.evaluation.boundaries import roi_errors
from repro.evaluation.paired import compare_errors
from repro.finetune import label

RULES = {
    "paired t test over ROIs, as the paper": "p_t",
    "Wilcoxon over ROIs, after Holm": "p_wilcoxon_holm",
    "paired bootstrap over subjects, after Holm": "p_bootstrap_holm",
}

# The paper's table, columns in the order of SHOWN.
_FOUR, _THREE, _TWO = ("<.0001 " * number for number in (4, 3, 2))
PAPER = {
    "LI": {
        "fc7": "<.0001",
        "fc6": _TWO,
        "conv5": _TWO + "<.001",
        "conv4": _THREE + ".5808",
        "conv3": _THREE + ".0638 .0758",
        "conv2": _THREE + ".2501 .3570 .2284",
        "conv1": _THREE + ".4183 .5491 .4650 .9530",
        "scratch": _TWO + ".7829 <.05 " + _FOUR,
        "handcrafted": ".8148 " + 2 * _FOUR,
    },
    "MA": {
        "fc7": "<.0001",
        "fc6": _TWO,
        "conv5": _TWO + "<.05",
        "conv4": _THREE + "<.05",
        "conv3": _TWO + "<.05 .7904 <.05",
        "conv2": _TWO + "<.05 .7160 <.05 .8854",
        "conv1": _TWO + "<.001 .2474 .2456 .2915 .2313",
        "scratch": _TWO + ".3954 .2106 <.05 .1369 .0981 <.05",
        "handcrafted": ".5109 " + 2 * _FOUR,
    },
}


def main(arguments=None):
    """Make the runs, then draw a table for each seed."""
    options = command.parse(__doc__, arguments)
    data = sources.carotid(options)
    found = command.make(command.list_runs("carotid", options, data, SHOWN), options)
    for seed in options.seeds:
        draw({arm: found[arm, 1.0, seed] for arm in SHOWN}, options, data, seed)


def draw(found, options, data, seed):
    """Draw a row of tables for each interface, the paper's first, and write all numbers."""
    subjects, comparisons = len(next(iter(found.values()))[0].subjects), len(SHOWN) * (len(SHOWN) - 1) // 2
    few = captions.few_for_holm(subjects, comparisons)
    notes = captions.caption(found.values(), options, evaluated(options), *few)
    names, rows = [label(arm) for arm in SHOWN], []
    figure, axes = plotting.subplots(columns=1 + len(RULES), rows=2, width_in=6.2, height_in=5)
    subject = next(iter(found.values()))[0].subject
    for number, (interface, row) in enumerate(zip(INTERFACES, axes, strict=True)):
        pairs = compare_errors({arm: roi_errors(one)[:, number] for arm, (one, _) in found.items()}, subject)
        table_drawing.draw_triangle(row[0], names, paper_cells(interface))
        plotting.finish(row[0], f"{interface}: the paper", notes if number == 0 else "")
        for ax, (title, rule) in zip(row[1:], RULES.items(), strict=True):
            cells = {(label(p.second), label(p.first)): table_drawing.p_cell(getattr(p, rule)) for p in pairs}
            table_drawing.draw_triangle(ax, names, cells)
            plotting.finish(ax, f"{interface}: {title}")
        rows += [{"interface": interface} | vars(pair) for pair in pairs]
    figure.suptitle(f"Table S4: p values between arms. {captions.title(options, data)}")
    command.save(figure, options, data, command.seeded("table_s4", seed, options), rows, notes)


def paper_cells(interface):
    """Return the paper's cells as `table_drawing.draw_triangle` takes them."""
    return {
        (label(row), label(column)): (text, table_drawing.p_cell(0.99 * float(text.strip("<")))[1])
        for row, texts in PAPER[interface].items()
        for column, text in zip(SHOWN, texts.split(), strict=False)
    }


if __name__ == "__main__":
    command.run_script(main)
