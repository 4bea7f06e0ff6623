"""Figure 7: where patches are taken in carotid ultrasound.

Shown: an image with a region of interest (ROI) and its two interfaces; patches centred on the lumen-intima interface
(LI), on the media-adventitia interface (MA), and far from both, as the networks see them.
Paper: a drawing over one frame of its own.
Ours: a phantom by default; with --data a real image, which is not ours to publish.
Time: under a minute.

    python experiments/fig_carotid_patches.py
    python experiments/fig_carotid_patches.py --data FOLDER
"""

import numpy as np
from matplotlib.patches import Rectangle

from data_prep.roi_patches import BACKGROUND, LI, MA
from experiments import captions, command, sources
from repro import plotting
from repro.applications import carotid

SHOWN = 5  # patches of each class
CLASSES = {LI: ("LI", "tab:orange"), MA: ("MA", "tab:cyan"), BACKGROUND: ("background", "white")}


def main(arguments=None):
    """Draw the first training image and patches from its ROI."""
    options = command.parse(__doc__, arguments)
    data = sources.carotid(options)
    run = command.list_runs("carotid", options, data, ["conv1"])["conv1", 1.0, options.seeds[0]]
    task = carotid.prepare(data, run.settings["carotid"], options.results)
    region = task.of(task.train)[0]
    patches = carotid.labelled_patches([region], 10**6, run)
    figure, ax = plotting.subplots(width_in=11, height_in=6)
    grid = figure.add_gridspec(len(CLASSES), SHOWN + 6)
    ax[0].remove()
    draw_image(figure.add_subplot(grid[:, :6]), region)
    rows = []
    for line, (kind, (name, colour)) in enumerate(CLASSES.items()):
        of = np.flatnonzero(patches.labels == kind)
        of = of[np.argsort(patches.column[of], kind="stable")]
        chosen = of[np.linspace(0, len(of) - 1, SHOWN).round().astype(int)]
        for k, pixels in enumerate(patches.cut(chosen)):
            ax = figure.add_subplot(grid[line, 6 + k])
            ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
            ax.set_axis_off()
            ax.set_title(name if k == 0 else "", fontsize=10, loc="left")
        row, column = region.roi[0] + patches.row[chosen], region.roi[1] + patches.column[chosen]
        figure.axes[0].plot(column, row, ".", color=colour, markeredgecolor="black", markeredgewidth=0.4, ms=7)
        rows += [{"class": name, "row": int(r), "column": int(c)} for r, c in zip(row, column, strict=True)]
    size, zoom = run.settings["network"]["input_size"], run.settings["carotid"]["zoom"]
    gamma = run.settings["carotid"]["gamma"]
    notes = [f"A patch is {size / zoom:.1f} pixels of the image wide, shown at {size}, centred on a dot."]
    notes += [f"Patches' greys are raised to the power {gamma:g}."] if gamma != 1 else []
    notes = "\n".join([*notes, *task.caveats])
    plotting.finish(figure.axes[0], f"{region.subject}, {region.scan.name}", notes)
    figure.suptitle(f"Figure 7: where patches are taken. {captions.data_title(options, data)}")
    command.save(figure, options, data, "fig_carotid_patches", rows, notes)


def draw_image(ax, region):
    """Draw an image with its ROI and the interfaces inside it."""
    top, left, height, width = region.roi
    ax.imshow(region.scan.read_pixels(), cmap="gray", vmin=0, vmax=255)
    ax.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, color="yellow", linewidth=1))
    for line, kind in zip(region.scan.read_interfaces(), (LI, MA), strict=True):
        ax.plot(region.columns, line[region.columns], color=CLASSES[kind][1], linewidth=0.8)
    ax.set_axis_off()


if __name__ == "__main__":
    command.run_script(main)
