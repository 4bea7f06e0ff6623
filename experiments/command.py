"""What the figures' scripts share: their command line, their list of runs, their files."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from experiments.facts import facts
from repro import plotting, run_lists, runs
from repro.profiles import load_profile
from repro.runs import Run

ROOT = Path(__file__).resolve().parents[1]

WATCHED = ("conv1", "scratch")
"""Arms whose way Figure 10 draws: where they have the whole training set, they are also checked between epochs, as the
profile says. A check costs time and changes no network, so that other runs go without."""


def parse(docstring, arguments=None, seeds=(0,), own_data=True):
    """Read a script's command line.

    Parameters
    ----------
    docstring : str
        The script's own, shown by `--help`. What stands before its colon names the script's lists of runs.
    arguments : list of str, optional
        Instead of those of the process.
    seeds : sequence of int
        By default.
    own_data : bool
        Whether the script takes one data set with `--data`; those of all four applications do not.

    Returns
    -------
    argparse.Namespace
        With the `repro.profiles.Profile` itself in `profile`, and with `wanted` and `records`, which `make` fills: all
        runs of the script and what is known of them, by name.
    """
    parser = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--profile", default="quick", help="smoke, quick, paper or a YAML file (default: quick)")
    if own_data:
        add("--data", type=Path, help="folder of a data set as it is downloaded (default: phantoms, made when needed)")
    add("--weights", default="imagenet", help="imagenet, torchvision or bvlc (default: imagenet)")
    shown = " ".join(map(str, seeds))
    add("--seeds", type=int, nargs="+", default=list(seeds), help=f"a network for each arm and seed (default: {shown})")
    add("--jobs", type=int, default=1, help="networks trained at the same time, in processes (default: 1)")
    add("--scheduler", metavar="tcp://HOST:PORT", help="train on the workers of this Dask scheduler instead")
    add("--results", type=Path, default=ROOT / "results", help="folder of runs, kept and resumed (default: results)")
    add("--figures", type=Path, default=ROOT / "figures", help="folder of what is drawn (default: figures)")
    add("--draw-only", action="store_true", help="draw from runs that are done; train nothing")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value: training.max_epochs=10")
    parser.set_defaults(data=None, own_data=own_data, title=docstring.partition(":")[0], wanted={}, records={})
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
    except (ValueError, FileNotFoundError, RuntimeError, ImportError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. What is done is kept; run the same command again to go on.")


def list_runs(application, options, data, arms, fractions=(1.0,), changes=None):
    """List the runs of a figure: every arm with every fraction and seed.

    Parameters
    ----------
    application : str
    options : argparse.Namespace
    data : repro.runs.Data
    arms : sequence of str
    fractions : sequence of float
    changes : dict of str to dict, optional
        Settings that these runs have otherwise than the profile, by section: {"training": {"init": "xavier"}}.

    Returns
    -------
    dict of (str, float, int) to repro.runs.Run
        By arm, fraction and seed.
    """
    return {
        (arm, fraction, seed): Run(
            application,
            arm,
            fraction,
            seed,
            options.weights,
            options.profile.name,
            _settings(application, options.profile, arm in WATCHED and fraction == 1, changes or {}),
            data,
        )
        for arm in arms
        for fraction in fractions
        for seed in options.seeds
    }


def _settings(application, profile, watched, changes):
    """Return the settings of a run; `changes` as for `list_runs`."""
    settings = profile.settings(application)
    if not watched:
        settings["training"]["checks_per_decade"] = 0
    return {section: values | changes.get(section, {}) for section, values in settings.items()}


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
    options.wanted |= {run.name: run for run in wanted.values()}
    run_lists.write(_list_name(options), options.wanted.values(), options.results)
    todo = runs.missing(list(wanted.values()), options.results)
    if todo and not options.draw_only:
        # Imported late: what only draws needs neither joblib nor Keras.
        from repro import sweep
        from repro.weights import prepare

        # Once, before several processes would want them at the same time.
        prepare(options.weights)
        application = importlib.import_module(f"repro.applications.{todo[0].application}")
        application.prepare(todo[0].data, todo[0].settings[todo[0].application], options.results)
        sweep.execute(todo, options.results, options.jobs, options.scheduler)
    found = {key: runs.load(run, options.results) for key, run in wanted.items()}
    options.records |= {wanted[key].name: record for key, (_, record) in found.items()}
    return found


def _list_name(options):
    """Name the list of a script's runs: what it draws, of which data, how large, with which weights and seeds."""
    of = next(iter(options.wanted.values())).data.name if options.own_data else "all data"
    seeds = "-".join(map(str, options.seeds))
    return f"{options.title}_{of}_{options.profile.name}_{options.weights}_seeds{seeds}"


def seeded(name, seed, options):
    """Add the seed to the name of a figure that is drawn for each of several."""
    return name if len(options.seeds) == 1 else f"{name}_seed{seed}"


def save(figure, options, data, name, rows, notes):
    """Write a figure with its numbers and with what it stands on (`facts`), and print where.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    options : argparse.Namespace
    data : repro.runs.Data or None
        None for what no data went into, or those of several applications.
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
    stem = options.figures / "_".join(words)
    known = facts(name, figure.get_suptitle(), options, data, notes)
    written = plotting.save_figure(figure, stem, columns, notes)
    about = stem.parent / f"{stem.name}.json"
    about.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in (*written, about):
        print(path)
