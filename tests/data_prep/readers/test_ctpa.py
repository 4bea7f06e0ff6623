import pickle
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import scipy.io

from data_prep.cohort import Cohort, Subject, Volume
from data_prep.readers import check, fingerprint, read_ctpa
from data_prep.readers.volumes import NO_IDENTITY

TO_PATIENT = ((0, 0, 0.6, -7.5), (0, 0.7, 0, -150.25), (1.25, 0, 0, -800.5))
needs_sitk = pytest.mark.skipif(not find_spec("SimpleITK"), reason="SimpleITK is not installed: pip install '.[ct]'")


def counts(cohort):
    return {subject.name: [volume.name for volume in subject.images] for subject in cohort.subjects}


def volumes(cohort):
    return [volume for subject in cohort.subjects for volume in subject.images]


@pytest.fixture
def phantoms(ct, tmp_path):
    """Three volumes of two subjects, as the phantom is written."""
    for folder in ("volumes", "labels"):
        (tmp_path / folder).mkdir()
    for number, name in enumerate(("p2", "p10", "p3")):
        np.savez(tmp_path / "volumes" / f"{name}.npz", voxels=ct.chest(number), to_patient=TO_PATIENT)
        np.savez_compressed(tmp_path / "labels" / f"{name}.npz", labels=ct.clots((number, 3)).astype(np.uint16))
    (tmp_path / "subjects.csv").write_text("volume,subject\np2,b\np10,b\np3,a\n")
    return tmp_path


@pytest.fixture
def fumpe(ct, tmp_path):
    """Two patients; the file names of the second run from the head, and so do the slices of its mask."""
    for number, (name, order) in enumerate((("PAT001", 1), ("PAT002", -1))):
        ct.write_series(tmp_path / "CT_scans" / name, ct.chest(number), order)
        (tmp_path / "GroundTruth").mkdir(exist_ok=True)
        mask = np.moveaxis(ct.clots()[::order], 0, 2)
        scipy.io.savemat(tmp_path / "GroundTruth" / f"{name}.mat", {"Mask": mask})
    return tmp_path


@pytest.fixture
def cad_pe(ct, tmp_path):
    """Ids of both kinds; the values of the labels are 1 and 4, and 2 alone."""
    for name, label, values in (("001", "0001", (1, 4)), ("e0032", "e0032", (2, 2))):
        ct.write_file(tmp_path / "images" / f"{name}.nrrd", ct.chest())
        ct.write_file(tmp_path / "rs" / f"{label}RefStd.nrrd", ct.clots(values))
    return tmp_path


def write_read(ct, folder, labels, first_release=False, **options):
    """One scan of READ, and its label map as an array of the file."""
    images, truth = (
        ("CT scans (DICOM files)", "Ground truth (NiFTI)/GE (NiFTI files)") if first_release else ("images", "rs")
    )
    ct.write_series(folder / images / "GE (DICOM files)" / "01GE", ct.chest(), -1)
    ct.write_file(folder / truth / "01GE.nii.gz", labels, **options)
    return folder


def test_phantoms_on_disk_also_in_another_process(ct, phantoms):
    cohort = pickle.loads(pickle.dumps(read_ctpa(str(phantoms))))
    assert (counts(cohort), cohort.name, cohort.anonymous) == ({"a": ["p3"], "b": ["p2", "p10"]}, phantoms.name, False)
    third, second, tenth = volumes(cohort)
    assert np.array_equal(third.read_voxels(), ct.chest(2))
    assert np.array_equal(tenth.read_truth(), ct.clots((1, 3)))
    assert np.unique(second.read_truth()).tolist() == [0, 3]
    assert (second.read_truth().dtype, check(cohort)) == (np.int32, 3)


def test_without_a_table_every_volume_is_a_subject_and_the_cohort_anonymous(phantoms):
    (phantoms / "subjects.csv").unlink()
    (phantoms / "phantom.json").write_text('{"name": "CT angiography phantom", "caveat": "phantom: no heart beat"}')
    cohort = read_ctpa(phantoms)
    assert counts(cohort) == {"p2": ["p2"], "p3": ["p3"], "p10": ["p10"]}
    assert (cohort.anonymous, cohort.name) == (True, "CT angiography phantom")
    assert cohort.caveats == ("phantom: no heart beat", NO_IDENTITY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("labels/p3.npz", r"volumes/p3\.npz: expected a label map in .*/labels of the same name.*empty label map"),
        ("volumes/p3.npz", r"labels/p3\.npz: expected a volume of the same name"),
        ("p3,a\n", r"subjects\.csv: expected every volume on disk in the table.*'p3'"),
        (",a\n", r"subjects\.csv, line 4: expected a subject"),
    ],
)
def test_a_file_or_a_line_that_is_missing_is_named(phantoms, change, message):
    table = phantoms / "subjects.csv"
    if change.endswith("npz"):
        (phantoms / change).unlink()
    else:
        table.write_text(table.read_text().replace(change, "" if change[0] == "p" else ",\n"))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_ctpa(phantoms)


@needs_sitk
def test_ones_own_files_of_any_format(ct, tmp_path):
    """A series with a NIfTI map that is stored from the head, and a NIfTI volume with an NRRD map; connected parts."""
    ct.write_series(tmp_path / "volumes" / "mine", ct.chest(), -1)
    lies = {"direction": np.diag([1, 1, -1]), "origin": (-7.5, -150.25, -785.5)}
    ct.write_file(tmp_path / "labels" / "mine.nii.gz", ct.clots()[::-1], **lies)
    ct.write_file(tmp_path / "volumes" / "yours.nii.gz", ct.chest(1))
    ct.write_file(tmp_path / "labels" / "yours.nrrd", ct.clots((1, 0)).astype(np.float32))
    mine, yours = volumes(read_ctpa(tmp_path))
    assert np.array_equal(mine.read_voxels(), ct.chest())
    assert np.array_equal(mine.read_truth(), ct.clots((1, 2)))
    assert np.array_equal(yours.read_truth(), ct.clots((1, 0)))
    assert check(read_ctpa(tmp_path)) == 2


@needs_sitk
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"array": slice(0, 12)}, r"\(12, 17, 23\) slices, rows, columns, the volume has \(13, 17, 23\)"),
        ({"spacing_mm": (1.25, 0.7, 0.7)}, r"a spacing of 1\.25, 0\.7, 0\.7 mm, the volume has 1\.25, 0\.7, 0\.6 mm"),
        ({"direction": np.diag([1, 1, -1])}, r"lies 0, .*, -15 mm \(x, y, z\) from the volume's \(position\)"),
        ({"origin": (-7.5, -150.25, -799.5)}, r"lies 0, .*, 1 mm \(x, y, z\) from the volume's \(position\)"),
        (
            {"direction": [[0.998629, -0.052336, 0], [0.052336, 0.998629, 0], [0, 0, 1]]},
            r"axes turned by 3\.0 degrees against the volume's \(orientation\)",
        ),
    ],
)
def test_a_mask_on_another_grid_is_named(ct, tmp_path, change, message):
    ct.write_file(tmp_path / "volumes" / "a.nrrd", ct.chest())
    labels = ct.clots()[change.pop("array", slice(None))]
    ct.write_file(tmp_path / "labels" / "a.nrrd", labels, **change)
    with pytest.raises(ValueError, match=r"labels/a\.nrrd: expected the grid of a\.nrrd. Received: .*" + message):
        read_ctpa(tmp_path)


@needs_sitk
def test_fumpe_masks_follow_the_file_names(ct, fumpe):
    cohort = read_ctpa(fumpe)
    assert (counts(cohort), cohort.name, cohort.anonymous) == (
        {"PAT001": ["PAT001"], "PAT002": ["PAT002"]},
        "FUMPE",
        False,
    )
    for number, volume in enumerate(volumes(cohort)):
        assert np.array_equal(volume.read_voxels(), ct.chest(number))
        assert np.array_equal(volume.read_truth(), ct.clots((1, 2)))
    assert check(cohort) == 2


@needs_sitk
def test_fumpe_faults_of_all_patients_stand_in_one_list(fumpe):
    (fumpe / "CT_scans" / "PAT001" / "D0013.dcm").unlink()
    (fumpe / "CT_scans" / "PAT002" / "D0004.dcm").unlink()
    with pytest.raises(ValueError, match="2 of 2") as caught:
        read_ctpa(fumpe)
    assert "PAT001.mat: expected Mask of (17, 23, 12)" in str(caught.value)
    assert "PAT002: expected a slice every 1.25 mm" in str(caught.value)


@needs_sitk
def test_cad_pe_keeps_the_value_of_every_clot(ct, cad_pe):
    cohort = read_ctpa(cad_pe)
    assert (counts(cohort), cohort.name) == ({"001": ["001"], "e0032": ["e0032"]}, "CAD-PE")
    first, second = volumes(cohort)
    assert np.array_equal(first.read_truth(), ct.clots((1, 4)))
    assert np.unique(second.read_truth()).tolist() == [0, 2]
    assert (first.read_truth().dtype, check(cohort)) == (np.int32, 2)


@needs_sitk
@pytest.mark.parametrize("first_release", [False, True])
def test_read_lays_labels_on_by_number_from_the_head_where_headers_disagree(ct, tmp_path, first_release):
    """As in the release: the array runs from the head, the header says from the feet, its spacing is rounded."""
    write_read(ct, tmp_path, ct.clots()[::-1], first_release, origin=(-7.5, -150.25, 0), spacing_mm=(1.252, 0.7, 0.6))
    cohort = read_ctpa(tmp_path)
    [volume] = volumes(cohort)
    assert (cohort.name, volume.name) == ("READ", "01GE")
    assert np.array_equal(volume.read_truth(), ct.clots((1, 2)))
    assert cohort.caveats == (
        "label maps of 1 volumes laid on by slice number: their headers disagree with the series",
    )


@needs_sitk
def test_read_takes_the_header_where_it_agrees_and_refuses_another_size(ct, tmp_path):
    cohort = read_ctpa(write_read(ct, tmp_path, ct.clots()))
    assert np.array_equal(volumes(cohort)[0].read_truth(), ct.clots((1, 2)))
    assert cohort.caveats == ()
    write_read(ct, tmp_path, ct.clots()[:11])
    with pytest.raises(ValueError, match=r"01GE\.nii\.gz: expected the grid of 01GE. Received: \(11, 17, 23\)"):
        read_ctpa(tmp_path)


def test_check_finds_emboli_that_lie_in_air_and_labels_of_another_shape(ct):
    lung = (ct.chest() < -600).astype(np.int32)
    read = partial(np.array, ct.chest())
    faulty = [
        Volume("a", read, partial(np.array, lung), TO_PATIENT),
        Volume("b", read, partial(np.zeros, (3, 4, 5)), TO_PATIENT),
    ]
    sound = (Volume("c", read, None, TO_PATIENT), Volume("d", read, partial(np.array, ct.clots()), TO_PATIENT))
    assert check(Cohort("own", (Subject("p", sound),))) == 2
    with pytest.raises(ValueError, match="own: 2 of 4 images") as caught:
        check(Cohort("own", (Subject("p", sound), Subject("q", tuple(faulty)))))
    assert "q/a: expected emboli in vessels. Received: 100% of their voxels below -400 HU" in str(caught.value)
    assert "q/b: expected a label map of shape (13, 17, 23). Received: (3, 4, 5)" in str(caught.value)


def test_a_fingerprint_sees_labels_and_places(phantoms, ct):
    before = fingerprint(phantoms, read_ctpa)
    np.savez(phantoms / "labels" / "p3.npz", labels=ct.clots((5, 6)))
    labels = fingerprint(phantoms, read_ctpa)
    (phantoms / "subjects.csv").write_text("volume,subject\np2,b\np10,b\np3,b\n")
    assert len({before, labels, fingerprint(phantoms, read_ctpa)}) == 3


def test_an_unknown_folder_is_told_what_is_known(tmp_path):
    (tmp_path / "CT_scans").mkdir()
    with pytest.raises(
        ValueError, match=r"Received: CT_scans/\. Known: volumes/NAME.*FUMPE.*CAD-PE.*READ.*read_volumes"
    ):
        read_ctpa(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_ctpa(tmp_path / "nowhere")
    (tmp_path / "volumes").mkdir()
    with pytest.raises(FileNotFoundError, match=r"volumes: expected volumes. Received: an empty folder"):
        read_ctpa(tmp_path)
