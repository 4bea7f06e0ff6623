"""A phantom's folder appears complete or not at all; for every phantom that is written to disk."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing(folder):
    """Give a temporary folder to write into; it takes its name when all is written.

    Parameters
    ----------
    folder : path-like
        Must not exist yet, or be empty. What is written goes to a temporary folder beside it
        (`.NAME.partial-...`, left behind by a kill), which is renamed at the end, and removed after an error.

    Yields
    ------
    pathlib.Path
        The temporary folder.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    """
    folder = Path(folder).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"Expected a new or an empty folder. Received: {folder}. Remove it or name another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partly = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        yield partly
        os.chmod(partly, 0o755)
        os.replace(partly, folder)
    finally:
        shutil.rmtree(partly, ignore_errors=True)
