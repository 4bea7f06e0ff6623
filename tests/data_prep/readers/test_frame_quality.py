import pickle
import shutil
from collections import Counter

import numpy as np
import PIL.Image
import pytest

from data_prep.readers import check, fingerprint, read_frames
from data_prep.readers.duplicates import check_unlike

GREY = np.full((17, 23), 90, np.uint8)
ANY_ERROR = (ValueError, FileNotFoundError)


def picture(seed, size=(17, 23)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def scene(seed, columns):
    """A frame of 64 rows in cells of 8x8 pixels, so that it survives compression, with room to be made brighter."""
    cells = np.random.default_rng(seed).integers(0, 200, (8, columns, 3), dtype=np.uint8)
    return cells.repeat(8, axis=0).repeat(8, axis=1)


def counts(cohort):
    return {subject.name: len(subject.images) for subject in cohort.subjects}


def labels(cohort):
    """Return whether each frame is informative, by its name."""
    return {frame.name: frame.informative for subject in cohort.subjects for frame in subject.images}


@pytest.fixture
def classes(save, tmp_path):
    """Five frames of three subjects: two informative ones, and three that are not."""
    for seed, name in enumerate(("informative/a2", "informative/a10", "uninformative/b1", "uninformative/b2")):
        save(f"{name}.png", picture(seed))
    save("uninformative/b3.jpg", picture(4))
    (tmp_path / "subjects.csv").write_text(
        "file,subject\ninformative/a10.png,v2\ninformative/a2.png,v2\nuninformative/b1.png,v10\n"
        "uninformative\\b2.png,v2\nuninformative/b3.jpg,v1\n"
    )
    return tmp_path


@pytest.fixture
def endo_angel(save, tmp_path):
    """Two frames in each of the four folders, of seven procedures; 23 is a copy of q."""
    rows = ["file,label,procedure"]
    for seed, folder in enumerate(("DCNN1/qualified", "DCNN1/unqualified", "DCNN2/BBPS_01", "DCNN2/BBPS_23")):
        for number in (1, 2):
            save(f"{folder}/{number}.png", picture(2 * seed + number))
            rows.append(f"{folder}/{number}.png,{folder.split('/')[1]},p{2 * seed + number}")
    shutil.copy(tmp_path / "DCNN1/qualified/1.png", tmp_path / "DCNN2/BBPS_23/2.png")
    (tmp_path / "labels.csv").write_text("\n".join(rows).replace("p8", "p1") + "\n")
    return tmp_path


@pytest.fixture
def hyper_kvasir(save, tmp_path):
    """Three frames of bbps-0-1, three of bbps-2-3 (u3 is a brighter u1, o3 a brighter u2), and another class."""
    quality = "labeled-images/lower-gi-tract/quality-of-mucosal-views"
    for seed, name in enumerate(("bbps-0-1/u1", "bbps-0-1/u2", "bbps-2-3/o1", "bbps-2-3/o2")):
        save(f"{quality}/{name}.jpg", scene(seed, 10 + seed), quality=95)
    save(f"{quality}/bbps-0-1/u3.jpg", scene(0, 10) + 20, quality=90)
    save(f"{quality}/bbps-2-3/o3.jpg", scene(1, 11) + 20, quality=90)
    save("labeled-images/lower-gi-tract/anatomical-landmarks/cecum/c.jpg", picture(9))
    return tmp_path


@pytest.fixture
def official(hyper_kvasir):
    """The same with the official split: u1, u3, o1 and u2 train, o2 and o3 test."""
    table = hyper_kvasir / "official_splits" / "2_fold_split.csv"
    table.parent.mkdir()
    rows = [f"{name}.jpg;bbps-0-1;0" for name in ("u1", "u2", "u3")]
    rows += ["c.jpg;normal-cecum;1", "s.jpg;impacted-stool;0"]  # of classes that are not read, or not here
    rows += [f"{name}.jpg;bbps-2-3;{fold}" for name, fold in (("o1", 0), ("o2", 1), ("o3", 1))]
    table.write_text("file-name;class-name;split-index\n" + "\n".join(rows) + "\n")
    return table


@pytest.fixture
def nerthus(save, tmp_path):
    """Five frames of videos 2, 9 and 11; video 9 has clips of scores 1 and 2."""
    for seed, name in enumerate(
        ("0/bowel_2_score_0-0", "1/bowel_9_score_1-1", "2/bowel_9_score_2-0", "3/bowel_11_score_3-2")
    ):
        save(f"nerthus-dataset-frames/{name}_00000007.jpg", picture(seed))
    save("nerthus-dataset-frames/3/bowel_11_score_3-2_00000010.jpg", picture(5))
    return tmp_path


def test_folders_by_class_with_their_subjects(classes):
    cohort = pickle.loads(pickle.dumps(read_frames(str(classes))))
    assert counts(cohort) == {"v1": 1, "v2": 3, "v10": 1}
    assert [subject.name for subject in cohort.subjects] == ["v1", "v2", "v10"]
    v2 = cohort.subjects[1].images
    assert [frame.name for frame in v2] == ["informative/a2.png", "informative/a10.png", "uninformative/b2.png"]
    assert [frame.informative for frame in v2] == [True, True, False]
    assert np.array_equal(v2[1].read_pixels(), picture(1))
    assert (cohort.name, cohort.caveats, cohort.test, cohort.anonymous) == (classes.name, (), (), False)


@pytest.mark.parametrize("names", [("Qualified", "UNQUALIFIED"), ("informative", "non-informative")])
def test_without_a_table_each_frame_is_a_subject_and_the_cohort_says_so(classes, names):
    (classes / "subjects.csv").unlink()
    for old, new in zip(("informative", "uninformative"), names, strict=True):
        (classes / old).rename(classes / new)
    cohort = read_frames(classes)
    assert len(cohort.subjects) == 5
    assert list(labels(cohort).values()) == [name.startswith(names[0]) for name in labels(cohort)]
    assert cohort.caveats == ("no subject identity for 5 of 5 frames: each counts as a subject of its own",)
    assert cohort.anonymous


def test_an_empty_subject_is_unknown(classes):
    table = classes / "subjects.csv"
    table.write_text(table.read_text().replace(",v2", ",").replace(",v10", ",v1"))
    cohort = read_frames(classes)
    assert counts(cohort) == {"informative/a2.png": 1, "informative/a10.png": 1, "uninformative/b2.png": 1, "v1": 2}
    assert cohort.caveats == ("no subject identity for 3 of 5 frames: each counts as a subject of its own",)
    assert cohort.anonymous


def test_a_phantom_on_disk_says_so(classes):
    (classes / "phantom.json").write_text('{"caveat": "phantom: no patients", "name": "Procedure phantom"}')
    cohort = read_frames(classes)
    assert (cohort.name, cohort.caveats) == ("Procedure phantom", ("phantom: no patients",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("file,subject", "file;subject", "expected the columns file,subject. Received: file;subject"),
        ("b1.png", "b7.png", r"line 4: expected a frame on disk.*Received: 'uninformative/b7\.png', no such image"),
        ("informative/a2.png", "informative/a10.png", r"line 3: expected each frame once. Received: .*a10\.png' again"),
        ("informative/a2.png,", ",", "line 3: expected each frame once. Received: ''"),
        ("informative/a2.png,v2\n", "", r"1 without a line, first 'informative/a2\.png'"),
    ],
)
def test_a_table_that_does_not_fit_is_named(classes, old, new, message):
    table = classes / "subjects.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(ANY_ERROR, match=r"subjects\.csv.*" + message):
        read_frames(classes)


def test_an_empty_or_missing_class_folder_is_named(classes):
    for path in (classes / "uninformative").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"/uninformative: expected images \(\.png.*Received: an empty folder"):
        read_frames(classes)
    (classes / "uninformative").rmdir()
    with pytest.raises(
        FileNotFoundError, match=r"Received: only informative\. Known: informative or qualified against"
    ):
        read_frames(classes)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "informative/video1/a.png",
            r"/informative: expected images .*no folders. Received: a10\.png, a2\.png, video1/",
        ),
        ("qualified/a.png", "/qualified: expected one folder of images for each of two classes"),
        ("blurred/a.png", "/blurred: expected one folder of images .*Known: informative or qualified against uninf"),
        ("informative/a2.jpg", r"Two files for frame 'a2'.*a2\.jpg and a2\.png"),
    ],
)
def test_images_that_would_be_passed_over_are_an_error(classes, save, extra, message):
    save(extra, picture(8))
    with pytest.raises(ANY_ERROR, match=message):
        read_frames(classes)


def test_an_unknown_or_missing_folder_is_told_what_is_known(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match=r"Received: images/. Known: informative/ \+ uninformative/.*Nerthus"):
        read_frames(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_frames(tmp_path / "nowhere")


def save_odd(path, kind):
    """Write an image of 17x23 pixels of another kind than 8-bit RGB."""
    image = PIL.Image.fromarray(picture(6))
    if kind == "16 bits":
        tifffile = pytest.importorskip("tifffile", reason="comes with scikit-image")
        tifffile.imwrite(path, picture(6).astype(np.uint16) * 257, photometric="rgb")
    elif kind == "I;16":
        PIL.Image.fromarray(GREY.astype(np.uint16) * 257).save(path)
    elif kind == "a transparent colour":
        image.save(path, transparency=(1, 2, 3))
    elif kind == "2 page":
        image.save(path, save_all=True, append_images=[image])
    elif kind == "OSError|Unidentified":
        path.write_bytes(b"no image")
    else:
        image.convert(kind).save(path)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        *(("png", "P"), ("png", "L"), ("png", "RGBA"), ("png", "LA"), ("png", "I;16"), ("png", "a transparent colour")),
        *(("jpg", "L"), ("jpg", "CMYK"), ("tif", "16 bits"), ("tif", "2 page"), ("bmp", "OSError|Unidentified")),
    ],
)
def test_a_frame_that_is_not_8_bit_rgb_is_refused_when_the_folder_is_opened(classes, suffix, kind):
    (classes / "informative" / "a2.png").unlink()
    save_odd(classes / "informative" / f"a2.{suffix}", kind)
    with pytest.raises(
        ValueError, match=rf"informative/a2\.{suffix}: expected .*Received: .*({kind}).*(Convert|again)"
    ):
        read_frames(classes)


def test_frames_of_one_subject_have_one_size(classes, save):
    save("uninformative/b1.png", picture(2, (19, 23)))  # alone in v10
    assert counts(read_frames(classes))["v10"] == 1
    save("informative/a10.png", picture(1, (23, 17)))
    with pytest.raises(ValueError, match=r"a10\.png: expected 23x17 .*as .*a2\.png of .*'v2'\. Received: 17x23 pixels"):
        read_frames(classes)


def test_a_size_that_tells_the_label_is_a_caveat(classes, save):
    """Two sizes: 2 of 3 informative against 0 of 2. The size gives 2 + 2 of 5 labels, the larger class 3."""
    (classes / "subjects.csv").unlink()
    for name in ("b1.png", "b3.jpg"):
        save(f"uninformative/{name}", picture(3, (19, 23)))
    told = read_frames(classes).caveats[-1]
    assert told.startswith(
        "image size alone tells the label of 4 of 5 frames (23x17 pixels: 2 of 3 informative; 23x19 pixels: 0 of 2"
    )
    save("informative/a2.png", picture(3, (19, 23)))
    save("uninformative/b2.png", picture(4, (19, 23)))  # now the larger class: 3; by size: 1 + 3
    save("informative/a10.png", picture(5, (19, 23)))  # now one size
    assert len(read_frames(classes).caveats) == 1


def test_frames_damaged_behind_their_header_are_found_by_the_check(classes):
    assert check(read_frames(classes)) == 5
    path = classes / "informative" / "a10.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"1 of 5 images cannot be used:\n.*a10\.png: expected an image"):
        check(read_frames(classes))


@pytest.mark.parametrize("changed", ["label", "subject", "pixels"])
def test_the_fingerprint_follows_the_data(classes, save, changed):
    first = fingerprint(classes, read_frames)
    table = classes / "subjects.csv"
    if changed == "label":
        (classes / "informative" / "a2.png").rename(classes / "uninformative" / "a2.png")
        table.write_text(table.read_text().replace("informative/a2", "uninformative/a2"))
    elif changed == "subject":
        table.write_text(table.read_text().replace("v10", "v1"))
    else:
        save("informative/a2.png", picture(7))
    assert fingerprint(classes, read_frames) != first


def test_the_fingerprint_follows_the_official_split(official, hyper_kvasir):
    first = fingerprint(hyper_kvasir, read_frames)
    official.write_text(official.read_text().replace("o1.jpg;bbps-2-3;0", "o1.jpg;bbps-2-3;1"))
    assert fingerprint(hyper_kvasir, read_frames) != first


def test_endo_angel_keeps_a_copy_once(endo_angel):
    cohort = read_frames(endo_angel)
    assert counts(cohort) == {f"p{number}": 1 for number in range(1, 8)}
    assert [frame for frame, informative in labels(cohort).items() if informative] == [
        *("DCNN1/qualified/1.png", "DCNN1/qualified/2.png", "DCNN2/BBPS_23/1.png")
    ]
    assert cohort.caveats[0].startswith("bowel-preparation scores")
    assert cohort.caveats[1].endswith(
        "1 of 8 files left out as copies, first: DCNN2/BBPS_23/2.png repeats DCNN1/qualified/1.png"
    )
    assert (len(cohort.caveats), cohort.name, cohort.anonymous) == (2, "endo-angel", False)


@pytest.mark.parametrize("changed", ["label", "procedure"])
def test_a_copy_that_contradicts_is_named(endo_angel, changed):
    table = endo_angel / "labels.csv"
    if changed == "procedure":
        table.write_text(table.read_text().replace("BBPS_23/2.png,BBPS_23,p1", "BBPS_23/2.png,BBPS_23,"))
        received = "informative, procedure '' instead of informative, procedure 'p1'"
    else:
        shutil.copy(endo_angel / "DCNN1/qualified/2.png", endo_angel / "DCNN2/BBPS_01/1.png")
        table.write_text(table.read_text().replace("p5", "p2"))
        received = "uninformative, procedure 'p2' instead of informative, procedure 'p2'"
    with pytest.raises(ValueError, match=rf"expected the class and procedure of DCNN1/qual.*Received: {received}"):
        read_frames(endo_angel)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.png,unqualified", "1.png,qualified", "line 4: expected the label 'unqualified', .*Received: 'qualified'"),
        ("procedure", "patient", "expected the columns file,label,procedure"),
        ("BBPS_01/2", "BBPS_01/3", r"line 7: expected a frame on disk.*Received: 'DCNN2/BBPS_01/3\.png'"),
    ],
)
def test_labels_that_do_not_fit_are_named(endo_angel, old, new, message):
    table = endo_angel / "labels.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(ANY_ERROR, match=r"labels\.csv.*" + message):
        read_frames(endo_angel)


def test_endo_angel_needs_its_table_and_its_folders(endo_angel):
    (endo_angel / "labels.csv").rename(endo_angel / "other.csv")
    with pytest.raises(FileNotFoundError, match=r"expected a labels\.csv .*Received: DCNN1/, DCNN2/, other\.csv"):
        read_frames(endo_angel)
    shutil.rmtree(endo_angel / "DCNN2" / "BBPS_01")
    with pytest.raises(FileNotFoundError, match=r"DCNN2/BBPS_01: expected a folder of frames\. Received: BBPS_23/"):
        read_frames(endo_angel)


def test_hyper_kvasir_without_its_split_groups_near_identical_frames(hyper_kvasir):
    cohort = read_frames(hyper_kvasir)
    assert counts(cohort) == {"bbps-0-1/u1.jpg": 2, "bbps-0-1/u2.jpg": 2, "bbps-2-3/o1.jpg": 1, "bbps-2-3/o2.jpg": 1}
    assert [name for name, informative in labels(cohort).items() if not informative] == [
        *("bbps-0-1/u1.jpg", "bbps-0-1/u3.jpg", "bbps-0-1/u2.jpg")
    ]
    assert cohort.caveats[0].endswith("count as one subject (6 frames, 4 subjects)")
    assert cohort.caveats[2] == "not the official split: no 2_fold_split.csv found"
    assert (cohort.name, cohort.test, cohort.anonymous) == ("HyperKvasir", (), True)


@pytest.mark.usefixtures("official")
def test_hyper_kvasir_tests_with_fold_1_and_parts_what_the_split_parts(hyper_kvasir):
    cohort = read_frames(hyper_kvasir)
    assert cohort.test == ("bbps-2-3/o2.jpg", "bbps-2-3/o3.jpg")
    assert counts(cohort)["bbps-0-1/u1.jpg"] == 2
    assert cohort.caveats[2] == "official split: fold 0 trains, fold 1 tests"
    with pytest.raises(ValueError, match=r"1 such pair .*\n.*'bbps-2-3/o3\.jpg' .*test.* and 'bbps-0-1/u2\.jpg'"):
        check_unlike(cohort, cohort.test)
    check_unlike(cohort, cohort.test, allowed=["bbps-0-1/u2.jpg"])


def test_impacted_stool_is_uninformative_and_optional(hyper_kvasir, save):
    quality = "labeled-images/lower-gi-tract/quality-of-mucosal-views"
    save(f"{quality}/impacted-stool/s.jpg", picture(20, (64, 80)))
    cohort = read_frames(hyper_kvasir)
    assert labels(cohort)["impacted-stool/s.jpg"] is False
    assert "impacted stool" in cohort.caveats[1]
    shutil.rmtree(hyper_kvasir / quality / "bbps-2-3")
    with pytest.raises(FileNotFoundError, match=r"expected folders bbps-0-1 and bbps-2-3 below. Received: no bbps-2-3"):
        read_frames(hyper_kvasir)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("u1.jpg;bbps-0-1;0", "u1.jpg;bbps-0-1;2", r"line 2: expected file-name;.*Received: 'u1\.jpg;bbps-0-1;2'"),
        ("u1.jpg;bbps-0-1;0", "u1.jpg,bbps-0-1,0", r"line 2: expected file-name;.*Received: 'u1\.jpg'"),
        ("u1.jpg;bbps-0-1;0", "u1.jpg;bbps-2-3;0", "line 2: expected the label 'bbps-0-1', .*Received: 'bbps-2-3'"),
        ("u1.jpg;bbps-0-1;0", "u1.jpg;polyps;0", "line 2: expected the label 'bbps-0-1', .*Received: 'polyps'"),
        (
            "u1.jpg;bbps",
            "u7.jpg;bbps",
            r"line 2: expected a frame on disk.*Received: 'bbps-0-1/u7\.jpg', no such image",
        ),
        ("u1.jpg;bbps", "u2.jpg;bbps", r"line 3: expected each frame once. Received: 'bbps-0-1/u2\.jpg' again"),
        ("u1.jpg;bbps-0-1;0\n", "", r"1 without a line, first 'bbps-0-1/u1\.jpg'"),
        ("bbps-2-3;1", "bbps-2-3;0", "expected frames in fold 0 and in fold 1. Received: only fold 0"),
        (";", ",", "expected the columns file-name;class-name;split-index. Received: file-name,class-name"),
    ],
)
def test_an_official_split_that_does_not_fit_is_named(official, hyper_kvasir, old, new, message):
    official.write_text(official.read_text().replace(old, new))
    with pytest.raises(ANY_ERROR, match=r"2_fold_split\.csv.*" + message):
        read_frames(hyper_kvasir)


def test_two_folders_of_one_class_are_named(hyper_kvasir, save):
    save("labeled-videos/bbps-0-1/1.jpg", picture(21))
    with pytest.raises(ValueError, match=r"expected one bbps-0-1. Received another: .*labeled-videos/bbps-0-1"):
        read_frames(hyper_kvasir)


@pytest.mark.parametrize("inside", ["", "nerthus-dataset-frames"])
def test_nerthus_takes_the_video_from_the_name(nerthus, inside):
    cohort = read_frames(nerthus / inside)
    assert counts(cohort) == {"2": 1, "9": 2, "11": 2}
    assert [frame.informative for subject in cohort.subjects for frame in subject.images] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert cohort.subjects[2].images[1].name == "3/bowel_11_score_3-2_00000010.jpg"
    assert "stand in for informative" in cohort.caveats[0]
    assert (cohort.name, cohort.anonymous) == ("Nerthus", False)


@pytest.mark.parametrize("name", ["bowel_9_score_2-1_00000007", "bowel_9_score_1-1_7", "polyp_9_score_1-1_00000007"])
def test_a_nerthus_name_that_disagrees_with_its_folder_is_named(nerthus, name):
    path = nerthus / "nerthus-dataset-frames" / "1" / "bowel_9_score_1-1_00000007.jpg"
    path.rename(path.with_stem(name))
    with pytest.raises(ValueError, match=rf"1/{name}\.jpg: expected bowel_<video>_score_1-<part>_<8 digits>"):
        read_frames(nerthus)


def test_nerthus_needs_all_its_scores(nerthus):
    shutil.rmtree(nerthus / "nerthus-dataset-frames" / "0")
    with pytest.raises(
        FileNotFoundError, match=r"nerthus-dataset-frames/0: expected a folder of frames\. Received: 1/, 2/, 3/"
    ):
        read_frames(nerthus)


def test_real_endo_angel(real_data):
    cohort = read_frames(real_data / "endo-angel")
    assert Counter(labels(cohort).values()) == {True: 19, False: 20}
    known = [subject for subject in cohort.subjects if subject.name.startswith("g")]
    assert (len(known), len(cohort.subjects), counts(cohort)["g18"]) == (25, 29, 5)
    assert "DCNN2/BBPS_23/1.jpg repeats DCNN1/qualified/8.jpg" in cohort.caveats[1]
    assert cohort.caveats[2] == "no subject identity for 4 of 39 frames: each counts as a subject of its own"
    assert "26 of 39 frames (360x360 pixels: 19 of 32 informative; 480x480 pixels: 0 of 6" in cohort.caveats[3]
    assert (check(cohort), cohort.anonymous, cohort.test) == (39, True, ())


def test_no_two_procedures_of_real_endo_angel_look_alike(real_data):
    cohort = read_frames(real_data / "endo-angel")
    names = [subject.name for subject in cohort.subjects]
    check_unlike(cohort, names[::2])
    with pytest.raises(ValueError, match=r"g12.*g14"):
        check_unlike(cohort, ["g12"], max_distance=64)
