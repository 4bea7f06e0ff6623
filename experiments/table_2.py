"""Table II: the learning rate of every layer in every arm, measured on what the optimiser does.

Paper: .001 where a layer is tuned, .01 for the new fc8, 0 where it is frozen; .001 everywhere from scratch; momentum .9
and decay .95 in every row.
Ours: how far each layer's weights move in the first step, for a gradient of one. Biases move twice as far, as in Caffe.
Time: 15 seconds.

    python experiments/table_2.py
"""

from experiments import command
from repro import plotting, table_drawing
from repro.finetune import ARMS, label


def main(arguments=None):
    """Take one step in every arm and draw how far it went."""
    options = command.parse(__doc__, arguments)
    from repro.tables import measured_rates

    plan = options.profile.training
    rows = [
        {"arm": label(arm)}
        | {layer: f"{rate:g}" for layer, rate in measured_rates(arm).items()}
        | {"momentum": plan.momentum, "decay": plan.decay}
        for arm in ARMS
    ]
    notes = "Measured: how far weights move in the first step for a gradient of one; biases move twice as far."
    figure, (ax,) = plotting.subplots(width_in=8, height_in=3.4)
    table_drawing.draw_rows(ax, rows)
    plotting.finish(ax, "", notes)
    figure.suptitle("Table II: learning rates")
    command.save(figure, options, None, "table_2", rows, notes)


if __name__ == "__main__":
    command.run_script(main)
