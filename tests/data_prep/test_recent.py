"""So many are kept, the most recently used; threads may ask together; nothing travels to another process."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from data_prep.recent import Recent


def test_the_least_recently_used_goes_first():
    made, recent = [], Recent(2)
    for number in (5, 6, 5, 7, 5, 6):
        assert recent.get(number, lambda number=number: made.append(number) or number * 2) == number * 2
    assert made == [5, 6, 7, 6]


def test_threads_get_what_they_ask_for():
    """Eight threads, 2,000 numbers, room for three: whoever lost its place between two steps would fail here."""
    recent = Recent(3)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: recent.get(k % 7, partial(str, k % 7)), range(2000)))
    assert found == [str(k % 7) for k in range(2000)]


def test_what_is_kept_stays_behind_when_pickled():
    recent = Recent(4)
    recent.get(1, partial(bytes, 100_000))
    again, made = pickle.loads(pickle.dumps(recent)), []
    assert len(pickle.dumps(recent)) < 1000
    assert again.most == 4
    again.get(1, lambda: made.append(1) or 0)
    assert made == [1]
