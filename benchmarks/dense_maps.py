"""Time confidence maps of a region of 92x60 pixels (60 rows): one forward pass for each patch against shared layers.

    python benchmarks/dense_maps.py          # 131 and 99 pixels, 512 units: about a minute on 2 cores
    python benchmarks/dense_maps.py --full   # and 227 pixels, 4096 units, as the paper: about two minutes

All ways take turns and ratios are of neighbours in time, so that whatever else the machine does hits all. Patch by
patch is timed on some of the pixels and scaled to all; the largest difference is over those. The paper's case has a
second rival where torch is installed: the same network and weights in plain PyTorch, eager, in inference mode, in
batches of 100 patches too. Noise is as good an image as any: no way looks at it. What it measures, it also writes into
measured.csv.
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import argparse
import time
from dataclasses import dataclass
from functools import partial

import keras
import measured
import numpy as np

from repro.alexnet import build_alexnet
from repro.dense import dense_probabilities
from repro.inference import probabilities
from repro.precision import computing_in

try:
    import torch
    import torch_twin
except ImportError:
    torch = None

ROWS, COLUMNS = 60, 92
ROUNDS = 3
TIMED_PATCHES = 200
BATCH = 100
KERAS = "one forward pass for each pixel's patch"
PYTORCH = "one forward pass for each pixel's patch, in plain PyTorch"


@dataclass(frozen=True)
class Case:
    """A network, pixels of the canvas for one of the region, the step from column to column, and who competes."""

    variant: str
    size: int
    fc_units: int
    zoom: int
    step: int
    pytorch: bool = False


QUICK = (
    Case("caffe", 131, 512, zoom=4, step=1),
    Case("caffe", 131, 512, zoom=4, step=4),
    Case("torchvision", 99, 512, zoom=4, step=1),
    Case("torchvision", 99, 512, zoom=4, step=4),
)
FULL = (Case("caffe", 227, 4096, zoom=8, step=1, pytorch=True),)


@dataclass(frozen=True)
class Patches:
    """Patches by their first pixels on the canvas."""

    canvas: np.ndarray
    size: int
    starts: np.ndarray

    def __len__(self):
        return len(self.starts)

    def cut(self, rows):
        """Cut out patches: (n, size, size, 3), uint8."""
        size = self.size
        return np.stack([self.canvas[row : row + size, column : column + size] for row, column in self.starts[rows]])


def measure(case, rng):
    """Time one case; return a row for each rival."""
    shape = ((ROWS - 1) * case.zoom + case.size, (COLUMNS - 1) * case.zoom + case.size, 3)
    canvas = rng.integers(0, 256, shape, np.uint8)
    # Gaussian weights as in training from scratch: with larger ones, every probability would be 0 or 1.
    with computing_in("float32"):
        model = build_alexnet(3, case.variant, case.size, case.fc_units, seed=1)
    columns = np.arange(0, COLUMNS, case.step)
    row, column = np.divmod(rng.permutation(ROWS * len(columns))[:TIMED_PATCHES], len(columns))
    patches = Patches(canvas, case.size, np.stack([row, columns[column]], axis=1) * case.zoom)
    ways = rivals(case, model, patches)
    ways["dense"] = partial(dense_probabilities, model, canvas, case.zoom, range(ROWS), columns)

    seconds = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        found = {name: _timed(way, seconds[name]) for name, way in ways.items()}
    # The first round compiles.
    seconds = {name: np.array(times[1:]) for name, times in seconds.items()}
    dense, maps = seconds.pop("dense"), found.pop("dense")
    scale, what = ROWS * len(columns) / len(patches), describe(case, len(columns))
    differences = {name: np.abs(maps[row, column] - one_by_one).max() for name, one_by_one in found.items()}
    return [
        _row(
            what,
            name,
            times * scale,
            dense,
            f"maps differ by at most {differences[name]:.0e}, their sd is {maps.std():.0e}",
        )
        for name, times in seconds.items()
    ]


def rivals(case, model, patches):
    """Return what classifies patches one by one, by name."""
    ways = {KERAS: partial(probabilities, model, patches, BATCH)}
    if case.pytorch and torch is not None:
        on_gpu = torch.cuda.is_available() and keras.distribution.list_devices("gpu")
        module = torch_twin.build(case.variant, case.size, case.fc_units, 3).eval()
        torch_twin.copy_weights(model, module)
        ways[PYTORCH] = partial(pytorch_probabilities, module.to("cuda" if on_gpu else "cpu"), patches)
    return ways


def pytorch_probabilities(module, patches):
    """Classify patches as a user of PyTorch would: (n, classes)."""
    device, found = module.fc8.weight.device, []
    with torch.inference_mode():
        for start in range(0, len(patches), BATCH):
            batch = patches.cut(np.arange(start, min(start + BATCH, len(patches))))
            found.append(torch.softmax(module(torch.from_numpy(batch).to(device)), dim=1).cpu().numpy())
    return np.concatenate(found)


def describe(case, columns):
    """Name a case."""
    return f"{case.variant} {case.size} px, {case.fc_units} units, {case.zoom} px a pixel, {columns} columns"


def _row(what, against, before, after, note):
    """Make a row of measured.csv of two ways' times, round by round."""
    times = {"before": np.median(before), "after": np.median(after), "ratio": np.median(before / after)}
    what = f"confidence maps of {ROWS}x{COLUMNS} pixels: {what}"
    return {"what": what, "against": against, "unit": "s", "note": note} | times


def _timed(way, seconds):
    """Return what a way finds; append how long it took."""
    start = time.perf_counter()
    found = way()
    seconds.append(time.perf_counter() - start)
    return found


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="also 227 pixels and 4096 units, as the paper")
    cases = QUICK + FULL if parser.parse_args().full else QUICK
    print(f"Seconds, medians of {ROUNDS}; one by one scaled from {TIMED_PATCHES} patches")
    print(f"{'':92} {'one by one':>10} {'dense':>7} {'ratio':>6}")
    rows = []
    for case in cases:
        for row in measure(case, np.random.default_rng(0)):
            name = row["what"] + (", PyTorch" if row["against"] == PYTORCH else "")
            print(f"{name:92} {row['before']:10.1f} {row['after']:7.2f} {row['ratio']:6.2f}  {row['note']}", flush=True)
            rows.append(row)
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
