import shutil
from functools import partial

import numpy as np
import pytest

from data_prep.cohort import Cohort, Scan, Subject
from data_prep.readers import check, fingerprint, read_colonoscopy


def test_check_reads_every_image_and_reports_progress(listed):
    told = []
    assert check(read_colonoscopy(listed), progress=lambda done, total: told.append((done, total))) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_check_lists_every_fault(listed, save):
    frame = listed / "images" / "a1.jpg"
    frame.write_bytes(frame.read_bytes()[:-200])
    save("masks/a10.png", np.full((17, 23), 130, np.uint8))
    with pytest.raises(ValueError, match=r"2 of 3 images") as caught:
        check(read_colonoscopy(listed))
    assert "a1.jpg: expected an image" in str(caught.value)
    assert "a10.png: expected a mask" in str(caught.value)


def test_check_compares_the_decoded_sizes(listed, save):
    cohort = read_colonoscopy(listed)
    save("masks/a1.png", np.zeros((23, 17), np.uint8))  # changed after the folder was opened
    with pytest.raises(ValueError, match=r"late/a1: expected a mask of shape \(17, 23\). Received: \(23, 17\)"):
        check(cohort)


@pytest.mark.parametrize(("shape", "faults"), [((2, 23), 0), ((23, 2), 1)])
def test_check_reads_the_interfaces_of_a_scan(shape, faults):
    scan = Scan("s", partial(np.zeros, (17, 23), np.uint8), partial(np.zeros, shape), 0.06, ())
    cohort = Cohort("scans", (Subject("p", (scan,)),))
    if not faults:
        assert check(cohort) == 1
        return
    with pytest.raises(
        ValueError, match=r"p/s: expected a pair of interfaces of shape \(2, 23\)\. Received: \(23, 2\)"
    ):
        check(cohort)


def test_the_fingerprint_stays_when_the_folder_moves_or_gets_a_read_me(listed, tmp_path_factory):
    first = fingerprint(listed)
    moved = tmp_path_factory.mktemp("moved") / "data"
    shutil.copytree(listed, moved)
    (moved / "readme.txt").touch()
    assert fingerprint(moved) == first
    assert len(first) == 16


@pytest.mark.parametrize("changed", ["frame", "mask", "sequence", "name"])
def test_the_fingerprint_follows_the_data(listed, save, changed):
    first = fingerprint(listed)
    if changed == "frame":
        save("images/a2.jpg", np.zeros((17, 23, 3), np.uint8))
    elif changed == "mask":
        save("masks/a2.png", np.zeros((17, 23), np.uint8))
    elif changed == "sequence":
        (listed / "frames.csv").write_text("frame,sequence\na2,late\na1,late\na10,late\n")
    else:
        (listed / "images" / "a1.jpg").rename(listed / "images" / "a3.jpg")
        (listed / "masks" / "a1.png").rename(listed / "masks" / "a3.png")
        (listed / "frames.csv").write_text("frame,sequence\na2,early\na3,late\na10,late\n")
    assert fingerprint(listed) != first
