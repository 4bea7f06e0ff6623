"""Figure 8: from a region of interest (ROI) to its two interfaces, in five stages.

Shown: a test ROI; the confidences that a network gives its pixels; the most confident row of each column; the lines
that open snakes make of these; the truth.
Paper: one test ROI of its own.
Ours: the first test ROI, by the network fine-tuned from conv1 on.
Time: seconds, once Figure 9 is done.

    python experiments/fig_carotid_stages.py
    python experiments/fig_carotid_stages.py --data FOLDER
"""

import numpy as np
from matplotlib.colors import to_rgb

from experiments import captions, command, sources
from repro import plotting
from repro.applications import carotid
from repro.evaluation.boundaries import boundary_error
from repro.snakes import thin, trace

COLOURS = {"LI": "tab:orange", "MA": "tab:cyan"}
STAGES = ("(a) region of interest", "(b) confidence", "(c) its maximum in each column", "(d) open snakes", "(e) truth")


def main(arguments=None):
    """Make the run, then draw its example."""
    options = command.parse(__doc__, arguments)
    data = sources.carotid(options)
    wanted = command.list_runs("carotid", options, data, [carotid.EXAMPLE_ARM])
    found = command.make(wanted, options)
    contours, _ = found[carotid.EXAMPLE_ARM, 1.0, options.seeds[0]]
    settings = wanted[carotid.EXAMPLE_ARM, 1.0, options.seeds[0]].settings["carotid"]
    task = carotid.prepare(data, settings, options.results)
    region = task.of(task.test, settings["test_rois"])[0]
    columns = region.columns - region.roi[1]
    lines = trace(contours.example, 0, columns)[0]
    truth = region.scan.read_interfaces()[:, region.columns].T - region.roi[0]
    peaks = np.stack([thin(contours.example[..., k]) for k in range(2)], axis=1)
    um = carotid.UM_PER_MM * region.scan.mm_per_pixel
    errors = [boundary_error(lines[:, k], truth[:, k], um) for k in range(2)]
    said = f"This ROI's errors: LI {errors[0]:.0f} µm, MA {errors[1]:.0f} µm."
    notes = captions.caption(found.values(), options, said)
    figure, axes = plotting.subplots(columns=5, width_in=3.4, height_in=2.9)
    draw(axes, region.pixels(), contours.example, (peaks, lines, truth))
    plotting.finish(axes[0], STAGES[0], notes)
    figure.suptitle(f"Figure 8: {region.subject}, {region.name}. {captions.title(options, data)}")
    stages = {"maximum": peaks, "snake": lines, "truth": truth}
    rows = [{"column": int(column)} | _row(stages, k) for k, column in enumerate(region.columns)]
    command.save(figure, options, data, "fig_carotid_stages", rows, notes)


def _row(stages, k):
    """List the rows of both interfaces in the k-th column, by stage."""
    return {f"{stage}_{name}": float(line[k, i]) for stage, line in stages.items() for i, name in enumerate(COLOURS)}


def draw(axes, pixels, confidence, stages):
    """Draw the five panels: LI orange, MA cyan."""
    for ax, title in zip(axes, STAGES, strict=True):
        ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        ax.set_axis_off()
        plotting.finish(ax, title)
    axes[1].imshow(mix(confidence))
    for ax, lines, look in zip(axes[2:], stages, (".", "-", "-"), strict=True):
        for line, colour in zip(lines.T, COLOURS.values(), strict=True):
            ax.plot(line, look, color=colour, markersize=3, linewidth=1.2)


def mix(confidence):
    """Colour confidences (rows, columns, 2) as their interfaces are: RGB, black where both are 0."""
    orange, cyan = (np.array(to_rgb(colour)) for colour in COLOURS.values())
    return np.clip(confidence[..., :1] * orange + confidence[..., 1:] * cyan, 0, 1)


if __name__ == "__main__":
    command.run_script(main)
