"""Public colonoscopy data sets as users download them, each read into a Cohort.

Opening a data set lists its files, pairs frames with masks and compares their sizes from the headers; pixels are
decoded, and checked, when an image is read (`data_prep.readers.checks.check` reads all of them once).
Layouts: METHODS part C and the read-me file of CVC-ColonDB.
"""

import re
from functools import partial

from data_prep.cohort import Cohort, Image, Subject
from data_prep.readers.duplicates import group_alike
from data_prep.readers.images import FRAME_MODES, list_images, natural_key, read_pixels, read_size, read_truth
from data_prep.readers.layout import (
    child,
    open_folder,
    pair_files,
    pair_folders,
    read_sequences,
    sequences_by_blocks,
    unknown_layout,
)
from data_prep.readers.tables import read_phantom
from data_prep.readers.video import find_videos, read_asu_mayo

# Last frame of each block and its sequence, from the read-me file of CVC-ColonDB.
COLONDB_BLOCKS = (
    *((38, 1), (60, 2), (76, 3), (97, 5), (148, 6), (155, 7), (203, 9), (208, 10), (263, 11), (273, 14), (300, 15)),
    *((320, 4), (340, 8), (360, 12), (380, 13)),
)
COLONDB_SIZE = (500, 574)
# Last frame of each of the 29 blocks of CVC-ClinicDB (METHODS C: third-party transcription, sums to 612).
CLINICDB_ENDS = (
    *(25, 50, 67, 78, 103, 126, 151, 177, 199, 205, 227, 252, 277, 297, 317),
    *(342, 363, 383, 408, 428, 447, 466, 478, 503, 528, 546, 571, 591, 612),
)
# What the PraNet packs hold, by their number of images (METHODS C), and the two that keep ColonDB's frame numbers:
# CVC-300 begins with 149.png, and 149 to 208 are the 60 frames of its sequences 7, 9 and 10.
PACKS = {380: "CVC-ColonDB", 196: "ETIS-Larib", 60: "CVC-300"}
PACK_NUMBERS = {"CVC-ColonDB": set(range(1, 381)), "CVC-300": set(range(149, 209))}

NO_IDENTITY = "no subject identity: every image counts as a subject of its own"
BY_NUMBER = "sequences taken from the frames' numbers, which the pack is assumed to have kept"
KNOWN_LAYOUTS = (
    "images/ + masks/ + frames.csv (header frame,sequence; your own data too); "
    "CVC-ColonDB: 1.tiff, p1.tiff, ...; "
    "CVC-ClinicDB: Original/ + 'Ground Truth/', also inside TIF/ or PNG/; "
    "ETIS-Larib: ETIS-LaribPolypDB/ + 'Ground Truth/'; "
    "Kvasir-SEG: images/ + masks/ + kavsir_bboxes.json; "
    "PraNet packs of CVC-ColonDB, ETIS-Larib, CVC-300: images/ + masks/ of 380, 196, 60 images; "
    "ASU-Mayo: folders like ShortVD_wp_2/ of ShortVD_wp_2.wmv + GT/"
)


def read_colonoscopy(folder):
    """Recognise which data set a folder holds, and read it.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Cohort
        Subjects are sequences (videos); where a data set names none, images, and a caveat says so.

    Raises
    ------
    FileNotFoundError
        When the folder, or a file that it should hold, is missing.
    ValueError
        When the layout is unknown, or a file is not what its place says; the message names it.
    """
    folder = open_folder(folder, KNOWN_LAYOUTS)
    if child(folder, "images") and child(folder, "masks"):
        return _read_images_and_masks(folder)
    if _clinicdb_root(folder):
        return read_clinicdb(folder)
    if child(folder, "ETIS-LaribPolypDB") and child(folder, "Ground Truth"):
        return read_etis(folder)
    if find_videos(folder):
        return read_asu_mayo(folder)
    if any(name.isdecimal() for name in list_images(folder)):
        return read_colondb(folder)
    raise unknown_layout(folder, KNOWN_LAYOUTS)


def read_listed(folder):
    """Read `images/`, `masks/` and `frames.csv`: CVC-ColonDB re-packed, phantoms on disk, a user's own data.

    The header of `frames.csv` is frame,sequence; a frame is named without suffix, an all-black mask is a frame
    without polyp. A `phantom.json` beside it with the key `caveat` hands that caveat on, and its `name`.
    """
    pairs = pair_folders(child(folder, "images"), child(folder, "masks"))
    sequence_of = read_sequences(child(folder, "frames.csv"), pairs)
    phantom = read_phantom(folder)
    name = "CVC-ColonDB" if _is_colondb(pairs, sequence_of) else phantom.get("name", folder.name)
    return _cohort(name, pairs, sequence_of, [phantom["caveat"]] if phantom else ())


def read_colondb(folder):
    """Read CVC-ColonDB as downloaded: `N.tiff`, its mask `pN.tiff`; contours and other masks are passed over."""
    files = list_images(folder)
    frames = {name: path for name, path in files.items() if name.isdecimal()}
    masks = {_mask_number(name): path for name, path in files.items() if _mask_number(name)}
    pairs = pair_files(frames, masks, folder)
    sequence_of = _own_sequences(folder, pairs) or sequences_by_blocks(pairs, COLONDB_BLOCKS, folder)
    return _cohort("CVC-ColonDB", pairs, sequence_of)


def read_clinicdb(folder, ends=CLINICDB_ENDS):
    """Read CVC-ClinicDB: `Original/n.tif` and `Ground Truth/n.tif`, directly or inside `TIF/` or `PNG/`.

    Parameters
    ----------
    folder : Path
    ends : tuple of int
        Last frame of each sequence. A `frames.csv` in the folder goes before.
    """
    root = _clinicdb_root(folder)
    pairs = pair_folders(child(root, "Original"), child(root, "Ground Truth"))
    blocks = [(end, number) for number, end in enumerate(ends, 1)]
    own = _own_sequences(folder, pairs)
    caveat = "frame-to-sequence table from a third party; sequences, not patients, are kept apart"
    return _cohort("CVC-ClinicDB", pairs, own or sequences_by_blocks(pairs, blocks, folder), () if own else (caveat,))


def read_etis(folder):
    """Read ETIS-Larib as downloaded: `ETIS-LaribPolypDB/n.tif` and `Ground Truth/pn.tif` (or `n.tif`)."""
    frames = list_images(child(folder, "ETIS-LaribPolypDB"))
    masks = {name.lower().removeprefix("p"): path for name, path in list_images(child(folder, "Ground Truth")).items()}
    return _without_identity("ETIS-Larib", folder, pair_files(frames, masks, folder))


def read_kvasir(folder):
    """Read Kvasir-SEG. Near-identical images make one subject, so that no split parts them (METHODS C)."""
    pairs = pair_folders(child(folder, "images"), child(folder, "masks"))
    own = _own_sequences(folder, pairs)
    caveat = "no patient identity: only near-identical images are kept together"
    groups = own or group_alike({name: frame for name, (frame, _) in pairs.items()})
    return _cohort("Kvasir-SEG", pairs, groups, () if own else (caveat,))


def read_pack(folder):
    """Read the test sets that PraNet's authors packed as `images/n.png` and `masks/n.png`, told apart by number."""
    pairs = pair_folders(child(folder, "images"), child(folder, "masks"))
    if len(pairs) not in PACKS:
        raise unknown_layout(folder, KNOWN_LAYOUTS, f"images/ and masks/ of {len(pairs)} images without a frames.csv")
    name = PACKS[len(pairs)]
    numbers = {int(frame) for frame in pairs if frame.isdecimal()}
    if PACK_NUMBERS.get(name) != numbers:
        return _without_identity(name, folder, pairs)
    caveats = (BY_NUMBER, "frames of CVC-ColonDB") if name == "CVC-300" else (BY_NUMBER,)
    return _cohort(name, pairs, sequences_by_blocks(pairs, COLONDB_BLOCKS, folder), caveats)


def _read_images_and_masks(folder):
    if child(folder, "kavsir_bboxes.json"):
        return read_kvasir(folder)
    return read_listed(folder) if child(folder, "frames.csv") else read_pack(folder)


def _clinicdb_root(folder):
    """Find the folder that holds `Original` and `Ground Truth`; TIF, as released, goes before PNG."""
    for root in (folder, child(folder, "TIF"), child(folder, "PNG")):
        if root and child(root, "Original") and child(root, "Ground Truth"):
            return root
    return None


def _mask_number(name):
    """Return "7" for "p7" and "p(7)", both in use for CVC-ColonDB; None for another name."""
    found = re.fullmatch(r"p\(?(\d+)\)?", name, re.IGNORECASE)
    return found and found[1]


def _own_sequences(folder, pairs):
    """Read the user's `frames.csv` of a data set that has none of its own; None where there is none."""
    listed = child(folder, "frames.csv")
    return listed and read_sequences(listed, pairs)


def _is_colondb(pairs, sequence_of):
    """Tell CVC-ColonDB in the listed form by its numbers, its sequence table and the size of its frames."""
    last = COLONDB_BLOCKS[-1][0]
    if not all(name.isdecimal() and 1 <= int(name) <= last for name in pairs):
        return False
    size = read_size(next(iter(pairs.values()))[0], FRAME_MODES)
    return size == COLONDB_SIZE and sequence_of == sequences_by_blocks(pairs, COLONDB_BLOCKS, None)


def _without_identity(name, folder, pairs):
    own = _own_sequences(folder, pairs)
    return _cohort(name, pairs, own or {frame: frame for frame in pairs}, () if own else (NO_IDENTITY,))


def _cohort(name, pairs, subject_of, caveats=()):
    images = {}
    for frame, (pixels, mask) in pairs.items():
        image = Image(frame, partial(read_pixels, pixels), partial(read_truth, mask))
        images.setdefault(subject_of[frame], []).append(image)
    subjects = tuple(Subject(subject, tuple(images[subject])) for subject in sorted(images, key=natural_key))
    return Cohort(name, subjects, tuple(caveats))
