"""Execute a list of runs: what is done is skipped, one bar shows the time left, a failure stops only itself."""

import importlib
import os
import platform
import time
from importlib.metadata import version

import joblib
from tqdm import tqdm

from repro import runs


class SweepError(RuntimeError):
    """Some runs failed; the message names each and says why."""


def execute(wanted, results, jobs=1):
    """Perform the runs that are not done.

    A run that is killed leaves no file behind that counts, and is done again next time: at most the run in
    progress is lost, with several jobs one for each of them.

    Parameters
    ----------
    wanted : sequence of repro.runs.Run
    results : path
    jobs : int
        Processes. The machine's cores are divided among them.

    Raises
    ------
    SweepError
        After all others are done, when some failed.
    """
    open_runs = runs.missing(wanted, results)
    failures = []
    with tqdm(total=len(open_runs), desc="runs", unit="run", disable=not open_runs or None) as bar:
        for name, failure in _perform_all(open_runs, results, jobs):
            if failure:
                failures.append(f"{name}: {failure}")
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
    scores, record = application.perform(run, results)
    seconds = round(time.perf_counter() - start, 1)
    runs.save(run, results, scores, record | {"seconds": seconds, "versions": versions()})


def versions():
    """Name what a result was computed with."""
    import keras

    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy", "scipy", "scikit-image", "scikit-learn")
    found = {package: version(package) for package in packages}
    return {"python": platform.python_version(), "machine": platform.machine(), "backend": backend} | found


def _perform_all(open_runs, results, jobs):
    """Yield (name, error text or None) as runs end."""
    if jobs == 1:
        yield from (_attempt(run, results) for run in open_runs)
        return
    threads = max(1, joblib.cpu_count() // jobs)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=threads):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        yield from parallel(joblib.delayed(_attempt_in_process)(run, results, threads) for run in open_runs)


def _attempt_in_process(run, results, threads):
    """Divide the cores before TensorFlow is imported, and leave the screen to the parent's bar."""
    os.environ.update(TF_NUM_INTRAOP_THREADS=str(threads), TF_NUM_INTEROP_THREADS="1", TQDM_DISABLE="1")
    return _attempt(run, results)


def _attempt(run, results):
    try:
        perform(run, results)
    except Exception as error:
        return run.name, f"{type(error).__name__}: {error}"
    return run.name, None
