"""The scripts from end to end on the smoke profile, and the command line as a user meets it."""

import csv
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_prep.cohort import Cohort, Image, Subject, Volume
from experiments import (
    captions,
    claims,
    command,
    fig_carotid_boxplots,
    fig_carotid_patches,
    fig_carotid_stages,
    fig_convergence,
    fig_frame_examples,
    fig_frame_roc,
    fig_pe_froc,
    fig_pe_representation,
    fig_polyp_examples,
    fig_polyp_froc,
    report,
    table_1,
    table_2,
    table_s1,
    table_s2,
    table_s3,
    table_s4,
)
from repro import runs
from repro.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = (
    *(table_1, table_2),
    *(fig_polyp_examples, fig_polyp_froc, table_s1, fig_frame_examples, fig_frame_roc, table_s3),
    *(fig_carotid_patches, fig_carotid_boxplots, fig_carotid_stages, table_s4),
    *(fig_pe_representation, fig_pe_froc, table_s2, fig_convergence),
)
STEMS = tuple(script.__name__.rpartition(".")[2] for script in SCRIPTS)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Run every script and the report on the smoke profile; return the folder and the options that made it."""
    folder = tmp_path_factory.mktemp("smoke")
    options = ["--profile", "smoke", "--results", str(folder / "results"), "--figures", str(folder / "figures")]
    for script in (*SCRIPTS, report):
        script.main(options)
    return folder, options


def rows(path):
    """Return the notes and the rows of a csv."""
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [line for line in lines if line.startswith("#")]
    return notes, list(csv.DictReader(lines[len(notes) :]))


@pytest.mark.parametrize("stem", STEMS)
def test_a_script_writes_its_four_files_with_the_caveats(drawn, stem):
    figures = drawn[0] / "figures"
    assert {path.suffix for path in figures.glob(f"{stem}.*")} == {".png", ".pdf", ".csv", ".json"}
    notes, numbers = rows(figures / f"{stem}.csv")
    assert numbers
    assert any("phantom" in note for note in notes) or stem in ("table_1", "table_2")


def truth_with(*boxes):
    """Return a truth map of 50x70 pixels with a lesion in each box."""
    truth = np.zeros((50, 70), np.int32)
    for number, (top, left, height, width) in enumerate(boxes, start=1):
        truth[top : top + height, left : left + width] = number
    return truth


def test_the_gallery_shows_polyps_that_are_seen_whole_where_there_are_any():
    """A view is 1.6 times the box: one of 20 pixels needs more than 6 on each side."""
    cut, whole, both = (
        truth_with((0, 30, 9, 10)),
        truth_with((15, 7, 11, 20)),
        truth_with((5, 44, 6, 20), (15, 7, 11, 20)),
    )
    one = Subject("one", tuple(Image(str(k), None, lambda truth=truth: truth) for k, truth in enumerate((cut, whole))))
    two = Subject("two", (Image("0", None, lambda: both), Image("1", None, lambda: truth_with())))
    three = Subject("three", (Image("0", None, lambda: cut),))
    picked = fig_polyp_examples.pick(Cohort("c", (one, two, three)), 3)
    found = {(subject.name, image.name, lesion.number) for subject, image, lesion in picked}
    assert found == {("one", "1", 1), ("two", "0", 2), ("three", "0", 1)}


def test_figure_2_has_every_arm_and_amount(drawn):
    notes, numbers = rows(drawn[0] / "figures" / "fig_polyp_froc.csv")
    assert {row["arm"] for row in numbers if row["panel"] == "a"} == set(fig_polyp_froc.DEPTHS)
    amounts = {(row["arm"], row["fraction"]) for row in numbers if row["panel"] == "b"}
    assert amounts == {(arm, share) for arm in ("conv1", "scratch") for share in ("1.0", "0.5", "0.25")}
    assert any("FT:only fc8: fc6 and fc7 stay at random" in note for note in notes)


def test_table_s1_has_every_pair_at_the_points_that_its_frames_can_show(drawn):
    """10 arms: 45 pairs; 3 videos with 4 frames each show .1 false positives a frame, and nothing below 1/12."""
    notes, numbers = rows(drawn[0] / "figures" / "table_s1.csv")
    assert [row["at"] for row in numbers] == ["0.1"] * 45
    assert any("Not shown at 0.001, 0.01 false positives a frame: less than one in all 12 frames" in n for n in notes)
    assert any("Only 3 test subjects" in note and "no p can be under 0.25" in note for note in notes)


def test_figure_6_has_every_arm_share_and_area(drawn):
    notes, numbers = rows(drawn[0] / "figures" / "fig_frame_roc.csv")
    shown = {(row["arm"], row["fraction"]) for row in numbers if row["panel"] == "b"}
    assert shown == {(arm, share) for arm in ("conv1", "scratch") for share in ("1.0", "0.1", "0.05", "0.01")}
    assert {row["arm"] for row in numbers if row["panel"] == "a"} == set(fig_frame_roc.DEPTHS)
    areas = [row for row in numbers if row["kind"] in ("auc_delong", "auc_bootstrap")]
    assert len(areas) == 2 * (7 + 2 * 3)
    assert all(float(row["low"]) <= float(row["auc"]) <= float(row["high"]) for row in areas)
    assert any("5%: " in note and "two of each class are the least" in note for note in notes)


def test_figure_3_shows_five_emboli_of_as_many_patients_small_to_large(drawn):
    _, numbers = rows(drawn[0] / "figures" / "fig_pe_representation.csv")
    sizes = [float(row["volume_mm3"]) for row in numbers]
    assert len({row["subject"] for row in numbers}) == len(numbers) == 5
    assert sizes == sorted(sizes)


def test_figure_3_picks_patients_and_sizes_evenly():
    """Seven patients with k emboli of 1 to k voxels of 6 cubic millimetres; the first has none and is left out."""
    scale = ((1.0, 0, 0, 0), (0, 2.0, 0, 0), (0, 0, 3.0, 0))
    truths = [
        np.repeat(np.arange(k + 1), np.arange(k + 1) + (np.arange(k + 1) == 0)).reshape(1, 1, -1) for k in range(7)
    ]
    subjects = [
        Subject(str(k), (Volume("v", None, lambda truth=truth: truth, scale),)) for k, truth in enumerate(truths)
    ]
    picked = fig_pe_representation.pick(Cohort("c", tuple(subjects)), 3)
    found = [(subject.name, number, volume_mm3) for subject, _, number, volume_mm3 in picked]
    assert found == [("1", 1, 6.0), ("3", 2, 12.0), ("6", 6, 36.0)]


def test_figure_4_has_every_arm_and_both_ways_to_take_data_away(drawn):
    notes, numbers = rows(drawn[0] / "figures" / "fig_pe_froc.csv")
    assert {row["arm"] for row in numbers if row["panel"] == "a"} == set(fig_pe_froc.DEPTHS)
    for panel in "bc":
        amounts = {(row["arm"], row["fraction"]) for row in numbers if row["panel"] == panel}
        assert amounts == {(arm, share) for arm in ("conv1", "scratch") for share in ("1.0", "0.5", "0.25")}
    patients, emboli = (
        next(n for n in notes if f"share of the training {what}" in n) for what in ("patients", "emboli")
    )
    assert re.findall(r"(\d+) patients", patients) == ["4", "2", "2"]
    assert re.findall(r"(\d+) patients", emboli) == ["4", "4", "4"]


def test_table_s2_has_every_pair_at_every_point(drawn):
    notes, numbers = rows(drawn[0] / "figures" / "table_s2.csv")
    assert [row["at"] for row in numbers[:10]] == ["1.0", "2.0", "3.0", "4.0", "5.0"] * 2
    assert len(numbers) == 45 * 5
    assert any("candidates a volume" in note for note in notes)


def test_figure_9_has_every_arm_and_roi_in_micrometres(drawn):
    notes, numbers = rows(drawn[0] / "figures" / "fig_carotid_boxplots.csv")
    assert {row["arm"] for row in numbers} == set(fig_carotid_boxplots.SHOWN)
    rois = {row["roi"] for row in numbers}
    assert len(numbers) == 10 * len(rois)
    assert all(300 < float(row["true_imt_um"]) < 1400 for row in numbers)
    assert any("Snakes that folded" in note and f"of {20 * len(rois)}." in note for note in notes)


def test_table_s4_has_every_pair_of_both_interfaces(drawn):
    _, numbers = rows(drawn[0] / "figures" / "table_s4.csv")
    assert [row["interface"] for row in numbers] == ["LI"] * 45 + ["MA"] * 45
    assert all(0 <= float(row["p_t"]) <= float(row["p_t_holm"]) <= 1 for row in numbers)


def test_the_paper_s_table_s4_is_whole():
    """45 cells an interface; conv2 against conv1 in LI is .9530, scratch against conv3 in MA .1369."""
    cells = {interface: table_s4.paper_cells(interface) for interface in ("LI", "MA")}
    assert [len(of) for of in cells.values()] == [45, 45]
    assert cells["LI"]["FT:conv1-fc8", "FT:conv2-fc8"][0] == ".9530"
    assert cells["MA"]["scratch", "FT:conv3-fc8"][0] == ".1369"


def test_figure_10_has_every_application_and_start_and_shares_what_other_figures_trained(drawn):
    _, numbers = rows(drawn[0] / "figures" / "fig_convergence.csv")
    starts = {("conv1", ""), *(("scratch", init) for init in ("gaussian", "xavier", "msra"))}
    found = {(row["application"], row["arm"], row["init"]) for row in numbers}
    assert found == {(name, *start) for name in ("polyp", "embolism", "frame_quality", "carotid") for start in starts}
    # One of each application's four is new for each start that is not the profile's own.
    figure_10, figure_2 = (
        {run["name"] for run in json.loads(path.read_text())["runs"]}
        for path in (next((drawn[0] / "results" / "lists").glob(f"Figure-{number}_*")) for number in (10, 2))
    )
    assert (len(figure_10), len(figure_10 & figure_2)) == (16, 2)


def test_the_report_shows_all_that_was_drawn(drawn):
    page = (drawn[0] / "figures" / "index.html").read_text(encoding="utf-8")
    assert page.count("<img") == len(STEMS)
    assert "make claims" in page
    assert "FOR TESTS ONLY, NO RESULT" in page


def test_the_claims_are_judged_in_every_application(drawn, tmp_path):
    """With one seed, whose runs are done but for the carotid's with less data."""
    claims.main([*drawn[1], "--figures", str(tmp_path), "--seeds", "0"])
    found = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    assert [verdict["claim"] for verdict in found["verdicts"]] == ["C1"] * 4 + ["C2"] * 4 + ["C3"] * 5 + ["C4"] * 4
    assert set(found["applications"]) == {"polyp", "embolism", "frame_quality", "carotid"}
    assert all("one seed" in verdict["note"] for verdict in found["verdicts"] if verdict["effect"] is not None)
    assert found["runs"] == 14 + 14 + 16 + 14


def test_drawing_again_trains_nothing_and_gives_the_same_files(drawn):
    folder, options = drawn
    before = {path: path.read_bytes() for path in (folder / "figures").iterdir()}
    runs = {path: path.stat().st_mtime_ns for path in (folder / "results" / "runs").iterdir()}
    fig_polyp_froc.main([*options, "--draw-only"])
    assert {path: path.read_bytes() for path in (folder / "figures").iterdir()} == before
    assert {path: path.stat().st_mtime_ns for path in (folder / "results" / "runs").iterdir()} == runs


def test_a_run_that_is_lost_is_made_again_to_the_bit(drawn):
    folder, options = drawn
    scores = next((folder / "results" / "runs").glob("polyp_*_conv4_*_seed0_??????????.npz"))
    before = scores.read_bytes()
    scores.with_suffix(".json").unlink()
    scores.unlink()
    fig_polyp_froc.main(options)
    assert scores.read_bytes() == before


def test_draw_only_says_which_run_is_missing(drawn):
    folder, options = drawn
    with pytest.raises(FileNotFoundError, match=r"not done: polyp_.*seed7"):
        fig_polyp_froc.main([*options, "--draw-only", "--seeds", "7"])
    assert not list((folder / "results" / "runs").glob("*seed7*"))


def test_a_user_s_mistake_ends_in_one_line(capsys):
    with pytest.raises(SystemExit):
        command.parse("x", ["--set", "training.epochs=3"])
    assert "unknown keys ['epochs']" in capsys.readouterr().err


def test_an_unknown_folder_ends_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fig_polyp_froc.py", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^fig_polyp_froc\.py: .*not a layout that is known"):
        runpy.run_path(str(ROOT / "experiments" / "fig_polyp_froc.py"), run_name="__main__")


PHANTOMS = {"polyp": "colonoscopy", "s1": "colonoscopy", "frame": "procedures", "s3": "procedures"}
PHANTOMS |= {"carotid": "carotid", "s4": "carotid", "fig_pe": "ctpa", "s2": "ctpa"}
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.strip()
]


def test_the_readme_has_commands():
    assert {"make figures", "make test"} <= set(COMMANDS)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_make_commands_of_the_readme_exist(line):
    subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def contents(figures):
    """Read a folder of figures, without how long runs took: one of them may have been made again meanwhile."""
    read = {path.name: path.read_bytes() for path in figures.iterdir()}
    facts = {name: json.loads(text) | {"seconds": 0} for name, text in read.items() if name.endswith(".json")}
    return read | facts | {"index.html": len(read["index.html"]) > 0}


def test_make_figures_draws_what_the_scripts_draw(drawn, tmp_path):
    """On the smoke profile, from the runs that are done: that it installs is seen by whoever runs this with make."""
    if not (ROOT / ".venv" / "ready").is_file():
        pytest.skip("make figures would install an environment; run the tests with make test")
    arguments = ["--profile", "smoke", "--results", str(drawn[0] / "results"), "--figures", str(tmp_path)]
    subprocess.run(["make", "figures", f"ARGS={' '.join(arguments)}"], cwd=ROOT, check=True, capture_output=True)
    assert contents(tmp_path) == contents(drawn[0] / "figures")


@pytest.mark.parametrize("line", [line for line in COMMANDS if "experiments/" in line])
def test_scripts_of_the_readme_run(line, drawn, tmp_path):
    """As written, but for the profile, and for data sets that are not here."""
    words = line.split()
    script = next(script for script in SCRIPTS if words[1] == f"experiments/{script.__name__.split('.')[-1]}.py")
    arguments = words[2:]
    if "--data" in arguments:
        kind = next(kind for word, kind in PHANTOMS.items() if word in words[1])
        phantom = next((drawn[0] / "results" / "phantoms").glob(f"{kind}_*"))
        arguments[arguments.index("--data") + 1] = str(phantom)
    if "--weights" in arguments:
        pytest.skip("needs a file of weights that pip cannot bring")
    script.main([*arguments, *drawn[1], "--figures", str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("line", [line for line in COMMANDS if "repro detect" in line])
def test_detect_commands_of_the_readme_run(line, drawn, tmp_path):
    """On the smoke profile's test patient or frames, by its network tuned from conv1 on and by the rival."""
    words, results = line.split()[3:], drawn[0] / "results"
    if "--video" in words:
        pytest.skip("tests/repro/test_detect.py writes a video and reads it")
    application, kind, part, images, expected = {
        "pe": ("embolism", "ctpa", "volumes", "p0[01].npz", 2 * 24),
        "polyp": ("polyp", "colonoscopy", "images", "*_f000.png", 8 * 4),
    }[words[1]]
    (phantom,) = (results / "phantoms").glob(f"{kind}_*")
    for path in (phantom / part).glob(images):
        shutil.copy(path, tmp_path)
    probabilities = []
    for arm in ("conv1", "handcrafted"):
        run = next(name for name in runs.list_done(application, results) if f"_{arm}_100pct_seed0" in name)
        replaced = {"DIR": str(tmp_path), "RUN": run}
        main([replaced.get(word, word) for word in words] + ["--results", str(results), "--out", str(tmp_path / arm)])
        notes, found = rows(tmp_path / arm / "detections.csv")
        assert len(found) == expected
        assert notes[0].startswith("# NOT FOR CLINICAL USE")
        probabilities.append([float(row["probability"]) for row in found])
    assert probabilities[0] != probabilities[1]


def test_what_few_subjects_cannot_show_is_said():
    """Eight subjects give no p under 2 ** -7; times 135 comparisons that is over 1. Fourteen give .0165."""
    (said,) = captions.few_for_holm(8, 135)
    assert "135 comparisons no bootstrap p can be under 1." in said
    assert captions.few_for_holm(14, 135) == []
