"""The verdicts of `make claims` as the page shows them: numbers written out, intervals as places on a line."""

import math
import re

from repro.finetune import label

MICROMETRES = "µm"  # written whole; other outcomes are shares
APPLICATIONS = {
    "polyp": "Polyps",
    "embolism": "Pulmonary embolism",
    "frame_quality": "Informative frames",
    "carotid": "Intima-media boundaries",
}
ALL = "All four together"  # the row of claim 3 that compares applications

CLAIMS = {
    "C1": "A pre-trained network with adequate fine-tuning does better than, or at worst as well as, one trained from "
    "scratch.",
    "C2": "Fine-tuned networks suffer less than networks from scratch when the training set shrinks.",
    "C3": "Neither shallow nor deep tuning is best for every application: the best depth differs.",
    "C4": "Going layer by layer from the last one upward finds the best depth for an application and its amount of "
    "data.",
}
"""The paper's, in our own words (PAPER.md)."""

WITH_MARGIN = ("C1", "C4")  # whose tests allow a small loss


def shown(claims):
    """Arrange the verdicts for the page.

    Parameters
    ----------
    claims : dict
        As `make claims` writes it.

    Returns
    -------
    list of dict
        A claim each: `key`, `text`, `statements` (whom it concerns, the test), `rows` (application, verdict, numbers,
        words, and the interval's `line`), `margins` in words, and `cells`, the verdict by application for the table at
        the top.
    """
    found = []
    for key, text in CLAIMS.items():
        verdicts = [verdict for verdict in claims["verdicts"] if verdict["claim"] == key]
        measured = claims["applications"] if key in WITH_MARGIN else {}
        units = {name: of["unit"] for name, of in claims["applications"].items()}
        rows = [_row(of, units.get(of["application"], ""), measured.get(of["application"])) for of in verdicts]
        found.append(
            {
                "key": key,
                "text": text,
                "statements": _statements(verdicts),
                "rows": rows,
                "cells": {row["application"]: row["verdict"] for row in rows},
                "margins": ", ".join(f"{APPLICATIONS[name]} {_margin(of)}" for name, of in measured.items()),
            }
        )
    return found


def columns(verdicts):
    """List the columns of the table at the top: the applications, and all together where a claim has that."""
    together = [ALL] if any(ALL in claim["cells"] for claim in verdicts) else []
    return [*APPLICATIONS.values(), *together]


def caveats(claims):
    """List the caveats of all applications, each once, with the names of those that it is about."""
    about = {}
    for name, of in claims["applications"].items():
        for caveat in of["caveats"]:
            about.setdefault(caveat, []).append(APPLICATIONS[name])
    everywhere = len(claims["applications"])
    return [f"{'All' if len(of) == everywhere > 1 else ', '.join(of)}: {caveat}" for caveat, of in about.items()]


def _margin(of):
    return interval(of["margin"], None, None, of["unit"])


def _statements(verdicts):
    """List the tests of a claim, each once, with the applications it is for where there are several tests."""
    tests = {}
    for verdict in verdicts:
        tests.setdefault(verdict["statement"], []).append(APPLICATIONS.get(verdict["application"], ALL))
    return [("; ".join(names) if len(tests) > 1 else "", test) for test, names in tests.items()]


def _row(verdict, unit, measured):
    """Write out one verdict; `measured` is the application where its margin counts, else None."""
    effect, low, high = (verdict.get(name) for name in ("effect", "low", "high"))
    return {
        "application": APPLICATIONS.get(verdict["application"], ALL),
        "verdict": verdict["verdict"],
        "numbers": interval(effect, low, high, unit, signed=True),
        "line": _line(effect, low, high, measured["margin"] if measured else 0),
        "words": verdict["words"],
        "note": verdict.get("note", ""),
    }


def outcomes(of):
    """Arrange the outcomes of one application: a row for each arm, a cell for each share of the training set.

    Parameters
    ----------
    of : dict
        One of the `applications` of what `make claims` writes.

    Returns
    -------
    dict
        `fractions` ("100 %"), and `rows` of arm, cells and mean validation score.
    """
    fractions = sorted({entry["fraction"] for entry in of["arms"]}, reverse=True)
    cells = {(entry["arm"], entry["fraction"]): entry for entry in of["arms"]}
    rows = []
    for arm in dict.fromkeys(entry["arm"] for entry in of["arms"]):
        entries = [cells.get((arm, fraction)) for fraction in fractions]
        scores = of["validation"].get(arm, [])
        rows.append(
            {
                "arm": label(arm),
                "cells": [interval(e["mean"], e["low"], e["high"], of["unit"]) if e else "" for e in entries],
                "validation": number(sum(scores) / len(scores)) if scores else "",
            }
        )
    return {"fractions": [f"{fraction * 100:g} %" for fraction in fractions], "rows": rows}


def interval(value, low, high, unit="", signed=False):
    """Write a number with its interval: "+.08 (−.02 to +.17)", "31 (25 to 40) µm"; a dash for what there is not."""
    if not _known(value):
        return "–"
    text = number(value, unit, signed)
    if _known(low) and _known(high):
        text += f" ({number(low, unit, signed)} to {number(high, unit, signed)})"
    return f"{text} µm" if unit == MICROMETRES else text


def number(value, unit="", signed=False):
    """Write a number as the paper does: ".55", "−.02", whole micrometres."""
    text = f"{value:{'+' if signed else ''}.{0 if unit == MICROMETRES else 2}f}"
    if not re.search("[1-9]", text):
        text = text.lstrip("+-")
    return typeset(re.sub(r"(?<!\d)0\.", ".", text))


def typeset(text):
    """Write a true minus sign before numbers, and keep the per cent sign with its number."""
    return re.sub(r"(?<!\w)-(?=[.\d])", "−", text).replace(" %", "\N{NO-BREAK SPACE}%")


def _known(value):
    return value is not None and math.isfinite(value)


def _line(effect, low, high, margin):
    """Place an effect and its interval on a line of 0 to 100, zero in the middle; None where one is not known."""
    if not all(map(_known, (effect, low, high))):
        return None
    reach = 1.1 * max(abs(low), abs(high), abs(effect), margin) or 1.0
    places = {"effect": effect, "low": low, "high": high, "margin": -margin}
    return {name: round(50 + 50 * value / reach, 1) for name, value in places.items()}
