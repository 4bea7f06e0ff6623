"""Execute a list of runs: what is done is skipped, one bar shows the time left, a failure stops only itself."""

import gc
import importlib
import os
import platform
import sys
import time
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib.metadata import version

import joblib
from joblib.externals.loky import ProcessPoolExecutor
from tqdm import tqdm

from repro import prefix, runs


class SweepError(RuntimeError):
    """Some runs failed, and the message names each and says why; or none can be performed."""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes
    ----------
    name : str
        The run's.
    error : str or None
        None where it is done.
    seconds : float
        That it took; 0 where nobody was left to measure them.
    files : dict of str to bytes
        Its files by suffix, where they come from another machine.
    """

    name: str
    error: str | None
    seconds: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict)


def execute(wanted, results, jobs=1, scheduler=None):
    """Perform the runs that are not done.

    A run that is killed leaves no file behind that counts, and is done again next time: at most the run in
    progress is lost, with several jobs one for each of them. A run that fails leaves NAME.failed.json
    (`repro.runs.save_failure`) until it is done.

    Parameters
    ----------
    wanted : sequence of repro.runs.Run
    results : path
    jobs : int
        Processes, as far as there is work for so many. The machine's cores are divided among them before NumPy or a
        backend is imported there: TF_NUM_INTRAOP_THREADS, OMP_NUM_THREADS (PyTorch's) and their like, see
        `_thread_settings`. With one job nothing is set, and all cores work for it. Runs that share a frozen prefix go
        to one process, see `repro.prefix.batches`.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://host:port", whose workers perform the runs instead; see `repro.cluster`.

    Raises
    ------
    SweepError
        After all others are done, when some failed; at once, when there is no such scheduler.
    """
    open_runs = {run.name: run for run in runs.missing(wanted, results)}
    failures = []
    with tqdm(total=len(open_runs), desc="runs", unit="run", disable=not open_runs or None) as bar:
        for ended in _perform_all(list(open_runs.values()), results, jobs, scheduler):
            _write_down(open_runs[ended.name], results, ended)
            if ended.error:
                failures.append(f"{ended.name}: {ended.error}")
                bar.write(f"failed: {failures[-1]}")
            bar.update()
    if failures:
        listed = "\n  ".join(failures)
        raise SweepError(f"{len(failures)} of {len(open_runs)} runs failed, the others are kept:\n  {listed}")


def perform(run, results):
    """Perform one run and write its files.

    Parameters
    ----------
    run : repro.runs.Run
    results : path
    """
    application = importlib.import_module(f"repro.applications.{run.application}")
    start = time.perf_counter()
    with prefix.sharing([run], results):
        scores, record = application.perform(run, results)
    # A network is full of cycles, which Python frees when it looks for them; the next one would come on top.
    gc.collect()
    seconds = round(time.perf_counter() - start, 1)
    runs.save(run, results, scores, record | {"seconds": seconds, "versions": versions()})


def attempt(run, results, performer=perform):
    """Perform one run, unless it is done by now, and say how it ended; whatever it raises ends only itself.

    Parameters
    ----------
    run : repro.runs.Run
    results : path
    performer : callable
        As `perform`.

    Returns
    -------
    Ended
    """
    start, error = time.perf_counter(), None
    try:
        if not runs.is_done(run, results):
            performer(run, results)
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    return Ended(run.name, error, round(time.perf_counter() - start, 1))


def serve(threads):
    """Make this process one that performs runs for another, with so many threads; before a backend is imported.

    The screen belongs to the bar of the one that asked.

    Parameters
    ----------
    threads : int
    """
    os.environ.update(_thread_settings(threads))
    if sys.stderr.isatty():
        sys.stderr = _Log(sys.stderr)


def versions():
    """Name what a result was computed with."""
    import keras

    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy", "scipy", "scikit-image", "scikit-learn")
    found = {package: version(package) for package in packages}
    return {"python": platform.python_version(), "machine": platform.machine(), "backend": backend} | found


class _Log:
    """A stream that is no terminal any more: bars are drawn only on one (tqdm's disable=None)."""

    def __init__(self, stream):
        self._stream = stream

    def isatty(self):
        return False

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _write_down(run, results, ended):
    """Keep a failed run's error; forget an earlier one of a run that is done now."""
    if ended.error:
        runs.save_failure(run, results, ended.error, ended.seconds)
    else:
        runs.path_of(run, results, "failed.json").unlink(missing_ok=True)


def _perform_all(open_runs, results, jobs, scheduler):
    """Yield an Ended as each run ends."""
    if not open_runs:
        return
    if scheduler:
        from repro import cluster

        yield from cluster.perform_all(open_runs, results, scheduler)
    elif jobs == 1:
        yield from _attempt_each(open_runs, results, attempt)
    else:
        batches = prefix.batches(open_runs)
        jobs = min(jobs, len(batches))
        threads = max(1, joblib.cpu_count() // jobs)
        tqdm.write(f"{jobs} runs at a time, {threads} {'thread' if threads == 1 else 'threads'} each", sys.stderr)
        yield from _in_processes(batches, results, jobs, threads)


def _attempt_each(open_runs, results, performer):
    """Attempt runs one after the other, those together that share a prefix; yield an Ended as each run ends."""
    with prefix.sharing(open_runs, results):
        yield from (performer(run, results) for run in prefix.arrange(open_runs))


def _attempt_all(open_runs, results, performer):
    return list(_attempt_each(open_runs, results, performer))


def _in_processes(batches, results, jobs, threads):
    """Perform batches of runs in several processes; after one of these is killed, what is left one run at a time.

    With a process all others end, and nobody knows which run was its own; and memory for one may be there still.
    """
    killed = []
    # joblib.Parallel may wait forever for what it hands to a pool that breaks meanwhile; here all is handed over first.
    pool = ProcessPoolExecutor(jobs, initializer=serve, initargs=(threads,), env=_thread_settings(threads))
    try:
        futures = {pool.submit(_attempt_all, batch, results, attempt): batch for batch in batches}
        for future in as_completed(futures):
            if isinstance(error := future.exception(), BrokenProcessPool):
                killed += futures[future]
            else:
                yield from future.result()
    except BaseException:
        # Who stops a sweep does not wait for the runs in progress.
        pool.shutdown(kill_workers=True)
        raise
    # Processes that end by themselves leave nothing behind of which Python would warn.
    pool.shutdown()
    if sum(map(len, batches)) == 1:
        yield from (Ended(run.name, f"{type(error).__name__}: {' '.join(str(error).split())}") for run in killed)
        return
    for run in killed:
        yield from _in_processes([[run]], results, 1, threads)


def _thread_settings(threads):
    """Return what makes a process that starts with it compute with so many threads.

    TF_NUM_INTRAOP_THREADS is TensorFlow's, NPROC is JAX's, OMP_NUM_THREADS is PyTorch's and scikit-learn's, the next
    two are NumPy's, and LOKY_MAX_CPU_COUNT is for what the rivals and the candidates do with joblib.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys((*names, "LOKY_MAX_CPU_COUNT"), str(threads)) | {"TF_NUM_INTEROP_THREADS": "1"}
