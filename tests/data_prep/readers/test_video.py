import pickle
import sys

import numpy as np
import pytest

from data_prep.readers import check, read_colonoscopy, video
from data_prep.readers.video import KEPT_FRAMES, read_video_frame

av = pytest.importorskip("av", reason="PyAV is not installed: pip install '.[video]'")
SIZE = (48, 64)


def write_video(path, num_frames):
    """Write a video whose frame i shows i in binary, as eight stripes of 8 pixels, which survives lossy coding."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="asf") as container:
        stream = container.add_stream("wmv2", rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(num_frames):
            bits = np.unpackbits(np.array([index], np.uint8)) * 255
            pixels = np.broadcast_to(np.repeat(bits, 8)[:, None], (*SIZE, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def shown(pixels):
    """Read the number that a frame shows."""
    stripes = pixels.reshape(SIZE[0], 8, 8, 3).mean(axis=(0, 2, 3))
    return int(np.packbits(stripes > 127)[0])


@pytest.fixture
def videos(save, tmp_path):
    """One video with polyps (5 frames, the polyp in frame 4 only) and one without masks (3 frames)."""
    write_video(tmp_path / "shortVD_wp_70" / "shortVD_wp_70.wmv", 5)
    for number in range(1, 6):
        mask = np.zeros(SIZE, np.uint8)
        mask[10:20, 30:37] = 255 * (number == 4)
        save(f"shortVD_wp_70/GT/shortVD_wp_70_frame_{number}_GT.tiff", mask)
    write_video(tmp_path / "ShortVD_np_5" / "ShortVD_np_5.wmv", 3)
    return tmp_path


def test_frames_and_masks_of_a_video_belong_together(videos):
    cohort = read_colonoscopy(videos)
    without, with_polyp = cohort.subjects
    assert (without.name, len(without.images)) == ("ShortVD_np_5", 3)
    assert [shown(image.read_pixels()) for image in with_polyp.images] == [0, 1, 2, 3, 4]
    assert [int((image.read_truth() > 0).sum()) for image in with_polyp.images] == [0, 0, 0, 70, 0]
    assert without.images[2].read_truth().shape == SIZE
    assert (check(cohort), cohort.name) == (8, "ASU-Mayo")


def test_the_release_s_outer_folder_is_found_too(videos, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    videos.rename(outer / "TrainingSet_NewGT")
    assert len(read_colonoscopy(outer).subjects) == 2


def test_any_order_of_reading_gives_the_same_frames(tmp_path):
    path = tmp_path / "long.wmv"
    write_video(path, 100)
    assert KEPT_FRAMES < 100
    order = [99, 0, 50, 49, 3, 98, 99]  # back within the kept frames and beyond them
    assert [shown(read_video_frame(path, index, 100)) for index in order] == order


def test_a_video_is_decoded_again_only_for_frames_no_longer_kept(tmp_path, monkeypatch):
    path = tmp_path / "long.wmv"
    write_video(path, 100)
    starts, decode = [], video._decode
    monkeypatch.setattr(video, "_decode", lambda path: starts.append(path) or decode(path))
    for index in (40, 99, 70, 100 - KEPT_FRAMES):
        read_video_frame(path, index, 100)
    assert len(starts) == 1
    read_video_frame(path, 99 - KEPT_FRAMES, 100)
    assert len(starts) == 2


def test_images_of_a_video_travel_to_another_process(videos):
    image = pickle.loads(pickle.dumps(read_colonoscopy(videos).subjects[1].images[3]))
    assert shown(image.read_pixels()) == 3


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("shortVD_wp_70/GT/shortVD_wp_70_frame_2_GT.tiff", "5 frames.*Received: 4 masks; .* one side only: 2"),
        ("shortVD_wp_70/shortVD_wp_70.wmv", r"shortVD_wp_70: expected one \.wmv. Received: GT/"),
    ],
)
def test_a_missing_file_is_named(videos, gone, message):
    (videos / gone).unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_colonoscopy(videos)


def test_a_mask_beyond_the_last_frame_or_with_another_name_is_named(videos, save):
    extra = save("shortVD_wp_70/GT/shortVD_wp_70_frame_6_GT.tiff", np.zeros(SIZE, np.uint8))
    with pytest.raises(ValueError, match=r"6 masks; .* one side only: 6"):
        read_colonoscopy(videos)
    extra.rename(extra.with_name("mask_6.tiff"))
    with pytest.raises(ValueError, match=r"mask_6\.tiff: expected <video>_frame_<number>_GT"):
        read_colonoscopy(videos)


def test_a_video_with_polyps_needs_its_masks(videos):
    (videos / "shortVD_wp_70" / "GT").rename(videos / "elsewhere")
    with pytest.raises(ValueError, match="shortVD_wp_70: expected a mask in GT/"):
        read_colonoscopy(videos)


def test_a_mask_of_another_size_is_named(videos, save):
    save("shortVD_wp_70/GT/shortVD_wp_70_frame_3_GT.tiff", np.zeros((64, 48), np.uint8))
    with pytest.raises(ValueError, match=r"frame_3_GT\.tiff: expected \(48, 64\)"):
        read_colonoscopy(videos)


@pytest.mark.parametrize("content", [b"", b"no video", None])
def test_a_file_that_is_no_video_is_named(videos, content):
    path = videos / "ShortVD_np_5" / "ShortVD_np_5.wmv"
    path.write_bytes(path.read_bytes()[:300] if content is None else content)
    with pytest.raises(ValueError, match=r"ShortVD_np_5\.wmv: expected"):
        read_colonoscopy(videos)


@pytest.mark.parametrize(("expected", "received"), [(7, "only 5"), (4, "more")])
def test_another_number_of_decoded_frames_is_an_error(videos, expected, received):
    path = videos / "shortVD_wp_70" / "shortVD_wp_70.wmv"
    with pytest.raises(ValueError, match=rf"expected {expected} frames.*Received: {received}"):
        read_video_frame(path, expected - 1, expected)


def test_without_pyav_the_error_says_what_to_install(videos, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r'pip install "\.\[video\]"'):
        read_colonoscopy(videos)
