"""Lists of runs: skipping what is done, failures that stop only themselves, several processes, a kill."""

import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import types
from datetime import UTC, datetime, timedelta

import joblib
import numpy as np
import pytest
from tqdm import tqdm

from repro import runs, sweep
from repro.evaluation.froc import Detections
from repro.runs import Data, Run


def some(*seeds):
    """Return a run for each seed of an application that `toy` stands in for."""
    return [Run("toy", "fc8", 1.0, seed, "imagenet", "smoke", {}, Data("d", "", "f")) for seed in seeds]


def perform_toy(run, _results):
    """Score one candidate by the seed; seed 13 fails, seed 66 kills its process, seed 99 never ends."""
    if run.seed == 13:
        raise ArithmeticError("unlucky")
    if run.seed == 66:
        os.kill(os.getpid(), signal.SIGKILL)
    if run.seed == 99:
        time.sleep(60)
    one = np.array([1])
    found = Detections(one - 1, one - 1, one, np.array([run.seed / 7]), ("s",), one, one)
    threads = {name: os.environ.get(name) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
    return found, {"order": time.time(), "process": os.getpid(), "threads": threads}


def toy_module():
    """Return an application as `execute` imports them."""
    module = types.ModuleType("repro.applications.toy")
    module.perform = perform_toy
    return module


def hang(folder):
    """Execute a list whose third run never ends; for a process of its own."""
    sys.modules["repro.applications.toy"] = toy_module()
    sweep.execute(some(1, 2, 99, 4), folder)


def divide(folder):
    """Execute a list in two processes; for a process of its own."""
    sweep.attempt = runpy.run_path(__file__)["attempt_toy"]
    sweep.execute(some(1, 2, 3), folder, jobs=2)


def attempt_toy(run, results):
    """Attempt a run in a process that has not heard of the toy, and draw a bar, whose lock needs a semaphore."""
    tqdm(disable=True)
    sys.modules["repro.applications.toy"] = toy_module()
    sweep.versions = dict  # or each process would import Keras
    return sweep.attempt(run, results)


@pytest.fixture
def toy_processes(monkeypatch):
    """Have other processes know the toy: what run_path returns is no module's, so that it travels as a whole."""
    monkeypatch.setattr(sweep, "attempt", runpy.run_path(__file__)["attempt_toy"])


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


@pytest.mark.usefixtures("toy")
def test_a_failure_is_written_down_until_the_run_is_done(tmp_path, monkeypatch):
    unlucky = some(13)[0]
    path = runs.path_of(unlucky, tmp_path, "failed.json")
    with pytest.raises(sweep.SweepError):
        sweep.execute([unlucky], tmp_path)
    failure = json.loads(path.read_text())
    assert failure["definition"] == unlucky.definition
    assert failure["error"] == "ArithmeticError: unlucky"
    assert abs(datetime.now(UTC) - datetime.fromisoformat(failure["when"])) < timedelta(minutes=1)
    monkeypatch.setattr(sys.modules["repro.applications.toy"], "perform", lambda run, _: perform_toy(some(1)[0], run))
    sweep.execute([unlucky], tmp_path)
    assert runs.is_done(unlucky, tmp_path)
    assert not path.exists()


@pytest.mark.usefixtures("toy_processes")
def test_processes_share_the_cores_and_each_failure_is_told(tmp_path):
    """Three jobs: each gets a third of the cores, or one."""
    wanted = some(1, 13, 2, 3)
    with pytest.raises(sweep.SweepError, match=rf"(?s)1 of 4 runs failed.*{wanted[1].name}: ArithmeticError: unlucky"):
        sweep.execute(wanted, tmp_path, jobs=3)
    assert runs.missing(wanted, tmp_path) == [wanted[1]]
    assert runs.path_of(wanted[1], tmp_path, "failed.json").is_file()
    record = runs.load(wanted[2], tmp_path)[1]
    assert record["process"] != os.getpid()
    assert set(record["threads"].values()) == {str(max(1, joblib.cpu_count() // 3))}


@pytest.mark.usefixtures("toy_processes")
def test_a_run_that_kills_its_process_is_found_and_the_others_are_done(tmp_path):
    wanted = some(1, 66, 2, 3, 4)
    with pytest.raises(
        sweep.SweepError, match=rf"1 of 5 runs failed.*\n  {wanted[1].name}: TerminatedWorkerError: .*SIGKILL"
    ):
        sweep.execute(wanted, tmp_path, jobs=2)
    assert runs.missing(wanted, tmp_path) == [wanted[1]]
    assert "SIGKILL" in json.loads(runs.path_of(wanted[1], tmp_path, "failed.json").read_text())["error"]


def test_processes_leave_nothing_behind_of_which_python_warns(tmp_path):
    code = f"import runpy; runpy.run_path({__file__!r})['divide']({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert runs.missing(some(1, 2, 3), tmp_path) == []
    assert "2 runs at a time" in done.stderr
    assert "leaked" not in done.stderr


def test_who_performs_for_another_draws_no_bars(monkeypatch):
    """An environment of its own, so that the threads asked for are forgotten."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "stderr", terminal)
    sweep.serve(3)
    with sweep.tqdm(total=2, disable=None) as bar:
        bar.update()
    print("a warning", file=sys.stderr)
    assert terminal.getvalue() == "a warning\n"
