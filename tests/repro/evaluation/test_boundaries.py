import io

import numpy as np
import pytest

from repro.evaluation import Contours, boundary_error, imt, imt_errors, roi_errors

NAN = np.nan


def contours(**changes):
    """Two ROIs of two subjects, 3 and 2 columns, with pixels of 50 and 100 um."""
    fields = {
        "subject": np.array([1, 0]),
        "roi": np.array(["b 1", "a 7"]),
        "um_per_pixel": np.array([50.0, 100.0]),
        "fallback": np.array([[False, True], [False, False]]),
        "point_roi": np.array([0, 1, 0, 1, 0]),
        "column": np.array([12, 40, 11, 44, 10]),
        "found": np.array([[3, 13], [5, 9], [2, 12], [6, 9], [1, 11.0]]),
        "truth": np.array([[4, 12], [5, 10], [NAN, 10], [8, NAN], [1, 10.0]]),
        "subjects": ("a", "b", "c"),
        "example": np.zeros((5, 3, 2)),
    }
    return Contours(**{**fields, **changes})


def test_error_is_the_mean_distance_in_micrometres():
    """Off by 1, 2, 0 and not drawn, in pixels of 60 um: 3 / 3 * 60."""
    assert boundary_error([10, 12, 14, 99], [11, 10, 14, NAN], 60) == pytest.approx(60)
    assert boundary_error([10.25], [10], 40) == pytest.approx(10)


def test_thickness_counts_columns_with_both_lines():
    """11 and 13 pixels where both are drawn."""
    assert imt([1, 2, NAN, 4], [12, NAN, 30, 17], 50) == pytest.approx(12 * 50)
    assert imt([5, 5], [3, 3], 50) == pytest.approx(-100)


def test_polylines_measure_along_the_normal():
    """A wall 10 px thick vertically, 3 down every 4 across: cosine .8; the ends look at an end of the other line."""
    columns = np.arange(0, 400, 4)
    li = 0.75 * columns
    assert imt(li, li + 10, 50, "polyline", columns) == pytest.approx(8 * 50, rel=0.01)
    assert imt(li, li + 10, 50) == pytest.approx(10 * 50)
    assert imt([7, 7, NAN], [3, 3, 3], 50, "polyline") == pytest.approx(4 * 50)
    assert imt([7, NAN], [3, 3], 50, "polyline") == pytest.approx(4 * 50)


def test_polylines_by_hand():
    """A level line against a tent of height 3: vertices at 2, 5, 2 above it, and the level's seen from there.

    The tent's sides run at 45 degrees, on row + column = 7: 5 / sqrt(2) from the level's middle at (9, 3).
    """
    level, tent, columns = np.array([9.0, 9, 9]), np.array([7.0, 4, 7]), np.array([0, 3, 6])
    expected = (2 + 5 + 2 + 2 + 5 / np.sqrt(2) + 2) / 6
    assert imt(tent, level, 10, "polyline", columns) == pytest.approx(10 * expected)


def test_errors_of_rois_by_hand():
    """b 1: LI off by 1, 0, MA by 1, 2, 1; a 7: LI off by 0, 2, MA by 1."""
    np.testing.assert_allclose(roi_errors(contours()), [[25, 200 / 3], [100, 100]])


def test_thickness_errors_are_signed():
    """b 1: 10 found against 8 and 9; a 7: 4 against 5."""
    np.testing.assert_allclose(imt_errors(contours()), [75, -100])
    np.testing.assert_allclose(imt_errors(contours(), "polyline")[1], -100)
    assert imt_errors(contours(), "polyline")[0] != imt_errors(contours())[0]


def test_polylines_of_an_roi_run_through_its_columns_in_their_order():
    """One column in four, handed over in disorder; the true wall is level and 10 px thick."""
    column, steep = np.array([10, 14, 18, 22, 26]), np.array([0.0, 9, 0, 5, 0])
    order = np.array([3, 0, 4, 1, 2])
    data = contours(
        point_roi=np.array([0, 0, 0, 0, 0, 1]),
        column=np.append(column[order], 40),
        found=np.vstack([np.stack([steep, steep + 10], axis=1)[order], [5, 9]]),
        truth=np.vstack([np.tile([3, 13], (5, 1)), [5, 10]]),
    )
    expected = imt(steep, steep + 10, 50, "polyline", column) - 500
    np.testing.assert_allclose(imt_errors(data, "polyline"), [expected, -100])
    assert expected < -50


def test_contours_survive_a_file():
    data, file = contours(), io.BytesIO()
    np.savez(file, **vars(data))
    file.seek(0)
    with np.load(file) as stored:
        again = Contours(**{name: stored[name] for name in stored.files})
    np.testing.assert_array_equal(roi_errors(again), roi_errors(data))
    assert again.roi.tolist() == ["b 1", "a 7"]
    assert again.fallback.sum(axis=0).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"column": np.arange(4)}, r"shape \(5,\).*'column': \(4,\)"),
        ({"fallback": np.zeros((2, 3), bool)}, r"shape \(2, 2\).*fallback"),
        ({"subject": np.array([0, 3])}, "subject must be whole numbers from 0 to 2"),
        ({"point_roi": np.array([0, 1, 0, 1, -1])}, "point_roi must be whole numbers from 0 to 1"),
        ({"found": np.full((5, 2), NAN)}, "10 rows that are not"),
        ({"um_per_pixel": np.array([50.0, 0])}, "smallest um_per_pixel 0"),
        ({"truth": np.array([[4, 12], [5, NAN], [3, 10], [8, NAN], [1, 10]])}, r"none for: \['a 7'\]"),
    ],
)
def test_contours_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        contours(**changes)


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match="0 true rows"):
        boundary_error([1, 2], [NAN, NAN], 50)
    with pytest.raises(ValueError, match="2 true rows, 1 of them without"):
        boundary_error([1, NAN], [1, 2], 50)
    with pytest.raises(ValueError, match=r"\(2, 2\).*one interface at a time"):
        boundary_error(np.ones((2, 2)), np.ones((2, 2)), 50)
    with pytest.raises(ValueError, match="LI and MA"):
        imt([1, NAN], [NAN, 2], 50)
    with pytest.raises(ValueError, match="'normal'"):
        imt([1], [2], 50, "normal")
