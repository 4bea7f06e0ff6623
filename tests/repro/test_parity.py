"""Our AlexNets against OpenCV's Caffe importer and against PyTorch, on random weights in every layer."""

import struct

import cv2
import keras
import numpy as np
import pytest

from repro.alexnet import LAYERS, build_alexnet
from repro.weights import load_imagenet, read_caffemodel, read_torch

UNITS, CLASSES = 31, 7
# Layer, type and settings of bvlc_alexnet in prototxt, dropout left out: it does nothing in a test.
CAFFE_NET = [
    ("conv1", "Convolution", "convolution_param { num_output: 96 kernel_size: 11 stride: 4 }"),
    ("relu1", "ReLU", ""),
    ("norm1", "LRN", "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"),
    ("pool1", "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"),
    ("conv2", "Convolution", "convolution_param { num_output: 256 pad: 2 kernel_size: 5 group: 2 }"),
    ("relu2", "ReLU", ""),
    ("norm2", "LRN", "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"),
    ("pool2", "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"),
    ("conv3", "Convolution", "convolution_param { num_output: 384 pad: 1 kernel_size: 3 }"),
    ("relu3", "ReLU", ""),
    ("conv4", "Convolution", "convolution_param { num_output: 384 pad: 1 kernel_size: 3 group: 2 }"),
    ("relu4", "ReLU", ""),
    ("conv5", "Convolution", "convolution_param { num_output: 256 pad: 1 kernel_size: 3 group: 2 }"),
    ("relu5", "ReLU", ""),
    ("pool5", "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"),
    ("fc6", "InnerProduct", f"inner_product_param {{ num_output: {UNITS} }}"),
    ("relu6", "ReLU", ""),
    ("fc7", "InnerProduct", f"inner_product_param {{ num_output: {UNITS} }}"),
    ("relu7", "ReLU", ""),
    ("fc8", "InnerProduct", f"inner_product_param {{ num_output: {CLASSES} }}"),
]


def random_weights(side):
    """Draw He's Gaussians, so that every layer counts, in Caffe's order of axes; `side` of pool5's maps."""
    shapes = [(96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)]
    shapes += [(UNITS, 256 * side**2), (UNITS, UNITS), (CLASSES, UNITS)]
    rng = np.random.default_rng(5)
    kernels = [rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype("f4") for shape in shapes]
    biases = [rng.normal(0, 1, shape[0]).astype("f4") for shape in shapes]
    return dict(zip(LAYERS, zip(kernels, biases, strict=True), strict=True))


def varint(number):
    """Write a number as protobuf does: 7 bits a byte, lowest first."""
    return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + varint(number // 128)


def field(number, content):
    """Write a field of protobuf that has a length."""
    return varint(number * 8 + 2) + varint(len(content)) + content


def blob(array):
    """Write a BlobProto: its shape, its floats."""
    shape = field(7, field(1, b"".join(varint(side) for side in array.shape)))
    return shape + field(5, array.astype("<f4").tobytes())


def old_blob(array):
    """Write a BlobProto of before 2014: always four sides."""
    sides = (1,) * (4 - array.ndim) + array.shape
    shape = b"".join(varint(number * 8) + varint(side) for number, side in enumerate(sides, start=1))
    return shape + field(5, array.astype("<f4").tobytes())


def layer(name, kind, arrays):
    """Write a LayerParameter into a NetParameter."""
    head = field(1, name.encode()) + field(2, kind.encode())
    return field(100, head + b"".join(field(7, blob(array)) for array in arrays))


def write_caffe(folder, size, weights):
    """Write prototxt and caffemodel of `CAFFE_NET`; return their paths."""
    text = f'name: "AlexNet"\ninput: "data"\ninput_dim: 1 input_dim: 3 input_dim: {size} input_dim: {size}\n'
    below = "data"
    for name, kind, settings in CAFFE_NET:
        top = below if kind == "ReLU" else name
        text += f'layer {{ name: "{name}" type: "{kind}" bottom: "{below}" top: "{top}" {settings} }}\n'
        below = top
    (folder / "net.prototxt").write_text(text)
    layers = [layer(name, kind, weights.get(name, ())) for name, kind, _ in CAFFE_NET]
    (folder / "net.caffemodel").write_bytes(b"".join(layers))
    return folder / "net.prototxt", folder / "net.caffemodel"


def relative_difference(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def images(size):
    """Draw three images of coarse and fine texture: uint8, RGB."""
    rng = np.random.default_rng(2)
    coarse = np.kron(rng.integers(0, 200, (3, 1 + size // 16, 1 + size // 16, 3)), np.ones((1, 16, 16, 1)))
    return (coarse[:, :size, :size] + rng.integers(0, 56, (3, size, size, 3))).astype("uint8")


@pytest.fixture(params=[(227, 6), (126, 3)], ids=["227px", "126px"])
def caffe_case(request, tmp_path):
    """Return OpenCV's network, our network filled from the same file, and images; 126 px has maps that round up."""
    size, side = request.param
    prototxt, caffemodel = write_caffe(tmp_path, size, random_weights(side))
    theirs = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    theirs.enableFusion(False)
    ours = build_alexnet(CLASSES, "caffe", size, fc_units=UNITS, seed=1)
    assert load_imagenet(ours, "bvlc", caffemodel, layers=LAYERS, verify=False) == LAYERS
    return theirs, ours, images(size)


def outputs(model, names, batch):
    return keras.Model(model.input, [model.get_layer(name).output for name in names]).predict(batch, verbose=0)


def test_caffe_variant_is_what_opencv_makes_of_the_same_caffemodel(caffe_case):
    theirs, ours, batch = caffe_case
    theirs.setInput(
        np.ascontiguousarray((batch[..., ::-1] - np.float32([104.007, 116.669, 122.679])).transpose(0, 3, 1, 2))
    )
    names = ["conv1", "norm1", "pool1", "norm2", "pool2", "conv3", "conv4", "pool5", "fc8"]
    for name, own, other in zip(names, outputs(ours, names, batch), theirs.forward(names), strict=True):
        channels_first = own if own.ndim == 2 else own.transpose(0, 3, 1, 2)
        assert relative_difference(channels_first, other) < 1e-4, name
        assert np.std(other) > 0.01 * np.abs(other).max(), f"{name} is dead: it shows nothing"


@pytest.mark.parametrize("name", ["norm1", "norm2"])
def test_parity_would_notice_a_wrong_lrn(caffe_case, name):
    _, ours, batch = caffe_case
    right = ours.predict(batch, verbose=0)
    ours.get_layer(name).alpha *= 1.1
    wrong = keras.Model(ours.input, ours.output).predict(batch, verbose=0)
    assert relative_difference(wrong, right) > 1e-3


def test_caffemodel_of_before_2014_reads_the_same(tmp_path):
    conv5 = np.arange(3 * 2 * 1 * 4).reshape(3, 2, 1, 4), np.float32([1, 2, 3])
    fc6 = np.arange(5 * 12).reshape(5, 12), np.float32([5, 6, 7, 8, 9])
    new = b"".join(layer(name, "any", arrays) for name, arrays in (("conv5", conv5), ("fc6", fc6)))
    old = b""
    for name, arrays in (("conv5", conv5), ("fc6", fc6)):
        old += field(2, field(4, name.encode()) + b"".join(field(6, old_blob(array)) for array in arrays))
    for form, content in (("new", new), ("old", old)):
        (tmp_path / form).write_bytes(content)
        found = read_caffemodel(tmp_path / form)
        assert found["conv5"][0].shape == (1, 4, 2, 3)
        assert found["conv5"][0][0, 3, 1, 2] == 2 * 8 + 1 * 4 + 3
        # Input 3 of Keras is row 0, column 1, filter 0: in Caffe's order that is number 0 * 4 + 0 * 2 + 1.
        assert found["fc6"][0][3].tolist() == [1, 13, 25, 37, 49]
        assert found["fc6"][1].tolist() == [5, 6, 7, 8, 9]


def test_incomplete_caffemodel_is_refused(tmp_path):
    whole = layer("conv1", "Convolution", (np.ones((4, 3, 2, 2)), np.ones(4)))
    (tmp_path / "half").write_bytes(whole[:-20])
    with pytest.raises(ValueError, match="incomplete"):
        read_caffemodel(tmp_path / "half")
    missing = field(100, field(1, b"conv1") + field(7, field(1, varint(9)) + struct.pack("<f", 1.0)))
    (tmp_path / "damaged").write_bytes(missing)
    with pytest.raises(ValueError, match=r"damaged|incomplete"):
        read_caffemodel(tmp_path / "damaged")


@pytest.fixture(scope="module")
def torch_net():
    """Return torchvision's AlexNet, narrower in fc6 and fc7, random in every layer."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra parity)")
    nn = torch.nn
    convolution = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU()]
    convolution += [nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1)]
    convolution += [nn.ReLU(), nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2)]
    dense = [nn.Dropout(), nn.Linear(9216, UNITS), nn.ReLU(), nn.Dropout(), nn.Linear(UNITS, UNITS), nn.ReLU()]
    parts = {"features": nn.Sequential(*convolution), "classifier": nn.Sequential(*dense, nn.Linear(UNITS, CLASSES))}
    net = nn.ModuleDict(parts).eval()
    torch.manual_seed(3)
    for name, values in net.named_parameters():
        (nn.init.kaiming_normal_ if name.endswith("weight") else nn.init.normal_)(values)
    return net


@pytest.mark.parametrize("size", [224, 227])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torchvision_variant_is_what_pytorch_makes_of_the_same_file(torch_net, tmp_path, size, zipped):
    import torch

    torch.save(torch_net.state_dict(), tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    ours = build_alexnet(CLASSES, "torchvision", size, fc_units=UNITS, seed=1)
    load_imagenet(ours, "torchvision", tmp_path / "net.pth", layers=LAYERS, verify=False)
    batch = images(size)
    scaled = (batch / np.float32(255) - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    with torch.no_grad():
        maps = torch_net["features"](torch.from_numpy(scaled.transpose(0, 3, 1, 2)))
        pooled = torch.nn.functional.adaptive_avg_pool2d(maps, 6)  # As torchvision does between its two parts.
        theirs = torch_net["classifier"](pooled.flatten(1)).numpy()
    own_maps, own = outputs(ours, ["pool5", "fc8"], batch)
    assert relative_difference(own_maps.transpose(0, 3, 1, 2), maps.numpy()) < 1e-4
    assert relative_difference(own, theirs) < 1e-4


def test_torch_file_of_another_network_is_refused(torch_net, tmp_path):
    import torch

    torch.save(torch_net["features"].state_dict(), tmp_path / "features.pth")
    with pytest.raises(ValueError, match=r"not torchvision's AlexNet"):
        read_torch(tmp_path / "features.pth")
    torch.save({"w": torch.ones(3, 2).T}, tmp_path / "strided.pth")
    with pytest.raises(ValueError, match="contiguous"):
        read_torch(tmp_path / "strided.pth")
