"""The package's command line."""

from pathlib import Path

import pytest
from PIL import Image

from repro.__main__ import main
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
