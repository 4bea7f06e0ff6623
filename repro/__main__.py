"""Command line: ImageNet weights for the user's cache, and candidates in a user's own images.

`python -m repro weights` fetches the weights, or checks a file. `python -m repro detect polyp --frames DIR --run RUN`
writes the candidates of every frame with their probabilities, and a picture of the best ones; `--video FILE` takes the
frames of a video, and `detect pe --volumes DIR` finds emboli in CT volumes. RUN is the name of a run that a figure's
script has done; without it, all are listed.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


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
    _add_detect(commands.add_parser("detect", help="find polyps or emboli in images of your own; not for clinical use"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"python -m repro: {error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")


def _add_detect(parser):
    kinds = parser.add_subparsers(required=True, dest="kind")
    polyp = kinds.add_parser("polyp", help="polyps in colonoscopy frames or a video")
    source = polyp.add_mutually_exclusive_group(required=True)
    source.add_argument("--frames", type=Path, help="folder of image files")
    source.add_argument("--video", type=Path, help="video file; needs PyAV: pip install '.[video]'")
    polyp.add_argument("--every", type=_count, default=1, help="take every so many-th frame of the video (default: 1)")
    pe = kinds.add_parser("pe", help="pulmonary emboli in CT angiograms")
    pe.add_argument("--volumes", type=Path, required=True, help="folder of volumes")
    for kind in (polyp, pe):
        _add_common(kind)


def _add_common(parser):
    add = parser.add_argument
    add("--run", dest="name", default="", help="name of a run that is done, or its .json (default: list them)")
    add("--results", type=Path, default=ROOT / "results", help="folder of runs (default: results of this checkout)")
    add("--out", type=Path, default=Path("detections"), help="folder of what is written (default: detections)")
    add("--data", type=Path, help="where the data that the run was trained on lie, if not where they lay")
    add("--least", type=_probability, default=0.0, help="leave out candidates of lower probability (default: 0)")
    add("--top", type=_count, default=12, help="candidates shown in the picture (default: 12)")
    parser.set_defaults(run=_detect)


def _weights(options):
    from repro.weights import prepare

    print(f"{options.source}: {prepare(options.source, options.path)}")


def _detect(options):
    from repro.detect import Request, detect

    common = {name: getattr(options, name) for name in ("kind", "results", "out", "data", "least", "top")}
    table, picture, failed = detect(Request(run=options.name, **common), _images(options))
    print(f"{table}\n{picture}")
    if failed:
        listed = "\n  ".join(failed)
        raise ValueError(f"Images that could not be used ({len(failed)}), the others are done:\n  {listed}")


def _images(options):
    from repro import detect_images

    if options.kind == "pe":
        return detect_images.volumes_in(options.volumes)
    if options.frames:
        return detect_images.frames_in(options.frames)
    return detect_images.frames_of(options.video, options.every)


def _count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1. Received: {text}.")
    return number


def _probability(text):
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1. Received: {text}.")
    return number


if __name__ == "__main__":
    main()
