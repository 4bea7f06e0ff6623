"""Figure 1: polyps vary in shape and look.

Claim shown: colour, shape, size and light differ so much that no single handcrafted feature can tell a polyp.
Paper: a gallery of polyps from its own colonoscopies.
Ours: a gallery of phantom polyps by default, each from another video as far as there are enough; with --data of
real ones, which are not ours to publish.
Time: under a minute.

    python experiments/fig_polyp_examples.py
    python experiments/fig_polyp_examples.py --data FOLDER
"""

import numpy as np

from data_prep.cohort import lesions
from data_prep.patches import views
from data_prep.readers import read_colonoscopy
from experiments import captions, command, sources
from repro import plotting

SHOWN = 12
CONTEXT = 1.6  # a view is so much larger than the polyp's box


def main(arguments=None):
    """Pick polyps and draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.colonoscopy(options)
    cohort = read_colonoscopy(data.folder)
    polyps = pick(cohort, SHOWN)
    figure, axes = plotting.subplots(columns=4, rows=3, width_in=3, height_in=3.2)
    notes = "\n".join([*cohort.caveats, "px: root of the polyp's area"])
    for ax, (subject, image, lesion) in zip(axes.flat, polyps, strict=False):
        ax.imshow(views(image.read_pixels(), lesion.box, (CONTEXT,), 0, 1, 300)[0])
        plotting.finish(ax, f"{subject.name}, {image.name}: {np.sqrt(lesion.area_px):.0f} px")
    for ax in axes.flat:
        ax.set_axis_off()
    plotting.finish(axes[0, 0], axes[0, 0].get_title(), notes)
    figure.suptitle(f"Figure 1: polyps vary in shape and look. {captions.data_title(options, data)}")
    rows = [
        {"subject": subject.name, "image": image.name, "lesion": lesion.number, "area_px": lesion.area_px}
        for subject, image, lesion in polyps
    ]
    command.save(figure, options, data, "fig_polyp_examples", rows, notes)


def pick(cohort, number):
    """Pick polyps, small to large, from as many subjects as there are, each at another quantile of its sizes."""
    by_subject = [polyps for subject in cohort.subjects if (polyps := _by_size(subject))]
    picked = []
    for k in range(number):
        polyps = by_subject[k * len(by_subject) // number if len(by_subject) > number else k % len(by_subject)]
        candidate = polyps[int(k / number * len(polyps))]
        picked += [candidate] if candidate not in picked else []
    return sorted(picked, key=lambda polyp: polyp[2].area_px)


def _by_size(subject):
    """List a subject's polyps, small to large; those that are seen whole, where there are any."""
    polyps, whole = [], []
    for image in subject.images:
        truth = image.read_truth()
        for lesion in lesions(truth):
            polyps.append((subject, image, lesion))
            (top, left, height, width), (bottom, right) = lesion.box, truth.shape
            margins = top, left, bottom - top - height, right - left - width
            whole += [polyps[-1]] if min(margins) >= (CONTEXT - 1) / 2 * max(height, width) else []
    return sorted(whole or polyps, key=lambda polyp: polyp[2].area_px)


if __name__ == "__main__":
    command.run_script(main)
