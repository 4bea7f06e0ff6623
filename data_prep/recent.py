"""The most recently used of what is made when asked for, so many; frames and canvases are kept so."""

from collections import OrderedDict
from threading import Lock


class Recent:
    """Keep what was made last, by number. Threads may ask together; what two of them lack both make.

    Parameters
    ----------
    most : int
        How many are kept. In another process, after pickling, it starts empty.
    """

    def __init__(self, most):
        self.most, self._kept, self._lock = most, OrderedDict(), Lock()

    def get(self, number, make):
        """Return what has this number; `make()` it where it is not kept."""
        with self._lock:
            found = self._kept.get(number)
        found = make() if found is None else found
        with self._lock:
            self._kept[number] = found
            self._kept.move_to_end(number)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return found

    def __reduce__(self):
        return Recent, (self.most,)
