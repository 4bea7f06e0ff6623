"""Time confidence maps of a region of 92x60 pixels (60 rows): one forward pass for each patch against shared layers.

    python benchmarks/dense_maps.py          # 131 pixels, 512 units: about a minute on 2 cores
    python benchmarks/dense_maps.py --full   # and 227 pixels, 4096 units, as the paper: about 3 minutes

Both ways take turns and ratios are of neighbours in time, so that whatever else the machine does hits both. Patch by
patch is timed on some of the pixels and scaled to all; the largest difference is over those. Noise is as good an image
as any: neither way looks at it. What it measures, it also writes into measured.csv.
"""

import argparse
import time
from dataclasses import dataclass

import measured
import numpy as np

from repro.alexnet import build_alexnet
from repro.dense import dense_probabilities
from repro.inference import probabilities

ROWS, COLUMNS = 60, 92
ROUNDS = 3
TIMED_PATCHES = 200
AGAINST = "one forward pass for each pixel's patch"


@dataclass(frozen=True)
class Case:
    """A network, pixels of the canvas for one of the region, and the step from one evaluated column to the next."""

    variant: str
    size: int
    fc_units: int
    zoom: int
    step: int


QUICK = (
    Case("caffe", 131, 512, zoom=4, step=1),
    Case("caffe", 131, 512, zoom=4, step=4),
    Case("torchvision", 99, 512, zoom=4, step=1),
    Case("torchvision", 99, 512, zoom=4, step=4),
)
FULL = (Case("caffe", 227, 4096, zoom=8, step=1),)


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
    """Time one case; return its row, the largest difference and the maps' deviation."""
    shape = ((ROWS - 1) * case.zoom + case.size, (COLUMNS - 1) * case.zoom + case.size, 3)
    canvas = rng.integers(0, 256, shape, np.uint8)
    # Gaussian weights as in training from scratch: with larger ones, every probability would be 0 or 1.
    model = build_alexnet(3, case.variant, case.size, case.fc_units, seed=1)
    columns = np.arange(0, COLUMNS, case.step)
    pixels = rng.permutation(ROWS * len(columns))[:TIMED_PATCHES]
    row, column = np.divmod(pixels, len(columns))
    patches = Patches(canvas, case.size, np.stack([row, columns[column]], axis=1) * case.zoom)
    scale = ROWS * len(columns) / len(pixels)

    seconds = []
    for _ in range(ROUNDS + 1):
        one_by_one, patchwise = _timed(probabilities, model, patches)
        maps, dense = _timed(dense_probabilities, model, canvas, case.zoom, range(ROWS), columns)
        seconds.append((patchwise * scale, dense))
    patchwise, dense = np.array(seconds[1:]).T  # The first round compiles.
    difference = np.abs(maps[row, column] - one_by_one).max()
    name = f"{case.variant} {case.size} px, {case.fc_units} units, {case.zoom} px a pixel, {len(columns)} columns"
    times = {"before": np.median(patchwise), "after": np.median(dense), "ratio": np.median(patchwise / dense)}
    return {"what": name} | times, difference, maps.std()


def _timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="also 227 pixels and 4096 units, as the paper")
    cases = QUICK + FULL if parser.parse_args().full else QUICK
    print(
        f"Region of {ROWS}x{COLUMNS} pixels; seconds, medians of {ROUNDS}; patch by patch scaled from {TIMED_PATCHES}"
    )
    print(f"{'':58} {'patchwise':>9} {'dense':>9} {'ratio':>6} {'difference':>11} {'sd':>8}")
    rows = []
    for case in cases:
        row, difference, deviation = measure(case, np.random.default_rng(0))
        times = f"{row['before']:9.1f} {row['after']:9.2f} {row['ratio']:6.2f}"
        print(f"{row['what']:58} {times} {difference:11.1e} {deviation:8.1e}", flush=True)
        more = {"what": f"confidence maps of {ROWS}x{COLUMNS} pixels: {row['what']}", "against": AGAINST, "unit": "s"}
        rows.append(row | more | {"note": f"maps differ by at most {difference:.0e}"})
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
