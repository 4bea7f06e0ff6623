"""The records that every reader and phantom yields; everything downstream knows only these.

A cohort holds subjects (patients or videos), a subject holds images in their order, an image reads its
pixels and its truth when asked. Nothing here keeps pixels in memory.
"""

from collections import Counter
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
    """A colonoscopy frame and where its polyps are, read on demand.

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
class Frame:
    """A colonoscopy frame that is informative or not, read on demand.

    Attributes
    ----------
    name : str
        Unique within its subject.
    read_pixels : callable
        As an `Image`'s.
    informative : bool
        Whether enough of the mucosa can be seen.
    """

    name: str
    read_pixels: Callable[[], np.ndarray]
    informative: bool


@dataclass(frozen=True)
class Scan:
    """A longitudinal B-mode image of a carotid artery with the interfaces of its far wall, read on demand.

    Attributes
    ----------
    name : str
        Unique within its subject.
    read_pixels : callable
        Returns an ndarray of shape (height, width), uint8, grey. Must pickle.
    read_interfaces : callable
        Returns an ndarray of shape (2, width), float64: the rows of LI and MA in every column, in pixels, 0 at the
        centre of the top row; NaN where they were not delineated. MA lies below LI. Must pickle.
    mm_per_pixel : float
        Side of a pixel, which is square.
    rois : tuple of tuple of int
        Regions of interest: top row, left column, height, width, in pixels; each holds both interfaces in all of
        its columns.
    """

    name: str
    read_pixels: Callable[[], np.ndarray]
    read_interfaces: Callable[[], np.ndarray]
    mm_per_pixel: float
    rois: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class Volume:
    """A CT pulmonary angiogram and where its emboli are, read on demand.

    Voxels lie as (slice, row, column): from the feet to the head, from front to back, from the patient's right to the
    left, as far as the scanner's axes are the patient's.

    Attributes
    ----------
    name : str
        Unique within its subject.
    read_voxels : callable
        Returns an ndarray of shape (slices, rows, columns), int16, Hounsfield units. Must pickle.
    read_truth : callable or None
        Returns an ndarray of the same shape, int32: 0 for background, k for the voxels of embolus k. None where nobody
        has drawn any, which is not the same as a patient without emboli. Must pickle.
    to_patient : tuple of tuple of float
        Three rows of four: from (slice, row, column, 1), 0 at a voxel's centre, to x, y, z in millimetres, in the
        patient coordinates of DICOM: x to the left, y to the back, z to the head.
    """

    name: str
    read_voxels: Callable[[], np.ndarray]
    read_truth: Callable[[], np.ndarray] | None
    to_patient: tuple[tuple[float, float, float, float], ...]

    @property
    def spacing_mm(self):
        """Between slices, rows and columns, in millimetres: three floats."""
        return tuple(np.linalg.norm(np.asarray(self.to_patient)[:, :3], axis=0).tolist())

    def locate(self, points):
        """Turn voxels into patient coordinates.

        Parameters
        ----------
        points : array_like of shape (n, 3)
            Slice, row, column; fractions count.

        Returns
        -------
        ndarray of shape (n, 3), float64
            x, y, z in millimetres.
        """
        matrix = np.asarray(self.to_patient)
        return np.asarray(points, float).reshape(-1, 3) @ matrix[:, :3].T + matrix[:, 3]


@dataclass(frozen=True)
class Subject:
    """A patient or a video: what is split, resampled and counted as independent."""

    name: str
    images: tuple[Image | Frame | Scan | Volume, ...]


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
    test : tuple of str
        Subjects that the data set's own split tests with; empty where it has none.
    anonymous : bool
        Whether the data set does not say which images belong to one subject, so that frames of one patient may
        stand on two sides of a split.
    """

    name: str
    subjects: tuple[Subject, ...]
    caveats: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    anonymous: bool = False

    def __post_init__(self):
        names = [subject.name for subject in self.subjects]
        doubled = sorted(name for name, times in Counter(names).items() if times > 1)
        if doubled:
            raise ValueError(
                f"{self.name}: each subject must have a name of its own. Received twice: {doubled}. "
                "Put all images of a subject into one Subject."
            )
        strangers = sorted(set(self.test) - set(names))
        if strangers or (self.test and set(self.test) == set(names)):
            raise ValueError(
                f"{self.name}: the split of a data set tests with some of its subjects, not all. "
                f"Received {len(self.test)} of {len(names)}, unknown: {strangers}."
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
