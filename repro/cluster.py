"""Runs on a Dask cluster: what `repro.sweep` needs of it. A run is one task, named as the run is.

A machine takes part with `dask worker tcp://HOST:PORT`, from an environment with this package. Each worker process
performs one run at a time, with as many threads as it was started with (--nthreads); so one process a machine or GPU.

The data must lie at the same path on every worker. Where the folder of results is shared too, a worker writes there;
where it is not, into a temporary folder of its own. In both cases it sends the files back, and they are written here
unless they are here by now. Machines of one kind give results equal to the bit, whoever performs what.

When a worker dies, Dask gives its run to another; when that happens more often than the scheduler allows (Dask's
distributed.scheduler.allowed-failures, 3), the run has failed.
"""

import socket
import threading
from collections import deque
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from repro import runs
from repro.sweep import Ended, SweepError, attempt, perform, serve

FILES = ("npz", "json")
"""A run's files, the one that means done last."""

LOOK_FOR_WORKERS_S = 5
"""So often a sweep looks whether workers have come."""

CONNECT_S = 10
"""A scheduler must answer in that time."""

_ALONE = threading.Lock()
"""In a worker: Keras' seeds are those of the process, and so are its threads, of which a task does not know."""


def perform_all(wanted, results, address):
    """Perform runs on the workers of a Dask scheduler.

    Parameters
    ----------
    wanted : sequence of repro.runs.Run
    results : path
    address : str
        "tcp://host:port".

    Yields
    ------
    repro.sweep.Ended
        As runs end, after their files were written.

    Raises
    ------
    SweepError
        No scheduler answers, or it went away.
    ImportError
        Dask is not installed.
    """
    waiting, under_way = deque(wanted), {}
    with _connected(address) as client:
        if not client.nthreads():
            tqdm.write(f"{address} has no workers yet; they are waited for: dask worker {address}")
        while waiting or under_way:
            # Not more than there are workers: of a run that waits at a worker that dies Dask thinks that it may have
            # killed it.
            for _ in range(min(len(waiting), max(1, len(client.nthreads())) - len(under_way))):
                run = waiting.popleft()
                under_way[_submit(client, run, results)] = run
            for future in _first_ended(under_way):
                yield _receive(future, under_way.pop(future), results)


def perform_here(run, name, results):
    """Perform one run in the worker that this is.

    Parameters
    ----------
    run : repro.runs.Run
    name : str
        As the one who asks for it computes it.
    results : str
        Where he wants it.

    Returns
    -------
    repro.sweep.Ended
        With the run's files.
    """
    from distributed import get_worker

    worker = get_worker()
    folder = results if Path(results).is_dir() else Path(worker.local_directory, "results")
    with _ALONE:
        serve(worker.state.nthreads)
        ended = attempt(run, folder, _perform_checked(name))
    if ended.error:
        return replace(ended, name=name)
    return replace(ended, files={suffix: runs.path_of(run, folder, suffix).read_bytes() for suffix in FILES})


def _perform_checked(name):
    """Return a `perform` that first looks whether this machine can perform the run of that name."""

    def performer(run, results):
        here, folder = socket.gethostname(), run.data.folder
        if run.name != name:
            raise ValueError(
                f"The worker on {here} has another version of this package: it names the run {run.name}. Expected "
                f"{name}. Install the same version there, and start its workers again."
            )
        if folder and not Path(folder).is_dir():
            raise FileNotFoundError(
                f"The worker on {here} lacks the run's data. Expected them at {folder}, as on the machine that asks "
                "for the run. Put them into a folder that all machines share at one path."
            )
        perform(run, results)

    return performer


@contextmanager
def _connected(address):
    """Give a client of a scheduler; say so in one line where it does not answer, or no longer."""
    try:
        from distributed import Client
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise ImportError('Performing runs on a cluster needs Dask: pip install ".[cluster]"') from error
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise SweepError(
            f"Expected a Dask scheduler at {address}. Received: {type(error).__name__}: {error}. Start it with "
            "`dask scheduler`, which prints its address, and workers with `dask worker ADDRESS`."
        ) from error
    try:
        with client:
            yield client
    except (CancelledError, CommClosedError) as error:
        raise SweepError(
            f"The scheduler at {address} went away. What was done is kept: start it again, and then the same command."
        ) from error


def _submit(client, run, results):
    """Hand a run to the scheduler, with paths that mean the same in a worker."""
    run = replace(run, data=replace(run.data, folder=run.data.place))
    return client.submit(perform_here, run, run.name, str(Path(results).absolute()), key=run.name, pure=False)


def _first_ended(futures):
    """Return those that have ended, once there is one; none when it is time to look for workers."""
    from distributed import wait

    try:
        return wait(list(futures), timeout=LOOK_FOR_WORKERS_S, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return ()


def _receive(future, run, results):
    """Say how a run ended, its files written."""
    if future.status == "error":
        return Ended(run.name, _describe(future.exception()))
    ended = future.result()
    if not ended.error and not runs.is_done(run, results):
        _keep(run, results, ended.files)
    return ended


def _keep(run, results, files):
    for suffix in FILES:
        content = files[suffix]
        runs.write_atomically(runs.path_of(run, results, suffix), lambda file, content=content: file.write(content))


def _describe(error):
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return f"{type(error).__name__}: {error}"
    return (
        f"KilledWorker: {error.allowed_failures + 1} workers died while they performed it, the last at "
        f"{error.last_worker.address}. Perhaps for want of memory: Dask ends a worker at its --memory-limit."
    )
