"""Time a sweep with --jobs 1, whose runs have all cores, against --jobs N, with the cores divided among N processes.

    python benchmarks/jobs.py             # as many jobs as cores: about 4 to 8 minutes on 2 cores
    python benchmarks/jobs.py --jobs 4

Runs are those of a user: frames that are informative or not, quick profile, phantoms (made in --results where they are
not there yet). FT:conv1-fc8 and the network from scratch, where nothing is shared, two seeds and six; and the eight
depths of one seed, of which the shallow ones share a frozen prefix and stay in one process. A process takes seconds to
start and to import its backend, which counts, the less the longer the list. What it measures, it also writes into
measured.csv.
"""

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path

import joblib
import measured
import numpy as np

from experiments import sources
from repro import sweep
from repro.finetune import DEPTHS
from repro.profiles import load_profile
from repro.runs import Run, load

APPLICATION = "frame_quality"
LISTS = {
    "conv1 and scratch, two seeds": list(product(("conv1", "scratch"), range(2))),
    "conv1 and scratch, six seeds": list(product(("conv1", "scratch"), range(6))),
    "eight depths, one seed": list(product(DEPTHS, range(1))),
}
"""Arms and seeds."""

ROOT = Path(__file__).resolve().parents[1]


def runs_of(cells, results):
    """Make runs of arms and seeds."""
    profile = load_profile("quick", ["training.checks_per_decade=0"])
    data = sources.procedures(argparse.Namespace(profile=profile, data=None, results=results))
    settings = profile.settings(APPLICATION)
    return [Run(APPLICATION, arm, 1.0, seed, "imagenet", "quick", settings, data) for arm, seed in cells]


def perform(wanted, jobs):
    """Perform runs from nothing; return seconds and all scores."""
    with tempfile.TemporaryDirectory() as results:
        start = time.perf_counter()
        sweep.execute(wanted, results, jobs)
        seconds = time.perf_counter() - start
        return seconds, np.concatenate([load(run, results)[0].score for run in wanted])


def measure(words, cells, options):
    """Time one list both ways; return a row."""
    wanted = runs_of(cells, options.results)
    perform(wanted[:1], 1)  # this process's first graph, and what frames are read for the first time
    (before, scores), (after, scores_too) = (perform(wanted, jobs) for jobs in (1, options.jobs))
    apart = np.abs(scores - scores_too).max()
    return {
        "what": f"sweep with --jobs {options.jobs}: {words}; frames, quick",
        "against": "--jobs 1",
        "before": before,
        "after": after,
        "unit": "s",
        "ratio": before / after,
        "note": f"scores differ by at most {apart:.1g}; processes' start counts",
    }


def main():
    """Print and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=max(2, joblib.cpu_count()))
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="where the phantoms are")
    options = parser.parse_args()
    rows = []
    for words, cells in LISTS.items():
        rows.append(measure(words, cells, options))
        print("{what}: {before:.1f} {after:.1f} {unit}, {ratio:.2f} times; {note}".format(**rows[-1]), flush=True)
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
