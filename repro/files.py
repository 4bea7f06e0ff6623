"""Files that appear complete or not at all; for whatever writes results, tasks and weights."""

import os
from contextlib import contextmanager


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
