"""What the figures' scripts share: their command line, their data, their list of runs."""

import argparse
import importlib
import sys
from functools import cache, partial
from pathlib import Path

from tqdm import tqdm

from repro import plotting, runs, sweep
from repro.evaluation.comparison import smallest_p
from repro.evaluation.intervals import FEW_SUBJECTS
from repro.profiles import load_profile
from repro.runs import Data, Run, digest

ROOT = Path(__file__).resolve().parents[1]


def parse(docstring, arguments=None):
    """Read a script's command line.

    Parameters
    ----------
    docstring : str
        The script's own, shown by `--help`.
    arguments : list of str, optional
        Instead of those of the process.

    Returns
    -------
    argparse.Namespace
        With the `repro.profiles.Profile` itself in `profile`.
    """
    parser = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--profile", default="quick", help="smoke, quick, paper or a YAML file (default: quick)")
    add("--data", type=Path, help="folder of a data set as it is downloaded (default: phantoms, made when needed)")
    add("--weights", default="imagenet", help="imagenet, torchvision or bvlc (default: imagenet)")
    add("--seeds", type=int, nargs="+", default=[0], help="one network for each arm and seed (default: 0)")
    add("--jobs", type=int, default=1, help="networks trained at the same time, in processes (default: 1)")
    add("--results", type=Path, default=ROOT / "results", help="folder of runs, kept and resumed (default: results)")
    add("--figures", type=Path, default=ROOT / "figures", help="folder of what is drawn (default: figures)")
    add("--draw-only", action="store_true", help="draw from runs that are done; train nothing")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value: training.max_epochs=10")
    options = parser.parse_args(arguments)
    try:
        options.profile = load_profile(options.profile, options.set)
    except ValueError as error:
        parser.error(str(error))
    if options.jobs < 1 or not all(seed >= 0 for seed in options.seeds):
        parser.error("--jobs must be at least 1 and --seeds at least 0.")
    return options


def run_script(main):
    """Run a script's `main`; a user's mistake and an interruption end in one line, not in a stack trace."""
    try:
        main()
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. What is done is kept; run the same command again to go on.")


def colonoscopy(options):
    """Return the colonoscopy frames with polyps that the options name; see `_data`."""
    from data_prep.phantoms import colonoscopy as phantoms
    from data_prep.readers import read_colonoscopy

    phantom = phantoms.ColonoscopyPhantom(**vars(options.profile.colonoscopy_phantom))
    return _data(options, read_colonoscopy, phantoms.write, phantom)


def procedures(options):
    """Return the informative and uninformative frames that the options name; see `_data`."""
    from data_prep.phantoms import procedures as phantoms
    from data_prep.readers import read_frames

    phantom = phantoms.ProcedurePhantom(**vars(options.profile.procedure_phantom))
    return _data(options, read_frames, phantoms.write, phantom)


def carotid(options):
    """Return the carotid ultrasound that the options name; see `_data`."""
    from data_prep.phantoms import carotid as phantoms
    from data_prep.readers import read_carotid

    phantom = phantoms.CarotidPhantom(**vars(options.profile.carotid_phantom))
    return _data(options, read_carotid, phantoms.write, phantom)


def _data(options, read, write, phantom):
    """Describe a user's folder, or that of phantoms, made when needed.

    Parameters
    ----------
    options : argparse.Namespace
        As `parse` returns it.
    read : callable
        From the folder to a Cohort.
    write : callable
        Writes the phantom into a folder; the module it comes from gives the folder its name.
    phantom : dataclass

    Returns
    -------
    repro.runs.Data
    """
    from data_prep.readers import fingerprint

    folder = options.data
    if folder is None:
        kind = write.__module__.rpartition(".")[2]
        folder = options.results / "phantoms" / f"{kind}_{digest(vars(phantom))}"
        if not folder.is_dir():
            with tqdm(desc="phantoms", unit="subject", disable=None) as bar:
                write(phantom, folder, partial(_show, bar), jobs=-1)
    read = cache(read)  # the fingerprint reads it too
    return Data(read(folder).name, str(folder), fingerprint(folder, read))


def _show(bar, done, total):
    """Move a bar to `done` of `total`."""
    bar.total, bar.n = total, done
    bar.refresh()


def list_runs(application, options, data, arms, fractions=(1.0,)):
    """List the runs of a figure: every arm with every fraction and seed.

    Returns
    -------
    dict of (str, float, int) to repro.runs.Run
        By arm, fraction and seed.
    """
    profile, settings = options.profile, options.profile.settings(application)
    return {
        (arm, fraction, seed): Run(application, arm, fraction, seed, options.weights, profile.name, settings, data)
        for arm in arms
        for fraction in fractions
        for seed in options.seeds
    }


def make(wanted, options):
    """Perform the runs that are not done, weights and candidates first; with --draw-only none.

    Parameters
    ----------
    wanted : dict of key to repro.runs.Run
    options : argparse.Namespace
    """
    todo = runs.missing(list(wanted.values()), options.results)
    if options.draw_only or not todo:
        return
    # Once, before several processes would want them at the same time.
    from repro.weights import prepare

    prepare(options.weights)
    application = importlib.import_module(f"repro.applications.{todo[0].application}")
    application.prepare(todo[0].data, todo[0].settings[todo[0].application], options.results)
    sweep.execute(todo, options.results, options.jobs)


def make_all(panels, options):
    """Perform the runs of all panels and load them: dict of key to (scores, record)."""
    wanted = {key: run for runs_of in panels.values() for key, run in runs_of.items()}
    make(wanted, options)
    return {key: runs.load(run, options.results) for key, run in wanted.items()}


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
        What `make_all` returned for each run.
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
        *dict.fromkeys(caveat for record in records for caveat in record["caveats"]),
    ]
    return "\n".join(lines)


def _ledger(counts):
    """Write one side's counts: 28 subjects (252 frames, 300 lesions)."""
    inner = ", ".join(f"{number} {what}" for what, number in counts.items() if what != "subjects")
    return f"{counts['subjects']} subjects ({inner})"


def candidates(found):
    """Say what the candidates of polyp runs allow: the line that opens the notes of a FROC figure."""
    test = next(iter(found))[1]["counts"]["test"]
    return (
        f"Candidates hit {test['lesions hit'] / test['lesions']:.1%} of the test lesions "
        f"({test['candidates'] / test['frames']:.1f} candidates a frame): no arm can find more."
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


def seeded(name, seed, options):
    """Add the seed to the name of a figure that is drawn for each of several."""
    return name if len(options.seeds) == 1 else f"{name}_seed{seed}"


def save(figure, options, data, name, rows, notes):
    """Write a figure with its numbers, and print where.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    options : argparse.Namespace
    data : repro.runs.Data
    name : str
        Of the figure; real data and other weights than the default add theirs.
    rows : list of dict
        The numbers drawn; a key that a row lacks stays empty.
    notes : str
        Stands at the figure's foot already, and opens the csv.
    """
    words = [name]
    if options.data is not None:
        words.append("".join(letter if letter.isalnum() else "-" for letter in data.name.lower()))
    if options.weights != "imagenet":
        words.append(options.weights)
    columns = {key: [row.get(key, "") for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    for path in plotting.save_figure(figure, options.figures / "_".join(words), columns, notes):
        print(path)
