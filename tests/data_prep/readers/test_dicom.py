import pickle

import numpy as np
import pytest

from data_prep.readers import read_volumes
from data_prep.readers.dicom import open_series, rank_by_name

sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed: pip install '.[ct]'")
MARK = (2, 6, 7)


def only(cohort):
    [subject] = cohort.subjects
    [volume] = subject.images
    return volume


def itk_place(folder, value=900):
    """Return the millimetres of the marked voxel, as SimpleITK's own reader of series has them."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    [index] = np.argwhere(sitk.GetArrayFromImage(image) == value)
    return image.TransformIndexToPhysicalPoint(index[::-1].tolist())


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("orientation", "rows", "columns"),
    [((1, 0, 0, 0, 1, 0), 1, 1), ((1, 0, 0, 0, -1, 0), -1, 1), ((-1, 0, 0, 0, 1, 0), 1, -1)],
)
def test_a_series_comes_out_feet_to_head_front_to_back_right_to_left(ct, tmp_path, order, orientation, rows, columns):
    stored = ct.chest()[:, ::rows, ::columns]  # so that the patient is the same in all of them
    volume = only(read_volumes(ct.write_series(tmp_path / "scan", stored, order, orientation)))
    voxels = volume.read_voxels()
    assert np.array_equal(voxels, ct.chest())
    assert (voxels.dtype, voxels.flags.c_contiguous) == (np.int16, True)
    assert np.allclose(volume.spacing_mm, (1.25, 0.7, 0.6))
    assert np.allclose(volume.locate(MARK), itk_place(tmp_path / "scan"))


def test_a_turned_table_keeps_its_millimetres(ct, tmp_path):
    angle = np.radians(4)
    turned = (np.cos(angle), np.sin(angle), 0, -np.sin(angle), np.cos(angle), 0)
    ct.write_series(tmp_path / "scan", ct.chest(), orientation=turned)
    volume = only(read_volumes(tmp_path))
    assert np.array_equal(volume.read_voxels(), ct.chest())
    assert np.allclose(volume.locate(MARK), itk_place(tmp_path / "scan"), atol=1e-4)


def test_a_sagittal_series_is_turned_to_axial_slices(ct, tmp_path):
    """Written as (x, z, y): rows run down from the head, columns to the back; 23 files of 13 rows and 17 columns."""
    stored = ct.chest().transpose(2, 0, 1)[:, ::-1]
    for number, plane in enumerate(stored):
        place = "\\".join(map(str, (-7.5 + 1.25 * number, -150.25, -785.5)))
        ct.write_series(
            tmp_path / "scan",
            plane[None],
            name=f"S{number:02d}.dcm",
            **{"0020_0032": place, "0020_0037": "0\\1\\0\\0\\0\\-1"},
        )
    volume = only(read_volumes(tmp_path))
    assert np.array_equal(volume.read_voxels(), ct.chest())
    assert np.allclose(volume.spacing_mm, (0.7, 0.6, 1.25))
    assert np.allclose(volume.locate((0, 0, 0)), (-7.5, -150.25, -785.5 - 12 * 0.7))


def set_tag(path, tag, old, new):
    """Replace a value in a file by one of the same length; the tag and four bytes of length stand before it."""
    content = path.read_bytes()
    start = content.index(tag) + 8
    assert content[start:].startswith(old)
    path.write_bytes(content[:start] + new + content[start + len(old) :])


SLOPE, POSITION = b"\x28\x00\x53\x10", b"\x20\x00\x32\x00"


def test_every_slice_has_its_own_slope_and_intercept(ct, tmp_path):
    """Odd slices store twice the number, and get the slope .5 afterwards; then intercepts differ."""
    voxels = ct.chest().astype(np.int16)
    voxels[1::2] += voxels[1::2] + 1024
    folder = ct.write_series(tmp_path / "scan", voxels)
    for number in range(1, 13, 2):
        set_tag(folder / f"D{number + 1:04d}.dcm", SLOPE, b"1 ", b".5")
    assert np.array_equal(only(read_volumes(tmp_path)).read_voxels(), ct.chest())
    other = ct.write_series(tmp_path / "other", ct.chest(), **{"0028_1052": lambda number: str(-1024 - 8 * number)})
    assert np.array_equal(open_series(other)[1](), ct.chest())


def test_a_volume_of_files_travels_to_another_process(ct, tmp_path):
    ct.write_series(tmp_path / "scan", ct.chest(3), -1)
    volume = pickle.loads(pickle.dumps(only(read_volumes(tmp_path))))
    assert np.array_equal(volume.read_voxels(), ct.chest(3))


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ([5], r"a slice every 1\.25 mm\. Received: 2\.5 mm between D0005\.dcm and D0007\.dcm; 1 missing"),
        (
            [3, 4, 9],
            r"a slice every 1\.25 mm\. Received: 3\.75 mm between D0003\.dcm and D0006\.dcm, 2\.5 mm .*; 3 missing",
        ),
    ],
)
def test_missing_slices_are_named(ct, tmp_path, capfd, gone, message):
    folder = ct.write_series(tmp_path / "scan", ct.chest())
    capfd.readouterr()
    for number in gone:
        (folder / f"D{number + 1:04d}.dcm").unlink()
    with pytest.raises(ValueError, match=r"scan: expected " + message):
        read_volumes(tmp_path)
    assert capfd.readouterr() == ("", "")  # ITK's own warnings stay away


def test_doubled_slices_are_named(ct, tmp_path):
    folder = ct.write_series(tmp_path / "scan", ct.chest())
    (folder / "copy of 4.dcm").write_bytes((folder / "D0004.dcm").read_bytes())
    with pytest.raises(ValueError, match=r"scan: expected each slice once.*1 doubled.*D0004\.dcm and copy of 4\.dcm"):
        read_volumes(tmp_path)


def test_mixed_series_are_counted(ct, tmp_path):
    folder = ct.write_series(tmp_path / "scan", ct.chest())
    ct.write_series(folder, ct.chest()[:4], name="L{:04d}.dcm", **{"0020_000e": "1.2.1.9"})
    message = (
        r"expected the files of one series.*Received: 2.*1\.2\.1\.7 \(CT\): 13 files, first D0001\.dcm; 1\.2\.1\.9 .*4"
    )
    with pytest.raises(ValueError, match=message):
        read_volumes(tmp_path)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"0008_0060": "MR"}, "expected a CT series. Received: modality 'MR'"),
        ({"lift": {6: 0.3}}, r"a slice every 1\.25 mm\. Received: 1\.55 mm between D0006"),
        ({"0020_0032": lambda number: f"0\\{number * 0.5}\\{number * 1.25}"}, r"leans by 21\.8 degrees"),
        (
            {"0020_0037": "1\\0\\0\\0\\.7071\\.7071", "0020_0032": lambda number: f"0\\{-number}\\{number}"},
            "45 degrees",
        ),
        (
            {"0020_0037": lambda number: "1\\0\\0\\0\\1\\0" if number else "0\\1\\0\\1\\0\\0"},
            r"D0002\.dcm: expected along_row \[0\.0, 1\.0, 0\.0\], as D0001",
        ),
    ],
)
def test_a_series_that_is_no_straight_stack_of_ct_is_named(ct, tmp_path, tags, message):
    folder = ct.write_series(tmp_path / "scan", ct.chest(), **tags)
    with pytest.raises(ValueError, match=message):
        open_series(folder)


def test_slices_of_another_size_are_named(ct, tmp_path):
    folder = ct.write_series(tmp_path / "scan", ct.chest())
    ct.write_series(folder, ct.chest()[:1, :, :20], name="D0001.dcm")
    with pytest.raises(ValueError, match=r"D0002\.dcm: expected shape \[17, 20\], as D0001\.dcm. Received: \[17, 23\]"):
        open_series(folder)


@pytest.mark.parametrize(("kept", "message"), [(0.5, "SimpleITK can read"), (300, "SimpleITK can read")])
def test_a_file_cut_short_is_named(ct, tmp_path, kept, message, capfd):
    folder = ct.write_series(tmp_path / "scan", ct.chest())
    path = folder / "D0007.dcm"
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept > 1 else int(kept * len(content))])
    with pytest.raises(ValueError, match=rf"D0007\.dcm: expected a DICOM image that {message}.*gdcmconv"):
        open_series(folder)[1]()
    assert "ITK" not in capfd.readouterr().err


def test_values_that_cannot_be_hu_are_named(ct, tmp_path):
    stored = (ct.chest() + 1024).astype(np.int16)
    folder = ct.write_series(tmp_path / "scan", stored, **{"0028_1052": "0"})
    with pytest.raises(ValueError, match=r"scan: expected Hounsfield units, air near -1000. .*after 1024 is taken off"):
        open_series(folder)[1]()
    other = ct.write_series(tmp_path / "other", ct.chest())
    for path in other.iterdir():
        set_tag(path, SLOPE, b"1 ", b"40")
    with pytest.raises(
        ValueError, match=r"other: expected Hounsfield units, at most 1% of them above 3071 .*up to 32767"
    ):
        open_series(other)[1]()


def test_a_slice_without_a_place_is_named(ct, tmp_path):
    folder = ct.write_series(tmp_path / "scan", ct.chest())
    path = folder / "D0003.dcm"
    path.write_bytes(path.read_bytes().replace(POSITION, b"\x20\x00\x33\x00"))
    with pytest.raises(
        ValueError, match=r"D0003\.dcm: expected one CT slice with its place.*no position \(0020\|0032\)"
    ):
        open_series(folder)


def test_padding_outside_of_the_circle_becomes_air(ct, tmp_path):
    padded = ct.chest()
    padded[:, :3, :3] = -3024
    ct.write_series(tmp_path / "scan", padded, **{"0028_1052": "-3024"})
    voxels = only(read_volumes(tmp_path)).read_voxels()
    assert set(voxels[:, :3, :3].ravel().tolist()) == {-1024}
    assert np.array_equal(voxels[:, 3:], ct.chest()[:, 3:])


def test_ranks_follow_the_file_names_not_the_position(ct, tmp_path):
    up, down = (ct.write_series(tmp_path / name, ct.chest(), order) for name, order in (("up", 1), ("down", -1)))
    ranks = [rank_by_name(open_series(folder)[1].args[1:], folder) for folder in (up, down)]
    assert ranks == [tuple(range(13)), tuple(range(12, -1, -1))]
    loose = ct.write_series(tmp_path / "loose", ct.chest(), name="{}.dcm")
    with pytest.raises(ValueError, match=r"loose: expected file names with one order.*10\.dcm or 2\.dcm next"):
        rank_by_name(open_series(loose)[1].args[1:], loose)
