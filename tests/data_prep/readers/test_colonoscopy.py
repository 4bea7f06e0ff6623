import pickle
import shutil

import numpy as np
import pytest

from data_prep.cohort import lesions
from data_prep.readers import read_colonoscopy
from data_prep.readers.colonoscopy import CLINICDB_ENDS, COLONDB_BLOCKS, read_clinicdb

COLOURS = np.random.default_rng(8).integers(0, 256, (17, 23, 3), dtype=np.uint8)
BLACK = np.zeros((17, 23), np.uint8)


def counts(cohort):
    return {subject.name: len(subject.images) for subject in cohort.subjects}


def test_the_listed_form_groups_frames_by_sequence(listed):
    cohort = read_colonoscopy(str(listed))
    late = cohort.subjects[1]
    assert counts(cohort) == {"early": 1, "late": 2}
    assert [image.name for image in late.images] == ["a1", "a10"]
    assert lesions(late.images[0].read_truth())[0].box == (4, 9, 6, 5)
    assert (cohort.name, cohort.caveats) == (listed.name, ())


def test_each_frame_gets_its_own_pixels_also_in_another_process(save, tmp_path):
    for number in range(3):
        save(f"images/{number}.png", np.full((17, 23, 3), number + 1, np.uint8))
        save(f"masks/{number}.png", BLACK)
    (tmp_path / "frames.csv").write_text("\ufeffframe,sequence\n0,x\n1,x\n2,x\n", encoding="utf-8")
    images = pickle.loads(pickle.dumps(read_colonoscopy(tmp_path))).subjects[0].images
    assert [int(image.read_pixels().max()) for image in images] == [1, 2, 3]
    assert images[1].read_pixels().shape == (17, 23, 3)
    assert images[2].read_truth().max() == 0


def test_a_phantom_on_disk_says_so(listed):
    (listed / "phantom.json").write_text('{"caveat": "phantom: synthetic frames", "seed": 5}')
    assert read_colonoscopy(listed).caveats == ("phantom: synthetic frames",)
    (listed / "phantom.json").write_text('{"seed": 5}')
    with pytest.raises(ValueError, match=r"phantom\.json.*caveat"):
        read_colonoscopy(listed)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("frame;sequence\na1;1\n", r"columns frame,sequence. Received: frame;sequence"),
        ("", "columns frame,sequence. Received: nothing"),
        ("frame,sequence\na1,1\na2,1\na1,2\n", "line 4: expected each frame once. Received: 'a1'"),
        ("frame,sequence\na1,1\na3,1\n", "line 3: expected a frame on disk. Received: 'a3'"),
        ("frame,sequence\na1,1\na2,1\n", "Received: 1 without a line, first 'a10'"),
        ("frame,sequence\na1,\n", "line 2: expected a frame and a sequence. Received: 'a1', ''"),
        ("frame,sequence\na1\n", "line 2: expected a frame and a sequence. Received: 'a1', ''"),
    ],
)
def test_a_table_that_does_not_fit_is_named(listed, table, message):
    (listed / "frames.csv").write_text(table)
    with pytest.raises((ValueError, FileNotFoundError), match=r"frames\.csv.*" + message):
        read_colonoscopy(listed)


def test_a_table_in_another_encoding_is_named(listed):
    (listed / "frames.csv").write_bytes("frame,sequence\na1,Übung\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"frames\.csv.*utf-8"):
        read_colonoscopy(listed)


@pytest.mark.parametrize(("gone", "missing"), [("masks/a2.png", "mask"), ("images/a2.jpg", "frame")])
def test_a_frame_or_mask_alone_is_named(listed, gone, missing):
    (listed / gone).unlink()
    with pytest.raises(FileNotFoundError, match=rf"a2\.\w+: expected a {missing} of the same name"):
        read_colonoscopy(listed)


def test_sizes_that_differ_are_named(listed, save):
    save("masks/a2.png", np.zeros((23, 17), np.uint8))
    with pytest.raises(ValueError, match=r"masks.a2\.png: expected \(17, 23\).*a2\.jpg. Received: \(23, 17\)"):
        read_colonoscopy(listed)


def test_a_header_that_cannot_be_read_is_named_when_the_folder_is_opened(listed):
    (listed / "images" / "a2.jpg").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"a2\.jpg: expected an image"):
        read_colonoscopy(listed)


def test_an_unknown_or_empty_folder_is_told_what_is_known(tmp_path):
    with pytest.raises(ValueError, match=r"Received: an empty folder. Known: images/ \+ masks/.*ShortVD"):
        read_colonoscopy(tmp_path)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "CVC-ColonDB").mkdir()
    with pytest.raises(ValueError, match=r"Received: CVC-ColonDB/, notes\.txt. Known"):
        read_colonoscopy(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_colonoscopy(tmp_path / "nowhere")


def test_folders_without_a_single_frame_are_named(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    (tmp_path / "frames.csv").write_text("frame,sequence\n")
    with pytest.raises(FileNotFoundError, match=r"images: expected frames\. Received: an empty folder"):
        read_colonoscopy(tmp_path)


def test_colondb_as_downloaded(save_pair, save, tmp_path):
    for frame, mask in (
        ("39.bmp", "p39.bmp"),
        ("301.TIFF", "P301.tif"),
        ("2.tif", "p(2).tiff"),
        ("300.tif", "p300.tif"),
    ):
        save_pair(frame, mask)
    for contour in ("cp39.bmp", "c2.tif", "s2.tif"):
        save(contour, BLACK)
    cohort = read_colonoscopy(tmp_path)
    assert counts(cohort) == {"1": 1, "2": 1, "4": 1, "15": 1}
    assert cohort.subjects[1].images[0].name == "39"
    assert cohort.name == "CVC-ColonDB"


def test_a_contour_of_colondb_is_no_mask(save, tmp_path):
    save("7.tiff", COLOURS)
    save("cp7.tiff", BLACK)
    with pytest.raises(FileNotFoundError, match=r"7\.tiff: expected a mask"):
        read_colonoscopy(tmp_path)


def test_a_user_s_numbered_frames_are_not_called_colondb(save_pair, tmp_path):
    """The table agrees with CVC-ColonDB's, but its frames are 500x574."""
    save_pair("images/1.png", "masks/1.png")
    save_pair("images/39.png", "masks/39.png")
    (tmp_path / "frames.csv").write_text("frame,sequence\n1,1\n39,2\n")
    assert read_colonoscopy(tmp_path).name == tmp_path.name


def test_colondb_blocks_are_those_of_the_read_me_file():
    """300 frames of 11 sequences, then 20 each of 4, 8, 12 and 13; the lengths are those of the table."""
    ends, sequences = zip(*COLONDB_BLOCKS, strict=True)
    assert np.diff((0, *ends)).tolist() == [38, 22, 16, 21, 51, 7, 48, 5, 55, 10, 27, 20, 20, 20, 20]
    assert sorted(sequences) == list(range(1, 16))


def test_colondb_frames_outside_of_the_table_are_refused(save_pair, tmp_path):
    save_pair("381.tiff", "p381.tiff")
    with pytest.raises(ValueError, match=r"numbered 1 to 380\. Received: '381'.*frames\.csv"):
        read_colonoscopy(tmp_path)
    (tmp_path / "frames.csv").write_text("frame,sequence\n381,16\n")
    assert counts(read_colonoscopy(tmp_path)) == {"16": 1}


@pytest.mark.parametrize("place", ["", "TIF/", "PNG/"])
def test_clinicdb_takes_sequences_from_the_ends_of_blocks(save_pair, tmp_path, place):
    suffix = "png" if place == "PNG/" else "tif"
    for number in (25, 26, 612, 50):
        save_pair(f"{place}Original/{number}.{suffix}", f"{place}Ground Truth/{number}.{suffix}")
    cohort = read_colonoscopy(tmp_path)
    assert counts(cohort) == {"1": 1, "2": 2, "29": 1}
    assert (cohort.name, len(cohort.caveats)) == ("CVC-ClinicDB", 1)


def test_clinicdb_table_can_be_replaced(save_pair, tmp_path):
    for number in (1, 2, 3):
        save_pair(f"original/{number}.tif", f"GROUND TRUTH/{number}.tif")
    assert counts(read_clinicdb(tmp_path, ends=(1, 3))) == {"1": 1, "2": 2}
    (tmp_path / "frames.csv").write_text("frame,sequence\n1,b\n2,b\n3,a\n")
    cohort = read_colonoscopy(tmp_path)
    assert (counts(cohort), cohort.caveats) == ({"a": 1, "b": 2}, ())


def test_clinicdb_blocks_are_29_of_612_frames():
    lengths = np.diff((0, *CLINICDB_ENDS)).tolist()
    assert lengths[:15] == [25, 25, 17, 11, 25, 23, 25, 26, 22, 6, 22, 25, 25, 20, 20]
    assert lengths[15:] == [25, 21, 20, 25, 20, 19, 19, 12, 25, 25, 18, 25, 20, 21]


@pytest.mark.parametrize("mask", ["p{}.tif", "{}.tif"])
def test_etis_as_downloaded_has_no_identity(save_pair, tmp_path, mask):
    for number in (1, 2, 11):
        save_pair(f"ETIS-LaribPolypDB/{number}.tif", "Ground Truth/" + mask.format(number))
    cohort = read_colonoscopy(tmp_path)
    assert counts(cohort) == {"1": 1, "2": 1, "11": 1}
    assert cohort.name == "ETIS-Larib"
    assert "no subject identity" in cohort.caveats[0]


@pytest.mark.parametrize(
    ("numbers", "name", "subjects", "caveat"),
    [
        (range(1, 197), "ETIS-Larib", 196, "no subject identity"),
        (range(149, 209), "CVC-300", 3, "assumed to have kept"),
        (range(1, 61), "CVC-300", 60, "no subject identity"),
        (range(1, 381), "CVC-ColonDB", 15, "assumed to have kept"),
        (range(0, 380), "CVC-ColonDB", 380, "no subject identity"),
    ],
)
def test_packs_are_told_apart_by_their_number_of_images(save_pair, tmp_path, numbers, name, subjects, caveat):
    frame, mask = save_pair("images/first.png", "masks/first.png")
    for number in numbers:
        shutil.copy(frame, frame.with_name(f"{number}.png"))
        shutil.copy(mask, mask.with_name(f"{number}.png"))
    frame.unlink()
    mask.unlink()
    cohort = read_colonoscopy(tmp_path)
    assert (cohort.name, len(cohort.subjects)) == (name, subjects)
    assert caveat in cohort.caveats[0]


def test_a_pack_of_another_size_asks_for_a_table(save_pair, tmp_path):
    save_pair("images/1.png", "masks/1.png")
    with pytest.raises(ValueError, match=r"of 1 images without a frames\.csv. Known"):
        read_colonoscopy(tmp_path)


def test_kvasir_keeps_near_identical_images_together(save, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (3, 90, 110, 3)).astype(np.uint8)
    shown = {"cju1": noise[0], "cju2": noise[1], "cju3": noise[0] // 10 * 9, "cju4": noise[2]}
    for name, pixels in shown.items():
        save(f"images/{name}.jpg", pixels, quality=90)
        save(f"masks/{name}.jpg", np.zeros((90, 110), np.uint8))
    (tmp_path / "kavsir_bboxes.json").write_text("{}")
    cohort = read_colonoscopy(tmp_path)
    assert counts(cohort) == {"cju1": 2, "cju2": 1, "cju4": 1}
    assert [image.name for image in cohort.subjects[0].images] == ["cju1", "cju3"]
    assert "no patient identity" in cohort.caveats[0]


def test_real_colondb_has_ten_sequences(real_data):
    cohort = read_colonoscopy(real_data / "cvc-colondb")
    expected = {"1": 38, "2": 22, "3": 16, "4": 20, "5": 21, "6": 51, "9": 48, "11": 55, "12": 20, "14": 10}
    assert counts(cohort) == expected
    assert (cohort.name, cohort.caveats) == ("CVC-ColonDB", ())


def test_real_specks_are_no_lesions(real_data):
    """Masks 306 and 318 hold 13 and 2 specks of 1 to 6 pixels beside one polyp."""
    cohort = read_colonoscopy(real_data / "cvc-colondb")
    images = {image.name: image for subject in cohort.subjects for image in subject.images}
    assert [lesion.area_px for lesion in lesions(images["306"].read_truth())] == [114949]
    assert [lesion.area_px for lesion in lesions(images["318"].read_truth())] == [109976]


def test_both_forms_of_real_colondb_agree(real_data):
    packed = read_colonoscopy(real_data / "cvc-colondb")
    original = read_colonoscopy(real_data / "cvc-colondb" / "original-format")
    assert counts(original) == {"1": 1, "4": 1, "5": 1}
    one, other = packed.subjects[0].images[0], original.subjects[0].images[0]
    assert one.name == other.name == "1"
    assert np.array_equal(one.read_truth(), other.read_truth())
    # The packed frames are JPEG of quality 95.
    assert np.abs(one.read_pixels().astype(int) - other.read_pixels()).mean() < 3
