"""What a profile may set, section by section: the schema of the YAML files. Nothing here imports Keras."""

from dataclasses import dataclass

PRECISIONS = ("float32", "tf32", "mixed_bfloat16")
"""What a network may compute in; see `Plan`."""

PREFIXES = ("float32", "float16")
"""What the activations of frozen layers may be kept in; see `Plan`."""


@dataclass(frozen=True)
class Network:
    """Size of the network (`repro.alexnet.build_alexnet`)."""

    input_size: int
    fc_units: int
    dropout: float


@dataclass(frozen=True)
class Plan:
    """How long and in what steps a network is trained (`repro.training.train`).

    Attributes
    ----------
    batch_size : int
        The paper does not state its own.
    max_epochs : int
    patience : int
        Training stops when the validation AUC has not risen for so many epochs.
    momentum, decay : float
        PAPER Table II.
    init : str
        How a network from scratch starts: "gaussian", "xavier" or "msra". New layers of a fine-tuned one are always
        Gaussian, as in Caffe.
    checks_per_decade : int
        Also measure the validation AUC at so many mini-batches per factor of ten, evenly spaced in the logarithm
        (Figure 10); 0 for epochs alone.
    precision : str
        What is computed in: "float32", on a GPU too; "tf32", where a GPU that can rounds the factors of products to 11
        bits; or Keras' "mixed_bfloat16", where weights and their updates stay in float32 and bfloat16 has its range,
        so that the loss needs no scaling.
    prefix : str
        What frozen layers' activations are kept in (`repro.prefix`): "float32", which changes nothing, or "float16",
        which takes half the room and moves results.
    """

    batch_size: int
    max_epochs: int
    patience: int
    momentum: float = 0.9
    decay: float = 0.95
    init: str = "gaussian"
    checks_per_decade: int = 0
    precision: str = "float32"
    prefix: str = "float32"

    def __post_init__(self):
        for key, known in (("precision", PRECISIONS), ("prefix", PREFIXES)):
            if getattr(self, key) not in known:
                raise ValueError(f"training.{key} must be one of {known}. Received: {getattr(self, key)!r}.")


@dataclass(frozen=True)
class Polyp:
    """Polyp detection (`repro.applications.polyp`).

    Attributes
    ----------
    test_share, validation_share : float
        Share of all subjects that test, and of the training subjects that validate.
    split_seed : int
        Of the split into training and test subjects and into folds: one for all seeds, which test on the same subjects.
    candidates : int
        Most candidates of a frame.
    folds : int
        Parts of the training subjects; each part's candidates come from a generator that learnt from the others. So
        too within a generator, whose second stage learns from what the first says of parts it has not seen.
    generator_frames : int
        Most frames that a candidate generator learns from, dealt evenly among its subjects.
    train_patches, validation_patches : int
        Most patches, half of each class.
    test_scales, test_shift, test_orientations
        The views of a test candidate that are averaged (`data_prep.patches.ViewGrid`); training draws from all.
    train_places : int
        Translations among the views that training draws from: 5, or 9 with the diagonals.
    frames_in_memory : int
        Decoded frames that are kept.
    """

    test_share: float
    candidates: int
    folds: int
    generator_frames: int
    train_patches: int
    validation_patches: int
    test_scales: tuple[float, ...]
    test_shift: float
    test_orientations: int
    train_places: int = 5
    split_seed: int = 0
    validation_share: float = 0.2
    frames_in_memory: int = 1000


@dataclass(frozen=True)
class FrameQuality:
    """Informative or not: frames of colonoscopies (`repro.applications.frame_quality`).

    Attributes
    ----------
    test_share, validation_share, split_seed, frames_in_memory
        As for polyps. A data set's own split goes before `test_share`.
    crops_per_frame : int
        Most random crops of a training frame; the paper's 200.
    train_patches, validation_patches : int
        Most crops, half of each class.
    test_crops : int
        Random crops of a test frame, whose scores are averaged.
    max_epochs : int
        Instead of the plan's own; 0 keeps that.
    allowed_alike : tuple of str
        Names of images that may have a near-identical one on the other side of the split, where a data set does
        not say which images belong to one subject.
    """

    test_share: float
    train_patches: int
    validation_patches: int
    test_crops: int
    crops_per_frame: int = 200
    max_epochs: int = 0
    allowed_alike: tuple[str, ...] = ()
    split_seed: int = 0
    validation_share: float = 0.2
    frames_in_memory: int = 1000


@dataclass(frozen=True)
class Carotid:
    """Intima-media boundaries in ultrasound (`repro.applications.carotid`).

    Attributes
    ----------
    test_share, validation_share, split_seed
        As for polyps.
    train_patches, validation_patches : int
        Most patches, a third of each class.
    zoom : int
        Input pixels that one pixel of an ROI becomes. Dense maps are fastest where the network's strides divide it.
    far_um : float
        Background patches lie further than so many micrometres from both interfaces. 150 is two to three pixels,
        which is as sure as an expert's line can be, and less than half of a wall of 400, the thinnest: so there is
        background between LI and MA too. Without it, a network is never told what the middle of a wall is.
    test_rois : int
        Most ROIs of a test subject that are segmented, evenly spread over its images.
    column_step : int
        Every so many columns of a test ROI are segmented; 1 for all.
    gamma : float
        Power that grey values are raised to before a network sees them. The paper states none: 1.
    max_epochs, input_size : int
        Instead of the plan's and the network's own; 0 keeps those.
    """

    test_share: float
    train_patches: int
    validation_patches: int
    zoom: int
    test_rois: int
    column_step: int
    gamma: float = 1.0
    far_um: float = 150.0
    max_epochs: int = 0
    input_size: int = 0
    split_seed: int = 0
    validation_share: float = 0.2


@dataclass(frozen=True)
class Embolism:
    """Pulmonary embolism in CT (`repro.applications.embolism`).

    Attributes
    ----------
    test_share, validation_share, split_seed
        As for polyps.
    candidates : int
        Most candidates of a volume.
    hit_mm : float
        A candidate hits an embolus that it lies in, or is no further from than this.
    reduce : str
        What a smaller training set has less of: "patients", or "emboli" of all patients as in the paper, where the
        candidates on the others are left out.
    train_patches, validation_patches : int
        Most patches, half of each class.
    test_widths_mm, test_shift, test_translations, test_rotations
        The views of a test candidate that are averaged (`data_prep.vessel_patches.VesselGrid`); training draws from
        all of the paper's.
    window_hu : tuple of float
        Hounsfield units that become black and white.
    memory_mb : int
        Tables of patches that take no more are kept in memory for all runs of a process, whatever their arm; of larger
        ones a sweep keeps what it needs again (`repro.prefix`).
    max_epochs, input_size : int
        Instead of the plan's and the network's own; 0 keeps those.
    """

    test_share: float
    candidates: int
    train_patches: int
    validation_patches: int
    test_widths_mm: tuple[float, ...]
    test_shift: float
    test_translations: int
    test_rotations: int
    window_hu: tuple[float, ...] = (-100.0, 900.0)
    reduce: str = "patients"
    hit_mm: float = 0.0
    memory_mb: int = 500
    max_epochs: int = 0
    input_size: int = 0
    split_seed: int = 0
    validation_share: float = 0.2


@dataclass(frozen=True)
class ColonoscopyPhantom:
    """The phantom videos that stand in for a data set (`data_prep.phantoms.colonoscopy`).

    Attributes
    ----------
    num_videos, frames_per_video, seed : int
    polyp_contrast, lookalikes : float
        How hard they are; set so that no arm finds nothing and none finds all.
    """

    num_videos: int
    frames_per_video: int
    seed: int
    polyp_contrast: float
    lookalikes: float


@dataclass(frozen=True)
class ProcedurePhantom:
    """The phantom procedures of frame classification (`data_prep.phantoms.procedures`).

    Attributes
    ----------
    num_videos, frames_per_video, seed : int
    severity : float
        How much spoils the frames.
    """

    num_videos: int
    frames_per_video: int
    seed: int
    severity: float


@dataclass(frozen=True)
class CarotidPhantom:
    """The phantom ultrasound videos (`data_prep.phantoms.carotid`).

    Attributes
    ----------
    num_patients, frames_per_patient, seed : int
    difficulty : float
        How hard the wall's layers are to see.
    """

    num_patients: int
    frames_per_patient: int
    seed: int
    difficulty: float


@dataclass(frozen=True)
class CtpaPhantom:
    """The phantom CT angiograms (`data_prep.phantoms.ctpa`).

    Attributes
    ----------
    num_patients, seed : int
    size : tuple of int
        Slices, rows and columns.
    region : str
        What they show: "chest", or a smaller field: "hila", "right", "left".
    difficulty : float
        How noisy, and how full of what looks like an embolus.
    """

    num_patients: int
    size: tuple[int, ...]
    region: str
    seed: int
    difficulty: float
