"""Hand a network its batches: cut in the background while it computes, turned and mirrored by an accelerator.

Imported by what trains, predicts or fills a frozen prefix. Batches come in order, whoever cuts them, so that nothing
here moves a result.
"""

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from keras import ops

MOST_CUTTERS = 8


class Feed:
    """Batches of a table's patches, in order, cut by threads that work ahead of the network.

    Threads suffice: Pillow, SimpleITK and NumPy, which cut, let each other work. Each is a batch ahead, so that few
    batches are in memory, whatever the table's length.

    Parameters
    ----------
    table : object
        `cut(rows)` returns patches or activations. One that also has `cut_upright(rows)`, patches and the orientation
        of each (`data_prep.patches.PatchTable`), gets them turned on an accelerator where there is one; on a CPU
        `cut` turns them sooner.
    batches : sequence of ndarray of int
        Rows of each batch.
    cutters : int, optional
        How many threads cut; by default `count_cutters` says it.

    Attributes
    ----------
    waited : float
        Seconds so far that the network stood still because its next batch was not there.
    """

    def __init__(self, table, batches, cutters=None):
        self.table, self.batches, self.waited = table, batches, 0.0
        accelerator = on_accelerator()
        self.cutters = cutters or count_cutters(accelerator)
        self._cut = getattr(table, "cut_upright", table.cut) if accelerator else table.cut

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        """Yield what each batch's rows give: ndarray or tensor of the backend, of shape (rows, ...)."""
        pool, coming, ahead = ThreadPoolExecutor(self.cutters, "cutter"), deque(), iter(self.batches)
        try:
            for rows in ahead:
                coming.append(pool.submit(self._cut, rows))
                if len(coming) > self.cutters:
                    yield self._take(coming)
            while coming:
                yield self._take(coming)
        finally:
            pool.shutdown(cancel_futures=True)

    def _take(self, coming):
        start = time.perf_counter()
        batch = coming.popleft().result()
        self.waited += time.perf_counter() - start
        return turn(*batch) if isinstance(batch, tuple) else batch


def on_accelerator():
    """Say whether the backend puts its tensors on anything but the CPU."""
    return "cpu" not in str(ops.convert_to_tensor(0.0).device).lower()


def turn(patches, orientation):
    """Mirror and turn upright patches on the backend's device, as `data_prep.patches.views` numbers orientations.

    Parameters
    ----------
    patches : ndarray of shape (n, side, side, channels)
    orientation : ndarray of shape (n,), int, from 0 to 7

    Returns
    -------
    tensor of the backend, or `patches` themselves where none is turned
    """
    if not orientation.any():
        return patches
    # Bits of the number, in the order in which they are applied: transposed, upside down, mirrored.
    x = ops.convert_to_tensor(patches)
    for bit, turned in ((4, _transposed), (2, lambda x: ops.flip(x, 1)), (1, lambda x: ops.flip(x, 2))):
        chosen = orientation & bit > 0
        if chosen.any():
            x = ops.where(chosen[:, None, None, None], turned(x), x)
    return x


def filled_batches(number, batch_size):
    """Divide so many rows, in order, into batches of one size, so that a network is traced or compiled once.

    Returns
    -------
    list of ndarray of shape (batch_size,), int
        The last one is filled up with its own first rows.
    """
    rows = np.arange(number)
    return [np.resize(rows[start : start + batch_size], batch_size) for start in range(0, number, batch_size)]


def count_cutters(accelerator):
    """Say how many threads cut: of the cores that this process may use, all beside an accelerator, else half; 1 to 8.

    Parameters
    ----------
    accelerator : bool
        Whether one trains, and leaves the cores to the threads.

    Returns
    -------
    int
    """
    cores = joblib.cpu_count()
    return max(1, min(MOST_CUTTERS, cores if accelerator else cores // 2))


def _transposed(x):
    return ops.transpose(x, (0, 2, 1, 3))
