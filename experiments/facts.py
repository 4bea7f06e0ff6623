"""What a figure stands on, written beside it for the report and the README to read: data, seeds, counts, caveats."""

import re

from experiments import captions


def facts(name, title, options, data, notes):
    """Gather what a figure stands on.

    Parameters
    ----------
    name, title : str
        Of the figure.
    options : argparse.Namespace
        As `command.parse` returns it; `records` holds those of all runs that `command.make` gave the script.
    data : repro.runs.Data or None
        None where no data, or those of several applications, went into the figure.
    notes : str
        The figure's foot.

    Returns
    -------
    dict
        Plain values. Counts and patches are those of the whole training set, empty where there were no runs or those
        of several applications; patches are the first network's.
    """
    records = list(options.records.values())
    names = sorted({record["definition"]["data"]["name"] for record in records})
    whole = [record for record in records if record["definition"]["fraction"] == 1] if len(names) == 1 else []
    return {
        "title": title,
        "script": re.sub(r"_seed\d+$", "", name),
        "data": data.name if data else ", ".join(names) or None,
        "fingerprint": data.fingerprint if data else None,
        "weights": options.weights,
        "profile": options.profile.name,
        "seeds": options.seeds,
        "notes": notes.splitlines(),
        "caveats": captions.caveats(records),
        "counts": next((record["counts"] for record in whole), {}),
        "patches": next((record["patches"] for record in whole if "patches" in record), {}),
        "runs": len(records),
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "versions": records[0]["versions"] if records else {},
    }
