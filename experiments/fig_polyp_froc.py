"""Figure 2: FROC curves of polyp detection, by depth of fine-tuning (a) and by size of the training set (b).

Claim tested: deep fine-tuning beats shallow, and a network from scratch, at few false positives (C1), and the gap to
scratch widens as training videos are taken away (C2).
Paper: deep > moderate > shallow; conv4 and deeper beat scratch; every network beats the handcrafted rival (p < .05);
with 25 % of the videos the network from scratch collapses.
Ours (quick profile, phantoms, sensitivity at 0.1 false positives a frame, mean of seeds 0, 1, 2): conv4 .54, conv1 .52,
handcrafted .47, fc7 .44, fc8 .42, scratch .30; with 25 % of the videos conv1 .43, scratch .13. On CVC-ColonDB:
RESULTS.md. Time: 3 to 5 minutes on 2 cores with the quick profile, with nothing done before.

    python experiments/fig_polyp_froc.py
    python experiments/fig_polyp_froc.py --data FOLDER
"""

from experiments import captions, command, curves, sources
from repro.finetune import HANDCRAFTED

DEPTHS = ("fc8", "fc7", "conv4", "conv1", "scratch", HANDCRAFTED)  # what the paper draws in 2 a
AMOUNTS = ("conv1", "scratch")  # and in 2 b
FRACTIONS = (1.0, 0.5, 0.25)
POINTS = (0.01, 0.1, 1.0)  # false positives per frame at which intervals are drawn


def main(arguments=None):
    """Make the runs, then draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.colonoscopy(options)
    panels = {
        "by depth of fine-tuning": command.list_runs("polyp", options, data, DEPTHS),
        "by share of the training videos": command.list_runs("polyp", options, data, AMOUNTS, FRACTIONS),
    }
    panels = {title: command.make(wanted, options) for title, wanted in panels.items()}
    found = [run for panel in panels.values() for run in panel.values()]
    at, left_out = captions.resolvable(POINTS, found[0][0])
    said = captions.candidates(found), curves.bars("videos"), curves.other_seeds(options), left_out
    notes = captions.caption(found, options, *said)
    figure, rows = curves.draw_panels(curves.FROC, panels, at, options, notes)
    figure.suptitle(f"Figure 2: polyp detection. {captions.title(options, data)}")
    command.save(figure, options, data, "fig_polyp_froc", rows, notes)


if __name__ == "__main__":
    command.run_script(main)
