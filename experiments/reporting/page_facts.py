"""What stands beside the figures of a folder, read for the page: facts of each, and the ledger of counts."""

import json
import re

CLAIMS = "claims.json"
LEDGERS = {
    "polyp": "fig_polyp_froc",
    "embolism": "fig_pe_froc",
    "frame_quality": "fig_frame_roc",
    "carotid": "fig_carotid_boxplots",
}
"""The figure of each application whose counts are its ledger."""

_KEYS = {"title", "script", "data", "fingerprint", "weights", "profile", "seeds", "notes", "caveats"}
_KEYS |= {"counts", "patches", "runs", "seconds", "versions"}
_PATCHES = (
    ("patches to train with", "train", "training"),
    ("patches to validate with", "train", "validation"),
    ("patches to test with", "test", "testing"),
)
_WARNINGS = ("phantom:", "Only ")  # lines of a figure's foot that say how little its numbers can carry


def read_json(path):
    """Return what a json file holds; a file that is none is an error that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}). Remove it, and make it again.") from error


def read_facts(figures):
    """Read what each figure of a folder stands on.

    Parameters
    ----------
    figures : pathlib.Path

    Returns
    -------
    dict of str to dict of str to dict
        By script, then by what the file's name adds to it, "" first: real data, other weights, seeds. Json files that
        are not about a figure are left out.

    Raises
    ------
    ValueError
        When a file is no JSON, or lacks a key.
    """
    found = {}
    for path in sorted(figures.glob("*.json")):
        facts = read_json(path)
        script = facts.get("script") if isinstance(facts, dict) else None
        if path.name == CLAIMS or not script or not path.stem.startswith(script):
            continue
        if _KEYS - set(facts):
            raise ValueError(f"{path} lacks {sorted(_KEYS - set(facts))}. Draw its figure again: {command(script)}")
        found.setdefault(script, {})[path.stem.removeprefix(script)] = facts
    return found


def command(script):
    """Return the command that draws a figure."""
    return f"python experiments/{script}.py"


def is_real(facts):
    """Say whether a figure is of real data: of any, and not of a phantom."""
    return bool(facts["data"]) and "phantom" not in facts["data"].lower()


def heading(suffix, facts):
    """Say what sets a figure apart from the first of its script: real data, other weights, a seed."""
    other = [f"{facts['weights']} weights"] if facts["weights"] in suffix.split("_") else []
    other += [f"seed {seed}" for seed in re.findall(r"_seed(\d+)", suffix)]
    if is_real(facts):
        return "On real data: " + ", ".join([facts["data"], *other])
    return "Also with " + ", ".join(other or [suffix.strip("_")])


def caveats(facts):
    """List what must stand beside a figure's numbers; galleries have theirs at their foot only."""
    return list(dict.fromkeys([line for line in facts["notes"] if line.startswith(_WARNINGS)] + facts["caveats"]))


def ledger(by_suffix):
    """Count what an application was trained and tested with, for each data set.

    Parameters
    ----------
    by_suffix : dict of str to dict
        Facts of its main figure.

    Returns
    -------
    dict or None
        `data`, the names of the data sets, and `rows`: what is counted, then train and test of each data set, None
        where nothing is counted. None when no figure has counts.
    """
    counted = {}
    for facts in by_suffix.values():
        if facts["counts"]:
            counted.setdefault(facts["data"], facts)
    columns = [_column(facts, side) for facts in counted.values() for side in ("train", "test")]
    names = dict.fromkeys(name for column in columns for name in column if not name.startswith("patches "))
    patches = [name for name, _, _ in _PATCHES if any(name in column for column in columns)]
    rows = [(name, [column.get(name) for column in columns]) for name in (*names, *patches)]
    return {"data": list(counted), "rows": rows} if counted else None


def _column(facts, side):
    """Return the counts of one side of one data set, with its patches."""
    patches = {name: facts["patches"][key] for name, at, key in _PATCHES if at == side and key in facts["patches"]}
    return facts["counts"][side] | patches


def duration(seconds):
    """Write a time for people: "8 s", "5 min 1 s", "1 h 12 min"."""
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"
