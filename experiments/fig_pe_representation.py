"""Figure 3: emboli in three orthogonal planes, and in the two planes of their vessel.

Claim shown: in axial, sagittal and coronal planes an embolus looks different in every vessel; along and across its
vessel it looks much the same, a dark region inside a bright one, so that a network has less to learn.
Paper: five emboli in both representations; the networks get the second, with the plane across the vessel twice.
Ours: five emboli of as many patients, small to large, with their true outlines.
Time: half a minute on 2 cores with the quick profile, when the phantoms are there.

    python experiments/fig_pe_representation.py
    python experiments/fig_pe_representation.py --data FOLDER
"""

import numpy as np

from data_prep.readers import read_ctpa
from data_prep.vessel_patches import find_axes, orthogonal_views, views
from experiments import captions, command, sources
from repro import plotting

SHOWN = 5
WIDTH_MM = 20.0  # of a plane: the paper's largest
SIZE_PX = 200
PLANES = ("axial", "sagittal", "coronal", "along the vessel", "across the vessel")


def main(arguments=None):
    """Pick emboli and draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.ctpa(options)
    cohort = read_ctpa(data.folder)
    window_hu = options.profile.embolism.window_hu
    emboli = pick(cohort, SHOWN)
    figure, axes = plotting.subplots(columns=len(emboli), rows=len(PLANES), width_in=1.9, height_in=1.9)
    rows = []
    for column, (subject, volume, number, volume_mm3) in enumerate(emboli):
        pixels, outlines, elongation = planes(volume, number, window_hu)
        for ax, name, plane, outline in zip(axes[:, column], PLANES, pixels, outlines, strict=True):
            draw(ax, plane, outline)
            ax.set_ylabel(name if column == 0 else "")
        plotting.finish(axes[0, column], f"{subject.name}: {volume_mm3:.0f} mm³")
        entry = {"subject": subject.name, "volume": volume.name, "embolus": number, "volume_mm3": volume_mm3}
        rows.append(entry | {"elongation": elongation})
    window = f"{window_hu[0]:g} to {window_hu[1]:g} HU"
    notes = "\n".join(
        [*cohort.caveats, f"Each plane is {WIDTH_MM:g} mm wide, black to white is {window}; orange: truth."]
    )
    plotting.finish(axes[0, 0], axes[0, 0].get_title(), notes)
    figure.suptitle(
        f"Figure 3: emboli in three planes of the body and two of the vessel. {captions.data_title(options, data)}"
    )
    command.save(figure, options, data, "fig_pe_representation", rows, notes)


def pick(cohort, number):
    """Pick emboli, small to large, of as many patients as there are, each at another quantile of its patient's sizes.

    Returns
    -------
    list of (Subject, Volume, int, float)
        The embolus's label and its volume in cubic millimetres.
    """
    by_subject = [(subject, emboli) for subject in cohort.subjects if (emboli := _by_size(subject))]
    places = np.linspace(0, len(by_subject) - 1, min(number, len(by_subject))).astype(int)
    picked = []
    for k, place in enumerate(places):
        subject, emboli = by_subject[place]
        picked.append((subject, *emboli[int((k + 0.5) / len(places) * len(emboli))]))
    return sorted(picked, key=lambda embolus: embolus[-1])


def planes(volume, number, window_hu):
    """Cut the five planes through an embolus, and those through its truth.

    Returns
    -------
    pixels, outlines : list of ndarray of shape (SIZE_PX, SIZE_PX), uint8
    elongation : float
        Of the vessel, as `data_prep.vessel_patches.find_axes` gives it.
    """
    voxels, spacing_mm = volume.read_voxels(), volume.spacing_mm
    here = volume.read_truth() == number
    region = np.argwhere(here)
    centre = region.mean(axis=0)
    point = region[np.argmin((((region - centre) * spacing_mm) ** 2).sum(axis=1))]
    axes = find_axes(voxels, spacing_mm, point[None], (region,))
    cut = []
    for values, window in ((voxels, window_hu), (here.astype(np.int16), (0, 1))):
        upright = orthogonal_views(values, spacing_mm, point, WIDTH_MM, SIZE_PX, window)[0]
        aligned = views(values, spacing_mm, point, (WIDTH_MM,), 0.0, 1, 1, SIZE_PX, axes=axes, window_hu=window)[0]
        cut.append([*np.moveaxis(upright, 2, 0), *np.moveaxis(aligned[..., :2], 2, 0)])
    return *cut, float(axes.elongation[0])


def draw(ax, plane, outline):
    """Draw a plane, and the outline of what is an embolus in it."""
    ax.imshow(plane, cmap="gray", vmin=0, vmax=255)
    if outline.max() > 127 > outline.min():
        ax.contour(outline, [127], colors="tab:orange", linewidths=0.8)
    ax.set(xticks=[], yticks=[])


def _by_size(subject):
    """List a patient's emboli, small to large: volume, label, cubic millimetres."""
    found = []
    for volume in subject.images:
        numbers, voxels = np.unique(volume.read_truth(), return_counts=True)
        sizes = voxels * np.prod(volume.spacing_mm)
        found += [(volume, int(k), float(size)) for k, size in zip(numbers, sizes, strict=True) if k > 0]
    return sorted(found, key=lambda embolus: embolus[-1])


if __name__ == "__main__":
    command.run_script(main)
