"""What a data set's folder holds: its entries, frames with their masks, and the sequence of each frame."""

from pathlib import Path

from data_prep.readers.images import FRAME_MODES, MASK_MODES, list_images, read_size
from data_prep.readers.tables import read_rows


def child(folder, name):
    """Return the entry of a folder with this name, whatever the case of its letters; None where there is none."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == name.lower()), None)


def describe(folder, limit=8):
    """List the first entries of a folder for an error's text."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}" if names else "an empty folder"


def open_folder(folder, known):
    """Return the folder of a data set, resolved.

    Parameters
    ----------
    folder : str or Path
    known : str
        The layouts that the reader knows, for the error's text.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder. Give the unpacked folder of a data set: {known}.")
    return folder


def unknown_layout(folder, known, received=None):
    """Make the error for a folder that is in no layout its reader knows; `received` by default lists its entries."""
    return ValueError(
        f"{folder}: not a layout that is known. Received: {received or describe(folder)}. Known: {known}. "
        "Did the archive unpack into a folder further down?"
    )


def read_sequences(path, frames):
    """Read which sequence each frame belongs to.

    Parameters
    ----------
    path : Path
        A table with the header frame,sequence (more columns are passed over), one line a frame; a frame is named as
        its file without suffix.
    frames : collection of str
        The frames on disk: each must stand in the table once, and no other.

    Returns
    -------
    dict of str to str
        The sequence of each frame.

    Raises
    ------
    ValueError
        When a column or a value is missing, or a frame stands there twice.
    FileNotFoundError
        When the table names a frame that is not on disk, or leaves one out.
    """
    sequence_of = {}
    for line, frame, sequence in read_rows(path, ("frame", "sequence")):
        if not frame or not sequence:
            raise ValueError(
                f"{path}, line {line}: expected a frame and a sequence. Received: {frame!r}, {sequence!r}."
            )
        if frame in sequence_of:
            raise ValueError(f"{path}, line {line}: expected each frame once. Received: {frame!r} again.")
        if frame not in frames:
            raise FileNotFoundError(
                f"{path}, line {line}: expected a frame on disk. Received: {frame!r}, no such image."
            )
        sequence_of[frame] = sequence
    unlisted = [frame for frame in frames if frame not in sequence_of]
    if unlisted:
        raise FileNotFoundError(
            f"{path}: expected every frame on disk in the table. Received: {len(unlisted)} without a line, first "
            f"{unlisted[0]!r}. Add them or take the files away."
        )
    return sequence_of


def pair_folders(frames_folder, masks_folder):
    """Pair the frames of one folder with the masks of the same name in another; see `pair_files`."""
    return pair_files(list_images(frames_folder), list_images(masks_folder), frames_folder)


def pair_files(frames, masks, folder):
    """Pair each frame with its mask.

    Parameters
    ----------
    frames, masks : dict of str to Path
        By name or number of the frame.
    folder : Path
        Where frames were looked for.

    Returns
    -------
    dict of str to tuple of Path
        Frame and mask, in the order of `frames`.

    Raises
    ------
    FileNotFoundError
        When there is no frame, or a frame has no mask, or a mask no frame.
    ValueError
        When a header cannot be read, or the sizes of frame and mask differ.
    """
    if not frames:
        raise FileNotFoundError(f"{folder}: expected frames. Received: {describe(folder)}.")
    _require_partners(frames, masks, "mask")
    _require_partners(masks, frames, "frame")
    pairs = {name: (path, masks[name]) for name, path in frames.items()}
    for frame, mask in pairs.values():
        _require_equal_sizes(frame, mask)
    return pairs


def sequences_by_blocks(frames, blocks, folder):
    """Give each numbered frame the sequence of its block.

    Parameters
    ----------
    frames : iterable of str
        Numbers from 1.
    blocks : sequence of tuple of int
        Last frame of each block and its sequence, in order of frames.
    folder : Path
        For the text of an error.

    Returns
    -------
    dict of str to str
        The sequence of each frame.

    Raises
    ------
    ValueError
        When a frame is no number, or outside of the blocks.
    """
    sequence_of = {}
    for name in frames:
        number = int(name) if name.isdecimal() else 0
        if not 1 <= number <= blocks[-1][0]:
            raise ValueError(
                f"{folder}: expected frames numbered 1 to {blocks[-1][0]}. Received: {name!r}. "
                "Name the sequences in a frames.csv (header frame,sequence) in this folder."
            )
        sequence_of[name] = str(next(sequence for end, sequence in blocks if number <= end))
    return sequence_of


def _require_partners(files, others, missing):
    alone = [str(path) for name, path in files.items() if name not in others]
    if alone:
        raise FileNotFoundError(
            f"{alone[0]}: expected a {missing} of the same name or number. Received: none, and {len(alone) - 1} more "
            "files are without."
        )


def _require_equal_sizes(frame, mask):
    expected, received = read_size(frame, FRAME_MODES), read_size(mask, MASK_MODES)
    if received != expected:
        raise ValueError(f"{mask}: expected {expected} rows and columns, as {frame.name}. Received: {received}.")
