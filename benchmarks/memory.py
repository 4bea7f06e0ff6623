"""Measure the memory that a sweep of the paper's size takes: polyps, a network of 227 pixels, 100,000 patches.

    python benchmarks/memory.py     # about 2 minutes on 2 cores; needs Linux, and 24 GB of disk for a while

`repro.sweep` performs four runs of the `paper` profile one after the other in this process: three that tune all layers
(conv1), whose patches are cut once and kept in files, and one that tunes the last two (fc7), whose frozen layers are
computed once and kept in files too. 40 videos of
100 frames of 500x350 pixels with 10 candidates each; 2,000 decoded frames in memory; 100,000 patches to train with,
25,000 to validate, 2.4 million to test.

Such a sweep takes days. It is cut short where that frees no memory: there is one epoch, which ends after some
mini-batches, and of a table that is only looked at, the first batches are cut and computed and the last of them stands
in for all others. Tables, files, scores and the order of an epoch have their full lengths. Frames are noise, and
candidates lie at random in them: neither takes less memory than others. Of the disk 20 GB are offered, so that patches
(19 GB) and frozen layers (5 GB) of what is trained and validated with are kept, and those of what is tested (88 GB) are
not.

What is told is the kernel's count, looked at ten times a second. Pages of files, those of kept patches and frozen
layers among them, are counted apart: the kernel writes them back and takes them when others need memory. Against it
stands what the training patches alone would take as float32. What it measures, it also writes into measured.csv.
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import shutil
import sys
import tempfile
import threading
from pathlib import Path

import keras
import measured
import numpy as np

from data_prep.cohort import Cohort, Image, Subject
from repro import feeding, inference, prefix, sweep, training
from repro.applications import polyp
from repro.profiles import load_profile
from repro.runs import Data, Run
from repro.weights import prepare

STATUS = Path("/proc/self/status")
GB = 1e9
VIDEOS, FRAMES, CANDIDATES = 40, 100, 10
ARMS = (("conv1", 0), ("fc7", 0), ("conv1", 1), ("conv1", 2))  # By arm and seed.
TRAINED, LOOKED_AT = 6, 2  # mini-batches
DISK = 20 * GB


class Watch(threading.Thread):
    """Follow this process: the most memory of its own, of files, and in all since it began, in GB."""

    names = ("RssAnon", "RssFile", "VmHWM")

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self._stopped = np.zeros(3), threading.Event()

    def run(self):
        """Look, until `stop`."""
        while not self._stopped.wait(0.1):
            self.most = np.maximum(self.most, self.now())

    def now(self):
        """Return the three at this moment."""
        lines = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
        return np.array([int(lines[name].split()[0]) * 1024 / GB for name in self.names])

    def take(self):
        """Return the most since the last time."""
        most, self.most = self.most, np.zeros(3)
        return most

    def stop(self):
        """Look no more."""
        self._stopped.set()


class ShortFeed(feeding.Feed):
    """Cuts the first batches; the last of these stands in for all others."""

    def __iter__(self):
        self.batches, others = self.batches[:LOOKED_AT], self.batches[LOOKED_AT:]
        for batch in super().__iter__():
            yield batch
        for _ in others:
            yield batch


def cut_short(known):
    """Have epochs end after some mini-batches, and what stands in for others computed once and kept in `known`."""
    epoch, predict = training._epoch, keras.Model.predict_on_batch

    def short_epoch(model, patches, rows, watch, bar):
        return epoch(model, patches, rows[: TRAINED * watch.batch_size], watch, bar)

    def predict_once(model, batch):
        if known.get("of") is not batch or known["by"] is not model:
            known.update(of=batch, by=model, found=predict(model, batch))
        return known["found"]

    training._epoch, keras.Model.predict_on_batch = short_epoch, predict_once
    # What predicts and what fills a prefix; an epoch keeps the real one, which it has under its own name.
    inference.Feed = feeding.Feed = ShortFeed


def noise():
    """Make a frame."""
    return np.random.default_rng(0).integers(0, 256, (350, 500, 3), np.uint8)


def make_task(rng):
    """Place candidates in the frames of 40 videos; every fifth hits the polyp that its frame shows."""
    frames = VIDEOS * FRAMES
    number = frames * CANDIDATES
    image = np.repeat(np.arange(frames), CANDIDATES)
    return polyp.Task(
        subjects=tuple(f"video {video:02}" for video in range(VIDEOS)),
        is_test=np.arange(VIDEOS) % 2 == 1,
        image_subject=np.repeat(np.arange(VIDEOS), FRAMES),
        image_lesions=np.ones(frames, int),
        image=image,
        lesion=np.where(np.arange(number) % 5 == 0, image, -1),
        boxes=np.column_stack([rng.uniform(0, 250, (number, 2)), rng.uniform(50, 150, (number, 2))]).astype(np.float32),
        scores=np.zeros(number, np.float32),
    )


def replace_data(task):
    """Give the application noise with a task, and as many decoded frames as it may keep."""
    videos = tuple(Subject(name, (Image("frame", noise, None),) * FRAMES) for name in task.subjects)
    make_cache = polyp._frames

    def full_cache(cohort, settings):
        frames = make_cache(cohort, settings)
        for number in range(settings["frames_in_memory"]):
            frames[number]
        return frames

    polyp.prepare, polyp.read_colonoscopy = lambda *_: task, lambda _: Cohort("noise", videos)
    polyp._frames = full_cache


def perform_all(runs, watch):
    """Perform the runs as a sweep does; return the most memory of each, (runs, 3), and the last one's numbers."""
    known, most, perform, patches = {}, [], polyp.perform, {}

    def performed(run, results):
        scores, record = perform(run, results)
        known.clear()
        most.append(watch.take())
        print(f"{f'{run.arm}, seed {run.seed}':25}" + "{:9.2f}{:9.2f}{:15.2f}".format(*most[-1]), flush=True)
        patches.update(record["patches"])
        return scores, record

    polyp.perform = performed
    cut_short(known)
    with tempfile.TemporaryDirectory() as folder:
        prefix.DISK_SHARE = prefix.PATCHES_SHARE = DISK / shutil.disk_usage(folder).free
        sweep.execute(runs, folder)
    return np.array(most), patches


def main():
    """Print a table."""
    if not STATUS.is_file():
        sys.exit(f"{Path(__file__).name} reads {STATUS}, which only Linux has.")
    settings = load_profile("paper", ["training.max_epochs=1", "training.checks_per_decade=0"]).settings("polyp")
    runs = [Run("polyp", arm, 1.0, seed, "imagenet", "paper", settings, Data("noise", "", "")) for arm, seed in ARMS]
    prepare("imagenet")
    replace_data(make_task(np.random.default_rng(0)))
    watch = Watch()
    watch.start()
    print(f"{'Most memory, GB':25}{'own':>9}{'of files':>9}{'in all so far':>15}")
    most, patches = perform_all(runs, watch)
    watch.stop()
    print(", ".join(f"{number} {what}" for what, number in patches.items()), "patches")
    plain = patches["training"] * settings["network"]["input_size"] ** 2 * 3 * 4 / GB
    own, _, in_all = most.max(axis=0)
    row = {
        "what": f"most memory of a sweep of the paper's size: polyps, {patches['training']:,} patches of 227 pixels",
        "against": "the training patches alone as float32",
        "before": plain,
        "after": own,
        "unit": "GB",
        "ratio": plain / own,
        "note": f"network, optimiser and 2,000 decoded frames; with pages of files, which the kernel can take back, "
        f"{in_all:.1f} GB; {len(runs)} runs in one process ({', '.join(run.arm for run in runs)}), cut short: "
        f"{TRAINED} mini-batches of one epoch, and {LOOKED_AT} batches of what is only looked at",
    }
    measured.record(__file__, [row])


if __name__ == "__main__":
    main()
