"""Figure 2: FROC curves of polyp detection, by depth of fine-tuning (a) and by size of the training set (b).

Claim tested: deep fine-tuning beats shallow, and a network from scratch, at few false positives (C1), and the gap to
scratch widens as training videos are taken away (C2).
Paper: deep > moderate > shallow; conv4 and deeper beat scratch; every network beats the handcrafted rival (p < .05);
with 25 % of the videos the network from scratch collapses.
Ours (quick profile, phantoms, sensitivity at 0.1 false positives a frame, mean of seeds 0, 1, 2): conv1 .55, conv4 .54,
handcrafted .47, fc7 .44, fc8 .41, scratch .30; with 25 % of the videos conv1 .47, scratch .23. On CVC-ColonDB: README.
Time: about 5 minutes on 2 cores with the quick profile, with nothing done before.

    python experiments/fig_polyp_froc.py
    python experiments/fig_polyp_froc.py --data FOLDER
"""

from experiments import command
from repro import plotting
from repro.evaluation.froc import curve
from repro.evaluation.intervals import froc_interval
from repro.finetune import HANDCRAFTED, label

DEPTHS = ("fc8", "fc7", "conv4", "conv1", "scratch", HANDCRAFTED)  # what the paper draws in 2 a
AMOUNTS = ("conv1", "scratch")  # and in 2 b
FRACTIONS = (1.0, 0.5, 0.25)
POINTS = (0.01, 0.1, 1.0)  # false positives per frame at which intervals are drawn
BARS = (
    "95 % intervals, side by side round each point: thin, the paper's (IDCA), with the fitted curve's value; thick, a "
    "bootstrap over videos."
)


def main(arguments=None):
    """Make the runs, then draw them."""
    options = command.parse(__doc__, arguments)
    data = command.colonoscopy(options)
    by_depth = command.list_runs("polyp", options, data, DEPTHS)
    by_amount = command.list_runs("polyp", options, data, AMOUNTS, FRACTIONS)
    command.make(by_depth | by_amount, options)
    found = {key: command.load(run, options) for key, run in (by_depth | by_amount).items()}
    draw(found, by_depth, by_amount, options, data)


def draw(found, by_depth, by_amount, options, data):
    """Draw both panels and write every point."""
    figure, axes = plotting.subplots(columns=2, width_in=7.5, height_in=7)
    at, left_out = command.resolvable(POINTS, next(iter(found.values()))[0])
    others = "Pale, without bars: the seeds after the first." if len(options.seeds) > 1 else ""
    notes, rows = command.caption(found.values(), options, BARS, others, left_out), []
    titles = ("by depth of fine-tuning", "by share of the training videos")
    for ax, keys, panel, title in zip(axes, (by_depth, by_amount), "ab", titles, strict=True):
        firsts = [key for key in keys if key[2] == options.seeds[0]]
        for key in keys:
            place = (firsts.index(key), len(firsts)) if key in firsts else None
            rows += [{"panel": panel} | row for row in draw_run(ax, key, found[key][0], at, place)]
        plotting.finish(ax, f"({panel}) {title}", notes if panel == "a" else "")
    figure.suptitle(f"Figure 2: polyp detection. {command.title(options, data)}")
    command.save(figure, options, data, "fig_polyp_froc", rows, notes)


def draw_run(ax, key, detections, at, place):
    """Draw a run's curve, and where it has a place among the first seed's, its intervals; return its numbers."""
    arm, fraction, seed = key
    fp_per_frame, sensitivity, _ = curve(detections)
    name = label(arm) if fraction == 1 else f"{label(arm)}, {fraction:.0%}"
    plotting.draw_froc(ax, fp_per_frame, sensitivity, name if place else None, arm, fraction=fraction)
    entry = {"arm": arm, "fraction": fraction, "seed": seed}
    rows = [
        entry | {"kind": "curve", "fp_per_frame": x, "sensitivity": y}
        for x, y in zip(fp_per_frame, sensitivity, strict=True)
    ]
    for kind in ("idca", "bootstrap"):
        found = froc_interval(detections, at, kind)
        if place:
            plotting.draw_interval(ax, found, at, arm, kind, place)
        rows += [
            entry | {"kind": kind, "fp_per_frame": x, "sensitivity": y, "low": low, "high": high, "note": found.note}
            for x, y, low, high in zip(at, found.value, found.low, found.high, strict=True)
        ]
    return rows


if __name__ == "__main__":
    command.run_script(main)
