"""What the figures' scripts share: their command line, their data, their list of runs."""

import argparse
import sys
from pathlib import Path

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
            phantoms.write(phantom, folder, jobs=-1)
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


def stem(options, name, data):
    """Return where a figure goes, without suffix: real data and other weights have their name in the file's."""
    words = [name]
    if options.data is not None:
        words.append("".join(letter if letter.isalnum() else "-" for letter in data.name.lower()))
    if options.weights != "imagenet":
        words.append(options.weights)
    return options.figures / "_".join(words)
