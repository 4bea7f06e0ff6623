"""Table S2: which pairs of FROC curves of embolism detection differ, at fixed false positives per volume.

Claim tested: as Figure 4 a, arm by arm (C1, C3).
Paper: at 1 to 5 false positives per volume, by 95 % intervals that do not overlap: fc8 is worse than every other arm,
fc7 than most; no other two differ, but conv3 and conv1 from fc6 at one point each.
Ours (quick profile, phantoms): the handcrafted rival is better than fc8, fc7 and scratch at 3 and 4, and than some of
them at 2 or 5 (paired bootstrap over patients, after Holm); no two networks differ.
Time: a minute on 2 cores with the quick profile, when Figure 4 is done.

    python experiments/table_s2.py
    python experiments/table_s2.py --data FOLDER
"""

from experiments import captions, command, sources, triangles
from repro.finetune import ARMS, HANDCRAFTED

TABLE = (*ARMS, HANDCRAFTED)
POINTS = (1, 2, 3, 4, 5)
ALL = POINTS
INFERRED = "The paper's cell conv3 against fc6 is inferred: blank cells are lost in its text."

# The paper's table: {row: {column: points}}.
PAPER = {
    "fc7": {"fc8": (2, 3, 4, 5)},
    "fc6": {"fc8": ALL},
    "conv5": {"fc8": ALL, "fc7": (1, 2)},
    "conv4": {"fc8": ALL, "fc7": (1, 2, 3)},
    "conv3": {"fc8": ALL, "fc7": (1, 2, 3, 5), "fc6": (1,)},
    "conv2": {"fc8": ALL, "fc7": ALL},
    "conv1": {"fc8": ALL, "fc7": ALL, "fc6": (3,)},
    "scratch": {"fc8": ALL, "fc7": (1, 2, 3)},
    HANDCRAFTED: {"fc8": ALL, "fc7": (1, 2, 3, 5)},
}


def main(arguments=None):
    """Make the runs, then draw a table for each seed."""
    options = command.parse(__doc__, arguments)
    data = sources.ctpa(options)
    found = command.make(command.list_runs("embolism", options, data, TABLE), options)
    for seed in options.seeds:
        chosen = {arm: found[arm, 1.0, seed] for arm in TABLE}
        arms = {arm: detections for arm, (detections, _) in chosen.items()}
        reach = captions.candidates(chosen.values(), "volumes", "emboli")
        notes = captions.caption(chosen.values(), options, reach, INFERRED)
        figure, rows, notes = triangles.draw_table(arms, POINTS, PAPER, "patients", notes)
        figure.suptitle(
            f"Table S2: false positives per volume at which two arms differ. {captions.title(options, data)}"
        )
        command.save(figure, options, data, command.seeded("table_s2", seed, options), rows, notes)


if __name__ == "__main__":
    command.run_script(main)
