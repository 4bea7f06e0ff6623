"""Patches that are cut once, and then remembered: for all epochs, and for all networks that learn from the same ones.

Imported by `repro.prefix`, which keeps the patches of conv1 and scratch for a sweep, and by the embolism application:
to cut a vessel-aligned view of 67 pixels takes as long as to train on it, and all arms of a figure see the same ones,
so that `keep` shares tables that are small enough for memory among all networks that a process trains.
"""

import hashlib
from collections import OrderedDict

import numpy as np

MOST_TABLES = 4
"""Training, validation and testing of one run, and one that the next run brings."""

_shelf = OrderedDict()


class KeptPatches:
    """A table whose patches are cut when first asked for, and then remembered, as uint8.

    Threads may ask at the same time: what two of them cut is the same.

    Parameters
    ----------
    table : object
        Of patches: a length, `size`, `labels`, and `cut(rows)`; a patch must not depend on what is cut with it.
    store : array or repro.files.Mapped, optional
        Of shape (len(table), size, size, 3), uint8, takes the patches; by default an array in memory.
    known : ndarray of shape (len(table),), bool, optional
        Says which of them the store has already, as an equal table left both; by default none.
    """

    cuts_fast = True
    """There is no gain in remembering its patches once more."""

    def __init__(self, table, store=None, known=None):
        self.table, self.labels = table, table.labels
        self._patches = np.empty((len(table), table.size, table.size, 3), np.uint8) if store is None else store
        self._known = np.zeros(len(table), bool) if known is None else known

    def __len__(self):
        return len(self.table)

    def cut(self, rows):
        """Cut the patches of some rows: an ndarray of shape (len(rows), size, size, 3), uint8, in their order."""
        rows = np.asarray(rows)
        new = np.unique(rows[~self._known[rows]])
        if new.size:
            self._patches[new] = self.table.cut(new)
            self._known[new] = True
        return self._patches[rows]


def keep(table, most_bytes):
    """Remember a table's patches, if they are few enough.

    Parameters
    ----------
    table : data_prep.vessel_patches.VesselTable
    most_bytes : int
        A table whose patches take more stays as it is: each patch is cut whenever it is asked for.

    Returns
    -------
    KeptPatches or data_prep.vessel_patches.VesselTable
        The same object for an equal table, as long as not more than three others came in between.
    """
    if len(table) * table.size**2 * 3 > most_bytes:
        return table
    key = _fingerprint(table)
    kept = _shelf.pop(key, None) or KeptPatches(table)
    _shelf[key] = kept
    while len(_shelf) > MOST_TABLES:
        _shelf.popitem(last=False)
    return kept


def _fingerprint(table):
    """Describe all that a table's patches follow from, and its labels."""
    crops = table.crops
    digest = hashlib.blake2b(repr((table.grid, table.size, tuple(table.window_hu))).encode())
    # The file is not read again: a task's voxels are written once, under a name that tells their definition.
    voxels = str(getattr(crops.voxels, "filename", "")) or crops.voxels
    for values in (table.candidate, table.view, table.labels, crops.start, crops.shape, crops.point, crops.spacing_mm):
        digest.update(np.ascontiguousarray(values))
    digest.update(np.ascontiguousarray(crops.directions))
    digest.update(voxels.encode() if isinstance(voxels, str) else np.ascontiguousarray(voxels))
    return digest.hexdigest()
