"""Which runs are wanted, which of them are done, missing or failed, and how to be rid of some; `python -m repro runs`.

A figure's script leaves the list of its runs in `results/lists/LIST.json`; delete that file to have them forgotten.
Lists are held against the files of `results/runs`: NAME.json and NAME.npz (done), NAME.weights.npz (a kept network),
NAME.failed.json (why a run failed). Nothing here imports Keras.
"""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path

from repro.files import replacing

SUFFIXES = ("failed.json", "json", "weights.npz", "npz")
"""Of a run's files, the longer before the one it ends in. Removed in this order: what lacks its .json is not done."""

UNLISTED = "Wanted by no list (left over from other settings, data or code, or no script has listed them yet):"


@dataclass(frozen=True)
class RunState:
    """What became of a run.

    Attributes
    ----------
    name : str
        The run's.
    state : str
        "done", "missing" or "failed"; half of a run's files, as a kill leaves them, is as good as missing.
    seconds : float or None
        How long it took, or took to fail; None where no file says.
    error : str
        Why it failed, else empty.
    lists : tuple of str
        Names of the lists that want it, sorted; none when its settings, its data or the code have changed since.
    """

    name: str
    state: str
    seconds: float | None
    error: str
    lists: tuple[str, ...]


def write(name, runs, results):
    """Write the list of what a script wants; it takes the place of the list of that name.

    Parameters
    ----------
    name : str
        Of the list; in its file's name, what is neither letter, digit, "-", "+", "." nor "_" becomes "-".
    runs : iterable of repro.runs.Run
        All that the script wants with these options: what the list no longer names counts as left over.
    results : path
        Folder of all results; lists lie in its `lists`.
    """
    plain = "".join(letter if letter.isalnum() or letter in "-+._" else "-" for letter in name)
    unique = {run.name: _entry(run) for run in runs}
    with replacing(Path(results) / "lists" / f"{plain}.json") as temporary:
        temporary.write_text(json.dumps({"runs": list(unique.values())}, indent=1), encoding="utf-8")


def read(results):
    """Read all lists.

    Parameters
    ----------
    results : path

    Returns
    -------
    dict of str to list of dict
        By the list's name, sorted: the name, definition and data folder of each of its runs, as `write` left them.

    Raises
    ------
    ValueError
        A file is not a list of runs.
    """
    paths = sorted((Path(results) / "lists").glob("*.json"))
    return {path.stem: _read_list(path) for path in paths}


def states(results):
    """Tell what became of every run that a list wants or that has files.

    Parameters
    ----------
    results : path

    Returns
    -------
    list of RunState
        Sorted by name.

    Raises
    ------
    ValueError
        A file in `lists` is not a list of runs. A damaged record is a failed run instead.
    """
    wanting = {}
    for title, entries in read(results).items():
        for entry in entries:
            wanting.setdefault(entry["name"], []).append(title)
    files = _files(results)
    return [_state(name, files.get(name, {}), tuple(wanting.get(name, ()))) for name in sorted(wanting | files)]


def remove(names, results):
    """Delete all files of some runs; the lists that want them stay, so that they are missing then.

    Parameters
    ----------
    names : iterable of str
        One that has no files is passed over.
    results : path

    Returns
    -------
    list of pathlib.Path
        What was deleted.
    """
    files = _files(results)
    paths = [files[name][suffix] for name in names for suffix in SUFFIXES if suffix in files.get(name, {})]
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


def describe(found):
    """Describe runs to people.

    Parameters
    ----------
    found : sequence of RunState

    Returns
    -------
    str
        A line for each run, under the lists that want it, those that none wants last; then totals, and why runs failed.
    """
    groups = {}
    for run in sorted(found, key=lambda run: (not run.lists, run.lists, run.name)):
        groups.setdefault(run.lists, []).append(run)
    return "\n\n".join([*(_group(lists, among) for lists, among in groups.items()), _totals(found)])


def _group(lists, found):
    heading = textwrap.fill(f"{', '.join(lists)}:", 100, break_on_hyphens=False) if lists else UNLISTED
    return "\n".join([heading, *(f"  {run.state:7} {_clock(run.seconds):>7} {run.name}" for run in found)])


def _totals(found):
    done, missing, failed = ([run for run in found if run.state == state] for state in ("done", "missing", "failed"))
    seconds = sum(run.seconds or 0 for run in done)
    lines = [f"done {len(done)} in {_clock(seconds)}, missing {len(missing)}, failed {len(failed)}"]
    return "\n".join(lines + [f"failed {run.name}\n{textwrap.indent(run.error, '    ')}" for run in failed])


def _clock(seconds):
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _entry(run):
    return {"name": run.name, "definition": run.definition, "folder": run.data.place}


def _read_list(path):
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["runs"]
        if not all(isinstance(entry["name"], str) for entry in entries):
            raise TypeError("a run's name is not text")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: expected a list of runs, {{"runs": [{{"name": ...}}, ...]}}. '
            f"Received: {type(error).__name__}: {error}. Remove it; the figure's script writes it again."
        ) from error
    return entries


def _files(results):
    """Return the paths of all runs' files, by the run's name and the suffix."""
    found = {}
    for path in (Path(results) / "runs").glob("*"):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(f".{suffix}")), None)
        if suffix:
            found.setdefault(path.name.removesuffix(f".{suffix}"), {})[suffix] = path
    return found


def _state(name, files, lists):
    done = {"json", "npz"} <= set(files)
    if not done and "failed.json" not in files:
        return RunState(name, "missing", None, "", lists)
    try:
        record = json.loads(files["json" if done else "failed.json"].read_text(encoding="utf-8"))
        return RunState(name, "done" if done else "failed", record.get("seconds"), record.get("error", ""), lists)
    except FileNotFoundError:  # A sweep or another command took it away meanwhile.
        return RunState(name, "missing", None, "", lists)
    except (ValueError, AttributeError) as error:
        damaged = f"its record is damaged ({error}): remove the run, and perform it again"
        return RunState(name, "failed", None, damaged, lists)
