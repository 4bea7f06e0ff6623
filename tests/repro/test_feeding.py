"""Batches come in order, cut ahead by threads, and are turned on the device into what a table cuts itself."""

import threading
import time
from unittest.mock import Mock

import numpy as np
import pytest
from keras import ops

from data_prep.patches import PatchTable, ViewGrid
from repro import feeding
from repro.feeding import Feed, filled_batches, turn


class Table:
    """Counts what is cut, and by whom; a batch whose first row is negative is damaged."""

    def __init__(self, seconds=0.0):
        self.seconds, self.cuts, self.threads = seconds, 0, set()

    def cut(self, rows):
        time.sleep(self.seconds)
        if rows[0] < 0:
            raise OSError("damaged")
        self.threads.add(threading.get_ident())
        self.cuts += 1
        return rows * 10


def batches(number):
    return [np.arange(3) + 3 * k for k in range(number)]


@pytest.mark.parametrize("cutters", [1, 3])
def test_batches_come_in_order_from_other_threads(cutters):
    table, wanted = Table(0.002), batches(11)
    found = list(Feed(table, wanted, cutters))
    np.testing.assert_array_equal(found, np.array(wanted) * 10)
    assert len(table.threads) == cutters
    assert threading.get_ident() not in table.threads


def test_not_more_is_cut_ahead_than_cutters():
    """Memory does not grow with the table: two threads are at most three batches ahead of what was taken."""
    table = Table()
    feed = iter(Feed(table, batches(50), cutters=2))
    for taken in range(1, 6):
        next(feed)
        time.sleep(0.02)
        assert taken < table.cuts <= taken + 2
    feed.close()
    assert table.cuts <= 8


def test_what_cutting_raises_is_raised_where_it_is_wanted():
    feed = iter(Feed(Table(), [np.arange(2), np.array([-1])]))
    np.testing.assert_array_equal(next(feed), [0, 10])
    with pytest.raises(OSError, match="damaged"):
        next(feed)


@pytest.mark.parametrize(
    ("cores", "accelerator", "threads"),
    [(1, False, 1), (1, True, 1), (6, False, 3), (6, True, 6), (40, False, 8), (40, True, 8)],
)
def test_beside_an_accelerator_all_cores_cut(cores, accelerator, threads, monkeypatch):
    monkeypatch.setattr(feeding.joblib, "cpu_count", lambda: cores)
    monkeypatch.setattr(feeding, "on_accelerator", lambda: accelerator)
    assert Feed(Table(), batches(2)).cutters == threads


def test_waiting_is_measured():
    """Who takes nothing but batches waits for all of them; who takes longer than cutting, for the first alone."""
    hurried, busy = (Feed(Table(0.02), batches(8), cutters=1) for _ in range(2))
    list(hurried)
    for _ in busy:
        time.sleep(0.06)
    assert hurried.waited > 0.12
    assert 0.01 < busy.waited < 0.1


@pytest.mark.parametrize("accelerator", [True, False])
def test_an_accelerator_turns_patches_as_a_table_does(accelerator, monkeypatch):
    """Every orientation, several in a batch."""
    monkeypatch.setattr(feeding, "on_accelerator", lambda: accelerator)
    turned = Mock(side_effect=turn)
    monkeypatch.setattr(feeding, "turn", turned)
    frame = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    grid, number = ViewGrid(), 120
    boxes = np.tile(np.array([10, 20, 31, 27], np.float32), (number, 1))
    none = np.zeros(number, int)
    table = PatchTable([frame], none, boxes, np.random.default_rng(1).permutation(number), none, grid, 67)
    wanted = [np.arange(7), np.arange(7, 120)]
    found = [ops.convert_to_numpy(batch) for batch in Feed(table, wanted)]
    np.testing.assert_array_equal(np.concatenate(found), table.cut(np.arange(number)))
    assert turned.call_count == (len(wanted) if accelerator else 0)
    upright, orientation = table.cut_upright(np.arange(number))
    assert sorted(set(orientation)) == list(range(8))
    assert turn(upright, np.zeros(number, int)) is upright


@pytest.mark.parametrize(
    ("device", "expected"),
    [("/job:localhost/device:CPU:0", False), ("/job:localhost/device:GPU:0", True), ("cuda:0", True), ("cpu", False)],
)
def test_an_accelerator_is_told_by_where_tensors_go(device, expected, monkeypatch):
    monkeypatch.setattr(feeding.ops, "convert_to_tensor", lambda _: Mock(device=device))
    assert feeding.on_accelerator() is expected


def test_the_last_batch_is_filled_up():
    found = filled_batches(7, 3)
    assert [batch.tolist() for batch in found] == [[0, 1, 2], [3, 4, 5], [6, 6, 6]]
    assert filled_batches(0, 3) == []
