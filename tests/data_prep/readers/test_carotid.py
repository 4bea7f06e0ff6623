import pickle

import numpy as np
import PIL.Image
import pytest
import scipy.io

from data_prep.readers import fingerprint, read_carotid

HEIGHT, WIDTH = 71, 57
KNOWN = slice(5, 52)  # 47 columns: one narrow window


def grey(seed, shape=(HEIGHT, WIDTH)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def walls():
    interfaces = np.full((2, WIDTH), np.nan)
    interfaces[0, KNOWN], interfaces[1, KNOWN] = 33, 44
    return interfaces


@pytest.fixture
def cyprus(tmp_path):
    """Three images of two exams: `.CRI` is an LZW TIFF whose palette is grey, here turned upside down."""
    for number, name in enumerate(("AAA", "AAB", "AAC")):
        (tmp_path / name).mkdir()
        image = PIL.Image.fromarray(255 - grey(number)).convert("P")
        image.putpalette(np.repeat(np.arange(255, -1, -1), 3).tolist())
        image.save(tmp_path / name / f"{name}.CRI", format="TIFF", compression="tiff_lzw")
        save_scl(tmp_path / name / f"{name}.scl", ma=45 + number)
    (tmp_path / "exams.csv").write_text("id,exam\nAAB,e2\nAAA,e10\nAAC,e10\n")
    return tmp_path


def save_scl(path, ma=45, scale=0.06, imt=0.66):
    fields = {"Param_3": np.c_[[52, 52, 6, 6]], "Param_4": np.c_[[34, ma, 34, ma]], "scale": scale, "imt_thikn": imt}
    scipy.io.savemat(path, fields, appendmat=False, format="5")


@pytest.fixture
def cubs(tmp_path):
    """Left and right image of one patient, one image of another, a technical one; one image has no boundaries."""
    for number, name in enumerate(("clin_0007_L", "clin_0007_R", "clin_0012_L", "clin_0012_R", "tech_401")):
        write(tmp_path / "CF" / f"{name}_CF.txt", "0.0600\n")
        (tmp_path / "IMAGES").mkdir(exist_ok=True)
        PIL.Image.fromarray(grey(number)).save(tmp_path / "IMAGES" / f"{name}.tiff")
        for interface, row in (("LI", 34), ("MA", 45)) * (name != "clin_0012_R"):
            profiles = tmp_path / "LIMA-Profiles" / "Manual-A1" / f"{name}-{interface}.txt"
            write(profiles, f"6 30 52\n{row} {row} {row}\n")
    return tmp_path


@pytest.fixture
def listed_scans(tmp_path):
    """Three scans of two subjects in the package's own form."""
    rows = walls().T
    for number, name in enumerate(("s1", "s2", "s10")):
        write(tmp_path / "interfaces" / f"{name}.csv", columns_csv(rows))
        (tmp_path / "images").mkdir(exist_ok=True)
        PIL.Image.fromarray(grey(number)).save(tmp_path / "images" / f"{name}.png")
    table = "scan,subject,mm_per_pixel,rois\ns2,p1,0.05,20 8 40 20;25 30 30 21\ns1,p0,0.06,\ns10,p1,0.07,\n"
    write(tmp_path / "scans.csv", table)
    return tmp_path


def columns_csv(rows):
    lines = [
        f"{number},{'' if np.isnan(li) else li},{'' if np.isnan(ma) else ma}" for number, (li, ma) in enumerate(rows)
    ]
    return "\n".join(["column,li,ma", *lines]) + "\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def counts(cohort):
    return {subject.name: [scan.name for scan in subject.images] for subject in cohort.subjects}


def test_cyprus_groups_images_by_exam(cyprus):
    cohort = read_carotid(str(cyprus))
    scan = cohort.subjects[1].images[0]
    assert counts(cohort) == {"e2": ["AAB"], "e10": ["AAA", "AAC"]}
    assert (cohort.name, cohort.anonymous, scan.mm_per_pixel) == ("Cyprus IMT", False, 0.06)
    assert np.array_equal(scan.read_pixels(), grey(0))
    assert np.array_equal(scan.read_interfaces(), walls(), equal_nan=True)
    assert scan.rois == ((9, 5, 60, 47),)


def test_without_a_table_every_image_is_a_subject_and_the_cohort_anonymous(cyprus):
    (cyprus / "exams.csv").unlink()
    cohort = read_carotid(cyprus)
    assert counts(cohort) == {"AAA": ["AAA"], "AAB": ["AAB"], "AAC": ["AAC"]}
    assert cohort.anonymous
    assert any("no subject identity" in caveat for caveat in cohort.caveats)


def test_points_of_another_image_are_left_out_where_nothing_was_measured(cyprus):
    save_scl(cyprus / "AAC" / "AAC.scl", ma=45, imt=0)
    cohort = read_carotid(cyprus)
    assert counts(cohort) == {"e2": ["AAB"], "e10": ["AAA"]}
    assert any(caveat.endswith("another image's points: AAC") for caveat in cohort.caveats)
    save_scl(cyprus / "AAC" / "AAC.scl", ma=49, imt=0)  # points of its own
    assert counts(read_carotid(cyprus))["e10"] == ["AAA", "AAC"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id;exam\nAAA;1\n", "columns id,exam. Received: id;exam"),
        ("id,exam\nAAA,1\nAAB,1\nAAZ,1\n", "line 4: expected a name on disk .image, .*'AAZ', no such file"),
        ("id,exam\nAAA,1\nAAB,1\nAAA,1\n", "line 4: expected each image once. Received: 'AAA' again"),
        ("id,exam\nAAA,1\nAAB,1\n", "1 without a line, first 'AAC'"),
        ("id,exam\nAAA,1\nAAB,\nAAC,1\n", "line 3: expected an exam"),
    ],
)
def test_a_table_of_exams_that_does_not_fit_is_named(cyprus, table, message):
    (cyprus / "exams.csv").write_text(table)
    with pytest.raises((ValueError, FileNotFoundError), match=r"exams\.csv.*" + message):
        read_carotid(cyprus)


def test_all_faults_are_listed_at_once(cyprus):
    save_scl(cyprus / "AAA" / "AAA.scl", scale=0)
    save_scl(cyprus / "AAC" / "AAC.scl", ma=30)
    with pytest.raises(ValueError, match=r"2 of 3 images.*\n.*AAA\.scl: expected a scale(.|\n)*AAC\.scl.*MA below LI"):
        read_carotid(cyprus)


def test_a_file_of_cyprus_that_is_missing_is_named(cyprus):
    (cyprus / "AAB" / "AAB.CRI").unlink()
    with pytest.raises(FileNotFoundError, match=r"AAB: expected AAB\.CRI and AAB\.scl. Received: AAB\.scl"):
        read_carotid(cyprus)


def test_cubs_keeps_left_and_right_of_a_patient_together(cubs):
    cohort = read_carotid(cubs)
    assert counts(cohort) == {
        "clin_0007": ["clin_0007_L", "clin_0007_R"], "clin_0012": ["clin_0012_L"], "tech_401": ["tech_401"]
    }  # fmt: skip
    assert cohort.caveats[0] == "1 images left out: not delineated by Manual-A1"
    assert cohort.anonymous
    assert np.array_equal(cohort.subjects[1].images[0].read_pixels(), grey(2))
    assert np.array_equal(cohort.subjects[1].images[0].read_interfaces(), walls(), equal_nan=True)


def test_clinical_images_alone_know_their_patients(cubs):
    (cubs / "IMAGES" / "tech_401.tiff").unlink()
    assert not read_carotid(cubs).anonymous


@pytest.mark.parametrize("place", ["SEGMENTATIONS/mine", "LIMA-Profiles-interpolated/mine"])
def test_another_method_is_found_and_named(cubs, place):
    for interface, row in (("LI", 20), ("MA", 33)):
        text = "\n".join(f"{column} {row}" for column in range(4, 50))
        write(cubs / place / f"clin_0007_R-{interface}.txt", text)
    for method in ("mine", place):
        cohort = read_carotid(cubs, method=method)
        assert counts(cohort) == {"clin_0007": ["clin_0007_R"]}
        assert cohort.caveats == (f"4 images left out: not delineated by {method}", f"boundaries by {method}")
    assert cohort.subjects[0].images[0].read_interfaces()[:, 4].tolist() == [20, 33]


def test_a_method_that_is_missing_is_told_what_is_there(cubs):
    with pytest.raises(FileNotFoundError, match=r"'Manual-A2'.*Received: LIMA-Profiles/Manual-A1\. Name"):
        read_carotid(cubs, method="Manual-A2")
    (cubs / "LIMA-Profiles" / "Manual-A2").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Manual-A2: expected <image>-LI\.txt.*Received: an empty folder"):
        read_carotid(cubs, method="Manual-A2")


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("CF/clin_0007_R_CF.txt", None, "expected this file beside the image clin_0007_R.tiff"),
        ("CF/clin_0007_R_CF.txt", "0", "line 1: expected a scale.*Received: 0"),
        ("CF/clin_0007_R_CF.txt", "0,06", "line 1: expected a scale.*Received: 0,06"),
        ("CF/clin_0007_R_CF.txt", "6.0", "line 1: expected a scale"),
        ("LIMA-Profiles/Manual-A1/clin_0007_R-MA.txt", None, "expected this file beside the image clin_0007_R.tiff"),
        ("LIMA-Profiles/Manual-A1/clin_0007_R-MA.txt", "6 30 58\n45 45 45", "line 2, value 3.*inside the image"),
        ("LIMA-Profiles/Manual-A1/clin_0007_R-MA.txt", "45\n" * 56, "image's 57 columns. Received: 56"),
        ("LIMA-Profiles/Manual-A1/clin_0007_R-MA.txt", "6 30 52\n30 30 30", "expected MA below LI"),
    ],
)
def test_a_file_of_cubs_that_does_not_fit_is_named(cubs, path, text, message):
    (cubs / path).unlink() if text is None else (cubs / path).write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{path}.*{message}"):
        read_carotid(cubs)


def test_an_image_of_cubs_with_another_name_is_refused(cubs):
    (cubs / "IMAGES" / "tech_401.tiff").rename(cubs / "IMAGES" / "mine.tiff")
    with pytest.raises(ValueError, match=r"mine\.tiff: expected an image named clin_<number>_L"):
        read_carotid(cubs)


def test_the_listed_form_also_in_another_process(listed_scans):
    cohort = pickle.loads(pickle.dumps(read_carotid(listed_scans)))
    second, tenth = cohort.subjects[1].images
    assert counts(cohort) == {"p0": ["s1"], "p1": ["s2", "s10"]}
    assert (second.mm_per_pixel, tenth.mm_per_pixel) == (0.05, 0.07)
    assert second.rois == ((20, 8, 40, 20), (25, 30, 30, 21))
    assert tenth.rois == ((9, 5, 60, 47),)
    assert np.array_equal(tenth.read_pixels(), grey(2))
    assert np.array_equal(tenth.read_interfaces(), walls(), equal_nan=True)


def test_a_phantom_on_disk_says_so(listed_scans):
    assert (read_carotid(listed_scans).name, read_carotid(listed_scans).caveats) == (listed_scans.name, ())
    write(listed_scans / "phantom.json", '{"name": "Carotid phantom", "caveat": "phantom: speckle"}')
    cohort = read_carotid(listed_scans)
    assert (cohort.name, cohort.caveats) == ("Carotid phantom", ("phantom: speckle",))
    write(listed_scans / "phantom.json", '{"name": "Carotid phantom"}')
    with pytest.raises(ValueError, match=r"phantom\.json.*caveat"):
        read_carotid(listed_scans)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s1,,0.06,", "line 3: expected a subject"),
        ("s1,p0,0,", "line 3: expected a scale.*Received: 0"),
        ("s1,p0,1.2,", "line 3: expected a scale.*Received: 1.2"),
        ("s1,p0,0.06,20 8 40", "line 3: expected 'top left height width'"),
        ("s1,p0,0.06,20 3 40 20", "line 3: expected an ROI that holds LI and MA"),
        ("s3,p0,0.06,", "line 3: expected a name on disk .scan, .*'s3', no such file"),
    ],
)
def test_a_line_of_the_listed_form_that_does_not_fit_is_named(listed_scans, line, message):
    text = (listed_scans / "scans.csv").read_text().replace("s1,p0,0.06,", line)
    write(listed_scans / "scans.csv", text)
    with pytest.raises((ValueError, FileNotFoundError), match=r"scans\.csv, " + message):
        read_carotid(listed_scans)


@pytest.mark.parametrize("gone", ["interfaces/s2.csv", "scans.csv"])
def test_a_file_of_the_listed_form_that_is_missing_is_named(listed_scans, gone):
    (listed_scans / gone).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{gone}: expected"):
        read_carotid(listed_scans)


def test_interfaces_of_an_image_of_another_size_are_refused(listed_scans):
    PIL.Image.fromarray(grey(5, (WIDTH, HEIGHT))).save(listed_scans / "images" / "s2.png")
    with pytest.raises(ValueError, match=r"s2\.csv: expected one row for each of the image's 71 columns. Received: 57"):
        read_carotid(listed_scans)


def test_short_delineations_are_left_out_and_counted(listed_scans):
    rows = walls().T
    rows[30] = np.nan
    write(listed_scans / "interfaces" / "s2.csv", columns_csv(rows))
    write(listed_scans / "scans.csv", "scan,subject,mm_per_pixel,rois\ns2,p1,0.05,\ns1,p0,0.06,\ns10,p1,0.07,\n")
    cohort = read_carotid(listed_scans)
    assert counts(cohort) == {"p0": ["s1"], "p1": ["s10"]}
    assert cohort.caveats == ("1 images left out: fewer than 40 columns delineated without a break",)


def odd_image(kind):
    """An image file that would need a guess to be read as grey of 8 bits, and what its error says."""
    pixels = grey(3)
    rgb = np.dstack([pixels] * 3)
    if kind == "16 bits":
        return PIL.Image.fromarray(pixels.astype(np.uint16) * 257), "expected one 8-bit image.*Received: I;16"
    if kind == "transparent":
        return PIL.Image.fromarray(np.dstack([rgb, pixels])), "expected an opaque image"
    if kind == "grey and alpha":
        return PIL.Image.fromarray(np.dstack([pixels, pixels]), "LA"), "expected one 8-bit image.*LA"
    if kind == "overlay":
        rgb[4, 9] = 255, 255, 0
        return PIL.Image.fromarray(rgb), r"Received: 1 pixels in colour, first in row 4, column 9: \[255, 255, 0\]"
    palette = PIL.Image.fromarray(pixels).convert("P")
    palette.putpalette([*np.arange(255).repeat(3).tolist(), 200, 200, 10])
    return palette, "pixels in colour"


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", ["16 bits", "transparent", "grey and alpha", "overlay", "palette"])
def test_an_image_that_needs_a_guess_is_named(listed_scans, kind):
    image, message = odd_image(kind)
    image.save(listed_scans / "images" / "s2.png")
    with pytest.raises(ValueError, match=r"s2\.png.*" + message):
        [scan.read_pixels() for subject in read_carotid(listed_scans).subjects for scan in subject.images]


def test_pages_of_a_tiff_and_transparent_grey_are_refused(cubs):
    page = PIL.Image.fromarray(grey(3))
    page.save(cubs / "IMAGES" / "tech_401.tiff", save_all=True, append_images=[page])
    with pytest.raises(ValueError, match=r"tech_401\.tiff.*2 page"):
        read_carotid(cubs)
    (cubs / "IMAGES" / "tech_401.tiff").unlink()
    page.save(cubs / "IMAGES" / "tech_401.png", transparency=int(grey(3)[0, 0]))
    with pytest.raises(ValueError, match=r"tech_401\.png: expected an opaque image"):
        read_carotid(cubs).subjects[-1].images[0].read_pixels()


def test_grey_stored_as_three_channels_is_grey(cubs):
    PIL.Image.fromarray(np.dstack([grey(4)] * 3)).save(cubs / "IMAGES" / "tech_401.tiff")
    pixels = read_carotid(cubs).subjects[-1].images[0].read_pixels()
    assert np.array_equal(pixels, grey(4))
    assert (pixels.shape, pixels.dtype) == ((HEIGHT, WIDTH), np.uint8)


def test_an_unknown_folder_is_told_what_is_known(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match=r"Received: images/\. Known: images/ \+ interfaces/.*CUBS"):
        read_carotid(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_carotid(tmp_path / "nowhere")


def test_a_fingerprint_sees_boundaries_and_scales(cubs):
    before = fingerprint(cubs, read_carotid)
    (cubs / "CF" / "tech_401_CF.txt").write_text("0.0610")
    scale = fingerprint(cubs, read_carotid)
    (cubs / "LIMA-Profiles" / "Manual-A1" / "tech_401-LI.txt").write_text("6 30 52\n34 33 34")
    assert len({before, scale, fingerprint(cubs, read_carotid)}) == 3


@pytest.fixture(scope="module")
def real(real_data):
    return read_carotid(real_data / "cyprus-imt")


def test_real_exams(real):
    """48 images of 18 exams, of which two carry another image's points."""
    scans = [scan for subject in real.subjects for scan in subject.images]
    assert (len(real.subjects), len(scans), max(len(subject.images) for subject in real.subjects)) == (18, 46, 6)
    assert any("AAACX, AAAFI" in caveat for caveat in real.caveats)
    assert 0.04 < min(scan.mm_per_pixel for scan in scans) < max(scan.mm_per_pixel for scan in scans) < 0.08


def test_real_pixels_interfaces_and_windows_fit(real):
    """Windows hold the wall with a margin of 8 pixels; the outer wall is brighter than the lumen in every image."""
    for scan in (scan for subject in real.subjects for scan in subject.images):
        pixels, (li, ma) = scan.read_pixels(), scan.read_interfaces()
        assert pixels.shape == (576, 768)
        assert 1 <= len(scan.rois) <= 3
        for top, left, height, width in scan.rois:
            inside = slice(left, left + width)
            assert (li[inside] >= top + 7.5).all()
            assert (ma[inside] <= top + height - 8.5).all()
        columns = np.flatnonzero(np.isfinite(li + ma))
        lumen, adventitia = (np.round(row[columns] + shift).astype(int) for row, shift in ((li, -12), (ma, 6)))
        assert pixels[adventitia, columns].mean() > 2 * pixels[lumen, columns].mean()


def test_real_thickness_column_by_column_is_near_what_the_program_measured(real, real_data):
    """The program took pairs of points, we take columns: differences of -3 um on average, 10 um in size, at most 69."""
    differences = []
    for scan in (scan for subject in real.subjects for scan in subject.images if scan.name != "AAANB"):
        fields = scipy.io.loadmat(real_data / "cyprus-imt" / scan.name / f"{scan.name}.scl", appendmat=False)
        li, ma = scan.read_interfaces()
        imt_mm = np.nanmean(ma - li) * scan.mm_per_pixel
        assert 0.4 < imt_mm < 1.2
        differences.append(imt_mm - fields["imt_thikn"].item())
    assert abs(np.mean(differences)) < 0.01
    assert np.abs(differences).max() < 0.08
