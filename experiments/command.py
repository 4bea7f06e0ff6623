"""What the figures' scripts share: their command line, their data, their list of runs."""

import argparse
import importlib
import sys
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
    """Return the colonoscopy frames that the options name: a user's folder, or phantoms, made when needed.

    Parameters
    ----------
    options : argparse.Namespace
        As `parse` returns it.

    Returns
    -------
    repro.runs.Data
    """
    from data_prep.phantoms import colonoscopy as phantoms
    from data_prep.readers import fingerprint, read_colonoscopy

    folder = options.data
    if folder is None:
        phantom = phantoms.ColonoscopyPhantom(**vars(options.profile.colonoscopy_phantom))
        folder = options.results / "phantoms" / f"colonoscopy_{digest(vars(phantom))}"
        if not folder.is_dir():
            with tqdm(total=phantom.num_videos, desc="phantoms", unit="video", disable=None) as bar:
                phantoms.write(phantom, folder, lambda *_: bar.update(), jobs=-1)
    return Data(read_colonoscopy(folder).name, str(folder), fingerprint(folder))


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


def load(run, options):
    """Return the detections and the record of a run that is done."""
    return runs.load(run, options.results)


def title(options, data):
    """Say on which data a figure was made, and how large the experiment was."""
    shown = f"{data.name}, profile {options.profile.name}, {options.weights} weights"
    return f"{shown} — FOR TESTS ONLY, NO RESULT" if options.profile.name.startswith("smoke") else shown


def caption(found, options, *more):
    """Say what a reader of a figure must know: what the candidates allow, the counts, the caveats.

    Parameters
    ----------
    found : iterable of (Detections, dict)
        What `load` returned for each run.
    options : argparse.Namespace
    more : str
        Further lines; empty ones are left out.

    Returns
    -------
    str
        A line for each.
    """
    records = [record for _, record in found]
    test, train = records[0]["counts"]["test"], records[0]["counts"]["train"]
    backends = sorted({record["versions"]["backend"] for record in records})
    seeds = ", ".join(str(seed) for seed in options.seeds)
    lines = [
        f"Candidates hit {test['lesions hit'] / test['lesions']:.1%} of the test lesions ({test['lesions hit']} of "
        f"{test['lesions']}; {test['candidates'] / test['frames']:.1f} candidates a frame): no arm can find more.",
        f"Trained on {train['subjects']} subjects ({train['frames']} frames, {train['lesions']} lesions), tested on "
        f"{test['subjects']} ({test['frames']} frames). Seeds: {seeds}. Backend: {', '.join(backends)}.",
        *few_subjects(test["subjects"]),
        *filter(None, more),
        *dict.fromkeys(caveat for record in records for caveat in record["caveats"]),
    ]
    return "\n".join(lines)


def few_subjects(number):
    """List what must be said when few subjects were tested: a line, or nothing."""
    if number >= FEW_SUBJECTS:
        return []
    narrow, least = "the bootstrap's intervals are too narrow", f"no p can be under {smallest_p(number):.2g}"
    return [f"Only {number} test subjects: {narrow}, and {least}."]


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
