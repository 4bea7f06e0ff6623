"""What the paper reports, item by item, and how far ours is from it: for the report.

Statements and numbers: PAPER.md, sections 1 to 3 (Tajbakhsh et al., IEEE TMI 35(5), 2016), in our own words. Where the
paper has curves and no numbers, the orders that its text gives are held against ours (`paper_numbers`).
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from experiments import fig_carotid_boxplots, table_s1, table_s2, table_s3, table_s4
from experiments.fig_convergence import NEAR
from experiments.reporting import held_against, held_tables
from experiments.reporting import paper_numbers as given
from experiments.reporting.held_against import Row, quantity


@dataclass(frozen=True)
class Item:
    """A figure or table of the paper.

    Attributes
    ----------
    key : str
        "fig_2", "table_s1".
    title : str
        "Figure 2: polyp detection".
    group : str
        "network", "polyp", "embolism", "frame_quality", "carotid" or "convergence".
    script : str
        Stem of the script that draws it, and of its files: "fig_polyp_froc".
    statement : str
        What the paper reports, in our own words; plain text.
    note : str
        How to read the rows: plain text, or empty.
    rows : tuple of Row
        The paper against ours; empty when the numbers are not there, or when there is nothing to compare.
    """

    key: str
    title: str
    group: str
    script: str
    statement: str
    note: str = ""
    rows: tuple[Row, ...] = ()


_ARM = (
    "Yes and no are about directions alone, however small the difference. An arm is named after the first layer that "
    "learns: conv4 for FT:conv4-fc8."
)
_CELLS = (
    "Cells say that two arms differ, not which is better. The paper's rule: IDCA intervals do not overlap; paired "
    "bootstrap: over subjects, after Holm."
)

ITEMS = (
    Item(
        *("table_1", "Table I: the network", "network", "table_1"),
        "AlexNet for images of 227x227 pixels: five convolutions, three poolings, three fully connected layers, the "
        "last with C units, one for each class (3 for the carotid, 2 elsewhere). LRN, groups, ReLU and dropout are "
        "left out.",
        "(a) is the paper's network as the code builds it, for 2 classes; (b) the one that this profile trains.",
    ),
    Item(
        *("table_2", "Table II: learning rates", "network", "table_2"),
        "Layers that are tuned learn at .001, the new fc8 at .01, all before them not at all; from scratch every layer "
        "learns at .001. Momentum .9 and schedule .95 in every row.",
        "Ours is measured on what the optimiser does.",
    ),
    Item(
        *("fig_1", "Figure 1: polyps", "polyp", "fig_polyp_examples"),
        "A gallery: polyps vary in shape and look.",
    ),
    Item(
        *("fig_2", "Figure 2: polyp detection", "polyp", "fig_polyp_froc"),
        "(a) Deep tuning beats moderate and moderate beats shallow; from conv4 on and deeper it beats scratch at few "
        "false positives; every network beats the handcrafted rival (p < .05). (b) With 50 and 25 % of the training "
        "videos the gap between conv1 and scratch widens; at 25 % scratch collapses.",
        f"Sensitivity at .1 false positives per frame. {_ARM}",
    ),
    Item(
        *("table_s1", "Table S1: which arms differ on polyps", "polyp", "table_s1"),
        "At .001 and .01 false positives per frame: every arm differs from fc8; conv5 and deeper from fc7 and fc6 too; "
        "conv2 and conv1 also from conv5, conv4 and conv3; scratch from every other network at one of the points at "
        "least; the handcrafted rival from every network.",
        f"{_CELLS} conv3 against conv5 and conv4 at .001 is left out: one of them differs in the paper, and its text "
        "does not show which.",
    ),
    Item(
        *("fig_3", "Figure 3: emboli in two representations", "embolism", "fig_pe_representation"),
        "A gallery: emboli in three channels, axial, sagittal and coronal, and in the vessel-aligned two channels.",
    ),
    Item(
        *("fig_4", "Figure 4: embolism detection", "embolism", "fig_pe_froc"),
        "(a) Curves saturate from the late fully connected layers on; conv1 is about equal to scratch and to the "
        "handcrafted rival. (b) With 50 % of the training emboli there is a clear gap between conv1 and scratch, with "
        "25 % a smaller one that is still significant.",
        f"Sensitivity at 2 false positives per volume; about equal: within {quantity(given.ABOUT)}. The paper takes "
        f"away emboli, we also patients. {_ARM}",
    ),
    Item(
        *("table_s2", "Table S2: which arms differ on emboli", "embolism", "table_s2"),
        "At 1 to 5 false positives per volume: every arm differs from fc8, though fc7 not at 1; conv5 and deeper, "
        "scratch and the handcrafted rival from fc7 at some of the points; conv1 from fc6 at 3; hardly any other pair "
        "at any.",
        f"{_CELLS} conv3 against fc6, conv5 and conv4 at 1 is left out: one of them differs in the paper, and its text "
        "does not show which.",
    ),
    Item(
        *("fig_5", "Figure 5: informative or not", "frame_quality", "fig_frame_examples"),
        "A gallery: one informative and three non-informative frames.",
    ),
    Item(
        *("fig_6", "Figure 6: informative frames", "frame_quality", "fig_frame_roc"),
        "(a) Tuning from conv5 or conv4 is best at 10 and 15 % false positives; scratch beats only fc8, and loses to "
        "conv5. (b) With 10 % of the training frames there is no real loss; with 5 and 1 % scratch falls much more.",
        f"(a) True positive rate at a false positive rate; (b) area under the curve; no real loss: at most .02. {_ARM}",
    ),
    Item(
        *("table_s3", "Table S3: which arms differ on frames", "frame_quality", "table_s3"),
        "At false positive rates of .1, .15 and .2: every fine-tuned arm differs from fc8 at .1, conv5 and deeper at "
        ".15 too; the handcrafted rival from every network, at all three rates from seven of them.",
        f"{_CELLS} scratch against the fine-tuned arms is left out: in which columns its cells stand cannot be read.",
    ),
    Item(
        *("fig_7", "Figure 7: patches of the carotid", "carotid", "fig_carotid_patches"),
        "A drawing over a frame: patches are taken on the lumen-intima interface (LI), on the media-adventitia "
        "interface (MA), and far from both.",
    ),
    Item(
        *("fig_8", "Figure 8: from a region to its interfaces", "carotid", "fig_carotid_stages"),
        "Five panels: a test region of interest (about 92x60 pixels), its confidence map, thinned, smoothed by "
        "snakes, and the truth.",
    ),
    Item(
        *("fig_9", "Figure 9: errors of the interfaces", "carotid", "fig_carotid_boxplots"),
        "Box plots over 132 test regions. Mean errors, LI / MA, in µm: fc8 101 / 103, fc7 35 / 44, fc6 28 / 35, conv5 "
        "to conv1 24 to 25 / 31 to 32, scratch 28 / 33, handcrafted 98 / 107; conv3 is best for LI, conv4 for MA.",
        f"Errors in µm, mean ± standard deviation over regions; lower is better; other images than the paper's. {_ARM}",
    ),
    Item(
        *("table_s4", "Table S4: p values between arms", "carotid", "table_s4"),
        "fc8 and fc7 differ from all other networks (p < .0001) and from one another, the handcrafted rival from all "
        "networks but fc8; scratch from all but fc6 for LI, from fc8, fc7, conv4 and conv1 for MA; of conv5 to "
        "conv1 none from another for LI, and for MA only conv4 from conv5, conv3 and conv2.",
        "The paper's test: evidently a paired t test over regions, uncorrected; paired bootstrap: over subjects, after "
        "Holm.",
    ),
    Item(
        *("fig_10", "Figure 10: convergence", "convergence", "fig_convergence"),
        "Validation AUC against mini-batches in the four applications: fine-tuning from conv1 converges far sooner "
        "than scratch, however initialised. After convergence Xavier and MSRA gain nothing over Gaussians, but for "
        "embolism.",
        f"Mini-batches until a network is within {quantity(NEAR)} of the best AUC of any from scratch. A gain: more "
        f"than {quantity(NEAR)}.",
    ),
)


def items(figures, suffix=""):
    """List the paper's items with ours held against each.

    Parameters
    ----------
    figures : str or Path
        Folder of what the scripts wrote.
    suffix : str
        Of the names of csv files: "_cvc-colondb" for real data.

    Returns
    -------
    list of Item
        All, whatever files there are, in the paper's order within each application.

    Raises
    ------
    ValueError
        For a csv without the columns that its script writes.
    """
    return [_held(item, Path(figures) / f"{item.script}{suffix}.csv") for item in ITEMS]


def _held(item, path):
    rows = held_against.read_rows(path)
    if not rows or item.key not in _HELD:
        return item
    try:
        held = tuple(_HELD[item.key](rows))
    except KeyError as missing:
        raise ValueError(
            f"{path.name}: expected a column {missing}. Received: {', '.join(rows[0])}. "
            f"Draw it again: python experiments/{item.script}.py"
        ) from None
    return replace(item, rows=held, note=" ".join(filter(None, (item.note, held_against.seeds_note(rows)))))


def _table_1(rows):
    paper = held_tables.read_cells(given.TABLE_1, given.TABLE_1_COLUMNS)
    ours = {letter: {row["layer"]: row for row in rows if row["panel"] == letter} for letter in "ab"}
    yield from held_tables.cell_rows("(a) the paper's network", paper, ours["a"])
    yield from held_tables.cell_rows("(b) this profile's network", paper, ours["b"], listed=False)


def _table_2(rows):
    paper = held_tables.read_cells(given.TABLE_2, given.TABLE_2_COLUMNS)
    return held_tables.cell_rows("all arms", paper, {row["arm"]: row for row in rows})


def _fig_2(rows):
    values = held_against.curve_values(rows, "fp_per_frame", "sensitivity", [given.FP_PER_FRAME])
    return held_against.order_rows(given.POLYP, values)


def _fig_4(rows):
    values = held_against.curve_values(rows, "fp_per_volume", "sensitivity", [given.FP_PER_VOLUME])
    return held_against.order_rows(given.EMBOLISM, values)


def _fig_5(rows):
    informative = sum(row["informative"] == "True" for row in rows)
    ours = f"{informative} informative, {len(rows) - informative} not"
    return [Row("frames shown", "1 informative, 3 not", ours, "", None)]


def _fig_6(rows):
    values = held_against.curve_values(rows, "false_positive_rate", "true_positive_rate", given.FP_RATES)
    return held_against.order_rows(given.FRAMES, values | held_against.area_values(rows))


def _fig_8(rows):
    return [Row("columns of the region", "about 92", str(len(rows)), f"{len(rows) - 92:+d}", None)]


def _fig_9(rows):
    yield from held_against.error_rows(rows, fig_carotid_boxplots.PAPER)
    yield from held_against.order_rows(given.CAROTID, held_against.error_values(rows), "µm")


_HELD = {
    "table_1": _table_1,
    "table_2": _table_2,
    "fig_2": _fig_2,
    "table_s1": partial(
        held_tables.difference_rows,
        paper=table_s1.PAPER,
        unsure=given.S1_UNSURE,
        points=given.S1_POINTS,
        place="at {} false positives per frame",
    ),
    "fig_4": _fig_4,
    "table_s2": partial(
        held_tables.difference_rows,
        paper=table_s2.PAPER,
        unsure=given.S2_UNSURE,
        points=given.S2_POINTS,
        place="at {} false positives per volume",
    ),
    "fig_5": _fig_5,
    "fig_6": _fig_6,
    "table_s3": partial(
        held_tables.difference_rows,
        paper=table_s3.PAPER,
        unsure=set(),
        points=given.S3_POINTS,
        place="at a false positive rate of {}",
    ),
    "fig_8": _fig_8,
    "fig_9": _fig_9,
    "table_s4": partial(
        held_tables.significance_rows,
        paper=table_s4.PAPER,
        means=fig_carotid_boxplots.PAPER,
        arms=table_s4.SHOWN,
    ),
    "fig_10": partial(held_against.convergence_rows, applications=given.GAINS),
}
"""By an item's key, from the rows of its csv to rows of the report; the other items are galleries."""
