"""Intima-media boundaries: ROI pixels -> network -> confidence maps -> snakes -> micrometres (PAPER section 2).

Subjects are split; a network learns to tell pixels on LI, on MA and far from both. Every pixel of a test ROI then gets
two confidences, and each interface is traced through its map. The rival traces maps of its own by the same snakes.
"""

from dataclasses import dataclass

import numpy as np

from data_prep import splits
from data_prep.cohort import Scan
from data_prep.readers import read_carotid
from data_prep.roi_patches import BACKGROUND, LI, MA, CanvasCache, RoiPatches, label_pixels
from repro.evaluation.boundaries import Contours
from repro.finetune import HANDCRAFTED
from repro.handcrafted.carotid import interfaces
from repro.snakes import trace

UM_PER_MM = 1000.0
EXAMPLE_ARM = "conv1"
"""The arm that Figure 8 shows: its runs keep the maps of the first test ROI, in every column."""


@dataclass(frozen=True)
class Region:
    """One ROI: whose it is, its place in which image, in pixels."""

    subject: str
    scan: Scan
    roi: tuple[int, int, int, int]

    @property
    def name(self):
        """Scan and place: p03_f1 120,40."""
        return f"{self.scan.name} {self.roi[0]},{self.roi[1]}"

    @property
    def columns(self):
        """Columns of the image, ndarray of int."""
        return self.roi[1] + np.arange(self.roi[3])

    def pixels(self):
        """Return the pixels of the ROI alone."""
        top, left, height, width = self.roi
        return self.scan.read_pixels()[top : top + height, left : left + width]


@dataclass(frozen=True)
class Task:
    """What all arms of a data set share.

    Attributes
    ----------
    caveats : tuple of str
        The cohort's.
    regions : tuple of Region
        All ROIs, in the cohort's order.
    train, test : tuple of str
        Names of the subjects on each side.
    """

    caveats: tuple[str, ...]
    regions: tuple[Region, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]

    def of(self, names, most=None):
        """Return the ROIs of some subjects; with `most` so many of each at most, evenly spread."""
        found = []
        for name in names:
            own = [region for region in self.regions if region.subject == name]
            number = min(most or len(own), len(own))
            # The middle ROI of each of `number` equal stretches: one of three is the second.
            found += [own[(2 * k + 1) * len(own) // (2 * number)] for k in range(number)]
        return found


def prepare(data, settings, _results):
    """Split a data set.

    Parameters
    ----------
    data : repro.runs.Data
    settings : dict
        The "carotid" part of a run's settings.
    _results : path
        Nothing is worth keeping.

    Returns
    -------
    Task
    """
    cohort = read_carotid(data.folder)
    train, test = splits.train_test(cohort, settings["test_share"], settings["split_seed"])
    regions = tuple(
        Region(subject.name, scan, roi) for subject in cohort.subjects for scan in subject.images for roi in scan.rois
    )
    return Task(cohort.caveats, regions, train, test)


def perform(run, results):
    """Train one network, or take the rival, and trace the interfaces of the test ROIs.

    Parameters
    ----------
    run : repro.runs.Run
    results : path

    Returns
    -------
    contours : repro.evaluation.boundaries.Contours
    record : dict
        History, caveats and the counts of what was trained and tested.
    """
    settings = run.settings["carotid"]
    task = prepare(run.data, settings, results)
    train = splits.fraction(task.train, run.fraction, run.seed)
    learn, validate = splits.split(train, settings["validation_share"], run.seed)
    splits.check_disjoint(training=learn, validation=validate, test=task.test)
    testing = task.of(task.test, settings["test_rois"])
    record = {"caveats": list(task.caveats), "counts": counts(task.of(train), testing)}
    if run.arm == HANDCRAFTED:
        return segment(testing, rival_maps, settings["column_step"], False), record
    sides = (task.of(learn), settings["train_patches"]), (task.of(validate), settings["validation_patches"])
    patches = [labelled_patches(regions, most, run) for regions, most in sides]
    return _perform_network(run, *patches, testing, record)


def counts(training, testing):
    """Count subjects, images and ROIs on each side, for the ledger of a figure.

    Returns
    -------
    dict of str to dict of str to int
        For "train" and "test".
    """
    return {
        side: {
            "subjects": len({region.subject for region in regions}),
            "images": len({(region.subject, region.scan.name) for region in regions}),
            "ROIs": len(regions),
        }
        for side, regions in (("train", training), ("test", testing))
    }


def labelled_patches(regions, most, run):
    """Draw balanced patches of ROI pixels, each pixel once at most; the larger classes down to the smallest.

    Positives are not augmented, as in the paper. Its 144 training ROIs of 92 columns hold some 13,000 pixels of each
    interface; how it came to 200,000 balanced patches it does not say, and so many are not reached here.

    Parameters
    ----------
    regions : list of Region
    most : int
        Patches in all, a third of each class.
    run : repro.runs.Run

    Returns
    -------
    data_prep.roi_patches.RoiPatches
    """
    settings, places = run.settings["carotid"], []
    for number, region in enumerate(regions):
        far_px = settings["far_um"] / (UM_PER_MM * region.scan.mm_per_pixel)
        labels = label_pixels(region.scan.read_interfaces(), region.roi, far_px)
        row, column = np.nonzero(labels >= 0)
        places.append(np.stack([np.full(len(row), number), row, column, labels[row, column]]))
    places = np.concatenate(places, axis=1)
    classes = [np.flatnonzero(places[3] == kind) for kind in (BACKGROUND, LI, MA)]
    number = min(most // 3, *map(len, classes))
    if number == 0:
        raise ValueError(
            f"Every class needs pixels. Received {[len(of) for of in classes]} of background, LI and MA in "
            f"{len(regions)} ROIs. Are their interfaces delineated, and carotid.far_um not too large?"
        )
    draw = np.random.default_rng(run.seed)
    chosen = np.concatenate([draw.choice(of, number, replace=False) for of in classes])
    return RoiPatches(canvases(regions, run.settings), *places[:, chosen])


def canvases(regions, settings):
    """Return the upsampled ROIs, as the network of these settings sees them."""
    rois = tuple((region.scan.read_pixels, region.roi) for region in regions)
    own = settings["carotid"]
    return CanvasCache(rois, settings["network"]["input_size"], own["zoom"], own["gamma"])


def segment(regions, maps_of, step, example):
    """Trace both interfaces through the confidence maps of every ROI.

    Parameters
    ----------
    regions : list of Region
    maps_of : callable
        From a region and the columns of its ROI to confidences, an ndarray of shape (height, columns, 2): LI, MA; and
        the rows (2, columns) to start the snakes from, or None for each column's maximum.
    step : int
        Every so many columns are segmented.
    example : bool
        Keep the maps of the first ROI, in all of its columns.

    Returns
    -------
    Contours
    """
    subjects = tuple(dict.fromkeys(region.subject for region in regions))
    columns = [np.arange(step // 2, region.roi[3], step) for region in regions]
    found, truth, fallback = [], [], []
    for region, chosen in zip(regions, columns, strict=True):
        maps, start = maps_of(region, chosen)
        lines, fell_back = trace(maps, region.roi[0], region.roi[1] + chosen, start)
        found.append(lines)
        truth.append(region.scan.read_interfaces()[:, region.roi[1] + chosen].T)
        fallback.append(fell_back)
    return Contours(
        subject=np.array([subjects.index(region.subject) for region in regions]),
        roi=np.array([region.name for region in regions]),
        um_per_pixel=np.array([UM_PER_MM * region.scan.mm_per_pixel for region in regions]),
        fallback=np.array(fallback),
        point_roi=np.repeat(np.arange(len(regions)), [len(chosen) for chosen in columns]),
        column=np.concatenate([region.roi[1] + chosen for region, chosen in zip(regions, columns, strict=True)]),
        found=np.concatenate(found),
        truth=np.concatenate(
            [
                region.scan.read_interfaces()[:, region.roi[1] + chosen].T
                for region, chosen in zip(regions, columns, strict=True)
            ]
        ),
        subjects=subjects,
        example=maps_of(regions[0], np.arange(regions[0].roi[3]))[0] if example else np.empty((0, 0, 2)),
    )


def rival_maps(region, columns):
    """Return the handcrafted rival's confidences and paths; see `segment`."""
    maps, paths = interfaces(region.pixels(), region.scan.mm_per_pixel)
    return maps[:, columns], paths[:, columns]


def network_maps(model, regions, settings):
    """Return what gives a network's confidences; see `segment`.

    Parameters
    ----------
    model : keras.Model
    regions : list of Region
        That will be asked for.
    settings : dict
        A run's.

    Returns
    -------
    callable
    """
    from repro.inference import dense_probabilities

    cache, number = canvases(regions, settings), {region: k for k, region in enumerate(regions)}

    def maps_of(region, columns):
        rows = np.arange(region.roi[2])
        found = dense_probabilities(model, cache[number[region]], cache.zoom, rows, columns)
        return found[..., [LI, MA]], None

    return maps_of


def _perform_network(run, training, validation, testing, record):
    # Imported late: the rival, and a figure that reads the counts, need no backend.
    from repro.networks import prepare_network, train_arm
    from repro.prefix import Split

    model, caveats = prepare_network(run, num_classes=3)
    learner, training, validation = Split(run, model).of(training=training, validation=validation)
    history = train_arm(run, learner, training, validation)
    maps_of, step = network_maps(model, testing, run.settings), run.settings["carotid"]["column_step"]
    contours = segment(testing, maps_of, step, run.arm == EXAMPLE_ARM)
    numbers = {"training": len(training), "validation": len(validation)}
    record |= {"caveats": record["caveats"] + caveats, "patches": numbers, "history": history}
    return contours, record
