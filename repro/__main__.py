"""Command line: ImageNet weights for the user's cache, candidates in a user's own images, what became of the runs.

`python -m repro weights` fetches the weights, or checks a file. `python -m repro detect polyp --frames DIR --run RUN`
writes the candidates of every frame with their probabilities, and a picture of the best ones; `--video FILE` takes the
frames of a video, and `detect pe --volumes DIR` finds emboli in CT volumes. RUN is the name of a run that a figure's
script has done; without it, all are listed.

`python -m repro runs` lists the runs that are done, missing or failed, and how long each took; `runs 'polyp*conv1_*'`
those of such a name, `--remove` deletes them. The exit status is 1 when a run that is shown has failed.
"""

import argparse
import sys
from fnmatch import fnmatchcase
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
    _add_runs(commands.add_parser("runs", help="list runs that are done, missing or failed, or remove some"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except BrokenPipeError:  # Not a mistake: `| head` has read enough.
        sys.exit(1)
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


def _add_runs(parser):
    add = parser.add_argument
    add("patterns", nargs="*", metavar="PATTERN", help="names, with * and ? and [...]; in quotes (default: all)")
    add("--state", choices=("done", "missing", "failed"), help="only those")
    add("--unlisted", action="store_true", help="only those that no list wants; draw all figures first")
    add("--remove", action="store_true", help="delete all files of the runs that are selected")
    add("--results", type=Path, default=ROOT / "results", help="folder of runs (default: results of this checkout)")
    parser.set_defaults(run=_runs)


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


def _runs(options):
    from repro import run_lists

    selected = _select(run_lists.states(options.results), options)
    if options.remove:
        _require_choice(options, run_lists.read(options.results))
        paths = run_lists.remove([run.name for run in selected], options.results)
        print("\n".join([*map(str, paths), f"removed {len(paths)} files of {len(selected)} runs"]))
        return
    print(run_lists.describe(selected), flush=True)
    if any(run.state == "failed" for run in selected):
        sys.exit(1)


def _select(found, options):
    if not options.results.is_dir():
        raise FileNotFoundError(f"{options.results}: expected a folder of runs. Received: no folder. Give --results.")
    for pattern in options.patterns:
        if not any(fnmatchcase(run.name, pattern) for run in found):
            raise ValueError(f"expected names of runs, or patterns such as 'polyp*'. No run matches {pattern}.")
    return [
        run
        for run in found
        if (not options.patterns or any(fnmatchcase(run.name, pattern) for pattern in options.patterns))
        and options.state in (None, run.state)
        and not (options.unlisted and run.lists)
    ]


def _require_choice(options, lists):
    if not (options.patterns or options.state):
        raise ValueError(
            "--remove needs to be told which runs: with a PATTERN or --state; '*' for all that are selected."
        )
    if options.unlisted and not lists:
        raise ValueError(
            f"{options.results / 'lists'} is empty, so that every run counts as left over. Draw the figures first."
        )


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
