"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest

import repro  # noqa: F401, ahead of every Keras: tests run as the scripts do, with oneDNN

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real images for development; skip where it is absent (it is not ours to ship)."""
    folder = Path(os.environ.get("REPRO_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images for development not found at {folder} (set REPRO_REAL_DATA)")
    return folder
