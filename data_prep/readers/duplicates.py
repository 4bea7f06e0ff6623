"""Near-identical images found by a perceptual hash, for data sets that do not say which images belong together.

Source: the DCT hash of Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, with a
block of 16x16 instead of 8x8 coefficients: colonoscopy frames share their dark corners and their colour, and 64
bits do not tell them apart.
"""

from pathlib import Path

import numpy as np
import PIL.Image
from scipy.fft import dctn
from scipy.ndimage import laplace
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

SIDE_PX = 32
BLOCK = 16
# Measured on the 301 frames of CVC-ColonDB: two frames of different sequences differ in 22 of the 255 bits or more,
# 85 pairs within a sequence (repeated frames) in 8 or fewer. The 39 frames of endo-angel: 64 or more.
MAX_DISTANCE = 12

# A frame of one colour has no structure of its own: its hash is the shape of the endoscope's dark mask, and hundreds of
# unrelated red-outs hash alike. So the share of the 32x32 cells whose Laplacian exceeds 4 grey levels must reach a
# fifth. Measured: real frames .44 (ColonDB) and .54 (endo-angel) or more, ColonDB blurred by 20 px .27; uniform colours
# and smooth gradients behind an octagonal mask, with noise, as JPEG or PNG, at most .18, and of all their pairs 5 % and
# 1 % hash alike. Uniform colours with noise and without mask differ in 100 bits or more; without noise, in none.
MIN_LAPLACIAN = 4
MIN_DETAIL = 0.2

MAX_PAIRS_SHOWN = 5
# Rows of the table of distances that are held at a time: 1,000 x 10,000 of float32 take 40 MB.
ROWS_AT_A_TIME = 1000


def perceptual_hash(path):
    """Describe an image by the signs of its low frequencies.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray of shape (255,), bool
        Whether each of the 16x16 lowest cosine coefficients, without the mean, is above their median.
    """
    return _hash(_thumbnail(path))


def group_alike(paths, max_distance=MAX_DISTANCE):
    """Group images that are nearly identical, directly or through a chain of others.

    Parameters
    ----------
    paths : dict of str to Path
        Images by name.
    max_distance : int
        Most bits of the hash in which two images of a pair differ.

    Returns
    -------
    dict of str to str
        For each name the first name of its group; an image like no other is its own group.
    """
    names = list(paths)
    signs = _signs([perceptual_hash(path) for path in paths.values()])
    rows, columns = np.concatenate([found[:, :2] for found in _pairs_alike(signs, signs, max_distance)]).T
    alike = csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(len(names), len(names)))
    groups = connected_components(alike, directed=False)[1]
    _, first = np.unique(groups, return_index=True)
    return {name: names[first[group]] for name, group in zip(names, groups, strict=True)}


def check_unlike(cohort, test, allowed=(), max_distance=MAX_DISTANCE):
    """Raise when an image of the test subjects is nearly identical to one of the others.

    Frames without structure of their own (black, one colour, blurred beyond recognition; see MIN_DETAIL) are not
    compared: they look alike in every patient. A mirrored, turned or much shifted copy is not found either.

    Parameters
    ----------
    cohort : Cohort
        Its images read their pixels through a `functools.partial` with the file's Path.
    test : iterable of str
        Names of the subjects to test with.
    allowed : iterable of str
        Names of images that may have a near-identical one on the other side.
    max_distance : int
        Most bits of the 255 of the hash in which two images of a pair differ.

    Raises
    ------
    ValueError
        Names the first pairs and their distances, a subject or an allowed name that is unknown, or a file that is
        no image.
    """
    images = [(subject.name, image) for subject in cohort.subjects for image in subject.images]
    test, allowed = set(test), set(allowed)
    _require_known(cohort.name, "a test subject", test, {subject for subject, _ in images})
    _require_known(cohort.name, "an allowed image", allowed, {image.name for _, image in images})
    compared = [(subject, image) for subject, image in images if image.name not in allowed]
    tested = _described(one for one in compared if one[0] in test)
    others = _described(one for one in compared if one[0] not in test)
    number, shown = 0, []
    for found in _pairs_alike(_signs(tested.values()), _signs(others.values()), max_distance):
        number += len(found)
        shown += found[: MAX_PAIRS_SHOWN - len(shown)].tolist()
    if number:
        raise ValueError(_tell_pairs(cohort.name, number, shown, (list(tested), list(others))))


def _thumbnail(path):
    """Read an image as an array of shape (32, 32), float64: its grey levels, averaged."""
    try:
        with PIL.Image.open(path) as image:
            image.draft("L", (2 * SIDE_PX, 2 * SIDE_PX))  # a JPEG decodes at an eighth of its size, many times faster
            grey = image.convert("L").resize((SIDE_PX, SIDE_PX), PIL.Image.Resampling.BOX)
    except Exception as error:  # Pillow's decoders raise a dozen kinds, none of which names the file
        raise ValueError(f"{path}: expected an image. Received: {type(error).__name__}: {error}.") from error
    return np.asarray(grey, dtype=float)


def _hash(thumbnail):
    low = dctn(thumbnail, norm="ortho")[:BLOCK, :BLOCK].ravel()[1:]
    return low > np.median(low)


def _detail(thumbnail):
    """Return the share of a thumbnail's cells, without its border, in which the grey level bends or jumps."""
    return np.mean(np.abs(laplace(thumbnail))[1:-1, 1:-1] > MIN_LAPLACIAN)


def _described(images):
    """Hash the images that have structure: {(subject, name): bits}."""
    described = {}
    for subject, image in images:
        thumbnail = _thumbnail(_path(subject, image))
        if _detail(thumbnail) >= MIN_DETAIL:
            described[subject, image.name] = _hash(thumbnail)
    return described


def _path(subject, image):
    """Return the file from which an image reads its pixels."""
    for argument in getattr(image.read_pixels, "args", ()):
        if isinstance(argument, Path):
            return argument
    raise ValueError(f"{subject}/{image.name}: expected an image read from a file. Received: {image.read_pixels!r}.")


def _signs(hashes):
    """Stack hashes as -1 and 1, float32: the product of two is their length less twice the number of different bits."""
    return np.array([*hashes], dtype=np.float32).reshape(-1, BLOCK**2 - 1) * 2 - 1


def _pairs_alike(left, right, max_distance):
    """Yield, for some rows of `left` at a time, row, column and distance of the pairs, of shape (n, 3), int."""
    for start in range(0, len(left), ROWS_AT_A_TIME):
        distances = (left.shape[1] - left[start : start + ROWS_AT_A_TIME] @ right.T) / 2
        rows, columns = np.nonzero(distances <= max_distance)
        yield np.column_stack([rows + start, columns, distances[rows, columns].astype(int)])


def _require_known(cohort_name, kind, names, known):
    strangers = sorted(names - known)
    if strangers:
        raise ValueError(f"{cohort_name}: expected the name of {kind}, as {min(known)!r}. Received: {strangers}.")


def _tell_pairs(cohort_name, number, shown, images):
    """Say which pairs were found, and what to do."""
    lines = []
    for row, column, distance in shown:
        (subject, tested), (partner, other) = images[0][row], images[1][column]
        lines.append(f"  {distance} bits: {tested!r} of {subject!r} (test) and {other!r} of {partner!r}")
    more = [f"  ... and {number - len(shown)} more"] if number > len(shown) else []
    return "\n".join(
        [
            f"{cohort_name}: expected no image of the test set to be nearly identical to another one. "
            f"Received: {number} such pair{'s' * (number > 1)} (perceptual hash of {BLOCK**2 - 1} bits):",
            *lines,
            *more,
            "If they show one patient, make them one subject; if one is a copy, take it away; or allow them by name: "
            "--set 'frame_quality.allowed_alike=[NAME]'.",
        ]
    )
