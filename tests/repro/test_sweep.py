"""Lists of runs: skipping what is done, failures that stop only themselves, several processes, a kill."""

import subprocess
import sys
import time
import types

import numpy as np
import pytest

from repro import runs, sweep
from repro.evaluation.froc import Detections
from repro.runs import Data, Run


def some(*seeds):
    """Return a run for each seed of an application that `toy` stands in for."""
    return [Run("toy", "fc8", 1.0, seed, "imagenet", "smoke", {}, Data("d", "", "f")) for seed in seeds]


def perform_toy(run, _results):
    """Score one candidate by the seed; seed 13 fails, seed 99 never ends."""
    if run.seed == 13:
        raise ArithmeticError("unlucky")
    if run.seed == 99:
        time.sleep(60)
    one = np.array([1])
    found = Detections(one - 1, one - 1, one, np.array([run.seed / 7]), ("s",), one, one)
    return found, {"order": time.time()}


def toy_module():
    """Return an application as `execute` imports them."""
    module = types.ModuleType("repro.applications.toy")
    module.perform = perform_toy
    return module


def hang(folder):
    """Execute a list whose third run never ends; for a process of its own."""
    sys.modules["repro.applications.toy"] = toy_module()
    sweep.execute(some(1, 2, 99, 4), folder)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(sys.modules, "repro.applications.toy", toy_module())


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "runs").glob("*")}


@pytest.mark.usefixtures("toy")
def test_done_runs_are_not_done_again(tmp_path):
    sweep.execute(some(1, 2), tmp_path)
    before = files(tmp_path)
    sweep.execute(some(1, 2, 3), tmp_path)
    after = files(tmp_path)
    assert len(before) == 4
    assert len(after) == 6
    assert before.items() <= after.items()


@pytest.mark.usefixtures("toy")
def test_a_failure_is_named_and_stops_only_itself(tmp_path):
    runs_wanted = some(1, 13, 2)
    with pytest.raises(
        sweep.SweepError, match=rf"(?s)1 of 3 runs failed.*{runs_wanted[1].name}: ArithmeticError: unlucky"
    ) as error:
        sweep.execute(runs_wanted, tmp_path)
    assert runs.missing(runs_wanted, tmp_path) == [runs_wanted[1]]
    assert runs_wanted[0].name not in str(error.value)


@pytest.mark.usefixtures("toy")
def test_the_record_tells_time_and_versions(tmp_path):
    sweep.execute(some(4), tmp_path)
    _, record = runs.load(some(4)[0], tmp_path)
    assert record["seconds"] >= 0
    assert record["versions"]["keras"].startswith("3.")
    assert record["versions"]["backend"] in ("tensorflow", "jax", "torch")


def test_a_kill_loses_only_the_run_in_progress(tmp_path):
    """The third of four runs hangs; the process is killed there; what was done stays, nothing else lies about."""
    code = f"import runpy; runpy.run_path({__file__!r})['hang']({str(tmp_path)!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        while process.poll() is None and runs.missing(some(1, 2), tmp_path):
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    assert runs.missing(some(1, 2, 99, 4), tmp_path) == some(99, 4)
    assert len(files(tmp_path)) == 4
