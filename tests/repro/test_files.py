"""Arrays that stay in their files: equal to arrays in memory, and not counted as memory."""

import os
from pathlib import Path

import numpy as np
import pytest

from repro.files import Mapped

STATUS = Path("/proc/self/status")


def test_rows_are_those_that_were_written(tmp_path):
    array, values = Mapped(tmp_path / "a.npy", np.float16, (7, 3)), np.arange(21, dtype=np.float16).reshape(7, 3)
    array[0:4], array[4:7] = values[:4], values[4:]
    np.testing.assert_array_equal(array[np.array([6, 0, 6])], values[[6, 0, 6]])
    assert (len(array), array.shape, array.dtype, array[[0]].dtype) == (7, (7, 3), np.float16, np.float16)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)


@pytest.mark.skipif(not STATUS.is_file(), reason="only Linux counts pages of files apart")
def test_its_pages_are_not_this_process_s_memory(tmp_path):
    """64 MiB, written and read in 16 parts, each of which is kept."""

    def pages():
        (line,) = [line for line in STATUS.read_text(encoding="utf-8").splitlines() if line.startswith("RssFile")]
        return int(line.split()[1]) << 10

    before, array = pages(), Mapped(tmp_path / "a.npy", np.float32, (1 << 12, 1 << 12))
    for start in range(0, 1 << 12, 1 << 8):
        array[start : start + (1 << 8)] = 1.0
    kept = [array[rows] for rows in np.split(np.arange(1 << 12), 1 << 4)]
    assert sum(part.sum() for part in kept) == 1 << 24
    assert pages() - before < 16 << 20


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve a file's room")
def test_the_disk_s_room_is_taken_before_anything_is_written(tmp_path):
    """Without it a disk that fills up would end the process while it writes into the map."""
    Mapped(tmp_path / "a.npy", np.uint8, (1 << 10, 1 << 10))
    taken = (tmp_path / "a.npy").stat()
    assert taken.st_blocks * 512 >= taken.st_size > 1 << 20
