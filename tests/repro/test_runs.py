"""A run's name and files: what defines it, what done means, and that half a file never counts."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data_prep.cohort import Cohort, Image, Subject
from data_prep.readers import fingerprint
from repro import runs
from repro.evaluation.boundaries import Contours
from repro.evaluation.froc import Detections
from repro.profiles import load_profile


def example(**changes):
    values = {
        "application": "polyp",
        "arm": "conv5",
        "fraction": 0.5,
        "seed": 3,
        "weights": "imagenet",
        "profile": "smoke",
        "settings": load_profile("smoke").settings("polyp"),
        "data": runs.Data("CVC ColonDB", "/somewhere", "abc"),
    }
    return runs.Run(**values | changes)


def detections():
    """Return 4 candidates in 2 of 3 subjects."""
    return Detections(
        subject=np.array([0, 0, 2, 2]),
        image=np.array([0, 1, 0, 0]),
        lesion=np.array([5, -1, 9, -1]),
        score=np.array([0.25, 0.5, 0.125, 1 / 3]),
        subjects=("b", "a", "c"),
        num_images=np.array([2, 4, 3]),
        num_lesions=np.array([1, 0, 2]),
    )


def test_the_name_says_what_it_is():
    assert example().name.startswith("polyp_CVC-ColonDB_smoke_imagenet_conv5_50pct_seed3_")


@pytest.mark.parametrize(
    "changes",
    [
        {"arm": "conv4"},
        {"fraction": 0.25},
        {"seed": 4},
        {"weights": "bvlc"},
        {"data": runs.Data("CVC ColonDB", "/somewhere", "abd")},
        {"settings": load_profile("smoke", ["training.decay=0.9"]).settings("polyp")},
    ],
)
def test_another_definition_has_another_name(changes):
    assert example(**changes).name != example().name


def test_where_the_data_lie_does_not_define_a_run():
    assert example(data=runs.Data("CVC ColonDB", "/elsewhere", "abc")).name == example().name


def test_a_new_version_of_the_code_s_results_has_another_name(monkeypatch):
    before = example().name
    monkeypatch.setattr(runs, "RESULTS_VERSION", runs.RESULTS_VERSION + 1)
    assert example().name != before


def test_saved_is_what_is_loaded(tmp_path):
    run, saved = example(), detections()
    runs.save(run, tmp_path, saved, {"seconds": 1.5})
    loaded, record = runs.load(run, tmp_path)
    assert record == {"definition": run.definition, "folder": "/somewhere", "kind": "Detections", "seconds": 1.5}
    for field in dataclasses.fields(Detections):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(saved, field.name))


def test_lines_are_saved_as_scores_are(tmp_path):
    saved = Contours(
        subject=np.array([1]),
        roi=np.array(["b 1"]),
        um_per_pixel=np.array([60.0]),
        fallback=np.array([[False, True]]),
        point_roi=np.array([0, 0]),
        column=np.array([7, 11]),
        found=np.array([[3.5, 9], [4, 10]]),
        truth=np.array([[3.0, np.nan], [4, 11]]),
        subjects=("a", "b"),
        example=np.ones((5, 3, 2)),
    )
    runs.save(example(application="carotid"), tmp_path, saved, {})
    loaded, record = runs.load(example(application="carotid"), tmp_path)
    assert record["kind"] == "Contours"
    for field in dataclasses.fields(Contours):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(saved, field.name))


def test_same_scores_make_the_same_bytes(tmp_path):
    paths = [tmp_path / side / "runs" / f"{example().name}.npz" for side in "ab"]
    for side in "ab":
        runs.save(example(), tmp_path / side, detections(), {})
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_scores_without_their_json_are_not_done(tmp_path):
    run = example()
    runs.save(run, tmp_path, detections(), {})
    assert runs.missing([run, run], tmp_path) == []
    next((tmp_path / "runs").glob("*.json")).unlink()
    assert runs.missing([run, run], tmp_path) == [run]
    with pytest.raises(FileNotFoundError, match="not done: polyp_"):
        runs.load(run, tmp_path)


def test_an_interrupted_write_leaves_nothing_that_counts(tmp_path):
    """The process dies between opening a file and renaming it; the next write clears what is left."""
    target = tmp_path / "runs" / "x.json"
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x.json.tmp123").write_text("{")

    def dies(file):
        file.write(b"{")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.write_atomically(target, dies)
    assert not target.exists()
    runs.write_atomically(target, lambda file: file.write(json.dumps({}).encode()))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["x.json"]


def test_a_run_is_reopened_from_its_record(tmp_path):
    runs.save(example(), tmp_path, detections(), {"seconds": 1.5})
    run, record = runs.reopen(example().name, tmp_path)
    assert run == example()
    assert record["seconds"] == 1.5
    moved, _ = runs.reopen(example().name, tmp_path, Path("/elsewhere"))
    assert moved == example(data=runs.Data("CVC ColonDB", "/elsewhere", "abc"))


def test_a_relative_folder_is_found_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, expected in (("data", str(tmp_path / "data")), ("", "")):
        runs.save(example(data=runs.Data("d", folder, "f")), "results", detections(), {})
        assert runs.reopen(runs.list_done("polyp", "results")[0], "results")[0].data.folder == expected
        next((tmp_path / "results" / "runs").glob("*.json")).unlink()


def test_a_record_that_is_none_or_of_another_version_is_named(tmp_path, monkeypatch):
    runs.save(example(), tmp_path, detections(), {})
    name, version = example().name, runs.RESULTS_VERSION
    monkeypatch.setattr(runs, "RESULTS_VERSION", version + 1)
    with pytest.raises(ValueError, match=rf"another version of the code \(results {version}, now {version + 1}\)"):
        runs.reopen(name, tmp_path)
    (tmp_path / "runs" / f"{name}.json").write_text('{"definition": {}}')
    with pytest.raises(ValueError, match=r"json: expected the record of a run. Received: KeyError"):
        runs.reopen(name, tmp_path)


def test_done_runs_are_listed_by_application(tmp_path):
    several = [example(seed=5), example(seed=4), example(application="frame_quality")]
    for run in several:
        runs.save(run, tmp_path, detections(), {})
    runs.path_of(several[0], tmp_path, "npz").unlink()
    assert runs.list_done("polyp", tmp_path) == [several[1].name]
    assert runs.list_done("frame_quality", tmp_path) == [several[2].name]
    assert runs.list_done("carotid", tmp_path) == []


def cohort_of(folder):
    """Return one image, read from `folder/a.txt`."""
    image = Image("a", partial(Path.read_bytes, Path(folder).resolve() / "a.txt"), partial(bytes))
    return Cohort("c", (Subject("s", (image,)),))


def test_data_must_be_where_and_as_they_were(tmp_path):
    (tmp_path / "a.txt").write_text("then")
    known = fingerprint(tmp_path, cohort_of)
    runs.require_data(example(data=runs.Data("c", str(tmp_path), known)), cohort_of)
    (tmp_path / "a.txt").write_text("now")
    for folder, message in (
        (str(tmp_path), f"fingerprint {known}. Received: .*Give the folder of c with --data FOLDER"),
        (str(tmp_path / "gone"), "gone: the run's data are no longer there. Give the folder of c"),
        ("", "does not say where its data lie.*Give the folder of c"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            runs.require_data(example(data=runs.Data("c", folder, known)), cohort_of)
