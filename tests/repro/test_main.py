"""The package's command line."""

import pytest

from repro.__main__ import main


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
