"""Tables I and II of the paper, read off a built network and off what its optimiser does: never typed in."""

import keras
import numpy as np

from repro.alexnet import LAYERS, build_alexnet
from repro.finetune import BIAS_FACTOR, layer_rates, optimizer, trainable_until

KINDS = {"Conv2D": "convolution", "GroupedConv2D": "convolution", "MaxPooling2D": "max pooling"}
SMALL = {"num_classes": 2, "input_size": 67, "fc_units": 3}


def architecture(model):
    """List the layers of an AlexNet as Table I does.

    Parameters
    ----------
    model : keras.Model
        As `repro.alexnet.build_alexnet` makes it.

    Returns
    -------
    list of dict of str to str
        layer, type, input, kernel, stride, pad, output; shapes are channels x height x width as in the paper, and a
        fully connected layer's kernel covers the whole map that it sees.
    """
    shape = _shape(model.input)
    rows = [_row("data", "input", shape, None, shape)]
    pad, seen = 0, shape
    for layer in model.layers:
        if isinstance(layer, keras.layers.ZeroPadding2D):
            pad = layer.padding[0][0]
        elif layer.name in LAYERS or isinstance(layer, keras.layers.MaxPooling2D):
            window = _window(layer, pad, seen)
            rows.append(
                _row(layer.name, KINDS.get(type(layer).__name__, "fully connected"), seen, window, _shape(layer.output))
            )
            pad, seen = 0, _shape(layer.output)
    return rows


def measured_rates(arm, variant="caffe"):
    """Measure how far each layer's weights move in the first step of an arm, for a gradient of one.

    Parameters
    ----------
    arm : str
        One of `repro.finetune.ARMS`.
    variant : str
        Of the network; the rates are the same for both.

    Returns
    -------
    dict of str to float
        By layer, the learning rate of its weights, to 6 digits; 0 where it is frozen.

    Raises
    ------
    RuntimeError
        A bias does not learn at twice the rate of its weights, or single weights of a layer at different rates.
    """
    model = build_alexnet(variant=variant, seed=0, **SMALL)
    trainable_until(model, "conv1" if arm == "scratch" else arm)
    steps = optimizer(model, layer_rates(arm), steps_per_epoch=1)
    before = model.get_weights()
    ones = [keras.ops.ones(variable.shape) for variable in model.trainable_variables]
    steps.apply(ones, model.trainable_variables)
    moved = {}
    for variable, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        moved[variable.path] = np.unique(np.round(old - new, 6))
    return {layer: _rate(layer, moved) for layer in LAYERS}


def _rate(layer, moved):
    weights, bias = moved[f"{layer}/kernel"], moved[f"{layer}/bias"]
    if len(weights) != 1 or not np.allclose(bias, BIAS_FACTOR * weights, atol=2e-6):
        raise RuntimeError(
            f"{layer}: expected one rate, and {BIAS_FACTOR} times it for biases. Found {weights}, {bias}."
        )
    return round(float(weights[0]), 6)


def _window(layer, pad, seen):
    """Return the kernel's side, stride and padding of a layer; a fully connected one covers all that it sees."""
    if hasattr(layer, "pool_size"):
        return layer.pool_size[0], layer.strides[0], 0
    if hasattr(layer, "kernel_size"):
        side = layer.kernel_size[0]
        return side, layer.strides[0], side // 2 if layer.padding == "same" else pad
    return (seen[1] if len(seen) == 3 else 1), 1, 0


def _shape(tensor):
    """Return a tensor's shape without the batch, channels first."""
    shape = tuple(tensor.shape[1:])
    return (shape[-1], *shape[:-1])


def _row(layer, kind, seen, window, made):
    kernel, stride, pad = window or ("", "", "")
    return {
        "layer": layer,
        "type": kind,
        "input": "x".join(map(str, seen)),
        "kernel": f"{kernel}x{kernel}" if window else "",
        "stride": str(stride),
        "pad": str(pad),
        "output": "x".join(map(str, made)),
    }
