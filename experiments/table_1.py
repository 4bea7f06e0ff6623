"""Table I: the architecture, read off the networks that the code builds.

Paper: AlexNet for images of 227x227 pixels, 4096 units in fc6 and fc7; C classes in fc8.
Ours: (a) the same, read layer by layer off the Caffe variant, and (b) the network that the figures of this profile and
these weights are made with. LRN, groups and dropout are left out, as in the paper.
Time: 10 seconds.

    python experiments/table_1.py
    python experiments/table_1.py --profile paper --weights bvlc
"""

from experiments import command
from repro import plotting, table_drawing

CLASSES = 2  # of all applications but the carotid, which has 3


def main(arguments=None):
    """Build both networks and draw what they are."""
    options = command.parse(__doc__, arguments)
    from repro.alexnet import build_alexnet
    from repro.tables import architecture
    from repro.weights import SOURCES

    network, variant = options.profile.network, SOURCES[options.weights].variant
    ours = build_alexnet(CLASSES, variant, network.input_size, network.fc_units, network.dropout)
    panels = {
        "the paper's network (Caffe variant)": architecture(build_alexnet(CLASSES)),
        f"profile {options.profile.name}, {options.weights} weights ({variant} variant)": architecture(ours),
    }
    notes = "\n".join(["Two classes; the carotid application has three.", *other_sizes(options.profile)])
    figure, axes = plotting.subplots(columns=2, width_in=6.2, height_in=4)
    for ax, letter, (title, rows) in zip(axes, "ab", panels.items(), strict=True):
        table_drawing.draw_rows(ax, rows)
        plotting.finish(ax, f"({letter}) {title}", notes if letter == "a" else "")
    figure.suptitle("Table I: the networks, read off their layers")
    rows = [{"panel": letter} | row for letter, of in zip("ab", panels.values(), strict=True) for row in of]
    command.save(figure, options, None, "table_1", rows, notes)


def other_sizes(profile):
    """List the applications whose images have another size in this profile: a line for each."""
    sizes = {name: getattr(profile, name).input_size for name in ("carotid", "embolism")}
    return [f"The {name} application's images have {size}x{size} pixels." for name, size in sizes.items() if size]


if __name__ == "__main__":
    command.run_script(main)
