"""The data of figures: content is hashed once, and again when any file of the folder has changed."""

import os
import shutil
from unittest.mock import Mock

import pytest

from data_prep import readers
from experiments import command, sources

FEW = ["--set", "colonoscopy_phantom.num_videos=1", "--set", "colonoscopy_phantom.frames_per_video=2"]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """Write two frames; return their folder."""
    results = tmp_path_factory.mktemp("written")
    return sources.colonoscopy(command.parse("x", ["--profile", "smoke", "--results", str(results), *FEW])).folder


@pytest.fixture
def folder(phantoms, tmp_path):
    return shutil.copytree(phantoms, tmp_path / "data")


@pytest.fixture
def describe(folder, tmp_path, monkeypatch):
    """Return what describes the folder, and counts how often content was hashed."""
    hashed = Mock(side_effect=readers.fingerprint)
    monkeypatch.setattr(readers, "fingerprint", hashed)
    options = command.parse("x", ["--results", str(tmp_path / "results"), "--data", str(folder)])
    return lambda: (sources.colonoscopy(options), hashed.call_count)


def test_content_is_hashed_once_and_known_then(describe, folder):
    first, second = describe(), describe()
    assert first == second
    assert second[1] == 1
    assert (second[0].name, second[0].fingerprint) == ("Colonoscopy phantom", readers.fingerprint(folder))


def test_a_frame_of_the_same_size_and_time_is_noticed(describe, folder):
    before, _ = describe()
    frame = next(folder.rglob("*.png"))
    about, content = frame.stat(), bytearray(frame.read_bytes())
    content[-1] ^= 1
    frame.write_bytes(content)
    os.utime(frame, ns=(about.st_atime_ns, about.st_mtime_ns))
    after, hashed = describe()
    assert hashed == 2
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_file_more_or_less_is_noticed(describe, folder, change):
    (folder / "notes.txt").write_text("one")
    describe()
    (folder / "more.txt").write_text("two") if change == "add" else (folder / "notes.txt").unlink()
    assert describe()[1] == 2


def test_another_version_of_the_code_hashes_again(describe, monkeypatch):
    describe()
    monkeypatch.setattr(sources, "RESULTS_VERSION", 99)
    assert describe()[1] == 2


def test_two_folders_do_not_share_what_is_known(describe, folder, tmp_path):
    describe()
    other = shutil.copytree(folder, tmp_path / "other")
    next(other.rglob("*.png")).unlink()
    options = command.parse("x", ["--results", str(tmp_path / "results"), "--data", str(other)])
    with pytest.raises((ValueError, FileNotFoundError)):
        sources.colonoscopy(options)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    missing = tmp_path / "nowhere"
    options = command.parse("x", ["--results", str(tmp_path / "results"), "--data", str(missing)])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        sources.colonoscopy(options)
