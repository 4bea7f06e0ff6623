"""The records that every reader and phantom yields; everything downstream knows only these.

A cohort holds subjects (patients or videos), a subject holds images in their order, an image reads its
pixels and its truth when asked. Nothing here keeps pixels in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage.measure import regionprops


@dataclass(frozen=True)
class Lesion:
    """One true polyp or embolus in one image.

    Attributes
    ----------
    number : int
        Its value in the image's truth map, from 1.
    box : tuple of int
        Top row, left column, height, width, in pixels.
    area_px : int
        Pixels that belong to it.
    """

    number: int
    box: tuple[int, int, int, int]
    area_px: int


@dataclass(frozen=True)
class Image:
    """One frame, read on demand.

    Attributes
    ----------
    name : str
        Unique within its subject.
    read_pixels : callable
        Returns an ndarray of shape (height, width, 3), uint8, RGB. Must pickle: a `functools.partial` of a
        module's function, not a lambda.
    read_truth : callable
        Returns an ndarray of shape (height, width), int32: 0 for background, k for the pixels of lesion k.
    """

    name: str
    read_pixels: Callable[[], np.ndarray]
    read_truth: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Subject:
    """A patient or a video: what is split, resampled and counted as independent."""

    name: str
    images: tuple[Image, ...]


@dataclass(frozen=True)
class Cohort:
    """A data set.

    Attributes
    ----------
    name : str
        As a figure's caption calls it.
    subjects : tuple of Subject
    caveats : tuple of str
        What a reader of a result must know of these data (phantoms, no identity of subjects);
        printed beside every number drawn from them.
    """

    name: str
    subjects: tuple[Subject, ...]
    caveats: tuple[str, ...] = ()

    def __post_init__(self):
        names = [subject.name for subject in self.subjects]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(
                f"{self.name}: each subject must have a name of its own. Received twice: {doubled}. "
                "Put all images of a subject into one Subject."
            )


def lesions(truth):
    """List the lesions of a truth map.

    Parameters
    ----------
    truth : ndarray of shape (height, width), int
        0 for background, k for the pixels of lesion k.

    Returns
    -------
    list of Lesion
        By ascending number.
    """
    found = []
    for region in regionprops(truth):
        top, left, bottom, right = region.bbox
        box = (int(top), int(left), int(bottom - top), int(right - left))
        found.append(Lesion(int(region.label), box, int(region.area)))
    return found
