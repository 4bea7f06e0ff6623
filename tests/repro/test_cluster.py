"""Runs on a real Dask cluster: a killed worker, runs that fail or kill, folders that are shared or not.

The workers load this file first (Dask calls `dask_setup`), so that they know a toy application too.
"""

import json
import os
import signal
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import joblib
import numpy as np
import pytest

from data_prep.phantoms import procedures
from data_prep.phantoms.settings import ProcedurePhantom
from data_prep.readers import fingerprint, read_frames
from repro import cluster, runs, sweep
from repro.evaluation.froc import Detections
from repro.profiles import load_profile
from repro.runs import Data, Run

Client = pytest.importorskip("distributed").Client
QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error"}


def dask_setup(_worker):
    sys.modules["repro.applications.toy"] = types.SimpleNamespace(perform=perform_toy)


def perform_toy(run, _results):
    """Score one candidate by the seed; seed 13 fails, seed 66 kills its worker."""
    sweep.versions = dict  # or the worker would import Keras
    start = time.time()
    time.sleep(0.2)
    if run.seed == 13:
        raise ArithmeticError("unlucky")
    if run.seed == 66:
        os.kill(os.getpid(), signal.SIGKILL)
    one = np.array([1])
    found = Detections(one - 1, one - 1, one, np.array([run.seed / 7]), ("s",), one, one)
    threads = {name: os.environ.get(name) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
    return found, {"from": start, "to": time.time(), "threads": threads}


def some(*seeds, folder=""):
    return [Run("toy", "fc8", 1.0, seed, "imagenet", "smoke", {}, Data("d", folder, "f")) for seed in seeds]


@contextmanager
def dask_cluster(folder, workers, options, **environment):
    """Start a scheduler and workers; give its address, its process and those of the workers."""
    file = folder / "scheduler.json"
    said, environment = ["--no-dashboard", "--scheduler-file", str(file)], os.environ | QUIET | environment
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *said]
    started = [subprocess.Popen(command, env=environment)]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", *said, "--preload", __file__, *options]
    command += ["--local-directory", str(folder), "--memory-limit", "0"]
    started += [subprocess.Popen(command, env=environment) for _ in range(workers)]
    try:
        yield wait_for(lambda: file.is_file() and json.loads(file.read_text() or "{}").get("address")), *started
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """Return the address of a scheduler that forgives no death, with one worker of 2 threads, which comes again."""
    one = ["--nthreads", "2"]
    with dask_cluster(tmp_path_factory.mktemp("d"), 1, one, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as made:
        yield made[0]


@pytest.fixture
def client(toys):
    with Client(toys) as client:
        client.wait_for_workers(1, 60)
        yield client


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory):
    """Return runs of networks, long enough to be killed, and of rivals, on a small phantom."""
    folder = tmp_path_factory.mktemp("data") / "phantom"
    profile = load_profile("smoke", ["training.max_epochs=8", "training.patience=8", "frame_quality.test_share=0.34"])
    values = vars(profile.procedure_phantom) | {"num_videos": 5, "frames_per_video": 4, "height": 70, "width": 100}
    procedures.write(ProcedurePhantom(**values), folder)
    data = Data("phantom", str(folder), fingerprint(folder, read_frames))
    settings = profile.settings("frame_quality")
    return [
        Run("frame_quality", arm, 1.0, seed, "imagenet", "smoke", settings, data)
        for arm, seed in (("scratch", 3), ("scratch", 4), ("edges", 3), ("edges", 4))
    ]


def worker_in_training(client):
    """Return the process that trains a run, and that run's name, once there is one."""
    for address, tasks in client.call_stack().items():
        for name, frames in tasks.items():
            if any("train_on_batch" in frame for frame in frames):
                return client.run(os.getpid, workers=[address])[address], name
    return None


def test_a_killed_worker_loses_nothing_and_results_are_those_of_this_machine_to_the_bit(tmp_path, real_runs):
    """Workers use as many threads as this process. The results' folder is not there before the first result is."""
    there, here = tmp_path / "there", tmp_path / "here"
    options = ["--no-nanny", "--nthreads", str(joblib.cpu_count())]
    with dask_cluster(tmp_path, 2, options) as (address, _, *workers), Client(address) as client:
        client.wait_for_workers(2, 60)
        with ThreadPoolExecutor(1) as pool:
            swept = pool.submit(sweep.execute, real_runs, there, scheduler=address)
            process, name = wait_for(lambda: worker_in_training(client))
            os.kill(process, signal.SIGKILL)
            assert name in [run.name for run in runs.missing(real_runs, there)]
            swept.result()
        assert sorted(worker.poll() or 0 for worker in workers) == [-signal.SIGKILL, 0]
    sweep.execute(real_runs, here)
    for run in real_runs:
        assert runs.path_of(run, there, "npz").read_bytes() == runs.path_of(run, here, "npz").read_bytes()


def test_runs_that_fail_or_kill_their_worker_are_named_and_the_others_are_done(toys, tmp_path):
    """Seed 66 kills the only worker, which Dask's nanny starts again."""
    wanted = some(1, 13, 66, 2)
    with pytest.raises(sweep.SweepError, match="2 of 4 runs failed") as error:
        sweep.execute(wanted, tmp_path, scheduler=toys)
    assert f"{wanted[1].name}: ArithmeticError: unlucky" in str(error.value)
    assert f"{wanted[2].name}: KilledWorker: 1 workers died" in str(error.value)
    assert runs.missing(wanted, tmp_path) == wanted[1:3]
    assert all(runs.path_of(run, tmp_path, "failed.json").is_file() for run in wanted[1:3])


def test_a_worker_performs_one_run_at_a_time_with_its_threads(client, tmp_path):
    """Dask itself would give its two threads two tasks at once."""
    wanted = some(1, 2, 3)
    futures = [client.submit(cluster.perform_here, run, run.name, str(tmp_path), pure=False) for run in wanted]
    assert [ended.error for ended in client.gather(futures)] == [None] * 3
    records = sorted((runs.load(run, tmp_path)[1] for run in wanted), key=lambda record: record["from"])
    assert all(record["to"] <= later["from"] for record, later in pairwise(records))
    assert all(set(record["threads"].values()) == {"2"} for record in records)


def test_without_a_shared_folder_results_are_sent(client, tmp_path):
    run, folder = some(5)[0], tmp_path / "of another machine"
    ended = client.submit(cluster.perform_here, run, run.name, str(folder), pure=False).result()
    assert not folder.exists()
    cluster._keep(run, folder, ended.files)
    scores, record = runs.load(run, folder)
    assert scores.score.tolist() == [5 / 7]
    assert record["definition"] == run.definition


def test_a_worker_without_the_data_or_with_another_version_says_so(client, tmp_path):
    lacking, other = some(1, folder=str(tmp_path / "nowhere"))[0], some(2)[0]
    names = lacking.name, other.name.replace("smoke", "quick")
    tasks = zip((lacking, other), names, strict=True)
    futures = [client.submit(cluster.perform_here, run, name, str(tmp_path), pure=False) for run, name in tasks]
    first, second = client.gather(futures)
    assert first.error.startswith("FileNotFoundError: The worker on ")
    assert str(tmp_path / "nowhere") in first.error
    assert "another version" in second.error
    assert second.name == names[1]


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with pytest.raises(sweep.SweepError, match=r"Expected a Dask scheduler at tcp://127.0.0.1:9"):
        sweep.execute(some(1), tmp_path, scheduler="tcp://127.0.0.1:9")


def test_a_scheduler_that_goes_away_ends_the_sweep_in_one_line(tmp_path, monkeypatch):
    """It has no workers, so that the run waits."""
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with dask_cluster(tmp_path, 0, []) as (address, scheduler), ThreadPoolExecutor(1) as pool:
        swept = pool.submit(sweep.execute, some(1), tmp_path, scheduler=address)
        with Client(address) as client:
            wait_for(lambda: client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))
        scheduler.kill()
        with pytest.raises(sweep.SweepError, match=f"The scheduler at {address} went away"):
            swept.result(30)


def test_dask_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "\.\[cluster\]"'):
        sweep.execute(some(1), tmp_path, scheduler="tcp://127.0.0.1:9")
