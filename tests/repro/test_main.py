"""The package's command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from repro.__main__ import ROOT, main
from repro.detect import Request


def test_weights_are_fetched_and_their_place_is_told(capsys):
    main(["weights"])
    source, _, path = capsys.readouterr().out.strip().partition(": ")
    assert source == "imagenet"
    assert path.endswith(".ckpt")


def test_a_file_that_is_not_the_weights_is_refused_in_one_line(tmp_path):
    (tmp_path / "wrong.caffemodel").write_bytes(b"not weights")
    with pytest.raises(SystemExit, match=r"python -m repro: .*9116a64c"):
        main(["weights", "bvlc", "--path", str(tmp_path / "wrong.caffemodel")])


def test_an_unknown_source_lists_the_known():
    with pytest.raises(SystemExit, match=r"imagenet.*torchvision|torchvision.*imagenet|bvlc"):
        main(["weights", "resnet"])


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return a folder with a frame, and what detection was asked for; it says that one image failed if told to."""
    Image.new("RGB", (9, 8)).save(tmp_path / "a.png")
    found = []

    def detect(request, images):
        found.append((request, [name for name, _ in images]))
        return "table", "picture", ["b.png: damaged"] if request.least == 0.5 else []

    monkeypatch.setattr("repro.detect.detect", detect)
    return tmp_path, found


def test_detect_passes_on_what_is_asked_and_says_where_the_answer_is(asked, capsys):
    folder, found = asked
    main(["detect", "polyp", "--frames", str(folder), "--run", "r", "--results", "R", "--data", "D", "--top", "3"])
    assert found == [(Request("polyp", "r", Path("R"), Path("detections"), Path("D"), 0.0, 3), ["a.png"])]
    assert capsys.readouterr().out == "table\npicture\n"


def test_images_that_failed_are_listed_and_the_exit_status_says_so(asked, capsys):
    with pytest.raises(SystemExit, match=r"could not be used \(1\), the others are done:\n  b\.png: damaged") as end:
        main(["detect", "polyp", "--frames", str(asked[0]), "--run", "r", "--least", "0.5"])
    assert isinstance(end.value.code, str)  # printed, and the status is 1
    assert capsys.readouterr().out == "table\npicture\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["polyp"], "one of the arguments --frames --video is required"),
        (["polyp", "--frames", "a", "--video", "b"], "not allowed with"),
        (["polyp", "--video", "b", "--every", "0"], "expected a whole number from 1. Received: 0"),
        (["polyp", "--frames", "a", "--least", "1.5"], "expected a number from 0 to 1. Received: 1.5"),
        (["pe"], "--volumes"),
    ],
)
def test_a_mistaken_option_is_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(["detect", *arguments])
    assert message in capsys.readouterr().err


def test_a_folder_without_frames_is_named_in_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"python -m repro: .*: expected a folder of frames \(\.png"):
        main(["detect", "polyp", "--frames", str(tmp_path)])


@pytest.fixture
def made(tmp_path):
    """Return a folder where polyp_1 and polyp_2 are done, polyp_3 failed, pe_4 is missing, pe_5 is left over."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "lists").mkdir()
    wanted = [{"name": name} for name in ("polyp_1", "polyp_2", "polyp_3", "pe_4")]
    (tmp_path / "lists" / "figure.json").write_text(json.dumps({"runs": wanted}))
    for name in ("polyp_1", "polyp_2", "pe_5"):
        (tmp_path / "runs" / f"{name}.json").write_text('{"seconds": 20}')
        (tmp_path / "runs" / f"{name}.npz").touch()
    (tmp_path / "runs" / "polyp_3.failed.json").write_text('{"seconds": 3, "error": "ValueError: too small"}')
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["pe*"], ["pe_4", "pe_5"]),
        (["polyp_[12]", "*_4"], ["pe_4", "polyp_1", "polyp_2"]),
        (["--state", "done"], ["polyp_1", "polyp_2", "pe_5"]),
        (["polyp*", "--state", "missing"], []),
        (["--unlisted"], ["pe_5"]),
    ],
)
def test_runs_are_chosen_by_name_state_and_list(made, arguments, names, capsys):
    main(["runs", *arguments, "--results", str(made)])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [line.split()[-1] for line in lines] == names


def test_a_failed_run_is_told_with_its_error_and_sets_the_exit_status(made, capsys):
    with pytest.raises(SystemExit) as end:
        main(["runs", "--results", str(made)])
    assert end.value.code == 1
    expected = "done 3 in 0:01:00, missing 1, failed 1\nfailed polyp_3\n    ValueError: too small\n"
    assert capsys.readouterr().out.endswith(expected)


def test_runs_that_are_asked_for_are_removed_and_their_files_named(made, capsys):
    main(["runs", "polyp_[23]", "pe_4", "--remove", "--results", str(made)])
    deleted = [str(made / "runs" / name) for name in ("polyp_2.json", "polyp_2.npz", "polyp_3.failed.json")]
    assert capsys.readouterr().out.splitlines() == [*deleted, "removed 3 files of 3 runs"]
    left = sorted(path.name for path in (made / "runs").iterdir())
    assert left == ["pe_5.json", "pe_5.npz", "polyp_1.json", "polyp_1.npz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--remove"], "--remove needs to be told which runs: with a PATTERN"),
        (["--unlisted", "--remove"], "--remove needs to be told which runs: with a PATTERN"),
        (["polyp_1", "polyp", "--remove"], "No run matches polyp"),
        (["--results", "nowhere"], "nowhere: expected a folder of runs"),
    ],
)
def test_a_mistake_about_runs_ends_in_one_line_and_removes_nothing(made, arguments, message, monkeypatch):
    monkeypatch.chdir(made)
    before = sorted(made.rglob("*"))
    with pytest.raises(SystemExit, match=f"python -m repro: .*{message}"):
        main(["runs", "--results", str(made), *arguments])
    assert sorted(made.rglob("*")) == before


def test_what_is_left_over_is_not_removed_while_no_script_has_listed_its_runs(made):
    (made / "lists" / "figure.json").unlink()
    with pytest.raises(SystemExit, match=r"lists is empty, so that every run counts as left over"):
        main(["runs", "*", "--unlisted", "--remove", "--results", str(made)])
    assert len(list((made / "runs").iterdir())) == 7


def test_runs_are_listed_without_a_backend(made):
    code = "import sys; from repro.__main__ import main; main(sys.argv[1:]); sys.exit('keras' in sys.modules)"
    command = [sys.executable, "-c", code, "runs", "--state", "done", "--results", str(made)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def test_a_reader_that_has_seen_enough_is_no_mistake(made):
    """More lines than a pipe holds, to a reader that closes after the first."""
    for number in range(3000):
        (made / "runs" / f"polyp_{number:080}.npz").touch()
    command = [sys.executable, "-m", "repro", "runs", "--results", str(made)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"figure:\n"
        process.stdout.close()
        assert process.stderr.read() == b""
