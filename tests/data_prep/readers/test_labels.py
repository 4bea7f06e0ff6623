import numpy as np
import pytest
import scipy.io

from data_prep.readers.grids import Grid
from data_prep.readers.labels import number_emboli, open_labels, open_mat_labels
from data_prep.readers.volumes import read_grid


def crumbs():
    """A clot of 3x3x3 voxels whose corner touches one of 2 voxels, a line of 9 voxels apart, and a crumb of 2."""
    mask = np.zeros((13, 17, 23), np.uint8)
    mask[2:5, 3:6, 3:6] = 255
    mask[5, 6, 6:8] = 255
    mask[8, 2, 10:19] = 255
    mask[11, 10, 20:22] = 255
    return mask


def test_a_mask_of_one_value_becomes_connected_parts_without_crumbs():
    """Voxels of .56 mm3 (FUMPE's): the line has 5.04 mm3 and counts, the crumb 1.1; 29 voxels hang over a corner."""
    numbers = number_emboli(crumbs(), (1.0, 0.7, 0.8), "m")
    assert np.bincount(numbers.ravel()).tolist() == [13 * 17 * 23 - 38, 29, 9]
    assert (numbers.dtype, numbers[8, 2, 10], numbers[11, 10, 20]) == (np.int32, 2, 0)
    assert number_emboli(crumbs(), (1.0, 0.7, 0.7), "m").max() == 1  # 4.4 mm3


@pytest.mark.parametrize("kind", [np.uint16, np.float64, np.int64])
def test_several_values_are_numbers_of_emboli_and_stay(kind):
    labels = crumbs().astype(kind)
    labels[8] = np.where(labels[8] > 0, 7, 0)
    numbers = number_emboli(labels, (1, 1, 1), "m")
    assert np.bincount(numbers.ravel(), minlength=256)[[7, 255]].tolist() == [9, 31]
    assert (numbers.dtype, np.unique(numbers).tolist()) == (np.int32, [0, 7, 255])


def test_one_value_may_be_the_number_of_the_only_embolus():
    numbers = number_emboli(crumbs() // 85, (1, 1, 1), "m", numbered=True)
    assert np.unique(numbers).tolist() == [0, 3]
    assert not number_emboli(np.zeros((3, 4, 5), np.uint8), (1, 1, 1), "m").any()


@pytest.mark.parametrize("value", [-1, 0.5, np.nan, 1e9])
def test_values_that_are_no_labels_are_named(value):
    labels = np.zeros((3, 4, 5))
    labels[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"case 7: expected labels, whole numbers from 0 to 65535"):
        number_emboli(labels, (1, 1, 1), "case 7")


@pytest.mark.parametrize(("patient", "slices"), [("PAT001", 201), ("PAT002", 185)])
def test_real_masks_of_matlab_and_nifti_agree(real_data, patient, slices):
    """The two patients that there are in both formats; in both, names and positions ran the same way."""
    pytest.importorskip("SimpleITK")
    nifti, mat = (real_data / "fumpe-labels" / f"{patient}{suffix}" for suffix in (".nii.gz", ".mat"))
    grid, _ = read_grid(nifti, "labels")
    from_nifti = open_labels(nifti, nifti, grid)()
    from_mat = open_mat_labels(mat, nifti, grid, tuple(range(slices)))()
    assert from_mat.shape == (slices, 512, 512)
    assert from_mat.max() == 2
    assert np.array_equal(from_mat, from_nifti)


@pytest.mark.parametrize(
    ("patient", "emboli", "smallest_mm3"), [("PAT003", 1, 19155.2), ("PAT014", 5, 8.9), ("PAT016", 14, 37.8)]
)
def test_real_masks_lose_their_crumbs_only(real_data, patient, emboli, smallest_mm3):
    """Three of the four masks with parts below 5 mm3, one in each; counted with SciPy beforehand."""
    pytest.importorskip("SimpleITK")
    path = real_data / "fumpe-labels" / f"{patient}.nii.gz"
    grid, _ = read_grid(path, "labels")
    numbers = open_labels(path, path, grid)()
    sizes_mm3 = np.bincount(numbers[numbers > 0])[1:] * np.prod(grid.spacing_mm)
    assert (numbers.shape, len(sizes_mm3)) == (grid.shape, emboli)
    assert np.isclose(sizes_mm3.min(), smallest_mm3, atol=0.1)


def test_a_real_patient_without_embolus_has_an_empty_truth(real_data):
    pytest.importorskip("SimpleITK")
    path = real_data / "fumpe-labels" / "PAT024.nii.gz"
    grid, _ = read_grid(path, "labels")
    assert np.allclose(grid.spacing_mm, (1.5, 0.568, 0.568), atol=1e-3)
    assert not open_labels(path, path, grid)().any()


def test_all_real_headers_lie_within_what_is_expected(real_data):
    pytest.importorskip("SimpleITK")
    paths = sorted((real_data / "fumpe-labels").glob("*.nii.gz"))
    grids = [read_grid(path, "labels")[0] for path in paths]
    assert (len(grids), sum(grid.shape[0] for grid in grids)) == (35, 8792)
    assert {grid.shape[1:] for grid in grids} == {(512, 512)}


def test_a_mask_of_matlab_is_checked_before_it_is_read(tmp_path):
    grid = Grid((13, 17, 23), ((0, 0, 0.6, 0), (0, 0.7, 0, 0), (1, 0, 0, 0)))
    path = tmp_path / "PAT001.mat"
    scipy.io.savemat(path, {"Mask": np.zeros((17, 23, 12), np.uint8)})
    with pytest.raises(ValueError, match=r"PAT001\.mat: expected Mask of \(17, 23, 13\) rows.*\(17, 23, 12\)"):
        open_mat_labels(path, tmp_path, grid, range(13))
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(ValueError, match=r"PAT001\.mat: expected a MATLAB file up to version 7"):
        open_mat_labels(path, tmp_path, grid, range(13))
