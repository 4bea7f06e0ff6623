"""Lists of runs, what became of each run, and removing some."""

import dataclasses
import json

import numpy as np
import pytest

from repro import run_lists, runs
from repro.evaluation.froc import Detections
from repro.run_lists import RunState


def example(seed, folder="/somewhere"):
    data = runs.Data("CVC ColonDB", folder, "abc")
    return runs.Run("polyp", "conv5", 0.5, seed, "imagenet", "smoke", {"network": {"input_size": 67}}, data)


def do(run, results, seconds):
    none, subjects = np.zeros(0, int), np.zeros(1, int)
    scores = Detections(none, none, none, none.astype(float), ("a",), subjects, subjects)
    runs.save(run, results, scores, {"seconds": seconds})


def fail(run, results, **content):
    path = runs.path_of(run, results, "failed.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def results(tmp_path):
    """Return a folder where run 0 is done, 1 is missing, 2 failed, 3 failed once and is done now, 4 is in no list."""
    run_lists.write("b", [example(0), example(2)], tmp_path)
    run_lists.write("a", (example(seed) for seed in range(4)), tmp_path)
    for seed, seconds in ((0, 1.5), (3, 3661.6), (4, 4.0)):
        do(example(seed), tmp_path, seconds)
    fail(example(2), tmp_path, definition={}, error="ValueError: of\ntwo lines", when="2026-11-23", seconds=0.4)
    fail(example(3), tmp_path, definition={}, error="OSError: before", when="2026-11-22", seconds=7.0)
    return tmp_path


def test_every_run_is_done_missing_or_failed(results):
    expected = [
        RunState(example(0).name, "done", 1.5, "", ("a", "b")),
        RunState(example(1).name, "missing", None, "", ("a",)),
        RunState(example(2).name, "failed", 0.4, "ValueError: of\ntwo lines", ("a", "b")),
        RunState(example(3).name, "done", 3661.6, "", ("a",)),
        RunState(example(4).name, "done", 4.0, "", ()),
    ]
    assert run_lists.states(results) == expected


def test_done_is_what_a_sweep_skips(results):
    everything = [example(seed) for seed in range(5)]
    done = {run.name for run in run_lists.states(results) if run.state == "done"}
    assert done == {run.name for run in everything} - {run.name for run in runs.missing(everything, results)}


def test_a_list_says_all_that_makes_its_runs_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = example(5, "data")
    run_lists.write("Figure 2_CVC/ColonDB", [relative, example(6, ""), relative], "results")
    assert run_lists.read("results") == {
        "Figure-2_CVC-ColonDB": [
            {"name": relative.name, "definition": relative.definition, "folder": str(tmp_path / "data")},
            {"name": example(6).name, "definition": example(6).definition, "folder": ""},
        ]
    }


def test_a_list_takes_the_place_of_the_one_before(results):
    changed = dataclasses.replace(example(0), settings={"network": {"input_size": 227}})
    run_lists.write("a", [changed], results)
    found = {run.name: (run.state, run.lists) for run in run_lists.states(results)}
    assert found[changed.name] == ("missing", ("a",))
    assert found[example(3).name] == ("done", ())
    assert example(1).name not in found


def test_removed_runs_have_no_file_left_and_are_missing(results):
    runs.path_of(example(0), results, "weights.npz").write_bytes(b"kept")
    before = set((results / "runs").iterdir())
    deleted = run_lists.remove([example(0).name, example(1).name, example(3).name], results)
    assert len(deleted) == 3 + 0 + 3
    assert set(deleted) == before - set((results / "runs").iterdir())
    states = [run.state for run in run_lists.states(results)]
    assert states == ["missing", "missing", "failed", "missing", "done"]


def test_only_files_of_the_named_runs_are_removed(results):
    """A name is no pattern and no path, and one that another begins with is another run."""
    before = sorted(results.rglob("*"))
    assert run_lists.remove(["*", example(0).name[:-1], "../lists/a", "", "a"], results) == []
    assert sorted(results.rglob("*")) == before


@pytest.mark.parametrize(
    ("written", "left", "state"),
    [
        ("npz", "npz", "missing"),
        ("json", "json", "missing"),
        ("npz", "weights.npz", "missing"),
        ("npz", "npz.tmp1", None),
    ],
)
def test_half_of_a_run_s_files_is_no_run(tmp_path, written, left, state):
    run, whole = example(0), tmp_path / "whole"
    do(run, whole, 1.0)
    (tmp_path / "runs").mkdir()
    runs.path_of(run, whole, written).rename(runs.path_of(run, tmp_path, left))
    assert [found.state for found in run_lists.states(tmp_path)] == ([state] if state else [])


def test_a_damaged_record_is_a_failed_run(results):
    runs.path_of(example(0), results, "json").write_text("{")
    runs.path_of(example(2), results, "failed.json").write_text("[]")
    found = {run.name: run for run in run_lists.states(results)}
    for seed in (0, 2):
        assert found[example(seed).name].state == "failed"
        assert found[example(seed).name].error.startswith("its record is damaged (")


@pytest.mark.parametrize("content", ["", "[]", '{"runs": [{}]}', '{"runs": [{"name": 3}]}', '{"runs": 3}'])
def test_a_file_that_is_no_list_is_named(tmp_path, content):
    run_lists.write("a", [], tmp_path)
    (tmp_path / "lists" / "a.json").write_text(content)
    with pytest.raises(ValueError, match=r"lists/a.json: expected a list of runs.*Received: .*Remove it"):
        run_lists.states(tmp_path)


def test_the_description_has_a_line_a_run_under_its_lists(results):
    names = [example(seed).name for seed in range(5)]
    assert run_lists.describe(run_lists.states(results)).splitlines() == [
        "a:",
        f"  missing       - {names[1]}",
        f"  done    1:01:02 {names[3]}",
        "",
        "a, b:",
        f"  done    0:00:02 {names[0]}",
        f"  failed  0:00:00 {names[2]}",
        "",
        run_lists.UNLISTED,
        f"  done    0:00:04 {names[4]}",
        "",
        "done 3 in 1:01:07, missing 1, failed 1",
        f"failed {names[2]}",
        "    ValueError: of",
        "    two lines",
    ]


def test_nothing_is_described_as_nothing(tmp_path):
    assert run_lists.describe(run_lists.states(tmp_path)) == "done 0 in 0:00:00, missing 0, failed 0"
