"""Command line: `python -m repro weights` fetches ImageNet weights into the user's cache, or checks a file."""

import argparse
import sys
from pathlib import Path


def main(arguments=None):
    """Run a command.

    Parameters
    ----------
    arguments : list of str, optional
        Instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m repro", description=__doc__)
    commands = parser.add_subparsers(required=True)
    weights = commands.add_parser("weights", help="fetch ImageNet weights, or check a file that you have")
    weights.add_argument("source", nargs="?", default="imagenet", help="imagenet (default), torchvision or bvlc")
    weights.add_argument("--path", type=Path, help="a file that you have: it is checked and put into the cache")
    weights.set_defaults(run=_weights)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        sys.exit(f"python -m repro: {error}")


def _weights(options):
    from repro.weights import prepare

    print(f"{options.source}: {prepare(options.source, options.path)}")


if __name__ == "__main__":
    main()
