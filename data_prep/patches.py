"""Views of a box (scales x translations x orientations) and tables of patches that are cut when needed.

A table says where each patch comes from and what it shows; pixels are cut in batches, as uint8. Only decoded
frames are kept, and only as many as asked: memory does not grow with the number of patches.
"""

import math
import operator
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import joblib
import numpy as np
from PIL import Image as Pillow

from data_prep.cohort import Image
from data_prep.recent import Recent

TRANSLATIONS = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""None, left, right, up, down, the diagonals: (row, column) steps, in units of `shift` times the scaled box."""

WORTH_THREADS = 8
"""Columns of squares of one image that are resized in threads: fewer take no longer than to start those."""


@dataclass(frozen=True)
class ViewGrid:
    """The views that are taken of every candidate (PAPER section 2, polyps).

    Attributes
    ----------
    scales : tuple of float
        Enlargements of the box.
    shift : float
        Translation as a share of the scaled box; 0 takes the untranslated view alone.
    orientations : int
        How many of the eight mirrored and turned versions: 1 is the upright one, 2 adds its mirror image,
        4 adds both upside down, 8 adds the transposed ones.
    places : int
        Translations, where `shift` is not 0: 5 are none and the four directions, 9 are also the diagonals. The paper's
        "horizontally and vertically" may mean either.
    """

    scales: tuple[float, ...] = (1.0, 1.2, 1.5)
    shift: float = 0.1
    orientations: int = 8
    places: int = 5

    def __post_init__(self):
        if self.places not in (5, 9):
            raise ValueError(f"places must be 5 or 9; for one translation set shift=0. Received: {self.places}.")
        if self.orientations not in (1, 2, 4, 8):
            raise ValueError(f"orientations must be 1, 2, 4 or 8. Received: {self.orientations}.")
        if not self.scales or min(self.scales) <= 0 or self.shift < 0:
            raise ValueError(
                f"scales must be positive and shift at least 0. Received: scales={self.scales}, shift={self.shift}."
            )

    @property
    def translations(self):
        """(row, column) steps of this grid."""
        return TRANSLATIONS[: self.places if self.shift > 0 else 1]

    def __len__(self):
        return len(self.scales) * len(self.translations) * self.orientations

    def locate(self, view):
        """Split a view's number, or an array of them, into its scale's, translation's and orientation's."""
        return np.unravel_index(view, (len(self.scales), len(self.translations), self.orientations))


@dataclass(frozen=True)
class PatchTable:
    """Where patches come from and what they show.

    Attributes
    ----------
    frames : FrameCache
        The images that `image` indexes.
    image : ndarray of shape (n,), int
    boxes : ndarray of shape (n, 4), float32
        Candidate boxes before scaling: top, left, height, width in pixels; may leave the frame.
    view : ndarray of shape (n,), int
        Number of the view within `grid`.
    labels : ndarray of shape (n,), int
        Class of each patch.
    grid : ViewGrid
    size : int
        Side of a patch in pixels.
    """

    frames: "FrameCache"
    image: np.ndarray
    boxes: np.ndarray
    view: np.ndarray
    labels: np.ndarray
    grid: ViewGrid
    size: int

    def __len__(self):
        return len(self.image)

    def cut(self, rows):
        """Cut the patches of some rows: an ndarray of shape (len(rows), size, size, 3), uint8, in their order."""
        return self._cut(rows, self.view[rows])

    def cut_upright(self, rows):
        """Cut the patches of some rows, but leave the turning to a device.

        Returns
        -------
        patches : ndarray of shape (len(rows), size, size, 3), uint8
            All upright.
        orientation : ndarray of shape (len(rows),), int
            What makes them those of `cut`, see `views`.
        """
        orientation = self.grid.locate(self.view[rows])[2]
        return self._cut(rows, self.view[rows] - orientation), orientation

    def _cut(self, rows, view):
        patches, images = np.empty((len(rows), self.size, self.size, 3), np.uint8), self.image[rows]
        squares, orientation = _squares(self.boxes[rows], view, self.grid)
        for image in np.unique(images):
            here = np.flatnonzero(images == image)
            _cut_into(patches, here, self.frames[image], squares[here], orientation[here])
        return patches


class FrameCache:
    """Decoded frames, read when asked for, the most recently used kept.

    Parameters
    ----------
    images : sequence of data_prep.cohort.Image
    most : int
        How many decoded frames stay in memory; a frame of 500x350 takes half a megabyte.
    """

    def __init__(self, images: tuple[Image, ...], most: int = 1000):
        self.images, self._recent = tuple(images), Recent(most)

    def __getitem__(self, number):
        """Return the pixels of an image: an ndarray of shape (height, width, 3), uint8."""
        return self._recent.get(number, self.images[number].read_pixels)

    def __len__(self):
        return len(self.images)


def views(image, box, scales=(1.0, 1.2, 1.5), shift=0.1, orientations=8, size=227):
    """Cut all views of one box, or of many boxes of one image.

    A box is first made square, by its longer side and about its centre, so that resizing keeps the shape of what
    it shows (the paper does not state its rule). Where a view leaves the image, the nearest pixel of the image's edge
    is repeated. Views are resized by Pillow's triangle filter: bilinear when they grow, averaging when they shrink.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8
    box : array_like of shape (4,) or (m, 4)
        Top, left, height, width in pixels; fractions count.
    scales, shift, orientations
        See `ViewGrid`. The defaults are the paper's: 3 scales x 5 translations x 8 orientations.
    size : int
        Side of a view in pixels.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8
        n = m times the number of views; scale changes slowest within a box, orientation fastest. Orientation
        k + 1 is the mirror image (left-right) of an even k; 2 and 3 are upside down; 4 to 7 are 0 to 3 transposed.
    """
    grid = ViewGrid(tuple(scales), shift, orientations)
    boxes = np.atleast_2d(np.asarray(box, np.float32))
    if boxes.shape[1] != 4 or not np.isfinite(boxes).all() or (boxes[:, 2:] <= 0).any():
        raise ValueError(f"box must be (top, left, height, width) with positive sides. Received: {box!r}.")
    number = len(boxes) * len(grid)
    patches = np.empty((number, size, size, 3), np.uint8)
    squares = _squares(np.repeat(boxes, len(grid), axis=0), np.tile(np.arange(len(grid)), len(boxes)), grid)
    _cut_into(patches, np.arange(number), image, *squares)
    return patches


def random_crops(shape, number, side, draw):
    """Draw square boxes that lie within an image, each place alike.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image, in pixels.
    number : int
    side : float
        Of a box, in pixels; at most the image's shorter side.
    draw : numpy.random.Generator

    Returns
    -------
    ndarray of shape (number, 4), float32
        Top, left, height, width, the first two whole numbers.
    """
    if not 0 < side <= min(shape):
        raise ValueError(f"Crops must fit into the image of {tuple(shape)} pixels. Received: a side of {side}.")
    corners = draw.integers(0, np.floor(np.asarray(shape) - side).astype(int) + 1, (number, 2))
    return np.column_stack([corners, np.full((number, 2), side)]).astype(np.float32)


def _cut_into(patches, slots, pixels, squares, orientation):
    """Fill `patches[slots]` with the given squares of one image, resized and turned.

    Orientations share a resize, and squares that stand below each other share its horizontal half.
    """
    columns = defaultdict(list)
    # As numbers of Python, which are faster one by one: threads share the interpreter.
    for top, left, side, slot, turn in np.column_stack([squares, slots, orientation]).tolist():
        columns[left, side].append((top, int(slot), int(turn)))

    def cut(left_side):
        wanted = columns[left_side]
        tops = sorted({top for top, _, _ in wanted})
        upright, turned = _resize(pixels, tops, *left_side, patches.shape[1]), {}
        for top, slot, orientation in wanted:
            key = square, transposed, mirrored = tops.index(top), orientation & 4, orientation & 1
            if key not in turned:
                turned[key] = _turn(upright[square], transposed, mirrored)
            # Mirrored is turned by half, which is faster, and upside down.
            upside_down = bool(orientation & 2) != bool(mirrored)
            patches[slot] = turned[key][::-1] if upside_down else turned[key]

    if len(columns) < WORTH_THREADS or joblib.cpu_count() == 1:
        for column in columns:
            cut(column)
        return
    # Pillow, OpenCV and NumPy let other threads work while they move pixels.
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        list(pool.map(cut, columns))


def _squares(boxes, view, grid):
    """Square, enlarge and translate boxes as views say: rows of (top, left, side), and the orientation of each."""
    scale, translation, orientation = grid.locate(view)
    side = boxes[:, 2:].max(axis=1) * np.asarray(grid.scales)[scale]
    shift = grid.shift * np.asarray(grid.translations)[translation] * side[:, None]
    centre = boxes[:, :2] + boxes[:, 2:] / 2 + shift
    return np.column_stack([centre - side[:, None] / 2, side]), orientation


def _resize(pixels, tops, left, side, size):
    """Resize the squares of one column, which have their left and right edge in common.

    Only the window that the filter reads is handed over, and a square's place counts from that window: Pillow keeps it
    in 32 bits, and a patch must not depend on what else is cut with it.

    Returns
    -------
    list of ndarray of shape (size, size, 3), uint8
    """
    read = math.ceil(max(1.0, side / size)) + 1
    firsts, lasts = [math.floor(top) - read for top in tops], [math.ceil(top + side) + read for top in tops]
    first, last = math.floor(left) - read, math.ceil(left + side) + read
    strip = Pillow.fromarray(_window(pixels, (firsts[0], first), (lasts[-1], last)))
    left, right = left - first, left - first + side
    # Pillow resizes across, then down, and rounds between; of a window that is higher than wide and shrinks it may do
    # the other first (since Pillow 13). Where it does not, squares can share the half that goes across.
    if len(tops) > 1 and max(map(operator.sub, lasts, firsts)) <= max(strip.width, size):
        strip = strip.resize((size, strip.height), Pillow.Resampling.BILINEAR, box=(left, 0, right, strip.height))
        left, right = 0, size
    squares = []
    for top, above, below in zip(tops, firsts, lasts, strict=True):
        window = strip.crop((0, above - firsts[0], strip.width, below - firsts[0])) if len(tops) > 1 else strip
        box = (left, top - above, right, top - above + side)
        squares.append(np.asarray(window.resize((size, size), Pillow.Resampling.BILINEAR, box=box)))
    return squares


def _turn(patch, transposed, by_half):
    """Transpose a patch, then turn it by half; either only where asked."""
    patch = cv2.transpose(patch) if transposed else patch
    return cv2.flip(patch, -1) if by_half else patch


def _window(pixels, first, last):
    """Cut out rows and columns from `first` to before `last`; outside, the nearest pixel of the edge is repeated."""
    if min(first) >= 0 and last[0] <= pixels.shape[0] and last[1] <= pixels.shape[1]:
        return pixels[first[0] : last[0], first[1] : last[1]]
    rows, columns = (np.arange(*ends) for ends in zip(first, last, strict=True))
    return pixels.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")
