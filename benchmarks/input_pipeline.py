"""Time training on patches that are cut in the background or kept, against cutting each batch when it is wanted.

    python benchmarks/input_pipeline.py            # about three minutes on 2 cores; 1 GB of disk for a while
    KERAS_BACKEND=jax python benchmarks/input_pipeline.py

Random views of random boxes in 20 frames of 500x350 pixels, as the polyp application draws them; FT:conv1-fc8. In the
first epoch they are cut while the network trains (`repro.feeding`), in all others read from where they were kept
(`repro.prefix`), here a file that the system has in memory. The three take turns in rounds of some batches, and ratios
are of neighbours in time. The waiting share is how much of the time the network stood still because its batch was not
there. Without a GPU all share the same cores; what counts for one are the last rows: how many patches a second the
threads cut, and how many they read. A network that trains more than that would wait; how long, a stand-in shows, which
spends a GPU's time on a batch asleep. Which GPU it stands for is in its note: the network's operations at that pace, as
`benchmarks/arms.py` counts them, which a GPU must sustain; its data sheet promises more. What it measures, it also
writes into measured.csv.
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import tempfile
import time
from pathlib import Path

import keras
import measured
import numpy as np
from arms import count
from scipy.ndimage import gaussian_filter

from data_prep.kept_patches import KeptPatches
from data_prep.patches import PatchTable, ViewGrid
from repro.alexnet import build_alexnet
from repro.feeding import Feed, count_cutters, on_accelerator
from repro.files import Mapped
from repro.finetune import layer_rates
from repro.precision import computing_in
from repro.training import compile_network

CASES = (("torchvision", 99, 512), ("caffe", 227, 4096))
FRAMES, BATCH, BATCHES, ROUNDS = 20, 50, 4, 4
PACES = (2000, 5000, 20000)
"""Patches a second that the stand-in for a GPU takes."""

NUMBER = 4000
"""Patches that are cut once and then read in random order."""


def table_of(size, rng):
    """Make a table of random views."""
    smooth = gaussian_filter(rng.normal(size=(FRAMES, 350, 500, 3)), (0, 6, 6, 0))
    frames = tuple(np.clip(127 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8))
    boxes = rng.uniform((0, 0, 40, 40), (200, 300, 150, 150), (NUMBER, 4)).astype(np.float32)
    view = rng.integers(len(ViewGrid()), size=NUMBER)
    return PatchTable(frames, rng.integers(FRAMES, size=NUMBER), boxes, view, np.arange(NUMBER) % 2, ViewGrid(), size)


def network_of(variant, size, fc_units):
    """Build a network of which every layer learns."""
    with computing_in("float32"):
        return build_alexnet(2, variant, size, fc_units, seed=0)


def measure(name, model, table, kept, batches):
    """Time a network's training on some batches; return a row for each way to feed it."""
    compile_network(model, layer_rates("conv1"), len(batches))
    seconds, waited = [], []
    for _ in range(ROUNDS + 1):
        feeds = [(table.cut(rows) for rows in batches), Feed(table, batches), Feed(kept, batches)]
        seconds.append([_train(model, table.labels, batches, feed) for feed in feeds])
        waited.append([feed.waited for feed in feeds[1:]])
    # The first round traces or compiles.
    before, *ours = 1000 * np.array(seconds[1:]).T / sum(map(len, batches))
    shares = 100 * np.median(np.array(waited[1:]) / np.array(seconds[1:])[:, 1:], axis=0)
    return [
        {
            "what": f"training with its input, {words}: {name}",
            "against": "each batch cut when it is wanted",
            "before": np.median(before),
            "after": np.median(after),
            "unit": "ms a patch",
            "ratio": np.median(before / after),
            "note": f"waits {share:.1f} % of the time",
        }
        for words, after, share in zip(("first epoch", "later epochs"), ours, shares, strict=True)
    ]


def _train(model, labels, batches, feed):
    """Take a step on each batch; return the seconds."""
    start = time.perf_counter()
    for rows, patches in zip(batches, feed, strict=True):
        float(model.train_on_batch(patches, labels[rows]))
    return time.perf_counter() - start


def rates(table, kept, batches):
    """Time cutting and reading alone, in turns; return a row."""
    seconds = np.array([[_drain(Feed(each, batches)) for each in (table, kept)] for _ in range(ROUNDS)])
    before, after = sum(map(len, batches)) / seconds.T
    return {
        "what": f"input alone, later epochs: {table.size} px",
        "against": "cutting again",
        "before": np.median(before),
        "after": np.median(after),
        "unit": "patches a second",
        "ratio": np.median(after / before),
        "note": f"read from a file in memory; threads on either side: {count_cutters(on_accelerator())}",
    }


def stand_in(pace, operations, table, kept, batches):
    """Feed what takes patches, of so many operations each, at a pace but none of the CPU's time; return a row."""
    threads, seconds, waited = count_cutters(accelerator=True), [], []
    for _ in range(ROUNDS):
        feeds = [Feed(each, batches, threads) for each in (table, kept)]
        seconds.append([_drain(feed, pace) for feed in feeds])
        waited.append([feed.waited for feed in feeds])
    before, after = sum(map(len, batches)) / np.array(seconds).T
    first, later = 100 * np.median(np.array(waited) / seconds, axis=0)
    paced, *fed = operations / 1e12 * np.array([pace, np.median(before), np.median(after)])
    return {
        "what": f"input of a stand-in for a GPU that takes {pace:,} patches a second, later epochs: {table.size} px",
        "against": "first epoch, while patches are cut",
        "before": np.median(before),
        "after": np.median(after),
        "unit": "patches a second",
        "ratio": np.median(after / before),
        "note": f"waits {first:.1f} % of the time in the first epoch, {later:.1f} % in later ones; it "
        f"sleeps, as long as a GPU computes that sustains {paced:.2g} TFLOP/s; {threads} threads feed {fed[0]:.2g}, "
        f"later {fed[1]:.2g}",
    }


def _drain(feed, pace=np.inf):
    """Take all batches, so many patches a second at most; return the seconds."""
    start = time.perf_counter()
    for batch in feed:
        time.sleep(len(batch) / pace)
    return time.perf_counter() - start


def main():
    """Print and write down."""
    rng, rows = np.random.default_rng(0), []
    for case in CASES:
        model, name = network_of(*case), "FT:conv1-fc8, {} {} px, {} units".format(*case)
        operations, table = count(model, "conv1").operations, table_of(case[1], rng)
        batches = np.split(rng.permutation(NUMBER), NUMBER // BATCH)
        with tempfile.TemporaryDirectory() as folder:
            store = Mapped(Path(folder) / "patches.npy", np.uint8, (NUMBER, table.size, table.size, 3))
            kept = KeptPatches(table, store)
            _drain(Feed(kept, batches))
            new = measure(name, model, table, kept, batches[:BATCHES])
            # Without a network a backend takes part only where it turns patches; once for all others is enough.
            if keras.backend.backend() == "tensorflow" or on_accelerator():
                new += [rates(table, kept, batches)]
                new += [stand_in(pace, operations, table, kept, batches) for pace in PACES]
        rows += new
        for row in new:
            print("{what}: {before:.1f} to {after:.1f} {unit}, {ratio:.2f} times; {note}".format(**row), flush=True)
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
