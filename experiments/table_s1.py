"""Table S1: which pairs of FROC curves of polyp detection differ, at fixed false positives per frame.

Claim tested: as Figure 2 a, arm by arm (C1, C3).
Paper: at .001 and .01 false positives per frame, by 95 % intervals that do not overlap: every arm against a shallower
one from fc8 on, scratch against most, the handcrafted rival against every network.
Ours: the paper's rule with the paper's intervals (IDCA), the same rule with a bootstrap over videos, and a paired
bootstrap with Holm's correction, which is the one to believe: frames of one video are not independent. On phantoms
(quick profile) the network from scratch differs from conv4, conv5 and fc6 at .1; no other two networks do.
Time: about 2 minutes on 2 cores with the quick profile, when Figure 2 is done.

    python experiments/table_s1.py
    python experiments/table_s1.py --data FOLDER
"""

from experiments import captions, command, sources, triangles
from repro.finetune import ARMS, HANDCRAFTED

TABLE = (*ARMS, HANDCRAFTED)
POINTS = (0.001, 0.01, 0.1)  # the paper's two, and one that a few hundred frames can resolve

# The paper's table: {row: {column: points}}; "?" in its layout (conv3 at .001 against conv5 or conv4) is left out.
BOTH = (0.001, 0.01)
PAPER_POINTS = "The paper's panel has .001 and .01 only."
PAPER = {
    "fc7": {"fc8": BOTH},
    "fc6": {"fc8": BOTH},
    "conv5": dict.fromkeys(("fc8", "fc7", "fc6"), BOTH),
    "conv4": dict.fromkeys(("fc8", "fc7", "fc6"), BOTH),
    "conv3": dict.fromkeys(("fc8", "fc7", "fc6"), BOTH),
    "conv2": dict.fromkeys(("fc8", "fc7", "fc6", "conv5", "conv4", "conv3"), BOTH),
    "conv1": dict.fromkeys(("fc8", "fc7", "fc6", "conv5", "conv4", "conv3"), BOTH),
    "scratch": dict.fromkeys(("fc8", "fc6", "conv5", "conv4", "conv1"), BOTH)
    | {"fc7": (0.01,), "conv3": (0.001,), "conv2": (0.001,)},
    HANDCRAFTED: dict.fromkeys(ARMS, BOTH),
}


def main(arguments=None):
    """Make the runs, then draw a table for each seed."""
    options = command.parse(__doc__, arguments)
    data = sources.colonoscopy(options)
    found = command.make(command.list_runs("polyp", options, data, TABLE), options)
    for seed in options.seeds:
        chosen = {arm: found[arm, 1.0, seed] for arm in TABLE}
        arms = {arm: detections for arm, (detections, _) in chosen.items()}
        points, left_out = captions.resolvable(POINTS, arms[HANDCRAFTED])
        if not points:
            raise ValueError(f"Table S1 needs {1 / max(POINTS):.0f} test frames or more. {left_out}")
        reach = captions.candidates(chosen.values())
        notes = captions.caption(chosen.values(), options, reach, PAPER_POINTS, left_out)
        figure, rows, notes = triangles.draw_table(arms, points, PAPER, "videos", notes)
        figure.suptitle(
            f"Table S1: false positives per frame at which two arms differ. {captions.title(options, data)}"
        )
        command.save(figure, options, data, command.seeded("table_s1", seed, options), rows, notes)


if __name__ == "__main__":
    command.run_script(main)
