"""Train the same networks at another precision: whether results change, and how long each takes.

    python benchmarks/precision.py                            # frames, three seeds: 5 minutes on 2 cores
    python benchmarks/precision.py embolism --seeds 0
    KERAS_BACKEND=jax python benchmarks/precision.py

Outcome is the area under the ROC curve of the test frames or candidates. Both precisions start from the same weights
and see the same patches in the same order; a change of precision matters where it moves the outcome by more than
another seed does. Phantoms are those of the profile, made in --results where they are not there yet; runs are written
to a temporary folder and forgotten. What it measures, it also writes into measured.csv.

Where a GPU rounds to TF32, that is measured too; a CPU does not. bfloat16 (frames, seeds 0 to 2, 2026-11-23): it is the
training that moves, not the arithmetic of the test: networks of conv1 tested in the other precision move by .0008 at
most. Validation AUCs of two epochs lie so close together that rounding decides which one is kept. So it is not shown
that results stay the same, and no profile uses it.
"""

import argparse
import importlib
import tempfile
from pathlib import Path

import measured
import numpy as np

from experiments import sources
from repro import prefix
from repro.evaluation.roc import auc
from repro.feeding import on_accelerator
from repro.profiles import load_profile
from repro.runs import Run, kept_epoch

DATA = {"frame_quality": sources.procedures, "embolism": sources.ctpa, "polyp": sources.colonoscopy}
CHANGES = {
    ("precision", "mixed_bfloat16"): ("conv1", "scratch"),
    ("precision", "tf32"): ("conv1", "scratch"),
    ("prefix", "float16"): ("fc7", "conv5", "conv3"),
}
"""By key of `repro.schema.Plan` and what it becomes instead of float32, arms that are trained so."""
ROOT = Path(__file__).resolve().parents[1]


def train(options, arm, seed, change, results):
    """Train and test one network; return its outcome, validation AUC, scores and seconds of training."""
    profile = load_profile(options.profile, [change])
    settings = profile.settings(options.application)
    settings["training"]["checks_per_decade"] = 0
    data = DATA[options.application](argparse.Namespace(profile=profile, data=None, results=options.results))
    run = Run(options.application, arm, 1.0, seed, options.weights, profile.name, settings, data)
    with prefix.sharing([run], results):
        found, record = importlib.import_module(f"repro.applications.{run.application}").perform(run, results)
    history = record["history"]
    outcome = auc(found.lesion >= 0, found.score)
    return outcome, kept_epoch(history)["auc"], found.score, history["epochs"][-1]["seconds"]


def measure(options, key, changed, arm, seed, results):
    """Print one pair of networks; return its row."""
    pair = [train(options, arm, seed, f"training.{key}={value}", results) for value in ("float32", changed)]
    apart = np.abs(pair[0][2] - pair[1][2])
    for value, (outcome, validation, _, seconds) in zip(("float32", changed), pair, strict=True):
        moved = f"{apart.max():8.3f} {apart.mean():8.3f}" if value == changed else ""
        print(f"{f'{arm} seed {seed} {value}':32} {outcome:8.4f} {validation:10.4f} {seconds:8.1f} {moved}", flush=True)
    (before, _, _, slow), (after, _, _, fast) = pair
    return {
        "what": f"training.{key}={changed}: {options.application}, {options.profile}, {arm}, seed {seed}",
        "against": "float32",
        "before": slow,
        "after": fast,
        "unit": "s",
        "ratio": slow / fast,
        "note": f"AUC {before:.4f} becomes {after:.4f}; scores differ by {apart.max():.3f} at most",
    }


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("application", nargs="?", default="frame_quality", choices=sorted(DATA))
    add("--profile", default="quick")
    add("--weights", default="imagenet")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--results", type=Path, default=ROOT / "results", help="where the phantoms are")
    options = parser.parse_args()
    print(f"{options.application}, profile {options.profile}; scores of each precision against those of float32")
    print(f"{'':32} {'outcome':>8} {'validation':>10} {'seconds':>8} {'largest':>8} {'mean':>8}")
    with tempfile.TemporaryDirectory() as results:
        rows = [
            measure(options, *change, arm, seed, results)
            for change, arms in CHANGES.items()
            if change[1] != "tf32" or on_accelerator()
            for arm in arms
            for seed in options.seeds
        ]
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
