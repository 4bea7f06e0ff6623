"""What the figures' scripts share: their command line, their list of runs, their files."""

import argparse
import importlib
import sys
from pathlib import Path

from repro import plotting, runs, sweep
from repro.profiles import load_profile
from repro.runs import Run

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


def list_runs(application, options, data, arms, fractions=(1.0,), **changes):
    """List the runs of a figure: every arm with every fraction and seed.

    Parameters
    ----------
    application : str
    options : argparse.Namespace
    data : repro.runs.Data
    arms : sequence of str
    fractions : sequence of float
    changes
        Settings of the application that these runs have otherwise than the profile.

    Returns
    -------
    dict of (str, float, int) to repro.runs.Run
        By arm, fraction and seed.
    """
    profile, settings = options.profile, options.profile.settings(application)
    settings[application] |= changes
    return {
        (arm, fraction, seed): Run(application, arm, fraction, seed, options.weights, profile.name, settings, data)
        for arm in arms
        for fraction in fractions
        for seed in options.seeds
    }


def make(wanted, options):
    """Perform the runs that are not done, weights and candidates first, with --draw-only none; and load all.

    Parameters
    ----------
    wanted : dict of key to repro.runs.Run
        As `list_runs` gives them.
    options : argparse.Namespace

    Returns
    -------
    dict of key to (scores, record)
    """
    todo = runs.missing(list(wanted.values()), options.results)
    if todo and not options.draw_only:
        # Once, before several processes would want them at the same time.
        from repro.weights import prepare

        prepare(options.weights)
        application = importlib.import_module(f"repro.applications.{todo[0].application}")
        application.prepare(todo[0].data, todo[0].settings[todo[0].application], options.results)
        sweep.execute(todo, options.results, options.jobs)
    return {key: runs.load(run, options.results) for key, run in wanted.items()}


def seeded(name, seed, options):
    """Add the seed to the name of a figure that is drawn for each of several."""
    return name if len(options.seeds) == 1 else f"{name}_seed{seed}"


def save(figure, options, data, name, rows, notes):
    """Write a figure with its numbers, and print where.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    options : argparse.Namespace
    data : repro.runs.Data or None
        None for what no data went into.
    name : str
        Of the figure; real data and other weights than the default add theirs.
    rows : list of dict
        The numbers drawn; a key that a row lacks stays empty.
    notes : str
        Stands at the figure's foot already, and opens the csv.
    """
    words = [name]
    if data and options.data is not None:
        words.append("".join(letter if letter.isalnum() else "-" for letter in data.name.lower()))
    if options.weights != "imagenet":
        words.append(options.weights)
    columns = {key: [row.get(key, "") for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    for path in plotting.save_figure(figure, options.figures / "_".join(words), columns, notes):
        print(path)
