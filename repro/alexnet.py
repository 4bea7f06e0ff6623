"""AlexNet (Table I of Tajbakhsh et al. 2016) in two variants, one for each family of ImageNet weights.

`caffe` is BVLC's `bvlc_alexnet`, the paper's network: convolution, ReLU, LRN, pooling; two groups in conv2, conv4
and conv5; pooling whose size rounds up; BGR minus the ImageNet mean (METHODS.md 0). Table I leaves groups, LRN and
dropout out. `torchvision` is torchvision's `alexnet` (Krizhevsky, arXiv 1404.5997): fewer filters, no LRN,
no groups, RGB by mean and standard deviation.
"""

from dataclasses import dataclass

import keras
import numpy as np

from repro.layers import FullyConnected, GroupedConv2D, LocalResponseNormalization, Preprocessing

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
POOLED = ("conv1", "conv2", "conv5")
# conv1 of Table I then leaves 15x15, the least of which three whole pooling windows in a row make 1x1.
SMALLEST_INPUT = 67


@dataclass(frozen=True)
class Convolution:
    """One row of Table I: filters, side of the kernel, stride, padding on each side (pixels), groups."""

    filters: int
    kernel: int
    stride: int
    padding: int
    groups: int = 1


@dataclass(frozen=True)
class Variant:
    """What tells one AlexNet from another.

    Attributes
    ----------
    convolutions : dict of str to Convolution
    normalised : tuple of str
        Layers followed by LRN.
    pool_rounds_up : bool
        Whether a window that hangs over the lower or right edge still counts, as in Caffe.
    order, mean, scale : tuple
        See `repro.layers.Preprocessing`.
    """

    convolutions: dict[str, Convolution]
    normalised: tuple[str, ...]
    pool_rounds_up: bool
    order: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]


VARIANTS = {
    "caffe": Variant(
        convolutions={
            "conv1": Convolution(96, 11, stride=4, padding=0),
            "conv2": Convolution(256, 5, stride=1, padding=2, groups=2),
            "conv3": Convolution(384, 3, stride=1, padding=1),
            "conv4": Convolution(384, 3, stride=1, padding=1, groups=2),
            "conv5": Convolution(256, 3, stride=1, padding=1, groups=2),
        },
        normalised=("conv1", "conv2"),
        pool_rounds_up=True,
        order=(2, 1, 0),
        # The mean of each channel of Caffe's mean image, not the image itself: that is 256x256 and nearly
        # flat, fits one input size only, and would be one more file to download. Caffe's own example of
        # classification does the same.
        mean=(104.007, 116.669, 122.679),
        scale=(1.0, 1.0, 1.0),
    ),
    "torchvision": Variant(
        convolutions={
            "conv1": Convolution(64, 11, stride=4, padding=2),
            "conv2": Convolution(192, 5, stride=1, padding=2),
            "conv3": Convolution(384, 3, stride=1, padding=1),
            "conv4": Convolution(256, 3, stride=1, padding=1),
            "conv5": Convolution(256, 3, stride=1, padding=1),
        },
        normalised=(),
        pool_rounds_up=False,
        order=(0, 1, 2),
        mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
        scale=(0.229 * 255, 0.224 * 255, 0.225 * 255),
    ),
}

# Weights from scratch, by Caffe's names and Caffe's definitions: its "xavier" and "msra" look at the
# inputs of a unit only, where Glorot and Bengio (2010) take the mean of inputs and outputs.
INITIALISERS = ("gaussian", "xavier", "msra")
# Caffe's train_val.prototxt of bvlc_alexnet (METHODS.md 0).
GAUSSIAN_STD = dict.fromkeys(LAYERS, 0.01) | {"fc6": 0.005, "fc7": 0.005}
# Inputs of a unit in the network of Table I, which those numbers are meant for.
INPUTS_OF_TABLE_I = {"fc6": 6 * 6 * 256, "fc7": 4096, "fc8": 4096}
BIAS = dict.fromkeys(LAYERS, 0.0) | dict.fromkeys(("conv2", "conv4", "conv5", "fc6", "fc7"), 0.1)


def build_alexnet(num_classes, variant="caffe", input_size=227, fc_units=4096, dropout=0.5, seed=None, init="gaussian"):
    """Build an AlexNet with random weights.

    Layers have Caffe's names: the weighted ones those of `LAYERS`, then relu1, norm1, pool1, ... relu6, drop6.

    Parameters
    ----------
    num_classes : int
        Units of fc8; ImageNet has 1000, the paper's applications 2 or 3.
    variant : {"caffe", "torchvision"}
    input_size : int
        Height and width of an image, at least 67 pixels. fc6 takes whatever map pool5 leaves: 6x6 for 227 pixels,
        as in ImageNet training, 3x3 for 131. torchvision's own class would stretch or shrink other maps
        to 6x6; this one does not, so both are the same function where pool5 is 6x6 (224 and 227 pixels).
    fc_units : int
        Units of fc6 and of fc7.
    dropout : float
        Share of fc6's and fc7's outputs dropped in training.
    seed : int, optional
        The same seed gives the same weights and dropout on one backend. Each layer has a seed of its own.
    init : {"gaussian", "xavier", "msra"}
        How weights are drawn: zero-mean Gaussians as in Caffe, or Caffe's fillers after Glorot and after He, which
        the paper tried for Figure 10. Biases start as in Caffe in all three.

    Returns
    -------
    keras.Model
        From images of shape (n, input_size, input_size, 3), RGB, uint8 or float from 0 to 255, to logits of
        shape (n, num_classes), float32.
    """
    _check(variant, input_size, init)
    seeds = _seeds(seed)
    images = keras.Input((input_size, input_size, 3), name="images")
    x = _convolutional_part(images, variant, init, seeds)
    x = keras.layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = _dense(name, fc_units, init, seeds)(x)
        x = keras.layers.ReLU(name=f"relu{name[-1]}")(x)
        x = keras.layers.Dropout(dropout, seed=seeds[f"drop{name[-1]}"], name=f"drop{name[-1]}")(x)
    logits = _dense("fc8", num_classes, init, seeds)(x)
    return keras.Model(images, logits, name=f"alexnet_{variant}")


def _check(variant, input_size, init):
    """Refuse what cannot be built, with what can."""
    if variant not in VARIANTS:
        raise ValueError(f"Unknown variant of AlexNet. Received: {variant!r}. Expected one of {sorted(VARIANTS)}.")
    if input_size < SMALLEST_INPUT:
        raise ValueError(
            f"AlexNet needs images of at least {SMALLEST_INPUT}x{SMALLEST_INPUT} pixels: smaller ones vanish in its "
            f"poolings. Received: input_size={input_size}. Enlarge the patches."
        )
    if init not in INITIALISERS:
        raise ValueError(f"Unknown initialiser. Received: init={init!r}. Expected one of {INITIALISERS}.")


def _seeds(seed):
    """Draw one seed for each layer that is random: dict of name to int."""
    names = (*LAYERS, "drop6", "drop7")
    drawn = np.random.SeedSequence(seed).generate_state(len(names))
    return {name: int(value) >> 1 for name, value in zip(names, drawn, strict=True)}  # PyTorch takes 31 bits.


def _convolutional_part(images, variant, init, seeds):
    """Lead from images to pool5."""
    kind = VARIANTS[variant]
    x = Preprocessing(variant, kind.order, kind.mean, kind.scale, name="preprocessing")(images)
    for name, spec in kind.convolutions.items():
        number = name[-1]
        contrast = float(np.mean(kind.scale)) if name == "conv1" else 1.0
        x = _convolution(x, name, spec, _initialisers(name, init, seeds, contrast))
        x = keras.layers.ReLU(name=f"relu{number}")(x)
        if name in kind.normalised:
            x = LocalResponseNormalization(name=f"norm{number}")(x)
        if name in POOLED:
            x = _pool(x, f"pool{number}", kind.pool_rounds_up)
    return x


def _convolution(x, name, spec, initialisers):
    """Apply one row of Table I; padding is zero after preprocessing, as in Caffe and torchvision."""
    same = spec.stride == 1 and spec.kernel == 2 * spec.padding + 1
    if spec.padding and not same:
        x = keras.layers.ZeroPadding2D(spec.padding, name=f"pad{name[-1]}")(x)
    kind = GroupedConv2D if spec.groups > 1 else keras.layers.Conv2D
    padding = "same" if same else "valid"
    layer = kind(spec.filters, spec.kernel, spec.stride, padding, groups=spec.groups, name=name, **initialisers)
    return layer(x)


def _pool(x, name, rounds_up):
    """Take maxima over 3x3 windows, stride 2.

    A size that rounds up differs only for even sides, by one window that hangs over by one pixel. There Keras'
    "same" pads exactly that pixel, below and on the right, and never lets it win.
    """
    hangs_over = rounds_up and x.shape[1] % 2 == 0
    return keras.layers.MaxPooling2D(3, 2, "same" if hangs_over else "valid", name=name)(x)


def _dense(name, units, init, seeds):
    """Make a fully connected layer; fc8 stays in float32 under any precision, for the loss."""
    dtype = "float32" if name == "fc8" else None
    return FullyConnected(units, dtype=dtype, name=name, **_initialisers(name, init, seeds))


def _initialisers(name, init, seeds, contrast=1.0):
    """Give a layer its initial weights, as keyword arguments of a Keras layer.

    Caffe's standard deviations suit Table I's sizes and pixels of 0 to 255. Narrower fully connected layers, and a
    conv1 that sees pixels divided by `contrast`, get larger ones, so that all start with signals of one size.
    With Caffe's numbers as they stand, those of a 512-unit network vanish, and its gradients with them.
    """
    if init == "gaussian" and name in INPUTS_OF_TABLE_I:
        variance = GAUSSIAN_STD[name] ** 2 * INPUTS_OF_TABLE_I[name]
        kernel = keras.initializers.VarianceScaling(variance, "fan_in", "untruncated_normal", seed=seeds[name])
    elif init == "gaussian":
        kernel = keras.initializers.RandomNormal(stddev=GAUSSIAN_STD[name] * contrast, seed=seeds[name])
    elif init == "xavier":
        kernel = keras.initializers.VarianceScaling(1.0, "fan_in", "uniform", seed=seeds[name])
    else:
        kernel = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=seeds[name])
    return {"kernel_initializer": kernel, "bias_initializer": keras.initializers.Constant(BIAS[name])}
