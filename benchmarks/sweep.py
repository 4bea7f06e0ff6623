"""Time the eight depths of fine-tuning: a user's Keras, `trainable` set and `fit` for each, against shared prefixes.

    python benchmarks/sweep.py          # Caffe's variant, 131 pixels, 512 units: about 5 minutes on 2 cores
    python benchmarks/sweep.py --full   # and torchvision's at 99 pixels; Caffe's at 227 pixels, 4096 units

Five epochs of the same patches in batches of 50, the same optimiser. Ours are batches handed over as `repro.training`
does it. The two ways take turns, depth by depth, so that whatever else the machine does hits both. A sweep's time is
the sum over its depths and, with prefixes, the pass that they share; tracing counts on both sides. Also: the largest
difference of an epoch's loss between the two (the order of patches is the same: none).
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import argparse
import time
from dataclasses import dataclass

import keras
import measured
import numpy as np

from repro import prefix
from repro.alexnet import build_alexnet
from repro.feeding import Feed
from repro.finetune import DEPTHS, layer_rates, optimizer, trainable_until
from repro.precision import computing_in
from repro.runs import Data, Run
from repro.training import compile_network

EPOCHS, BATCH = 5, 50
AGAINST = "naive Keras: trainable set and fit for each depth"
CONVOLUTIONS_FROM_CONV4 = ("fc8", "fc7", "fc6", "conv5", "conv4")


@dataclass(frozen=True)
class Case:
    """A network, and how many patches it learns from."""

    variant: str
    size: int
    fc_units: int
    images: int


QUICK, FULL = (
    (Case("caffe", 131, 512, 400),),
    (Case("torchvision", 99, 512, 400), Case("caffe", 227, 4096, 100)),
)


class Table:
    """Patches in memory."""

    cuts_fast = True

    def __init__(self, case):
        draw = np.random.default_rng(0)
        self.labels = np.arange(case.images) % 2
        self.patches = draw.integers(0, 255, (case.images, case.size, case.size, 3), dtype=np.uint8)

    def __len__(self):
        return len(self.labels)

    def cut(self, rows):
        """Return some patches."""
        return self.patches[rows]


def main():
    """Time every case, print and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the other variant and the paper's size too")
    cases = (*QUICK, *FULL) if parser.parse_args().full else QUICK
    rows = [row for case in cases for row in compare(case)]
    measured.record(__file__, rows)


def compare(case):
    """Time both ways; return what is written down."""
    table = Table(case)
    wanted = [definition(case, arm) for arm in DEPTHS]
    # The first graph of all is the slowest.
    fit(network(case, "conv1"), table, "conv1", epochs=1)
    seconds, largest, shared = {}, 0.0, 0.0
    with prefix.sharing(wanted, "."):
        for run in wanted:
            naive, losses = fit(network(case, run.arm), table, run.arm)
            model, start = network(case, run.arm), time.perf_counter()
            learner, seen = prefix.Split(run, model).of(training=table)
            shared = shared or time.perf_counter() - start  # the first depth pays for all
            ours, losses_too = train(learner, seen, run.arm)
            largest = max(largest, float(np.abs(np.subtract(losses, losses_too)).max()))
            seconds[run.arm] = naive, ours
            print(f"{case.variant} {case.size} px {run.arm:6} {naive:7.2f} s {ours:7.2f} s")
    return [
        row(case, f"{words}, {EPOCHS} epochs", [seconds[arm] for arm in arms], shared, largest)
        for words, arms in (("eight depths", DEPTHS), ("five depths, fc8 to conv4", CONVOLUTIONS_FROM_CONV4))
    ]


def row(case, words, seconds, shared, largest):
    """Describe the time of some depths, their shared pass with them, a patch."""
    naive, ours = np.add(np.sum(seconds, axis=0), (0, shared)) * 1000 / case.images
    what = f"{words}: {case.variant} {case.size} px, {case.fc_units} units"
    note = f"losses differ by {largest:.1g}; shared pass {1000 * shared / case.images:.1f} ms"
    print(f"{what}: {naive:.0f} to {ours:.0f} ms a patch, {ours / naive:.2f}; {note}")
    return {
        "what": what,
        "against": AGAINST,
        "before": naive,
        "after": ours,
        "unit": "ms a patch",
        "ratio": naive / ours,
        "note": note,
    }


def definition(case, arm):
    """Make a run that names a network's depth and size; it is never performed."""
    network = {"input_size": case.size, "fc_units": case.fc_units}
    settings = {"network": network, "training": {}, "sweep": {"images": case.images}}
    return Run("sweep", arm, 1.0, 0, case.variant, "", settings, Data("noise", "", ""))


def network(case, arm):
    """Build a depth's network."""
    with computing_in("float32"):
        model = build_alexnet(2, case.variant, case.size, case.fc_units, seed=0)
    trainable_until(model, arm)
    return model


def rates_of(model, arm):
    """Return the rate of each layer that a network has, and start all that is random anew."""
    keras.utils.set_random_seed(0)
    names = {layer.name for layer in model.layers}
    return {layer: rate for layer, rate in layer_rates(arm).items() if layer in names}


def fit(model, table, arm, epochs=EPOCHS):
    """Train as a user of Keras would, with the same optimiser; return seconds and each epoch's loss."""
    start = time.perf_counter()
    steps = -(-len(table) // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer(model, rates_of(model, arm), steps), loss=loss, jit_compile=False)
    settings = {"batch_size": BATCH, "epochs": epochs, "shuffle": False, "verbose": 0}
    history = model.fit(table.patches, table.labels, **settings)
    return time.perf_counter() - start, history.history["loss"]


def train(model, table, arm):
    """Train as `repro.training` does, the order of patches apart; return seconds and each epoch's loss, as `fit`."""
    start, losses = time.perf_counter(), []
    batches = np.split(np.arange(len(table)), range(BATCH, len(table), BATCH))
    compile_network(model, rates_of(model, arm), len(batches))
    for _ in range(EPOCHS):
        mean = keras.metrics.Mean()  # In 32 bits, as Keras takes it.
        for rows, batch in zip(batches, Feed(table, batches), strict=True):
            mean.update_state(model.train_on_batch(batch, table.labels[rows]), sample_weight=len(rows))
        losses.append(float(mean.result()))
    return time.perf_counter() - start, losses


if __name__ == "__main__":
    main()
