import struct
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from data_prep.readers import check, fingerprint, read_ctpa, read_volumes
from data_prep.readers.volumes import NO_IDENTITY

TO_PATIENT = ((0, 0, 0.6, -7.5), (0, 0.7, 0, -150.25), (1.25, 0, 0, -800.5))
MARK = (2, 6, 7)
needs_sitk = pytest.mark.skipif(not find_spec("SimpleITK"), reason="SimpleITK is not installed: pip install '.[ct]'")


def volumes(cohort):
    return [volume for subject in cohort.subjects for volume in subject.images]


@pytest.fixture
def npz(ct, tmp_path):
    np.savez(tmp_path / "scan.npz", voxels=ct.chest(), to_patient=TO_PATIENT)
    return tmp_path


def test_an_npz_needs_no_simpleitk(ct, npz, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    cohort = read_volumes(npz)
    [volume] = volumes(cohort)
    assert (volume.name, volume.read_truth, cohort.anonymous, cohort.caveats) == ("scan", None, True, (NO_IDENTITY,))
    assert np.array_equal(volume.read_voxels(), ct.chest())
    assert np.allclose(volume.locate(MARK), (-7.5 + 7 * 0.6, -150.25 + 6 * 0.7, -800.5 + 2 * 1.25))
    (npz / "other.nii").touch()
    with pytest.raises(ImportError, match=r'pip install "\.\[ct\]"'):
        read_volumes(npz)


def test_an_npz_from_the_head_is_turned(ct, tmp_path):
    matrix = ((0, 0, -0.6, 5.7), (0, 0.7, 0, -150.25), (-1.25, 0, 0, -785.5))
    np.savez_compressed(tmp_path / "scan.npz", voxels=ct.chest()[::-1, :, ::-1], to_patient=matrix)
    [volume] = volumes(read_volumes(tmp_path))
    assert np.array_equal(volume.read_voxels(), ct.chest())
    assert np.allclose(volume.to_patient, TO_PATIENT)


@needs_sitk
@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha", "mhd"])
def test_every_format_gives_the_same_voxels_and_millimetres(ct, tmp_path, suffix):
    """Stored head to feet and back to front, as LPS with flipped axes."""
    import SimpleITK as sitk

    path = tmp_path / f"scan.{suffix}"
    stored = ct.chest()[::-1, ::-1]
    ct.write_file(
        path, stored, origin=(-7.5, -139.05, -785.5), direction=np.diag([1, -1, -1]), compressed=suffix != "mhd"
    )
    [volume] = volumes(read_volumes(tmp_path))
    voxels, image = volume.read_voxels(), sitk.ReadImage(str(path))
    [index] = np.argwhere(stored == 900).tolist()
    assert np.array_equal(voxels, ct.chest())
    assert np.allclose(
        volume.locate(np.argwhere(voxels == 900)), image.TransformIndexToPhysicalPoint(index[::-1]), atol=1e-4
    )
    assert np.allclose(volume.spacing_mm, (1.25, 0.7, 0.6))


@needs_sitk
def test_volumes_and_series_in_folders_below_are_found_and_other_files_passed_over(ct, tmp_path):
    ct.write_series(tmp_path / "b" / "series 2", ct.chest(1))
    ct.write_series(tmp_path / "b", ct.chest(2), name="{:02d}.IMA")  # a series of its own, beside the folder of another
    ct.write_file(tmp_path / "a10.nrrd", ct.chest(10).astype(np.float32))
    ct.write_file(tmp_path / "a9.nii.gz", ct.chest(9))
    for name in ("notes.txt", ".a9.nii.gz", "b/DICOMDIR", "scan.png"):
        (tmp_path / name).write_bytes(b" " * 128 + b"DICM" * name.endswith("DICOMDIR"))
    found = volumes(read_volumes(tmp_path))
    assert [volume.name for volume in found] == ["a9", "a10", "b", "b_series 2"]
    for volume, seed in zip(found, (9, 10, 2, 1), strict=True):
        assert np.array_equal(volume.read_voxels(), ct.chest(seed))


def test_a_folder_without_volumes_lists_what_was_seen(tmp_path):
    (tmp_path / "report.pdf").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"expected volumes. Received: empty/, report\.pdf\. Known: \.nii\.gz, .*DICOM"
    ):
        read_volumes(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_volumes(tmp_path / "nowhere")


def test_two_volumes_of_one_name_are_refused(npz):
    (npz / "scan.nii").touch()
    with pytest.raises(ValueError, match=r"Two volumes named 'scan'.*scan\.nii.*scan\.npz"):
        read_volumes(npz)


@needs_sitk
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("8 bits", r"scan\.mha: expected Hounsfield units, which need 16 bits. Received: uint8. Is it a label map"),
        ("4-D", r"scan\.mha: expected one volume, 3 dimensions. Received: 4 dimensions, 1 channels"),
        ("metres", r"scan\.mha: expected a spacing of 0\.1 to 10 mm .*0\.00125, 0\.0007, 0\.0006"),
        ("oblique", r"scan\.mha: expected axes along the patient's, at most 10 degrees off. Received: 30 degrees"),
        ("cut short", r"scan\.mha: expected a volume that SimpleITK can read"),
    ],
)
def test_a_file_that_is_no_ct_volume_is_named(ct, tmp_path, kind, message, capfd):
    import SimpleITK as sitk

    path, turn = tmp_path / "scan.mha", [[0.5 * 3**0.5, -0.5, 0], [0.5, 0.5 * 3**0.5, 0], [0, 0, 1]]
    if kind == "4-D":
        sitk.WriteImage(sitk.GetImageFromArray(ct.chest()[None].repeat(2, 0), isVector=False), str(path))
    elif kind == "metres":
        ct.write_file(path, ct.chest(), spacing_mm=(0.00125, 0.0007, 0.0006))
    else:
        voxels = ct.chest().astype(np.uint8) if kind == "8 bits" else ct.chest()
        ct.write_file(path, voxels, direction=turn if kind == "oblique" else None)
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ValueError, match=message):
        volumes(read_volumes(tmp_path))[0].read_voxels()
    assert "WARNING" not in capfd.readouterr().err


@needs_sitk
@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (252, "<hh", (0, 0), "where voxels lie. Received: qform_code 0, sform_code 0"),
        (280, "<f", (-0.9,), r"pixdim \[0\.6, 0\.7, 1\.25\], spacing of sform \[0\.9, 0\.7, 1\.25\]"),
        (80, "<f", (0.0,), r"where voxels lie. Received: .*spacing of sform \[0\.6, 0\.7, 1\.25\]"),
        (252, "<hh24x2f", (0, 1, -0.6, 0.2), "orthonormal.*tilted gantry"),
    ],
)
def test_a_nifti_header_that_leaves_a_guess_is_named(ct, tmp_path, offset, form, value, message, capfd):
    """The NIfTI-1 header: qform_code and sform_code from byte 252, pixdim[1] at 80, srow_x from 280."""
    path = ct.write_file(tmp_path / "scan.nii", ct.chest(), compressed=False)
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, offset, *value)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"scan\.nii: expected .*" + message):
        read_volumes(tmp_path)
    assert "WARNING" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda voxels: voxels + 1024, r"air near -1000. Received: 4 to 1924\. .*1024 is taken off"),
        (lambda voxels: (voxels + 1000.0) / 2000, "They look normalised"),
        (lambda voxels: np.clip(voxels / 4 + 128, 0, 255).astype(np.int16), "a window of 8 bits, or a label map"),
        (lambda voxels: np.where(voxels == 900, np.nan, voxels), "values that are not finite"),
        (lambda voxels: voxels * 8.0 + 3000, "at most 1% of them above 3071 .metal.*Received: 3"),
        (lambda voxels: voxels[:, 8:10], "no lung found.*cut-out without lungs"),
        (lambda voxels: np.where(voxels < -600, voxels[2, 8, 11], voxels), "air near -1000. Received: 2"),
        (
            lambda voxels: np.maximum(voxels, -1000 + 900 * (np.indices(voxels.shape)[2] > 2)),
            "no lung found.*0.0% of lung",
        ),
    ],
)
def test_voxels_that_are_no_chest_in_hu_are_named(ct, tmp_path, change, message):
    np.savez(tmp_path / "scan.npz", voxels=change(ct.chest().astype(np.int32)), to_patient=TO_PATIENT)
    with pytest.raises(ValueError, match=r"scan\.npz: expected .*" + message):
        volumes(read_volumes(tmp_path))[0].read_voxels()


def test_padding_is_clipped_and_fractions_rounded(ct, tmp_path):
    voxels = ct.chest().astype(np.float32)
    voxels[0, 0, :3] = -2000, -3024.5, 40.5
    voxels[:, 8, 11] = 5000  # a wire: 13 of 5083 voxels
    voxels[1, 0, :2] = 39.4, 39.6
    np.savez(tmp_path / "scan.npz", voxels=voxels, to_patient=TO_PATIENT)
    read = volumes(read_volumes(tmp_path))[0].read_voxels()
    assert read.dtype == np.int16
    assert read[0, 0, :3].tolist() == [-1024, -1024, 40]
    assert (read[1, 0, :2].tolist(), set(read[:, 8, 11].tolist())) == ([39, 40], {3071})


def test_lung_is_found_in_a_cut_out_that_it_reaches_the_edge_of(ct, tmp_path):
    """Rows 5 to 11 and columns 2 to 12: the right lung and some of the body, no air beside it."""
    voxels = ct.chest()[:, 5:12, 2:13]
    voxels[0, 0, 0] = -1000
    np.savez(tmp_path / "scan.npz", voxels=voxels, to_patient=TO_PATIENT)
    assert check(read_volumes(tmp_path)) == 1


def test_air_beside_the_body_does_not_count(ct, tmp_path):
    """A wide field of view: lung is 1 to 2 % of all voxels, and a third of lung and body."""
    voxels = np.pad(ct.chest(), ((0, 0), (20, 25), (30, 35)), constant_values=-1000)
    np.savez(tmp_path / "scan.npz", voxels=voxels, to_patient=TO_PATIENT)
    assert 0.01 < np.mean((voxels > -900) & (voxels < -800)) < 0.02
    assert check(read_volumes(tmp_path)) == 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": np.zeros((3, 4, 5))}, "with the arrays voxels and to_patient. Received: .*no item named 'voxels"),
        ({"voxels": np.zeros((3, 4, 5))}, "with the arrays voxels and to_patient. Received: .*to_patient"),
        ({"voxels": np.zeros((4, 5)), "to_patient": np.eye(3, 4)}, r"Received: \(4, 5\), \(3, 4\)"),
        (None, r"scan\.npz: expected an .npz with"),
    ],
)
def test_an_npz_without_its_arrays_is_named(tmp_path, arrays, message):
    np.savez(tmp_path / "scan.npz", **(arrays or {}))
    if arrays is None:
        (tmp_path / "scan.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=message):
        read_volumes(tmp_path)


@needs_sitk
def test_the_voxels_of_an_mhd_lie_in_another_file_which_counts_too(ct, tmp_path):
    ct.write_file(tmp_path / "scan.mhd", ct.chest(), compressed=False)
    first = fingerprint(tmp_path, read_volumes)
    raw = tmp_path / "scan.raw"
    raw.write_bytes(raw.read_bytes()[:-2] + b"\x07\xfc")
    assert fingerprint(tmp_path, read_volumes) != first
    raw.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"scan\.mhd: expected its voxels beside it. Received: no file scan\.raw"
    ):
        read_volumes(tmp_path)


@needs_sitk
def test_a_fingerprint_sees_every_slice_of_a_series(ct, tmp_path):
    ct.write_series(tmp_path / "scan", ct.chest())
    first = fingerprint(tmp_path, read_volumes)
    voxels = ct.chest()
    voxels[12, 3, 4] += 1
    ct.write_series(tmp_path / "scan", voxels)
    assert fingerprint(tmp_path, read_volumes) != first


def test_importing_the_readers_does_not_import_simpleitk():
    code = "import sys, data_prep.readers; sys.exit('SimpleITK' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert callable(read_ctpa)
