"""Time training on patches that are cut in the background, against cutting each batch when the network wants it.

    python benchmarks/input_pipeline.py            # about a minute on 2 cores
    KERAS_BACKEND=jax python benchmarks/input_pipeline.py

Random views of random boxes in 20 frames of 500x350 pixels, as the polyp application draws them; FT:conv1-fc8. The two
take turns, batch by batch in rounds, and ratios are of neighbours in time. The waiting share is how much of the time
the network stood still because its batch was not cut yet. Without a GPU both share the same cores, so that the
background can win little; what counts there is the share, and how many patches the threads cut in a second, which a
network on a GPU must not exceed; a GPU also turns them itself. What it measures, it also writes into measured.csv.
"""

import time

import measured
import numpy as np
from scipy.ndimage import gaussian_filter

from data_prep.patches import PatchTable, ViewGrid
from repro.alexnet import build_alexnet
from repro.feeding import Feed, count_cutters
from repro.finetune import layer_rates
from repro.training import compile_network

CASES = (("torchvision", 99, 512), ("caffe", 227, 4096))
FRAMES, BATCH, BATCHES, ROUNDS = 20, 50, 4, 4


def table_of(size, rng):
    """Make a table of random views, of more patches than are used."""
    smooth = gaussian_filter(rng.normal(size=(FRAMES, 350, 500, 3)), (0, 6, 6, 0))
    frames = tuple(np.clip(127 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8))
    number = BATCH * BATCHES
    boxes = rng.uniform((0, 0, 40, 40), (200, 300, 150, 150), (number, 4)).astype(np.float32)
    view = rng.integers(len(ViewGrid()), size=number)
    return PatchTable(frames, rng.integers(FRAMES, size=number), boxes, view, np.arange(number) % 2, ViewGrid(), size)


def measure(variant, size, fc_units, rng):
    """Time one network; return a row."""
    table, model = table_of(size, rng), build_alexnet(2, variant, size, fc_units, seed=0)
    compile_network(model, layer_rates("conv1"), BATCHES)
    batches = np.split(np.arange(len(table)), BATCHES)
    seconds, shares = [], []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        for rows in batches:
            float(model.train_on_batch(table.cut(rows), table.labels[rows]))
        middle, feed = time.perf_counter(), Feed(table, batches)
        for rows, patches in zip(batches, feed, strict=True):
            float(model.train_on_batch(patches, table.labels[rows]))
        seconds.append((middle - start, time.perf_counter() - middle))
        shares.append(feed.waited / seconds[-1][1])
    before, after = 1000 * np.array(seconds[1:]).T / len(table)
    start = time.perf_counter()
    rate = sum(map(len, Feed(table, batches))) / (time.perf_counter() - start)
    return {
        "what": f"training with its input, FT:conv1-fc8, {variant} {size} px, {fc_units} units",
        "against": "each batch cut when it is wanted",
        "before": np.median(before),
        "after": np.median(after),
        "unit": "ms a patch",
        "ratio": np.median(before / after),
        "note": f"waits {100 * np.median(shares[1:]):.1f} % of the time; cutting alone, with as many threads "
        f"({count_cutters()}): {rate:,.0f} patches a second",
    }


def main():
    """Print and write down."""
    rng, rows = np.random.default_rng(0), []
    for case in CASES:
        rows.append(measure(*case, rng))
        print("{what}: {before:.1f} {after:.1f} {unit}, {ratio:.2f} times; {note}".format(**rows[-1]), flush=True)
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
