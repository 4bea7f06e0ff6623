"""Time a figure that is drawn again, from the shell's prompt to its picture, against importing Keras alone.

    python benchmarks/start.py     # about a minute on 2 cores; with no run of Figure 2 done, 5 minutes more

`python experiments/fig_polyp_froc.py --draw-only` reads the runs that are done, computes curves and intervals and
writes Figure 2 (PNG, PDF, CSV and JSON) into a temporary folder. Its time is that until the PNG can be looked at; that
until the process has ended is given too. What is not done is made before anything is timed, and kept. Against it stands
`python -c "import keras, tensorflow"`, which a script that imports its backend at once cannot do without. Both are new
processes, which take turns; ratios are of neighbours in time, so that whatever else the machine does hits both. That
drawing imports no backend is checked in the list of its imports, whose time is printed by package. What it measures, it
also writes into measured.csv.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import measured
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "experiments" / "fig_polyp_froc.py"
BACKENDS = ("keras", "tensorflow", "torch", "jax")
WATCHED = (*BACKENDS, "sklearn", "skimage", "scipy.stats", "joblib")
ROUNDS = 7


def run(*words):
    """Run Python in a new process, and return what it wrote to its error stream, and its seconds."""
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stderr}")
    return done.stderr, seconds


def drawn(words, figures):
    """Draw the figure; return the seconds until its PNG was written, and until the process had ended."""
    for png in figures.glob("*.png"):
        png.unlink()
    start = time.time()
    _, seconds = run(*words)
    (png,) = figures.glob("*.png")
    return png.stat().st_mtime - start, seconds


def import_times(log):
    """Read what -X importtime wrote: each module's own seconds, without those of what it imports."""
    fields = [line.removeprefix("import time:").split("|") for line in log.splitlines() if line.count("|") == 2]
    return {name.strip(): int(own) / 1e6 for own, _, name in fields if own.strip().isdigit()}


def watched(modules):
    """Return those of the watched packages that are among some modules."""
    return [name for name in WATCHED if any(module == name or module.startswith(f"{name}.") for module in modules)]


def main():
    """Print what is imported, and a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="folder of runs (default: results)")
    parser.add_argument("--profile", default="quick", help="of the runs (default: quick)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as figures:
        draw = [SCRIPT, "--profile", options.profile, "--results", options.results.resolve(), "--figures", figures]
        run(*draw)
        draw.append("--draw-only")
        log, _ = run("-X", "importtime", *draw)
        modules = import_times(log)
        if loaded := set(watched(modules)) & set(BACKENDS):
            raise RuntimeError(f"Drawing imports a backend: {', '.join(sorted(loaded))}.")
        print(f"Of {WATCHED}, drawing imports {watched(modules)}. Seconds of its {len(modules)} imports by package:")
        by_package = Counter()
        for name, seconds in modules.items():
            by_package[name.partition(".")[0]] += seconds
        print(", ".join(f"{package} {seconds:.2f}" for package, seconds in by_package.most_common(8)))
        turns = [(run("-c", "import keras, tensorflow")[1], *drawn(draw, Path(figures))) for _ in range(ROUNDS + 1)]
    before, after, ended = np.array(turns[1:]).T  # The first round fills the disk's cache.
    ratio = np.median(before / after)
    print(f"{'import keras, tensorflow':>26} {'figure':>8} {'end':>8} {'ratio':>6}    seconds, medians of {ROUNDS}")
    print(f"{np.median(before):26.2f} {np.median(after):8.2f} {np.median(ended):8.2f} {ratio:6.2f}")
    row = {
        "what": f"a figure drawn again, from the command to its picture (Figure 2, {options.profile} profile)",
        "against": "importing Keras and TensorFlow alone",
        "before": np.median(before),
        "after": np.median(after),
        "unit": "s",
        "ratio": ratio,
        "note": f"its networks are trained already; all its files are there, and the process has ended, after "
        f"{np.median(ended):.1f} s; no backend is among the {len(modules):,} modules that it imports",
    }
    measured.record(__file__, [row])


if __name__ == "__main__":
    main()
