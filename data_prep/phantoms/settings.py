"""What each phantom data set is made of; `data_prep.phantoms.NAME` makes it.

Apart from those, so that who only names a data set, to draw a figure again, need not import what renders one. A
`version` is raised by hand when a change of the code moves pixels, so that phantoms written before it are written anew.
"""

from dataclasses import dataclass
from typing import ClassVar

ROI_HEIGHT, ROI_WIDTH = 60, 92  # of the carotid, in pixels
ROI_MARGIN = 8  # pixels between an interface and the top or bottom of its ROI
REGIONS = "chest", "hila", "right", "left"  # of a CT volume


@dataclass(frozen=True)
class ColonoscopyPhantom:
    """What a set of phantom videos is made of.

    Attributes
    ----------
    num_videos, frames_per_video : int
    height, width : int
        Of a frame, in pixels.
    seed : int
        Video i depends on it, on i and on the other numbers here, but not on `num_videos`.
    polyp_contrast : float
        How far polyps differ from bulges of the mucosa: in tint, in height, in the sharpness of their margin,
        and in how many (0.4 of them at 1) stand on stalks. 1 for all of it; at 0 they are bulges of the
        mucosa's colour. The one number that sets the difficulty.
    lookalikes : float
        Mean number of groups of bulges, stool lumps and bubbles in a colon.
    """

    version: ClassVar[int] = 1

    num_videos: int
    frames_per_video: int
    height: int = 350
    width: int = 500
    seed: int = 0
    polyp_contrast: float = 0.6
    lookalikes: float = 14.0

    def __post_init__(self):
        if min(self.num_videos, self.frames_per_video, self.height, self.width) < 1:
            raise ValueError(f"Expected at least one video, frame and pixel. Received: {self}")
        if not 0 <= self.polyp_contrast <= 1:
            raise ValueError(f"polyp_contrast must lie in [0, 1]. Received: {self.polyp_contrast}")


@dataclass(frozen=True)
class ProcedurePhantom:
    """What a set of phantom procedures is made of.

    Attributes
    ----------
    num_videos, frames_per_video : int
    height, width : int
        Of a frame, in pixels. A smaller frame shows the same scene through the same sensor, binned.
    seed : int
        Video i depends on it, on i and on the other numbers here, but not on `num_videos`.
    severity : float
        Scales the strength of all defects. 0 for none; at 1 about half of the frames are lost. The one number
        that sets how many frames are lost and how many are hard.
    """

    version: ClassVar[int] = 1

    num_videos: int
    frames_per_video: int
    height: int = 350
    width: int = 500
    seed: int = 0
    severity: float = 1.0

    def __post_init__(self):
        if min(self.num_videos, self.frames_per_video) < 1 or min(self.height, self.width) < 32:
            raise ValueError(f"Expected at least one video, one frame and 32 rows and columns. Received: {self}")
        if not 0 <= self.severity <= 3:
            raise ValueError(f"severity must lie in [0, 3]. Received: {self.severity}")


@dataclass(frozen=True)
class CtpaPhantom:
    """What a set of phantom patients is made of.

    Attributes
    ----------
    num_patients : int
    size : tuple of int
        Slices, rows, columns.
    region : str
        "hila" for a window about both hila and the lower lobes' arteries, "right" or "left" for one lung's, with voxels
        of .66 to .8 mm in the plane and .5 to 1.5 mm between slices; "chest" for all of it, whatever voxels that takes
        (512 columns and 250 slices: .61 to .84 mm and 1.0 to 1.3 mm in 60 patients).
    seed : int
        Patient i depends on it, on i and on the other numbers here, but not on `num_patients`.
    difficulty : float
        How late the veins fill, flow artefacts, nodes, noise, streaks, breathing, and how little blood flows round
        an embolus; 0 for none of it, 1 as in real scans.
    """

    version: ClassVar[int] = 1

    num_patients: int
    size: tuple[int, int, int] = (100, 200, 200)
    region: str = "hila"
    seed: int = 0
    difficulty: float = 1.0

    def __post_init__(self):
        if self.num_patients < 1 or len(self.size) != 3 or min(self.size) < 16:
            raise ValueError(f"Expected one patient or more, of 16 voxels or more along each axis. Received: {self}")
        if self.region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}. Received: {self.region!r}")
        if not 0 <= self.difficulty <= 2:
            raise ValueError(f"difficulty must lie in [0, 2]. Received: {self.difficulty}")


@dataclass(frozen=True)
class CarotidPhantom:
    """What a set of phantom patients is made of.

    Attributes
    ----------
    num_patients, frames_per_patient : int
        The frames of a patient are evenly spaced over one cardiac cycle, from end diastole.
    height, width : int
        Of a frame, in pixels of .05 to .08 mm.
    seed : int
        Patient i depends on it, on i and on the other numbers here, but not on `num_patients`.
    difficulty : float
        How much LI's echo drops out, how little the wall stands out, shadows, clutter in the lumen and errors of
        gain; 0 for none of it, 1 as in real images.
    """

    version: ClassVar[int] = 1

    num_patients: int
    frames_per_patient: int = 3
    height: int = 400
    width: int = 440
    seed: int = 0
    difficulty: float = 1.0

    def __post_init__(self):
        if min(self.num_patients, self.frames_per_patient) < 1:
            raise ValueError(f"Expected at least one patient and one frame. Received: {self}")
        least, most = (2 * ROI_HEIGHT - 2 * ROI_MARGIN, ROI_WIDTH + 8), 440
        if self.height < least[0] or not least[1] <= self.width <= most:
            raise ValueError(
                f"Expected a height of {least[0]} pixels or more and a width of {least[1]} to {most}: an ROI must fit. "
                f"Received: {self}"
            )
        if not 0 <= self.difficulty <= 2:
            raise ValueError(f"difficulty must lie in [0, 2]. Received: {self.difficulty}")
