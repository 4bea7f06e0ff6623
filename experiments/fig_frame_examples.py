"""Figure 5: an informative colonoscopy frame and frames that are not.

Claim shown: what makes a frame useless is many things, and the border is not sharp.
Paper: one informative and three non-informative frames.
Ours: from phantom procedures by default, four frames of each class, from as many videos; with --data of real ones,
which are not ours to publish.
Time: under a minute when the phantoms are there.

    python experiments/fig_frame_examples.py
    python experiments/fig_frame_examples.py --data FOLDER
"""

from pathlib import Path

import numpy as np

from data_prep.readers import read_frames
from experiments import captions, command, sources
from repro import plotting

SHOWN = 4  # of each class


def main(arguments=None):
    """Pick frames and draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.procedures(options)
    cohort = read_frames(data.folder)
    figure, axes = plotting.subplots(columns=SHOWN, rows=2, width_in=3.2, height_in=2.6)
    rows = []
    for row, informative in zip(axes, (True, False), strict=True):
        word = "informative" if informative else "not informative"
        for ax, (subject, frame) in zip(row, pick(cohort, informative, SHOWN), strict=False):
            ax.imshow(frame.read_pixels())
            plotting.finish(ax, f"{word}: {Path(frame.name).stem}")
            rows.append({"subject": subject.name, "frame": frame.name, "informative": informative})
    for ax in axes.flat:
        ax.set_axis_off()
    notes = "\n".join(cohort.caveats)
    plotting.finish(axes[0, 0], axes[0, 0].get_title(), notes)
    figure.suptitle(f"Figure 5: informative or not. {captions.data_title(options, data)}")
    command.save(figure, options, data, "fig_frame_examples", rows, notes)


def pick(cohort, informative, number):
    """Pick frames of one class from as many subjects as there are: a list of (Subject, Frame)."""
    frames = {one.name: [image for image in one.images if image.informative == informative] for one in cohort.subjects}
    of_class = [(subject, frames[subject.name]) for subject in cohort.subjects if frames[subject.name]]
    chosen = np.linspace(0, len(of_class) - 1, min(number, len(of_class))).round().astype(int)
    # Each from another place within its video: what comes early and late differs.
    places = np.linspace(0, 1, len(chosen))
    picked = [(of_class[k], place) for k, place in zip(chosen, places, strict=True)]
    return [(subject, frames[round(place * (len(frames) - 1))]) for (subject, frames), place in picked]


if __name__ == "__main__":
    command.run_script(main)
