"""Files that appear complete or not at all, and arrays that stay in theirs; for results, tasks, weights, prefixes."""

import os
from contextlib import contextmanager

import numpy as np


@contextmanager
def replacing(path):
    """Give a temporary path beside `path` that takes its place at the end, so that no one ever sees half of it.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made.

    Yields
    ------
    pathlib.Path
        PATH.tmpPID, so that two processes do not meet. Removed when an error ends the block; a kill leaves it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class Mapped:
    """An array in a new file, which is mapped into memory only while a part of it is read or written.

    The pages of a map that stayed would be counted as this process's memory, at last all of the file.

    Parameters
    ----------
    path : path
        The disk's room for it is taken at once, where the system can do so: to write into a map for which there is none
        ends the process.
    dtype : dtype
    shape : tuple of int
    """

    def __init__(self, path, dtype, shape):
        self._path, self.dtype, self.shape = path, np.dtype(dtype), shape
        np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Return a copy of some rows; rows : sequence of int."""
        # As a plain array: of a map NumPy would give another map, to be copied once more.
        return np.asarray(np.load(self._path, mmap_mode="r")).take(rows, axis=0)

    def __setitem__(self, rows, part):
        np.load(self._path, mmap_mode="r+")[rows] = part
