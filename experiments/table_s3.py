"""Table S3: which pairs of ROC curves of frame classification differ, at fixed false positive rates.

Claim tested: as Figure 6 a, arm by arm (C1, C3).
Paper: at .1 to .2, by 95 % intervals that do not overlap: fc8 is worse than every deeper arm, and the handcrafted rival
worse than every network.
Ours (quick profile, phantoms): scratch is worse than every depth at all three rates, and than the rival at two (paired
bootstrap over videos, after Holm); no other two arms differ.
Time: a minute on 2 cores with the quick profile, when Figure 6 is done.

    python experiments/table_s3.py
    python experiments/table_s3.py --data FOLDER
"""

from experiments import captions, command, sources, triangles
from repro.finetune import ARMS, HANDCRAFTED

TABLE = (*ARMS, HANDCRAFTED)
POINTS = (0.1, 0.15, 0.2)
UNREADABLE = "?: the columns of the paper's row for scratch cannot be read."

# The paper's table: {row: {column: points}}. In its row "scratch" four cells have points; in which columns they stand
# cannot be read.
PAPER = {
    "fc7": {"fc8": (0.1,)},
    "fc6": {"fc8": (0.1,)},
    **{depth: {"fc8": (0.1, 0.15)} for depth in ("conv5", "conv4", "conv3", "conv2", "conv1")},
    "scratch": dict.fromkeys(ARMS[:-1]),
    HANDCRAFTED: {"fc8": (0.2,), "scratch": (0.15, 0.2)}
    | dict.fromkeys(("fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1"), POINTS),
}


def main(arguments=None):
    """Make the runs, then draw a table for each seed."""
    options = command.parse(__doc__, arguments)
    data = sources.procedures(options)
    found = command.make(command.list_runs("frame_quality", options, data, TABLE), options)
    for seed in options.seeds:
        chosen = {arm: found[arm, 1.0, seed] for arm in TABLE}
        arms = {arm: detections for arm, (detections, _) in chosen.items()}
        notes = captions.caption(chosen.values(), options, UNREADABLE)
        figure, rows, notes = triangles.draw_table(arms, POINTS, PAPER, "videos", notes, roc=True)
        figure.suptitle(f"Table S3: false positive rates at which two arms differ. {captions.title(options, data)}")
        command.save(figure, options, data, command.seeded("table_s3", seed, options), rows, notes)


if __name__ == "__main__":
    command.run_script(main)
