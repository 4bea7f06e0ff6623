"""Figure 10 from records made by hand; that networks bring such records is seen in test_scripts.py."""

import csv

import pytest
from matplotlib.colors import to_rgba

from experiments import command, fig_convergence
from experiments.fig_convergence import PANELS, WAYS, converged, draw, kept, list_runs, notes, reach, way
from repro.runs import Data


@pytest.fixture
def options(tmp_path):
    """Return the options of two seeds on the smoke profile."""
    arguments = ["--profile", "smoke", "--seeds", "3", "5", "--figures", str(tmp_path), "--results", str(tmp_path)]
    return command.parse(fig_convergence.__doc__, arguments, own_data=False)


def record(*aucs, best_epoch=2, caveat="phantom: drawn"):
    """Return a run whose AUC after 1, 2, 4, 7 and 8 mini-batches is known; epochs end after 4 and 8."""
    points = [{"batches": batches, "auc": auc} for batches, auc in zip((1, 2, 4, 7, 8), aucs, strict=True)]
    return {
        "history": {"checks": points[:4], "epochs": points[2::2], "best_epoch": best_epoch},
        "patches": {"training": 40, "validation": 11},
        "versions": {"backend": "numpy"},
        "definition": {"data": {"name": "A phantom"}},
        "caveats": [caveat],
    }


FINE, SLOW = (0.7, 0.81, 0.9, 0.89, 0.88), (0.4, 0.5, 0.6, 0.63, 0.83)


def panel(caveat="phantom: drawn"):
    """Return the records of a panel, the second seed's networks from scratch all better than the fine-tuned one."""
    fine = {("conv1", "", 3): record(*FINE, best_epoch=1), ("conv1", "", 5): record(*SLOW)}
    scratch = {
        (arm, init, seed): record(*values, caveat=caveat)
        for arm, init in WAYS[1:]
        for seed, values in ((3, SLOW), (5, FINE))
    }
    return fine | scratch


def test_the_way_has_checks_and_epochs_once_and_in_their_order():
    """The check after 4 mini-batches is the end of the first epoch: one point."""
    one = record(*FINE, best_epoch=1)
    assert way(one) == list(zip((1, 2, 4, 7, 8), FINE, strict=True))
    assert (kept(one), kept(record(*SLOW))) == (4, 8)
    assert reach(way(one), 0.81) == 2
    assert reach(way(one), 0.91) is None


def test_how_soon_is_held_against_the_best_from_scratch(options):
    """Seed 3: .83 - .02 is had by the fine-tuned network after 2 mini-batches. Seed 5: .9 - .02 never."""
    assert converged(panel(), "conv1", "", options) == "2 in 1 of 2 seeds (0.83-0.90)"
    assert converged(panel(), "scratch", "xavier", options) == "4-8 (0.83-0.90)"
    options.seeds = [5]
    assert converged(panel(), "conv1", "", options) == "never (0.83)"
    options.seeds = [3]
    assert converged(panel(), "conv1", "", options) == "2 (0.90)"


def test_starts_are_runs_apart_and_the_profile_s_own_is_shared_with_other_figures(options):
    """Smoke starts from Gaussian: nothing to change. All are checked between epochs."""
    data = Data("A phantom", "", "0f")
    wanted = list_runs("embolism", options, data)
    assert set(wanted) == {(arm, init, seed) for arm, init in WAYS for seed in (3, 5)}
    assert len({run.name for run in wanted.values()}) == 8
    others = command.list_runs("embolism", options, data, ("conv1", "scratch"))
    assert wanted["scratch", "gaussian", 5] == others["scratch", 1.0, 5]
    assert wanted["conv1", "", 3] == others["conv1", 1.0, 3]
    assert {run.settings["training"]["checks_per_decade"] for run in wanted.values()} == {3}


def test_the_notes_have_all_data_s_caveats_once(options):
    records = {application: panel(f"phantom: {application != 'polyp'}") for application in PANELS}
    lines = notes(records, options).splitlines()
    assert lines[-3:] == ["phantom: drawn", "phantom: False", "phantom: True"]
    assert lines[0] == "Mini-batches of 10 patches, whole training sets. Seeds: 3, 5. Backend: numpy."
    assert [line.split(" (")[0] for line in lines[3:7]] == [title for title, _ in PANELS.values()]


def test_the_figure_draws_and_writes_every_point(options, monkeypatch):
    """Four applications, four ways, two seeds, five points each; one kept of each run."""
    figures, save = [], command.save
    monkeypatch.setattr(command, "save", lambda figure, *rest: (figures.append(figure), save(figure, *rest)))
    draw(dict.fromkeys(PANELS, panel()), options)
    lines = (options.figures / "fig_convergence.csv").read_text(encoding="utf-8").splitlines()
    assert "Phantoms of all four applications, profile smoke" in lines[0]
    assert "FOR TESTS ONLY" in lines[0]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == 4 * 4 * 2 * 5
    assert [(row["batches"], row["auc"]) for row in rows if row["kept"] == "1"][:2] == [("4", "0.9"), ("8", "0.83")]
    assert {ax.get_ylim() for ax in figures[0].axes} == {(0.4 - 0.03, 1.01)}
    black = [line for line in figures[0].axes[2].get_lines() if to_rgba(line.get_color()) == (0, 0, 0, 1)]
    assert len(black) == 3 * 3  # two seeds' lines and one ring for each start
