"""ASU-Mayo: colonoscopy videos with a mask of every frame (METHODS C). Needs PyAV: `pip install ".[video]"`.

A `.wmv` cannot be entered at an exact frame, so it is decoded in order. The last frames are kept, and each process
holds at most two videos open; reading frames in order decodes each once, reading backwards beyond the frames kept
starts the video again. Read a subject's images in order; visit them at random only after that.
"""

import os
import re
import threading
from functools import lru_cache, partial

import numpy as np

from data_prep.cohort import Cohort, Image, Subject
from data_prep.readers.images import MASK_MODES, list_images, natural_key, read_size, read_truth
from data_prep.readers.layout import child, describe

# Memory: a decoded frame of 712x480 takes half a megabyte (YUV 4:2:0), so 64 of two videos take 64 MB.
KEPT_FRAMES = 64
OPEN_VIDEOS = 2


def find_videos(folder):
    """List the folders `ShortVD_{wp,np}_k`, in a folder or in its `TrainingSet_NewGT`; wp = with polyp, np = none."""
    root = child(folder, "TrainingSet_NewGT") or folder
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if path.is_dir() and re.match(r"shortvd_(wp|np)_", path.name.lower())]
    return sorted(found, key=lambda path: natural_key(path.name.lower()))


def read_asu_mayo(folder):
    """Read the training videos of ASU-Mayo.

    Parameters
    ----------
    folder : Path
        Holds `ShortVD_wp_2/ShortVD_wp_2.wmv`, `ShortVD_wp_2/GT/ShortVD_wp_2_frame_1_GT.tiff` and so on; a video without
        polyp (np) may lack its masks.

    Returns
    -------
    Cohort
        A subject is a video.

    Raises
    ------
    FileNotFoundError, ValueError
        When a video or a mask is missing, their numbers or sizes differ, or a file is damaged.
    ImportError
        When PyAV is not installed.
    """
    subjects = tuple(_read_subject(video_folder) for video_folder in find_videos(folder))
    return Cohort("ASU-Mayo", subjects, ("videos, not patients, are kept apart",))


def read_video_frame(path, index, num_frames):
    """Decode one frame of a video.

    Parameters
    ----------
    path : Path
    index : int
        From 0.
    num_frames : int
        How many the video should have; another number, seen when its end is reached, is an error.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        RGB.
    """
    return _film(path, os.getpid()).read(index, num_frames)


def measure_video(path):
    """Count a video's frames without decoding them, and read their size.

    Returns
    -------
    tuple of int
        Number of frames, height, width.
    """
    av = _require_av()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            num_frames = sum(packet.size > 0 for packet in container.demux(stream))
            return num_frames, stream.height, stream.width
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{path}: expected a video. Received: {error}.") from error


def _read_subject(folder):
    path = _video_path(folder)
    num_frames, height, width = measure_video(path)
    masks = _list_masks(folder)
    if masks or "_np_" not in folder.name.lower():
        _require_complete(folder, masks, num_frames, (height, width))
    images = []
    for index in range(num_frames):
        truth = partial(read_truth, masks[index + 1]) if masks else partial(_no_lesions, height, width)
        images.append(Image(str(index + 1), partial(read_video_frame, path, index, num_frames), truth))
    return Subject(folder.name, tuple(images))


def _video_path(folder):
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".wmv" and path.name[0] != "."]
    if len(found) != 1:
        raise FileNotFoundError(f"{folder}: expected one .wmv. Received: {describe(folder)}.")
    return found[0]


def _list_masks(folder):
    """List `<name>_frame_<i>_GT.tiff` by i; names spelt otherwise are errors, lest a frame lose its mask."""
    masks = {}
    truth_folder = child(folder, "GT")
    for name, path in list_images(truth_folder).items() if truth_folder else ():
        found = re.search(r"_frame_(\d+)_gt$", name.lower())
        if not found or int(found[1]) in masks:
            raise ValueError(f"{path}: expected <video>_frame_<number>_GT.tiff, each number once. Received: {name!r}.")
        masks[int(found[1])] = path
    return masks


def _require_complete(folder, masks, num_frames, size):
    if set(masks) != set(range(1, num_frames + 1)):
        differing = sorted(set(masks) ^ set(range(1, num_frames + 1)))
        raise ValueError(
            f"{folder}: expected a mask in GT/ for each of the video's {num_frames} frames, numbered from 1. "
            f"Received: {len(masks)} masks; first number on one side only: {differing[0]}."
        )
    for path in masks.values():
        if read_size(path, MASK_MODES) != size:
            raise ValueError(f"{path}: expected {size} rows and columns, as the video. Received another size.")


def _no_lesions(height, width):
    return np.zeros((height, width), dtype=np.int32)


def _require_av():
    try:
        import av
    except ImportError as error:
        raise ImportError('ASU-Mayo holds videos, and reading them needs PyAV: pip install ".[video]"') from error
    return av


@lru_cache(maxsize=OPEN_VIDEOS)
def _film(path, process):  # noqa: ARG001 - a forked process must not share its parent's place in the file
    return _Film(path)


class _Film:
    """One video, decoded in order, with its last frames."""

    def __init__(self, path):
        self._path = path
        self._lock = threading.Lock()
        self._restart()

    def read(self, index, num_frames):
        with self._lock:
            if index not in self._kept and index < self._decoded:
                self._restart()
            while index not in self._kept:
                self._advance(num_frames)
            return self._kept[index].to_ndarray(format="rgb24")

    def _restart(self):
        self._frames = _decode(self._path)
        self._kept = {}
        self._decoded = 0

    def _advance(self, num_frames):
        frame = next(self._frames, None)
        if frame is None:
            self._fail(num_frames, f"only {self._decoded}")
        self._kept[self._decoded] = frame
        self._kept.pop(self._decoded - KEPT_FRAMES, None)
        self._decoded += 1
        if self._decoded == num_frames and next(self._frames, None) is not None:
            self._fail(num_frames, "more")

    def _fail(self, num_frames, received):
        self._restart()
        raise ValueError(f"{self._path}: expected {num_frames} frames, one for each mask. Received: {received}.")


def _decode(path):
    av = _require_av()
    try:
        with av.open(str(path)) as container:
            yield from container.decode(video=0)
    except av.FFmpegError as error:
        raise ValueError(f"{path}: expected a video. Received: {error}.") from error
