"""Time the views of a box: 3 scales x 9 translations x 8 orientations, 227 pixels, from a frame of 500x350.

    python benchmarks/patches.py     # about 20 seconds on 2 cores

Against what one would write first: `skimage.transform.resize` of each view's square, then `numpy.rot90` and mirroring.
It runs on some of the views and is scaled, the package on a few boxes of the frame; both take turns, and ratios are of
neighbours in time. scikit-image's
defaults are taken as they are (bilinear; a Gaussian first where a square shrinks). The package cuts each square once,
in as many threads as there are cores, and turns whole pixels. Also: single random views, as training asks for them.
What it measures, it also writes into measured.csv.
"""

import time

import joblib
import measured
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.transform import resize

from data_prep.patches import PatchTable, ViewGrid

SIDES_PX = (60, 100, 180)
SIZE, ROUNDS, TIMED_VIEWS, TIMED_BOXES, BATCH = 227, 9, 24, 4, 50
BORDER = 8  # scikit-image mirrors a square at its border, where the package reads on: pixels that are not compared
GRID = ViewGrid(places=9)


def frame(rng):
    """Draw a smooth frame with some noise: (350, 500, 3), uint8."""
    smooth = gaussian_filter(rng.normal(size=(350, 500, 3)), (6, 6, 0))
    return np.clip(127 + 60 * smooth / smooth.std() + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def table_of(pixels, boxes, view):
    """Make a table of views of boxes of one frame."""
    none = np.zeros(len(view), int)
    return PatchTable((pixels,), none, np.asarray(boxes, np.float32), view, none, GRID, SIZE)


def plainly(pixels, box, view):
    """Cut one view with scikit-image: (SIZE, SIZE, 3), uint8. The square lies on whole pixels."""
    scale, translation, orientation = GRID.locate(view)
    side = box[2] * GRID.scales[scale]
    step = np.array(GRID.translations[translation]) * GRID.shift * side
    top, left = np.rint(np.array(box[:2]) + box[2] / 2 + step - side / 2).astype(int)
    patch = resize(pixels[top : top + round(side), left : left + round(side)], (SIZE, SIZE), preserve_range=True)
    patch = np.rint(patch).astype(np.uint8)
    patch = patch.transpose(1, 0, 2) if orientation >= 4 else patch
    patch = patch[::-1] if orientation % 4 >= 2 else patch
    return patch[:, ::-1] if orientation % 2 else patch


def all_views(side, rng):
    """Time all views of a box; return a row. Its side makes squares and steps of whole pixels, or nearly."""
    pixels, number = frame(rng), len(GRID)
    boxes = np.column_stack(
        [rng.integers((0, 0), (350 - side, 500 - side), (TIMED_BOXES, 2)), np.full((TIMED_BOXES, 2), side)]
    )
    table = table_of(pixels, np.repeat(boxes, number, axis=0), np.tile(np.arange(number), TIMED_BOXES))
    seconds = []
    for _ in range(ROUNDS + 1):
        chosen = rng.permutation(number)[:TIMED_VIEWS]
        start = time.perf_counter()
        slow = np.stack([plainly(pixels, boxes[0], view) for view in chosen])
        middle = time.perf_counter()
        fast = table.cut(np.arange(len(table)))
        seconds.append(((middle - start) / TIMED_VIEWS, (time.perf_counter() - middle) / len(table)))
    before, after = np.array(seconds[1:]).T
    unshifted = np.isin(GRID.locate(chosen)[0] * 9 + GRID.locate(chosen)[1], (0, 18))  # squares on whole pixels
    apart = np.abs(fast[chosen[unshifted]].astype(int) - slow[unshifted])[:, BORDER:-BORDER, BORDER:-BORDER]
    return {
        "what": f"views of a box of {side} px: 3 scales x 9 translations x 8 orientations, 227 px",
        "against": "skimage.transform.resize, a view at a time",
        "before": 1 / np.median(before),
        "after": 1 / np.median(after),
        "unit": "views a second",
        "ratio": np.median(before / after),
        "note": f"greys of one square differ by {apart.mean():.2f} in the mean, at most {apart.max(initial=0)}; "
        f"{joblib.cpu_count()} threads against one",
    }


def random_views(rng):
    """Time batches of random views of random boxes of one frame; return a row."""
    number = BATCH * (ROUNDS + 1)
    boxes = rng.uniform((0, 0, 40, 40), (200, 300, 150, 150), (number, 4))
    table, seconds = table_of(frame(rng), boxes, rng.integers(len(GRID), size=number)), []
    for start in range(0, number, BATCH):
        before = time.perf_counter()
        table.cut(np.arange(start, start + BATCH))
        seconds.append(time.perf_counter() - before)
    return {
        "what": "random views of random boxes of one frame, as training asks for them, 227 px",
        "after": BATCH / np.median(seconds[1:]),
        "unit": "views a second",
    }


def main():
    """Print and write down."""
    rng = np.random.default_rng(0)
    rows = [*(all_views(side, rng) for side in SIDES_PX), random_views(rng)]
    for row in rows:
        ratio = f"{row['ratio']:6.1f} times: {row['note']}" if "ratio" in row else ""
        print(f"{row['what']:78} {row.get('before', 0):8.0f} {row['after']:8.0f} {ratio}")
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
