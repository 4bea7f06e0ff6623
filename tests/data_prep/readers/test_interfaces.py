import numpy as np
import pytest
import scipy.io

from data_prep.readers.interfaces import read_columns, read_cyprus, read_profiles, read_scl, require_scale, trace
from data_prep.readers.rois import read_rois, rois_from_span

SHAPE = (17, 23)


@pytest.fixture
def profiles(tmp_path):
    """Return profiles(li, ma): writes two boundary files and returns their paths."""

    def write(li, ma):
        paths = tmp_path / "a-LI.txt", tmp_path / "a-MA.txt"
        for path, text in zip(paths, (li, ma), strict=True):
            path.write_text(text)
        return paths

    return write


def save_scl(path, columns, rows, scale=0.06, imt=0.5, **more):
    fields = {"Param_3": np.c_[columns], "Param_4": np.c_[rows], "scale": scale, "imt_thikn": imt} | more
    scipy.io.savemat(path, {name: value for name, value in fields.items() if value is not None}, appendmat=False)
    return path


def test_lines_are_drawn_between_points_and_nothing_beyond():
    """From (2, 4) to (4, 8) two rows a column; the points of column 6 become one at 10.5."""
    rows = trace(np.array([6.0, 2, 4, 6]), np.array([10.0, 4, 8, 11]), 9)
    assert rows[2:7].tolist() == [4, 6, 8, 9.25, 10.5]
    assert np.isnan(rows[[0, 1, 7, 8]]).all()
    assert rows.shape == (9,)


def test_a_missing_point_breaks_the_line_to_both_neighbours():
    rows = trace(np.array([0.0, 1, 3, 5, 6]), np.array([3.0, 3, np.nan, 7, 8]), 7)
    assert np.isnan(rows).tolist() == [False, False, True, True, True, False, False]
    assert rows[[0, 1, 5, 6]].tolist() == [3, 3, 7, 8]


def test_scl_points_alternate_in_any_order_and_count_from_1(tmp_path):
    """LI at columns 9, 3 and MA at 4, 10 of MATLAB; so LI is known in columns 2 to 8 of ours, MA in 3 to 9."""
    path = save_scl(tmp_path / "a.scl", [9, 4, 3, 10], [5, 9, 2, 12])
    li, ma = read_cyprus(path, SHAPE)
    assert np.flatnonzero(np.isfinite(li)).tolist() == list(range(2, 9))
    assert np.flatnonzero(np.isfinite(ma)).tolist() == list(range(3, 10))
    assert (li[2], li[8], ma[3], ma[9]) == (1, 4, 8, 11)
    assert read_scl(path)[1:] == (0.06, 0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": 0.0}, r"expected a scale of 0\.001 to 1 mm per pixel.*Received: 0"),
        ({"scale": np.nan}, "Received: nan"),
        ({"scale": -0.06}, r"Received: -0\.06"),
        ({"scale": 1.5}, r"Received: 1\.5"),
        ({"scale": None}, "expected a MATLAB v5 file with Param_3.*Received.*'scale'"),
        ({"columns": [2, 2, 9]}, "expected pairs of points.*Received: 3, 4, 1 and 1"),
        ({"rows": [9, 2, 12, 5]}, "expected MA below LI.*LI 8.50, MA 1.00 in column 3.*swapped"),
        ({"rows": [2, 9, 5, 18]}, r"MA point 2 .MATLAB.*rows 0 to 16\. Received: column 9, row 17"),
        ({"columns": [2, 4, 24, 10]}, "LI point 2 .*columns 0 to 22.*Received: column 23, row 4"),
        ({"columns": [2, np.nan, 9, 10]}, "MA point 1 .*Received: column nan"),
    ],
)
def test_an_scl_that_does_not_fit_is_named(tmp_path, fields, message):
    path = save_scl(tmp_path / "a.scl", **({"columns": [3, 4, 9, 10], "rows": [2, 9, 5, 12]} | fields))
    with pytest.raises(ValueError, match=r"a\.scl.*" + message):
        read_cyprus(path, SHAPE)


def test_a_file_that_is_no_scl_is_named(tmp_path):
    (tmp_path / "a.scl").write_text("scale 0.06")
    with pytest.raises(ValueError, match=r"a\.scl: expected a MATLAB v5 file"):
        read_cyprus(tmp_path / "a.scl", SHAPE)
    with pytest.raises(FileNotFoundError, match=r"b\.scl"):
        read_cyprus(tmp_path / "b.scl", SHAPE)


def test_boundaries_in_two_rows_or_line_by_line_are_the_same(profiles):
    """CUBS counts from 1, caroSegDeep from 0."""
    cubs = read_profiles(*profiles("3 5 8\n4.5 6 7.5\n", "8 3 5\n12 10 11\n"), SHAPE)
    lines = read_profiles(*profiles("2 3.5\n4 5\n\n7 6.5\n", "7 11\n2 9\n4 10\n"), SHAPE)
    assert np.array_equal(cubs, lines, equal_nan=True)
    assert cubs[:, 2].tolist() == [3.5, 9]
    assert cubs[:, 7].tolist() == [6.5, 11]
    assert np.flatnonzero(np.isfinite(cubs).all(axis=0)).tolist() == [2, 3, 4, 5, 6, 7]


def test_a_row_of_0_is_missing_and_never_0(profiles):
    li, ma = read_profiles(*profiles("3 4 5 6\n4 0 4 4\n", "2 9\n3 0\n4 9\n5 nan\n"), SHAPE)
    assert np.isnan(li).tolist() == [column not in (2, 4, 5) for column in range(23)]
    assert np.flatnonzero(np.isfinite(ma)).tolist() == [2, 4]
    assert np.nanmin(li) == 3  # counted from 0


def test_a_boundary_with_a_row_for_every_column(profiles):
    rows = "\n".join(["0", *map(str, np.linspace(1, 5, 22))])
    li, ma = read_profiles(*profiles(rows, " ".join(["9"] * 23)), SHAPE)
    assert np.isnan(li[0])
    assert (li[1], li[22], ma[0], ma[22]) == (1, 5, 9, 9)


@pytest.mark.parametrize(
    ("li", "message"),
    [
        ("1\n" * 22, "expected one row for each of the image's 23 columns. Received: 22"),
        ("3 4\n5 6\n", r": expected two lines.*Received: lines and numbers \[\(1, 2\), \(2, 2\)\]"),
        ("3 4 5\n5 6\n", "line 2: expected two lines.*Received: 2 numbers, 3 in the first line"),
        ("3 4\n5 6\n7 8\n9\n", "line 4: expected.*Received: 1 numbers, 2 in the first"),
        ("", "expected two lines.*Received: lines"),
        ("3 4\n5,5 6\n7 8\n", r"line 2: expected numbers with a decimal point.*'5,5'"),
        ("3 4 24\n5 6 7\n", "line 2, value 3.*columns 0 to 22 and rows 0 to 16. Received: column 23, row 6"),
        ("3 4\n5 6\n-1 7\n", "line 3: expected a point inside the image.*column -1, row 7"),
        ("3 4\n5 6\n7 inf\n", "line 3: expected a point inside the image"),
    ],
)
def test_a_boundary_file_that_does_not_fit_is_named_with_its_line(profiles, li, message):
    with pytest.raises(ValueError, match=r"a-LI\.txt.*" + message):
        read_profiles(*profiles(li, "3 9\n5 9\n7 9\n"), SHAPE)


def table(width=23, change=None):
    """Columns 4 to 19 delineated; `change` maps a line, from 1, to another text (None: gone)."""
    lines = ["column,li,ma"] + [f"{c},{5 + c / 8},{9 + c / 8}" if 4 <= c < 20 else f"{c},," for c in range(width)]
    for number, text in sorted((change or {}).items(), reverse=True):
        lines[number - 1 : number] = [] if text is None else [text]
    return "\n".join(lines) + "\n"


def test_the_listed_form_keeps_empty_columns_empty(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeff" + table(), encoding="utf-8")
    interfaces = read_columns(tmp_path / "a.csv", SHAPE)
    assert (interfaces.shape, interfaces.dtype) == ((2, 23), np.float64)
    assert np.flatnonzero(np.isfinite(interfaces).any(axis=0)).tolist() == list(range(4, 20))
    assert interfaces[:, 8].tolist() == [6, 10]


@pytest.mark.parametrize(
    ("width", "change", "message"),
    [
        (22, {}, "expected one row for each of the image's 23 columns. Received: 22"),
        (24, {}, "23 columns. Received: 24"),
        (23, {1: "column;li;ma"}, "line 1: expected the header column,li,ma. Received.*column;li;ma"),
        (23, {9: "7;5;9"}, "line 9: expected column,li,ma, numbers or empty.*'7;5;9'"),
        (23, {9: "7,5"}, "line 9: expected column,li,ma"),
        (24, {9: None}, "line 9: expected column 7. Received: 8"),
        (23, {9: "7,5,17"}, "line 9: expected a point inside the image.*Received: column 7, row 17"),
        (23, {9: "7,9,5"}, "line 9: expected MA below LI.*LI 9.00, MA 5.00 in column 7, and 0 more"),
        (23, {9: "7,0,0"}, "expected MA below LI"),
    ],
)
def test_a_table_of_columns_that_does_not_fit_is_named_with_its_line(tmp_path, width, change, message):
    (tmp_path / "a.csv").write_text(table(width, change))
    with pytest.raises(ValueError, match=r"a\.csv.*" + message):
        read_columns(tmp_path / "a.csv", SHAPE)


def test_a_scale_is_a_number_of_mm():
    assert require_scale("0.0600", "CF") == 0.06
    for wrong in ("0,06", "", "0", "60", None, "6e-5", "nan"):
        with pytest.raises(ValueError, match=f"CF.txt, line 1: expected a scale.*Received: {wrong}"):
            require_scale(wrong, "CF.txt, line 1")


def wall(width, known, row=40.0, thickness=10.0):
    interfaces = np.full((2, width), np.nan)
    interfaces[0, known], interfaces[1, known] = row, row + thickness
    return interfaces


def test_windows_spread_over_the_span_with_equal_gaps():
    """300 columns from 11 hold three windows of 92 and four gaps of 6; LI 40, MA 50: rows 16 to 75 are centred."""
    rois = rois_from_span(wall(350, slice(11, 311)), (120, 350))
    assert rois == ((16, 17, 60, 92), (16, 115, 60, 92), (16, 213, 60, 92))
    assert rois_from_span(wall(350, slice(11, 311)), (120, 350), most=1) == ((16, 115, 60, 92),)
    assert len(rois_from_span(wall(800, slice(0, 800)), (120, 800))) == 3


def test_a_short_span_gets_a_narrow_window_and_a_shorter_one_none():
    assert rois_from_span(wall(100, slice(7, 47)), (90, 100)) == ((16, 7, 60, 40),)
    assert rois_from_span(wall(100, slice(7, 46)), (90, 100)) == ()
    assert rois_from_span(wall(100, slice(0, 0)), (90, 100)) == ()


def test_no_window_crosses_a_gap_and_the_longest_parts_go_first():
    interfaces = wall(400, slice(0, 400))
    interfaces[0, 50] = np.nan  # parts of 50, 199 and 149 columns
    interfaces[1, 250] = np.nan
    rois = rois_from_span(interfaces, (90, 400))
    assert [(left, width) for _, left, _, width in rois] == [(56, 92), (153, 92), (279, 92)]
    assert rois_from_span(interfaces, (90, 400), most=4)[0][1::2] == (0, 50)
    assert all(np.isfinite(interfaces[:, left : left + width]).all() for _, left, _, width in rois)


def test_a_window_grows_around_a_steep_wall_and_stays_in_the_image():
    interfaces = wall(92, slice(0, 92), row=np.linspace(20, 80, 92))
    ((top, _, height, _),) = rois_from_span(interfaces, (300, 92))
    assert (top, top + height) == (12, 99)  # LI from 20, MA to 90: 8 rows more on either side
    assert rois_from_span(interfaces, (91, 92)) == ((4, 0, 87, 92),)
    assert rois_from_span(interfaces, (85, 92))[0][::2] == (0, 85)
    assert rois_from_span(wall(92, slice(0, 92), row=5), (200, 92)) == ((0, 0, 60, 92),)


def test_rois_that_the_data_set_names_are_held_against_the_wall():
    interfaces = wall(100, slice(20, 80))
    assert read_rois("30 20 25 30; 28 50 40 30", interfaces, (90, 100)) == ((30, 20, 25, 30), (28, 50, 40, 30))
    for wrong, message in (
        ("30 20 25", r"line 4: expected 'top left height width'.*Received: '30 20 25'"),
        ("30 20 25 30;", "Received: ''"),
        ("30 -1 25 30", "expected 'top left"),
        ("30 20 61 30", r"inside the image of \(90, 100\)"),
        ("30 75 25 26", "inside the image"),
        ("30 20 25 0", "inside the image"),
        ("30 19 25 30", "holds LI and MA in all of its columns"),
        ("41 20 25 30", "holds LI and MA"),
        ("26 20 24 30", "holds LI and MA"),
    ):
        with pytest.raises(ValueError, match=message):
            read_rois(wrong, interfaces, (90, 100), "scans.csv, line 4")


def test_real_boundaries_reproduce_the_thickness_that_their_program_measured(real_data):
    """`imt_thikn` is the mean distance of the pairs of points: equal in 45 of 48 files, 0 in two, wrong in AAANB."""
    differences = {}
    for path in sorted((real_data / "cyprus-imt").glob("*/*.scl")):
        (li, ma), mm_per_pixel, imt_mm = read_scl(path)
        differences[path.stem] = np.hypot(*(ma - li).T).mean() * mm_per_pixel - imt_mm
    odd = {name: round(float(value), 2) for name, value in differences.items() if abs(value) > 1e-6}
    assert len(differences) == 48
    assert odd == {"AAACX": 0.91, "AAAFI": 0.73, "AAANB": -2.54}


def test_real_boundaries_fit_only_their_image(real_data):
    path = real_data / "cyprus-imt" / "AAAAA" / "AAAAA.scl"
    assert np.isfinite(read_cyprus(path, (576, 768)).all(axis=0)).any()
    with pytest.raises(ValueError, match=r"AAAAA\.scl, LI point \d+.*expected a point inside the image"):
        read_cyprus(path, (768, 288))
