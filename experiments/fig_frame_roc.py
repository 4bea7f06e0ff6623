"""Figure 6: ROC curves of frame classification, by depth of fine-tuning (a) and by share of the training frames (b).

Claim tested: moderate fine-tuning beats shallow and deep, and a network from scratch (C1, C3); with 10 % of the frames
nothing is lost, and below that scratch loses far more (C2).
Paper: conv4 and conv5 best at 10 and 15 % false positives; scratch beats only fc8; every network beats the handcrafted
rival.
Ours (quick profile, phantoms, area under the curve, mean of seeds 0, 1, 2): conv5 .91, conv1 .91, fc8 .88, handcrafted
.86, scratch .68; with 10, 5, 1 % of the frames conv1 .82, .79, .77, scratch .62, .61, .59. On endo-angel: RESULTS.md.
Time: 2 minutes on 2 cores with the quick profile, and 50 s for the phantoms.

    python experiments/fig_frame_roc.py
    python experiments/fig_frame_roc.py --data FOLDER
"""

from experiments import captions, command, curves, sources
from repro.evaluation.delong import auc_bootstrap, auc_interval
from repro.finetune import RIVALS

DEPTHS = ("fc8", "conv5", "conv1", "scratch", *RIVALS)  # what the paper draws in 6 a, and two sanity baselines
AMOUNTS = ("conv1", "scratch")  # and in 6 b
FRACTIONS = (1.0, 0.1, 0.05, 0.01)
POINTS = (0.1, 0.2)  # false positive rates at which intervals are drawn; Table S3 has the paper's third, .15


def main(arguments=None):
    """Make the runs, then draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.procedures(options)
    panels = {
        "by depth of fine-tuning": command.list_runs("frame_quality", options, data, DEPTHS),
        "by share of the training frames": command.list_runs("frame_quality", options, data, AMOUNTS, FRACTIONS),
    }
    panels = {title: command.make(wanted, options) for title, wanted in panels.items()}
    found = {key: run for panel in panels.values() for key, run in panel.items()}
    areas = [row for key, (detections, _) in found.items() for row in area_rows(key, detections)]
    said = (legend(areas, options), shares(found), curves.bars("videos"), curves.other_seeds(options))
    notes = captions.caption(found.values(), options, *said)
    figure, rows = curves.draw_panels(curves.ROC, panels, POINTS, options, notes)
    figure.suptitle(f"Figure 6: informative frames. {captions.title(options, data)}")
    command.save(figure, options, data, "fig_frame_roc", rows + areas, notes)


def area_rows(key, detections):
    """Estimate a run's area under the curve, with both intervals."""
    entry = dict(zip(("arm", "fraction", "seed"), key, strict=True))
    labels, subjects = detections.lesion >= 0, detections.subject
    found = {
        "auc_delong": auc_interval(labels, detections.score),
        "auc_bootstrap": auc_bootstrap(labels, detections.score, subjects),
    }
    return [
        entry | {"kind": kind, "auc": float(of.value), "low": float(of.low), "high": float(of.high), "note": of.note}
        for kind, of in found.items()
    ]


def legend(areas, options):
    """Write the areas of the whole training set's arms into a line, the first seed's."""
    shown = [
        row
        for row in areas
        if row["kind"] == "auc_bootstrap" and row["fraction"] == 1 and row["seed"] == options.seeds[0]
    ]
    words = [f"{row['arm']} {row['auc']:.3f} ({row['low']:.2f}-{row['high']:.2f})" for row in shown]
    return f"Area under the curve (95 % interval, bootstrap over subjects): {', '.join(words)}."


def shares(found):
    """Say how many frames each share of the training set is, validation included."""
    frames = {fraction: record["counts"]["train"] for (_, fraction, _), (_, record) in found.items()}
    words = [
        f"{fraction:.0%}: {of['informative frames'] + of['uninformative frames']}" for fraction, of in frames.items()
    ]
    return f"Frames to train and validate with: {', '.join(words)}; two of each class are the least."


if __name__ == "__main__":
    command.run_script(main)
