"""A user's own images: frames in a folder, frames of a video, CT volumes in a folder; as `repro.detect` takes them.

Each comes as its name and a callable that reads it: frames as pixels, an ndarray of shape (height, width, 3), uint8;
volumes as a `data_prep.cohort.Volume`. That there is something to read is checked at once, each image when it is read.
"""

from functools import partial
from pathlib import Path


def frames_in(folder):
    """List the frames of a folder, in natural order.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of (str, callable)
        Names, and what reads the pixels.
    """
    from data_prep.readers.images import SUFFIXES, list_images, read_pixels

    folder = Path(folder)
    found = list_images(folder) if folder.is_dir() else {}
    if not found:
        raise FileNotFoundError(f"{folder}: expected a folder of frames ({', '.join(SUFFIXES)}). Received none.")
    return [(path.name, partial(read_pixels, path)) for path in found.values()]


def frames_of(path, every=1):
    """Read the frames of a video, in their order.

    Parameters
    ----------
    path : path
    every : int
        Frames 0, `every`, 2 `every` and so on are taken.

    Returns
    -------
    iterator of (str, callable)
        Names, and what reads the pixels; a frame is called by the video and its number, from 0. Where the video is
        damaged, the rest counts as one image that cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such video.")
    try:
        import av
    except ImportError as error:
        raise ImportError('Reading videos needs PyAV: pip install ".[video]"') from error
    try:
        with av.open(str(path)) as container:
            container.streams.video[0]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{path}: expected a video. Received: {error}.") from error
    return _decode(path, every)


def volumes_in(folder):
    """List the CT volumes of a folder.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of (str, callable)
        Names, and what opens the volume; the proposer reads its voxels.
    """
    from data_prep.readers.volumes import build_volume, find_volumes

    return [(name, partial(build_volume, name, path)) for name, path in find_volumes(folder).items()]


def _decode(path, every):
    import av

    index = 0
    try:
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index % every == 0:
                    yield f"{path.stem}_{index:06d}", partial(frame.to_ndarray, format="rgb24")
    except av.FFmpegError as error:
        yield path.name, partial(_fail, f"expected a video. Received after frame {index}: {error}.")


def _fail(message):
    raise ValueError(message)
