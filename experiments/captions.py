"""What a reader of a figure must know: its title, its counts, its caveats. For the scripts of this folder."""

from repro.evaluation.comparison import smallest_p
from repro.evaluation.intervals import FEW_SUBJECTS


def title(options, data):
    """Say on which data a figure was made, with which weights, and how large the experiment was."""
    return data_title(options, data, f", {options.weights} weights")


def data_title(options, data, more=""):
    """Say on which data a figure was made that no network took part in."""
    shown = f"{data.name}, profile {options.profile.name}{more}"
    return f"{shown} — FOR TESTS ONLY, NO RESULT" if options.profile.name.startswith("smoke") else shown


def caption(found, options, *more):
    """Say what a reader of a figure must know: what was trained and tested with, the script's own lines, the caveats.

    Parameters
    ----------
    found : iterable of (scores, dict)
        What `command.make` returned for each run.
    options : argparse.Namespace
    more : str
        Further lines; empty ones are left out.

    Returns
    -------
    str
        A line for each.
    """
    records = [record for _, record in found]
    train, test = (_ledger(records[0]["counts"][side]) for side in ("train", "test"))
    backends = sorted({record["versions"]["backend"] for record in records})
    seeds = ", ".join(str(seed) for seed in options.seeds)
    lines = [
        f"Trained on {train}, tested on {test}. Seeds: {seeds}. Backend: {', '.join(backends)}.",
        *few_subjects(records[0]["counts"]["test"]["subjects"]),
        *filter(None, more),
        *caveats(records),
    ]
    return "\n".join(lines)


def caveats(records):
    """List the caveats of some runs' records, each once."""
    return list(dict.fromkeys(caveat for record in records for caveat in record["caveats"]))


def _ledger(counts):
    """Write one side's counts: 28 subjects (252 frames, 300 lesions)."""
    inner = ", ".join(f"{number} {what}" for what, number in counts.items() if what != "subjects")
    return f"{counts['subjects']} subjects ({inner})"


def candidates(found, images="frames", lesions="lesions"):
    """Say what the candidates of detection runs allow: the line that opens the notes of a FROC figure.

    Parameters
    ----------
    found : iterable of (scores, dict)
    images, lesions : str
        What the runs' ledgers call them.

    Returns
    -------
    str
    """
    test = next(iter(found))[1]["counts"]["test"]
    return (
        f"Candidates hit {test[f'{lesions} hit'] / test[lesions]:.1%} of the test {lesions} "
        f"({test['candidates'] / test[images]:.1f} candidates a {images.removesuffix('s')}): no arm can find more."
    )


def few_subjects(number):
    """List what must be said when few subjects were tested: a line, or nothing."""
    if number >= FEW_SUBJECTS:
        return []
    narrow, least = "the bootstrap's intervals are too narrow", f"no p can be under {smallest_p(number):.2g}"
    return [f"Only {number} test subjects: {narrow}, and {least}."]


def few_for_holm(number, comparisons):
    """List what must be said when no corrected bootstrap p of so many subjects could be under .05: a line, or nothing.

    Parameters
    ----------
    number : int
        Of test subjects.
    comparisons : int
        That Holm's method corrects for.

    Returns
    -------
    list of str
    """
    least = smallest_p(number) * comparisons
    if least < 0.05:
        return []
    return [f"After Holm's correction for {comparisons} comparisons no bootstrap p can be under {min(least, 1):.2g}."]


def resolvable(points, detections):
    """Keep the operating points that the test frames can show: below one false positive in all there is no curve.

    Parameters
    ----------
    points : sequence of float
        False positives per frame.
    detections : repro.evaluation.froc.Detections

    Returns
    -------
    points : list of float
    note : str
        Which were left out, and why; or empty.
    """
    frames = int(detections.num_images.sum())
    kept = [point for point in points if point * frames >= 1]
    left = ", ".join(f"{point:g}" for point in points if point not in kept)
    return kept, f"Not shown at {left} false positives a frame: less than one in all {frames} frames." if left else ""
