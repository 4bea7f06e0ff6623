"""Time vessel-aligned views of candidate emboli: SciPy's map_coordinates, a view at a time, against a table's batches.

    python benchmarks/vessel_views.py     # about 20 seconds on 2 cores

Both cut the same views of the paper's grid (10, 15 and 20 mm) from the same cubes, in batches as training asks for
them, and take turns; ratios are of neighbours in time, so that whatever else the machine does hits both. SciPy samples
every pixel of the two planes (order=1) and its grey levels are rounded in the same way. Vessels lie at random in lung,
as sharp as a scanner shows them (.6 mm), with noise of 30 HU; their edges are where the two differ most. What it
measures, it also writes into measured.csv.
"""

import time
from itertools import product

import measured
import numpy as np
from scipy import ndimage

from data_prep.vessel_patches import VesselGrid, VesselTable, cut_crops, find_axes, join

SPACINGS_MM = ((1.0, 0.65, 0.65), (0.5, 0.5, 0.5), (1.5, 0.8, 0.8))
SIZES = (99, 227)
CANDIDATES = 12
BATCH = 50
ROUNDS = 9
AGAINST = "SciPy's map_coordinates, a view at a time"
BLOOD, CLOT, LUNG = 350, 50, -850


def vessel(spacing_mm, rng):
    """Render a tube with a clot, and return it with the clot's middle."""
    shape = np.ceil(38 / np.array(spacing_mm)).astype(int)
    middle = (shape - 1) / 2 + rng.uniform(-0.5, 0.5, 3)
    places = (np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) - middle) * spacing_mm
    direction = rng.normal(size=3)
    along = places @ direction / np.linalg.norm(direction)
    from_middle = np.linalg.norm(places, axis=-1)
    radius_mm = rng.uniform(1.5, 5)
    inside = np.sqrt(np.maximum(from_middle**2 - along**2, 0)) < radius_mm
    volume = np.where(inside, np.where(from_middle < 0.8 * radius_mm, CLOT, BLOOD), LUNG).astype(float)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 0.5)
    volume = ndimage.gaussian_filter(volume, 0.6 / np.array(spacing_mm)) + 30 * noise / noise.std()
    return np.rint(volume).astype(np.int16), middle


def table_of(size, spacing_mm, rng):
    """Cut cubes of vessels and return a table of random views of them."""
    grid, crops = VesselGrid(), []
    for _ in range(CANDIDATES):
        volume, middle = vessel(spacing_mm, rng)
        crops.append(cut_crops(volume, spacing_mm, middle, find_axes(volume, spacing_mm, middle), grid.reach_mm))
    number = BATCH * (ROUNDS + 1)
    candidate, view = rng.integers(CANDIDATES, size=number), rng.integers(len(grid), size=number)
    return VesselTable(join(crops), candidate, view, np.zeros(number, int), grid, size)


def one_by_one(table, rows):
    """Cut views with SciPy."""
    patches = np.empty((len(rows), table.size, table.size, 3), np.uint8)
    low, high = table.window_hu
    for patch, row in zip(patches, rows, strict=True):
        candidate, (width, translation, rotation) = table.candidate[row], table.grid.locate(table.view[row])
        width_mm, angle = table.grid.widths_mm[width], table.grid.angles[rotation]
        along, second, third = table.crops.directions[candidate].astype(float)
        down, across = (np.cos(angle) * a + np.sin(angle) * b for a, b in [(second, third), (third, -second)])
        steps = ((np.arange(table.size) + 0.5) / table.size - 0.5) * width_mm
        for channel, right in enumerate((along, across)):
            places = table.grid.offsets[translation] * width_mm * along + steps[:, None, None] * down
            places = (places + steps[:, None] * right) / table.crops.spacing_mm[candidate]
            coordinates = np.moveaxis(table.crops.point[candidate] + places, -1, 0)
            plane = ndimage.map_coordinates(table.crops.cube(candidate), coordinates, np.float32, order=1)
            patch[..., channel] = np.clip(np.rint((plane - low) * (255 / (high - low))), 0, 255)
        patch[..., 2] = patch[..., 1]
    return patches


def measure(size, spacing_mm, rng):
    """Time one case; return its row, and the differences of greys: mean and largest."""
    table, seconds, differences = table_of(size, spacing_mm, rng), [], []
    for rows in np.arange(len(table)).reshape(-1, BATCH):
        slow, scipy = _timed(one_by_one, table, rows)
        fast, ours = _timed(table.cut, rows)
        seconds.append((scipy, ours))
        differences.append(np.abs(slow.astype(int) - fast))
    scipy, ours = np.array(seconds[1:]).T  # The first round fills caches.
    rates = {"before": BATCH / np.median(scipy), "after": BATCH / np.median(ours), "ratio": np.median(scipy / ours)}
    name = f"{size} px, voxels of {'x'.join(f'{step:g}' for step in spacing_mm)} mm"
    return {"what": name} | rates, np.mean(differences), np.max(differences)


def _timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def main():
    """Print a table."""
    print(f"Views a second in batches of {BATCH}, medians of {ROUNDS}, one core; difference in greys")
    print(f"{'':36} {'SciPy':>8} {'ours':>8} {'ratio':>6} {'mean':>9} {'largest':>8}")
    rows = []
    for size, spacing_mm in product(SIZES, SPACINGS_MM):
        row, mean, largest = measure(size, spacing_mm, np.random.default_rng(0))
        rates = f"{row['before']:8.0f} {row['after']:8.0f} {row['ratio']:6.1f}"
        print(f"{row['what']:36} {rates} {mean:9.3f} {largest:8.0f}", flush=True)
        more = {"what": f"vessel-aligned views: {row['what']}", "against": AGAINST, "unit": "views a second"}
        rows.append(row | more | {"note": f"greys differ by {mean:.2f} in the mean, at most {largest}"})
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
