"""Figure 9: errors of the lumen-intima (LI) and media-adventitia (MA) interfaces, by depth of fine-tuning.

Claim tested: fine-tuning reaches its best at a middle depth, and there beats a network from scratch (C1, C3).
Paper (micrometres, mean LI / MA): fc8 101 / 103, fc7 35 / 44, fc6 28 / 35, conv5 to conv1 24 to 25 / 31 to 32, scratch
28 / 33, handcrafted 98 / 107.
Ours (quick profile, phantoms, mean of seeds 0, 1, 2): fc8 72 / 207, fc7 71 / 101, fc6 71 / 69, conv4 63 / 64, conv1
50 / 55, scratch 52 / 42, handcrafted 69 / 88. On Cyprus IMT: RESULTS.md.
Time: 3.5 minutes on 2 cores with the quick profile.

    python experiments/fig_carotid_boxplots.py
    python experiments/fig_carotid_boxplots.py --data FOLDER
"""

import numpy as np

from experiments import captions, command, sources
from repro import plotting
from repro.box_drawing import draw_boxes
from repro.evaluation.boundaries import imt_errors, roi_errors, roi_imts
from repro.finetune import ARMS, HANDCRAFTED, label

SHOWN = (*ARMS, HANDCRAFTED)
INTERFACES = ("LI", "MA")

# Figure 9, mean and standard deviation in micrometres.
PAPER = {
    "LI": {
        **{"fc8": (100.97, 132.64), "fc7": (34.67, 14.77), "fc6": (27.87, 11.83), "conv5": (25.32, 11.02)},
        **{"conv4": (25.01, 9.94), "conv3": (24.37, 10.79), "conv2": (24.71, 10.25), "conv1": (24.74, 11.42)},
        **{"scratch": (28.11, 13.79), HANDCRAFTED: (98.17, 16.57)},
    },
    "MA": {
        **{"fc8": (103.26, 58.48), "fc7": (43.93, 21.79), "fc6": (34.63, 14.49), "conv5": (31.94, 13.13)},
        **{"conv4": (30.55, 11.97), "conv3": (31.80, 11.98), "conv2": (31.74, 12.37), "conv1": (31.21, 12.56)},
        **{"scratch": (33.45, 16.17), HANDCRAFTED: (106.62, 21.00)},
    },
}


def main(arguments=None):
    """Make the runs, then draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.carotid(options)
    found = command.make(command.list_runs("carotid", options, data, SHOWN), options)
    draw({key: contours for key, (contours, _) in found.items()}, found, options, data)


def draw(contours, found, options, data):
    """Draw a panel for each interface, all seeds' ROIs in one box, and write every ROI's errors."""
    many = "Boxes hold every ROI once for each seed." if len(options.seeds) > 1 else ""
    thickness = f"IMT, found minus true, mean ± SD over ROIs: {', '.join(imt_words(contours, options))} µm."
    notes = captions.caption(found.values(), options, evaluated(options), snakes(contours), thickness, many)
    figure, axes = plotting.subplots(columns=2, width_in=7.5, height_in=6.5)
    for number, (ax, interface) in enumerate(zip(axes, INTERFACES, strict=True)):
        errors = {
            arm: np.concatenate([roi_errors(contours[arm, 1.0, seed])[:, number] for seed in options.seeds])
            for arm in SHOWN
        }
        draw_boxes(ax, errors, [label(arm) for arm in SHOWN], PAPER[interface])
        ax.set_ylabel(f"{interface} error (µm)")
        plotting.finish(ax, f"{interface}; mean ± SD, in grey the paper's", notes if number == 0 else "")
    figure.suptitle(f"Figure 9: intima-media boundaries. {captions.title(options, data)}")
    rows = [row for key, one in contours.items() for row in roi_rows(key, one)]
    command.save(figure, options, data, "fig_carotid_boxplots", rows, notes)


def roi_rows(key, contours):
    """List the errors of every ROI of a run, in micrometres."""
    entry, errors = dict(zip(("arm", "fraction", "seed"), key, strict=True)), roi_errors(contours)
    vertical, normal = roi_imts(contours), roi_imts(contours, kind="polyline")
    return [
        entry
        | {"subject": contours.subjects[contours.subject[k]], "roi": contours.roi[k]}
        | {"li_um": errors[k, 0], "ma_um": errors[k, 1]}
        | {"imt_um": vertical[k, 0], "true_imt_um": vertical[k, 1]}
        | {"imt_normal_um": normal[k, 0], "true_imt_normal_um": normal[k, 1]}
        | {"li_spline": int(contours.fallback[k, 0]), "ma_spline": int(contours.fallback[k, 1])}
        for k in range(len(contours.roi))
    ]


def imt_words(contours, options):
    """Say each arm's error of the thickness."""
    for arm in SHOWN:
        errors = np.concatenate([imt_errors(contours[arm, 1.0, seed]) for seed in options.seeds])
        yield f"{label(arm)} {errors.mean():+.0f} ± {errors.std(ddof=1):.0f}"


def evaluated(options):
    """Say what part of the test ROIs was segmented."""
    settings = options.profile.carotid
    if settings.column_step == 1:
        return ""
    rois = "ROI" if settings.test_rois == 1 else "ROIs"
    return (
        f"Segmented: every {settings.column_step}th column of {settings.test_rois} {rois} of a test subject, at most."
    )


def snakes(contours):
    """Count the snakes that a smoothing spline stood in for."""
    number, of = (sum(count(one.fallback) for one in contours.values()) for count in (np.sum, np.size))
    return f"Snakes that folded or left their ROI, replaced by a smoothing spline: {number} of {of}."


if __name__ == "__main__":
    command.run_script(main)
