"""Figures are drawn again without a backend: a new process, from runs that are made up, is asked what it has loaded."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import command, fig_polyp_froc, sources, table_s1
from repro import runs
from repro.evaluation import Detections
from repro.finetune import ARMS, HANDCRAFTED

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import importlib, sys
importlib.import_module(f"experiments.{sys.argv[1]}").main(sys.argv[2:])
print("loaded:", *sys.modules)
"""
COUNTS = {"subjects": 11, "frames": 330, "lesions": 33, "lesions hit": 33, "candidates": 700}


def scores_of(draw):
    """Return scores of 11 videos with 30 frames and 3 polyps each."""
    subject = np.repeat(np.arange(11), 63)
    lesion = np.where(np.arange(subject.size) % 9 == 0, 3 * subject + np.arange(subject.size) // 9 % 3, -1)
    score = draw.normal(size=subject.size) + (lesion >= 0)
    return Detections(subject, np.zeros(subject.size, int), lesion, score, tuple("abcdefghijk"), [30] * 11, [3] * 11)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Save the runs of Figure 2 and Table S1 as the smoke profile wants them; return the command line that draws."""
    folder = tmp_path_factory.mktemp("done")
    words = ["--profile", "smoke", "--results", str(folder / "results"), "--figures", str(folder / "figures")]
    parsed = command.parse("Figure 0: a test", words)
    data = sources.colonoscopy(parsed)
    wanted = command.list_runs("polyp", parsed, data, (*ARMS, HANDCRAFTED))
    wanted |= command.list_runs("polyp", parsed, data, fig_polyp_froc.AMOUNTS, fig_polyp_froc.FRACTIONS)
    for number, run in enumerate(wanted.values()):
        record = {"caveats": [], "counts": {"train": COUNTS, "test": COUNTS}, "versions": {"backend": "none"}}
        runs.save(run, parsed.results, scores_of(np.random.default_rng(number)), record | {"seconds": 1.0})
    return [*words, "--draw-only"]


@pytest.mark.parametrize("script", [fig_polyp_froc, table_s1])
def test_drawing_loads_neither_a_backend_nor_what_it_does_not_draw_with(options, script):
    name = script.__name__.rpartition(".")[2]
    command_line = [sys.executable, "-c", ASK, name, *options]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert {"matplotlib.figure", "scipy.optimize"} <= loaded
    backends, others = {"keras", "tensorflow", "torch", "jax"}, {"sklearn", "skimage", "scipy.stats", "joblib"}
    assert loaded & (backends | others | {"data_prep.readers", "repro.sweep"}) == set()
    assert (Path(options[5]) / f"{name}.png").is_file()
