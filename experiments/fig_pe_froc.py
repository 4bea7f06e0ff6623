"""Figure 4: FROC curves of embolism detection, by depth of fine-tuning (a) and by size of the training set (b, c).

Claim tested: deep fine-tuning is no worse than a network from scratch and than the handcrafted rival (C1), and clearly
better than a network from scratch when training data are taken away (C2).
Paper: curves saturate from the late layers on; conv1 about equal to scratch and to the handcrafted rival; with 50 % of
the emboli a clear gap between conv1 and scratch, with 25 % a smaller one. It leaves out emboli of all patients (c);
fewer patients (b) is what a smaller study has, and what we prefer.
Ours (quick profile, phantoms, sensitivity at 2 false positives a volume, mean of seeds 0, 1, 2): handcrafted .83, conv1
.67, fc6 .62, fc8 .60, fc7 .57, scratch .54; with 50 and 25 % of the patients conv1 .66, .63, scratch .46, .51; of the
emboli conv1 .69, .63, scratch .47, .51.
Time: 3 and a half minutes on 2 cores with the quick profile, and 40 s for the phantoms.

    python experiments/fig_pe_froc.py
    python experiments/fig_pe_froc.py --data FOLDER
"""

from experiments import captions, command, curves, sources
from repro.finetune import HANDCRAFTED

DEPTHS = ("fc8", "fc7", "fc6", "conv1", "scratch", HANDCRAFTED)  # what the paper draws in 4 a
AMOUNTS = ("conv1", "scratch")  # and in 4 b
FRACTIONS = (0.5, 0.25)
POINTS = (1.0, 2.0, 3.0, 4.0, 5.0)  # false positives per volume at which intervals are drawn


def main(arguments=None):
    """Make the runs, then draw them."""
    options = command.parse(__doc__, arguments)
    data = sources.ctpa(options)
    whole = command.list_runs("embolism", options, data, AMOUNTS)
    panels = {
        "by depth of fine-tuning": command.list_runs("embolism", options, data, DEPTHS),
        "by share of the training patients": whole | command.list_runs("embolism", options, data, AMOUNTS, FRACTIONS),
        "by share of the training emboli, as in the paper": whole
        | command.list_runs("embolism", options, data, AMOUNTS, FRACTIONS, {"embolism": {"reduce": "emboli"}}),
    }
    panels = {title: command.make(wanted, options) for title, wanted in panels.items()}
    found = [run for panel in panels.values() for run in panel.values()]
    amounts = [f"{title.capitalize()}: {trained(panel, options)}." for title, panel in list(panels.items())[1:]]
    reach = captions.candidates(found, "volumes", "emboli")
    said = reach, *amounts, curves.bars("patients"), curves.other_seeds(options)
    notes = captions.caption(found, options, *said)
    figure, rows = curves.draw_panels(curves.FROC_3D, panels, POINTS, options, notes)
    figure.suptitle(f"Figure 4: embolism detection. {captions.title(options, data)}")
    command.save(figure, options, data, "fig_pe_froc", rows, notes)


def trained(panel, options):
    """Say what each share of the training set is, validation included: 100%: 26 patients, 80 emboli that are hit."""
    first = {key: record["trained"] for key, (_, record) in panel.items() if key[2] == options.seeds[0]}
    shares = {fraction: trained for (_, fraction, _), trained in first.items()}
    words = [f"{share:.0%}: {of['patients']} patients, {of['emboli']} emboli" for share, of in shares.items()]
    return f"{'; '.join(words)} that candidates hit"


if __name__ == "__main__":
    command.run_script(main)
