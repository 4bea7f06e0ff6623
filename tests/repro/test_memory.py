"""100,000 patches are a table of where they lie: pixels exist for one batch at a time, as 8-bit integers."""

import tracemalloc

import numpy as np
import pytest

from data_prep import kept_patches
from data_prep.cohort import Image
from data_prep.kept_patches import KeptPatches
from data_prep.patches import FrameCache, PatchTable, ViewGrid
from data_prep.roi_patches import CanvasCache, RoiPatches
from data_prep.vessel_patches import Crops, VesselGrid, VesselTable
from repro.applications import embolism
from repro.inference import probabilities
from repro.profiles import load_profile
from repro.runs import Data, Run
from repro.training import _epoch

SIZE, BATCH, BATCHES = 227, 50, 2
MB = 2**20
LIMIT = 100 * MB
"""Of everything, decoded images included: 20 to 53 MB are needed. 100,000 patches are 14,743 MB as integers, and four
times that as floats."""
ROW = 100
"""Bytes that a row of a table may take: its numbers, and its place in the order of an epoch. Its pixels are 154,587."""


class EnoughError(Exception):
    """As many batches as a test has time for."""


class Network:
    """Stands for a network, its watch and its bar: looks at what it is given, and stops after some batches."""

    batch_size = BATCH

    def __init__(self):
        self.left = BATCHES

    def predict_on_batch(self, patches):
        assert (patches.dtype, patches.shape[1:]) == (np.uint8, (SIZE, SIZE, 3))
        assert len(patches) <= 2 * BATCH
        if self.left == 0:
            raise EnoughError
        self.left -= 1
        return np.zeros((len(patches), 2), np.float32)

    def train_on_batch(self, patches, labels):
        assert len(self.predict_on_batch(patches)) == len(labels) == BATCH
        return 0.0

    def end_batch(self, loss):
        """Be a watch that sees nothing."""

    def update(self):
        """Be a bar that shows nothing."""


def grey():
    return np.full((350, 500), 90, np.uint8)


def colour():
    return np.full((350, 500, 3), 90, np.uint8)


def frames(number, draw, _folder):
    cache = FrameCache((Image("f", colour, None),) * 60, most=40)
    boxes = draw.uniform(80, 120, (number, 4)).astype(np.float32)
    grid, labels = ViewGrid(), draw.integers(0, 2, number)
    return PatchTable(
        cache, draw.integers(0, 60, number), boxes, draw.integers(0, len(grid), number), labels, grid, SIZE
    )


def crops(number, folder):
    """Return cubes of 40 mm, mapped from a file as an application has them."""
    path = folder / "cubes.voxels"
    path.write_bytes(np.zeros(number * 20**3, np.int16).tobytes())
    return Crops(
        voxels=np.memmap(path, np.int16, "r"),
        start=np.arange(number) * 20**3,
        shape=np.full((number, 3), 20),
        point=np.full((number, 3), 9.5, np.float32),
        spacing_mm=np.full((number, 3), 2.1, np.float32),
        directions=np.broadcast_to(np.eye(3, dtype=np.float32), (number, 3, 3)),
    )


def vessels(number, draw, folder):
    grid, labels = VesselGrid(), draw.integers(0, 2, number)
    return VesselTable(
        crops(70, folder), draw.integers(0, 70, number), draw.integers(0, 45, number), labels, grid, SIZE
    )


def rois(number, draw, _folder):
    cache = CanvasCache(((grey, (120, 90, 60, 92)),) * 30, SIZE, zoom=8)
    places = [draw.integers(0, high, number) for high in (30, 60, 92, 3)]
    return RoiPatches(cache, *places)


def peak(make, number, folder):
    """Return the most bytes that a table takes while it trains and while it is scored, some batches of each."""
    tracemalloc.start()
    try:
        table, network = make(number, np.random.default_rng(3), folder), Network()
        with pytest.raises(EnoughError):
            _epoch(network, table, np.random.default_rng(4).permutation(len(table)), network, network)
        with pytest.raises(EnoughError):
            probabilities(Network(), table)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [frames, vessels, rois])
def test_memory_does_not_grow_with_the_number_of_patches(make, tmp_path):
    some, twice = (peak(make, number, tmp_path) for number in (100_000, 200_000))
    assert some < LIMIT
    assert twice - some < 100_000 * ROW
    assert some > 100_000 * 8 * 4, "the tables are not counted"


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch):
    monkeypatch.setattr(kept_patches, "_shelf", type(kept_patches._shelf)())


def test_a_table_above_the_limit_of_paper_is_not_kept(tmp_path):
    """500 MB are 3,391 patches of 227 pixels; `paper` has 20,250 and more in a table, so that it keeps none."""
    settings = load_profile("paper").settings("embolism")
    run = Run("embolism", "conv1", 1.0, 0, "imagenet", "paper", settings, Data("d", "", "f"))
    keep = embolism.Patches(None, run)._keep
    draw = np.random.default_rng(3)
    large, small = (vessels(number, draw, tmp_path) for number in (3392, 3391))
    assert keep(large) is large
    assert isinstance(keep(small), KeptPatches)
    assert min(settings["embolism"][key] for key in ("train_patches", "validation_patches")) > 3391
