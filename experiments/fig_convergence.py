"""Figure 10: how soon networks converge, fine-tuned from conv1 on or from scratch after three kinds of start.

Claim tested: fine-tuning needs far fewer mini-batches than training from scratch.
Paper: so in all four applications, whether a network from scratch starts by Gaussian, Xavier or MSRA initialisation.
Ours (quick profile, phantoms, seed 0): so for two. Within .02 of the best AUC that any network from scratch has at any
time, fine-tuning is after 46 of 300 mini-batches (embolism) and 5 of 90 (frames), and rises on. On polyps it is there
after 10 of 270, but so is one from scratch, since none gets far from its first AUC (.72 at best); fine-tuning goes on
to .90. Not so for the carotid, where all starts end at .99, and where those from scratch are the sooner: .90 to .95
after 10 mini-batches, the fine-tuned .59.
Time: 2 and a half minutes on 2 cores, for the eight networks that no other figure has.

    python experiments/fig_convergence.py
"""

from experiments import captions, command, sources
from repro import plotting
from repro.finetune import label
from repro.runs import Data, kept_epoch

PANELS = {
    "polyp": ("Polyps", sources.colonoscopy),
    "embolism": ("Pulmonary embolism", sources.ctpa),
    "frame_quality": ("Informative frames", sources.procedures),
    "carotid": ("Intima-media boundaries, LI and MA merged", sources.carotid),
}
INITS = {"gaussian": "Gaussian", "xavier": "Xavier", "msra": "MSRA"}
WAYS = (("conv1", ""), *(("scratch", init) for init in INITS))
NEAR = 0.02  # below the best AUC of all networks from scratch: from there on a network counts as converged


def main(arguments=None):
    """Make the runs, application by application, then draw them."""
    options = command.parse(__doc__, arguments, own_data=False)
    records = {}
    for application, (_, source) in PANELS.items():
        found = command.make(list_runs(application, options, source(options)), options)
        records[application] = {key: record for key, (_, record) in found.items()}
    draw(records, options)


def list_runs(application, options, data):
    """List an application's runs by arm, start ("" for the fine-tuned) and seed."""
    return {
        (arm, init, seed): run
        for arm, init in WAYS
        for (_, _, seed), run in command.list_runs(
            application, options, data, (arm,), changes={"training": {"init": init}} if init else None
        ).items()
    }


def draw(records, options):
    """Draw a panel for each application, and write every point."""
    figure, axes = plotting.subplots(columns=2, rows=2, width_in=6.5, height_in=4.8)
    said = notes(records, options)
    for ax, letter, (application, found) in zip(axes.flat, "abcd", records.items(), strict=True):
        for key, record in found.items():
            draw_run(ax, key, record, first=key[2] == options.seeds[0])
        title, data = PANELS[application][0], next(iter(found.values()))["definition"]["data"]["name"]
        plotting.finish(ax, f"({letter}) {title}: {data}", said if letter == "a" else "")
    plotting.share_legend(axes.flat)
    level(axes.flat)
    shown = captions.title(options, Data("Phantoms of all four applications", "", ""))
    figure.suptitle(f"Figure 10: convergence. {shown}")
    rows = [row for application, found in records.items() for row in point_rows(application, found)]
    command.save(figure, options, None, "fig_convergence", rows, said)


def point_rows(application, found):
    """List every point of an application's networks."""
    return [
        {"application": application, "arm": arm, "init": init, "seed": seed}
        | {"batches": batches, "auc": auc, "kept": int(batches == kept(record))}
        for (arm, init, seed), record in found.items()
        for batches, auc in way(record)
    ]


def draw_run(ax, key, record, first):
    """Draw a network's way; only the first seed's has a name."""
    arm, init, _ = key
    plotting.draw_convergence(ax, way(record), kept(record), name(arm, init) if first else None, arm, init)


def level(axes):
    """Give all panels one vertical axis, from the lowest AUC, or from chance, to 1; without it slopes mislead."""
    axes = list(axes)
    low = min(0.5, *(ax.dataLim.y0 for ax in axes))
    for ax in axes:
        ax.set_ylim(low - 0.03, 1.01)
        ax.axhline(0.5, color="0.6", linewidth=0.8, zorder=0)


def name(arm, init):
    """Call a way to train as the paper's figure does."""
    return f"{label(arm)}, {INITS[init]}" if init else label(arm)


def way(record):
    """List (mini-batches, AUC) in their order: the ends of epochs, and the checks between."""
    history = record["history"]
    found = {point["batches"]: point["auc"] for point in (*history["checks"], *history["epochs"])}
    return sorted(found.items())


def kept(record):
    """Return the mini-batches after which the weights were those that the network has."""
    return kept_epoch(record["history"])["batches"]


def reach(points, level):
    """Return the fewest mini-batches that had at least this AUC; None for none."""
    return next((batches for batches, auc in points if auc >= level), None)


def notes(records, options):
    """Say what was measured, how soon each network had its AUC, and the caveats of all data."""
    every = [record for found in records.values() for record in found.values()]
    size, backends = options.profile.training.batch_size, sorted({record["versions"]["backend"] for record in every})
    seeds, pale = ", ".join(map(str, options.seeds)), "; pale: the seeds after the first" * (len(options.seeds) > 1)
    lines = [
        f"Mini-batches of {size} patches, whole training sets. Seeds: {seeds}. Backend: {', '.join(backends)}.",
        "Ring: the end of the epoch whose weights are kept; what is checked between epochs is only looked at; grey: "
        f"chance{pale}.",
        f"Below: first mini-batches looked at that bring a network to within {NEAR:g} of the best AUC that any network "
        "from scratch has; in brackets its own best AUC.",
        *(application_words(application, found, options) for application, found in records.items()),
        *captions.caveats(every),
    ]
    return "\n".join(lines)


def application_words(application, found, options):
    """Say how soon each of an application's networks was as good as the best from scratch."""
    patches = next(iter(found.values()))["patches"]
    starts = ", ".join(f"{INITS[init]} {converged(found, 'scratch', init, options)}" for init in INITS)
    return (
        f"{PANELS[application][0]} ({patches['training']} training, {patches['validation']} validation patches): "
        f"{label('conv1')} {converged(found, 'conv1', '', options)}; scratch: {starts}."
    )


def converged(found, arm, init, options):
    """Write mini-batches to the common level, and the best AUC, from the least to the most of all seeds.

    The level is one for all of a seed's networks, `NEAR` below the best AUC of any from scratch: measured against its
    own best, a network that hardly learns would be there at once.
    """
    ways = {seed: way(found[arm, init, seed]) for seed in options.seeds}
    levels = {seed: max(auc for i in INITS for _, auc in way(found["scratch", i, seed])) - NEAR for seed in ways}
    batches = [reach(points, levels[seed]) for seed, points in ways.items()]
    best = span([max(auc for _, auc in points) for points in ways.values()], ".2f")
    done = [number for number in batches if number is not None]
    if not done:
        return f"never ({best})"
    missed = f" in {len(done)} of {len(batches)} seeds" if len(done) < len(batches) else ""
    return f"{span(done, 'd')}{missed} ({best})"


def span(values, shape):
    """Write the least and the most of some values, or the one that all are."""
    return "-".join(dict.fromkeys(f"{value:{shape}}" for value in (min(values), max(values))))


if __name__ == "__main__":
    command.run_script(main)
