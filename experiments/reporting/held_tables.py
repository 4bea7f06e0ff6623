"""How far our Tables I, II and S1 to S4 are from the paper's, cell by cell: rows of the report.

For `paper`, beside `held_against`. Cells of S1 to S4 tell that two arms differ, not which of
them is the better one; cells that cannot be read in the paper are left out.
"""

from experiments.reporting.held_against import Row
from repro.table_drawing import points_cell

P = 0.05
RULES = {
    "the paper's rule": lambda row: row["differ_idca"] == "True",
    "paired bootstrap": lambda row: float(row["p_holm"]) < P,
}
"""When two curves differ at a point (S1 to S3): their IDCA intervals do not overlap; or the test that we believe."""

P_VALUES = {"the paper's test": "p_t", "paired bootstrap": "p_bootstrap_holm"}
"""Columns of Table S4's csv, likewise."""


def read_cells(text, columns):
    """Read a table that is typed as lines of "row,cell,cell": a dict of cells by column, by row."""
    lines = (line.split(",") for line in text.strip().splitlines())
    return {row: dict(zip(columns, cells, strict=True)) for row, *cells in lines}


def cell_rows(what, paper, ours, listed=True):
    """Hold a table against the paper's, cell by cell.

    Parameters
    ----------
    what : str
        Opens the row that counts.
    paper, ours : dict of str to dict of str to str
        Cells by column, by row. Numbers that are equal are alike, however written.
    listed : bool
        Give every cell that differs a row of its own.

    Returns
    -------
    list of Row
    """
    cells = [
        (row, column, text, ours.get(row, {}).get(column, "")) for row in paper for column, text in paper[row].items()
    ]
    differ = [cell for cell in cells if not _same(*cell[2:])]
    total, alike = len(cells), len(cells) - len(differ)
    counts = Row(f"{what}: cells that agree", f"{total} of {total}", f"{alike} of {total}", "", not differ)
    own = [Row(f"{row}, {column}", text, found or "nothing", "", False) for row, column, text, found in differ]
    return [counts, *(own if listed else [])]


def _same(text, other):
    try:
        return float(text) == float(other)
    except ValueError:
        return text == other


def difference_rows(rows, paper, unsure, points, place):
    """Hold tables of which pairs differ where (S1 to S3) against the paper's, by the paper's rule and by ours.

    Parameters
    ----------
    rows : list of dict
        Of our table: a pair at a point each.
    paper : dict of str to dict of str to sequence of float or None
        Points by column, by row; None where they cannot be read: those pairs are left out.
    unsure : set of (str, str, float)
        Further cells that cannot be read, as (column, row, point).
    points : sequence of float
        The paper's.
    place : str
        "at {} false positives per frame".

    Returns
    -------
    list of Row
        For each rule, a row for each point and, of several points, one for all.
    """
    unread = {(column, row) for row, of in paper.items() for column, at in of.items() if at is None}
    theirs = {(column, row, at) for row, of in paper.items() for column, where in of.items() for at in where or ()}
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in rows))
    sure = [(*pair, at) for at in points for pair in pairs if pair not in unread and (*pair, at) not in unsure]
    found = []
    for rule, differs in RULES.items():
        ours = {(row["first"], row["second"], float(row["at"])): differs(row) for row in rows}
        for at in points:
            here = [cell for cell in sure if cell[2] == at]
            found.append(_count(f"{place.format(points_cell([at], 1)[0])}, {rule}", here, theirs, ours))
        if len(points) > 1 and ours.keys() >= set(sure):
            found.append(_count(f"at all points, {rule}", sure, theirs, ours))
    return found


def _count(what, cells, theirs, ours, same=None):
    """Count in which of some cells a difference is found: by the paper, a set of cells, and by us, a dict to bool.

    `same` are the cells where the better arm is the same, where that is known.
    """
    paper = sum(cell in theirs for cell in cells)
    said = f"{paper} of {len(cells)} differ"
    if not ours.keys() >= set(cells):
        return Row(what, said, "not resolved", "", None)
    own, both = sum(ours[cell] for cell in cells), [cell for cell in cells if cell in theirs and ours[cell]]
    alike = len(cells) - paper - own + 2 * len(both)
    turned = 0 if same is None else len(set(both) - same)
    known = "" if same is None else f" ({len(both) - turned} in the same direction)"
    words = f"{alike} of {len(cells)} alike; both {len(both)}{known}, only the paper {paper - len(both)}"
    words = f"{words}, only ours {own - len(both)}"
    return Row(what, said, f"{own} of {len(cells)} differ", words, alike == len(cells) and not turned)


def significance_rows(rows, paper, means, arms):
    """Hold the p values of Table S4 against the paper's at .05, by the paper's test and by the bootstrap over subjects.

    Parameters
    ----------
    rows : list of dict
        Of our table: a pair of arms for an interface each.
    paper : dict of str to dict of str to str
        P values in the order of `arms`, by row, by interface.
    means : dict of str to dict of str to (float, float)
        The paper's errors, which tell the better of two arms; as for `held_against.error_rows`.
    arms : sequence of str

    Returns
    -------
    list of Row
        For each interface a row for each test.
    """
    found = []
    for interface, of in paper.items():
        cells, theirs = _significant(of, arms)
        pairs = {(row["first"], row["second"]): row for row in rows if row["interface"] == interface}
        same = {pair for pair, row in pairs.items() if _direction(row) == _direction_of(pair, means[interface])}
        for test, column in P_VALUES.items():
            ours = {pair: float(row[column]) < P for pair, row in pairs.items()}
            found.append(_count(f"{interface}: p < .05, {test}", cells, theirs, ours, same))
    return found


def _significant(lines, arms):
    """Read the paper's p values: all pairs as (column, row), and those under .05; its printed bounds all are."""
    columns = {row: zip(arms, line.split(), strict=False) for row, line in lines.items()}
    texts = {(column, row): text for row, of in columns.items() for column, text in of}
    return list(texts), {pair for pair, text in texts.items() if text.startswith("<") or float(text) < P}


def _direction(row):
    return float(row["mean_first"]) < float(row["mean_second"])


def _direction_of(pair, means):
    first, second = (means[arm][0] for arm in pair)
    return first < second
