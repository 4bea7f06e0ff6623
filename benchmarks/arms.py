"""Time every arm's training on patches and on frozen prefixes, beside a floor made of the machine's own rates.

    python benchmarks/arms.py          # Caffe's variant, 131 pixels, 512 units: about a minute on 2 cores
    python benchmarks/arms.py --full   # and 227 pixels, 4096 units, as the paper: about 4 minutes
    KERAS_BACKEND=jax python benchmarks/arms.py --full --precision float32 tf32 mixed_bfloat16     # on a GPU

Batches of 50. With a frozen prefix, a step on activations (`repro.prefix`) and a fifth of the pass that makes them,
as in 5 epochs. Ways take turns; ratios are of neighbours in time. Cutting patches is not timed. The floor is

    (operations + operations of the prefix / 5) / matrix rate + 24 bytes a learning weight / 50 / memory rate

Operations are a multiplication or an addition for each weight and place of its layer, borders too: forward, for the
weight's gradient, and for the gradient of what is below. 24 bytes: weight and velocity read and written, gradient
written and read, 4 each. Both rates are measured, the best of all tries: a matrix product on Keras' backend in the
network's precision, and a copy, by NumPy on all cores or on the GPU. They are added, since a weight's gradient must be
there before its update. The larger of the two would be the strict bound: other layers' products could hide the update,
4 % of conv1's floor at 227 px, a quarter of fc6's. ReLU, pooling, LRN and dropout have no share. Each row's note
begins, for whoever reads it by machine, "floor 1.9 ms (x1.60): arithmetic 1.8 ms, update 0.1 ms". What it measures, it
also writes into measured.csv.

What lies between, `benchmarks/step_profile.py` measures.
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import argparse
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import keras
import measured
import numpy as np

from repro.alexnet import build_alexnet
from repro.feeding import on_accelerator
from repro.finetune import DEPTHS, label, layer_rates, trainable_until
from repro.precision import computing_in
from repro.prefix import CUTS, suffix
from repro.schema import PRECISIONS
from repro.training import compile_network

BATCH, CLASSES, EPOCHS = 50, 2, 5
ROUNDS = 5
BYTES_PER_WEIGHT = 6 * 4
SIDES, SIDES_ON_GPU = (512, 768, 1024, 2048), (2048, 4096, 8192, 16384)
COPIED = 64 << 20


@dataclass(frozen=True)
class Case:
    """A network."""

    variant: str
    size: int
    fc_units: int
    name: str
    precision: str = "float32"

    def at(self, precision):
        """Return the same network in another precision, which its name then ends in."""
        words = self.name if precision == self.precision else f"{self.name}, {precision}"
        return replace(self, name=words, precision=precision)


QUICK = Case("caffe", 131, 512, "Caffe 131 px, 512 units")
FULL = Case("caffe", 227, 4096, "Caffe 227 px, 4096 units")


@dataclass(frozen=True)
class Work:
    """What one patch costs at least.

    Operations of the trained layers, those of convolutions among them, of one prefix pass, and weights that learn.
    """

    operations: float
    convolutions: float
    prefix_operations: float
    learning: float

    def floor_ms(self, roof):
        """Return the floor's two parts in ms an image: arithmetic, and the share of a batch's update."""
        operations = self.operations + self.prefix_operations / EPOCHS
        return 1000 * operations / roof.flops, 1000 * BYTES_PER_WEIGHT * self.learning / BATCH / roof.bandwidth


class Roof:
    """The machine's two rates, the best seen of all tries: what else runs only ever lowers them."""

    def __init__(self, precision):
        draw, self._precision = np.random.default_rng(0), precision
        sides = SIDES_ON_GPU if on_accelerator() else SIDES
        with computing_in(precision):
            kind = keras.config.dtype_policy().compute_dtype
        square = [draw.standard_normal((side, side), np.float32) for side in sides]
        self._matrices = [keras.ops.convert_to_tensor(each, kind) for each in square]
        self._source, self._target = np.ones((2, COPIED), np.float32)
        self.flops = self.bandwidth = 0.0

    def measure(self):
        """Time products of square matrices by Keras' backend, and a copy of 256 MiB."""
        with computing_in(self._precision):
            for matrix in self._matrices:
                seconds = _seconds(lambda matrix=matrix: float(keras.ops.matmul(matrix, matrix)[0, 0]))
                self.flops = max(self.flops, 2 * matrix.shape[0] ** 3 / seconds)
        seconds = self._copied_there() if on_accelerator() else self._copied_here()
        self.bandwidth = max(self.bandwidth, 2 * self._source.nbytes / seconds)

    def _copied_here(self):
        """Copy by NumPy, one thread a core."""
        parts = np.array_split(np.arange(COPIED), measured.cores())
        slices = [slice(part[0], part[-1] + 1) for part in parts]
        with ThreadPoolExecutor(len(slices)) as pool:
            return _seconds(lambda: list(pool.map(self._copy, slices)))

    def _copied_there(self):
        """Read and write as much in an accelerator's memory, negated on the way, since a mere copy may be left out."""
        source = keras.ops.convert_to_tensor(self._source)
        return _seconds(lambda: float(keras.ops.negative(source)[0]))

    def _copy(self, part):
        np.copyto(self._target[part], self._source[part])


def _seconds(function, tries=5):
    """Return the least of some tries."""
    return min(_timed(function) for _ in range(tries))


def _timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def count(model, depth):
    """Count a depth's work, in the network frozen for it.

    An operation is a multiplication or an addition. Each weight is used once at each place of its layer's output:
    forward, for its own gradient, and for that of the layer's input, which the first layer that learns does not need.
    """
    names = [layer.name for layer in model.layers]
    cut = names.index(CUTS[depth]) if depth in CUTS else 0
    operations = convolutions = prefix = learning = 0
    for position, layer in enumerate(model.layers):
        if not layer.weights:
            continue
        forward = 2 * int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
        passes = 1 if not layer.trainable_weights else 2 if layer.name == depth else 3
        learning += sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
        if position <= cut:
            prefix += forward
        else:
            operations += passes * forward
            convolutions += passes * forward * (layer.kernel.ndim == 4)
    return Work(operations, convolutions, prefix, learning)


def prepare(case, depth):
    """Build a case's network, frozen for a depth; return it with a batch of noise and its labels."""
    draw = np.random.default_rng(0)
    patches = draw.integers(0, 256, (BATCH, case.size, case.size, 3), np.uint8)
    labels = draw.integers(0, CLASSES, BATCH)
    with computing_in(case.precision):
        model = build_alexnet(CLASSES, case.variant, case.size, case.fc_units, seed=1)
    trainable_until(model, depth)
    return model, patches, labels


def trainer(model, depth, inputs, labels):
    """Return a function that trains a network, or what is above its cut, by one step, as `repro.training` does."""
    names = {layer.name for layer in model.layers}
    rates = {layer: rate for layer, rate in layer_rates(depth).items() if layer in names}
    compile_network(model, rates, steps_per_epoch=1000)
    return lambda: float(model.train_on_batch(inputs, labels))


def measure(case, depth):
    """Time one depth; return ms an image by name (patches, activations, pass), and its work."""
    model, patches, labels = prepare(case, depth)
    work, steps = count(model, depth), {"patches": trainer(model, depth, patches, labels)}
    if depth in CUTS:
        trunk = keras.Model(model.inputs, model.get_layer(CUTS[depth]).output)
        steps["pass"] = lambda: trunk.predict_on_batch(patches)
        steps["activations"] = trainer(suffix(model, CUTS[depth]), depth, trunk.predict_on_batch(patches), labels)
    rounds = [{name: _timed(step) * 1000 / BATCH for name, step in steps.items()} for _ in range(ROUNDS + 1)]
    return {name: np.array([each[name] for each in rounds[1:]]) for name in steps}, work  # The first round traces.


def row(case, depth, times, work, roof):
    """Describe a depth; the pass through its frozen layers counts once in so many epochs."""
    compute, update = work.floor_ms(roof)
    floor, shared = compute + update, times["pass"] / EPOCHS if depth in CUTS else 0.0
    ours = times["activations"] + shared if depth in CUTS else times["patches"]
    after = np.median(ours)
    parts = f"arithmetic {compute:.3f} ms, update {update:.3f} ms"
    found = {"what": f"training step, {label(depth)}: {case.name}", "after": after, "unit": "ms an image"}
    found["note"] = f"floor {floor:.3g} ms (x{after / floor:.2f}): {parts}"
    if depth in CUTS:
        against = {"against": "on patches", "before": np.median(times["patches"])}
        found |= against | {"ratio": np.median(times["patches"] / ours)}
        found["what"] += ", frozen prefix"
        found["note"] += f"; measured with a pass of {np.median(times['pass']):.3g} ms in {EPOCHS} epochs"
    before = f"{found['before']:8.2f} {found['ratio']:6.2f}" if depth in CUTS else " " * 15
    print(f"{label(depth):14} {before} {after:8.2f} {floor:8.2f} {after / floor:6.2f}  {parts}", flush=True)
    return found


def tables(cases, precision):
    """Measure some cases in a precision; return rows, the two rates' too."""
    roof = Roof(precision)
    rows = [row for case in cases for row in table(case.at(precision), roof)]
    print(f"{roof.flops / 1e9:.0f} GFLOP/s, {roof.bandwidth / 1e9:.1f} GB/s")
    return [
        *rows,
        {"what": f"{precision} matrix product, largest rate", "after": roof.flops / 1e9, "unit": "GFLOP/s"},
        {"what": "copy of 256 MiB, read and written", "after": roof.bandwidth / 1e9, "unit": "GB/s"},
    ]


def table(case, roof):
    """Measure all depths of a case, and the roof before each; return rows, printed when the roof is known."""
    measured_depths = []
    for depth in DEPTHS:
        roof.measure()
        measured_depths.append((depth, *measure(case, depth)))
        keras.backend.clear_session()
        gc.collect()
    print(f"{case.name}, ms an image, medians of {ROUNDS}")
    print(f"{'':14} {'patches':>8} {'ratio':>6} {'ours':>8} {'floor':>8} {'x':>6}")
    return [row(case, *depth, roof) for depth in measured_depths]


def main():
    """Print a table for each case, and the two rates that the floors are made of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--full", action="store_true", help="also 227 pixels and 4096 units, as the paper")
    add("--precision", nargs="+", default=["float32"], choices=PRECISIONS, help="tables for each (default: float32)")
    options = parser.parse_args()
    cases = (QUICK, FULL) if options.full else (QUICK,)
    rows = [row for precision in options.precision for row in tables(cases, precision)]
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
