"""The package's AlexNet in plain PyTorch, as a rival for benchmarks: what a user would write instead.

    module = build("caffe", 227, 4096, 2)        # an nn.Sequential: uint8 (n, 227, 227, 3) to logits (n, 2)
    copy_weights(keras_model, module)

It is PyTorch's own layers in a row, of the same sizes (`repro.alexnet.VARIANTS`) and the same names, and computes the
same function. `module.train()` switches dropout on, `module.eval()` off. Maps lie channels last in memory, unless
another layout is asked for: forward passes of 100 patches at 227 pixels take a seventh less so on 2 cores. On a GPU it
computes in float32, as the package does (`repro.precision`); PyTorch by itself takes TF32 for convolutions.
"""

from collections import OrderedDict

import torch
from torch import nn

from repro.alexnet import LAYERS, POOLED, VARIANTS


class Preprocessing(nn.Module):
    """From uint8, RGB, channels last, to what conv1 takes: order, mean, scale; axes in PyTorch's order."""

    def __init__(self, order, mean, scale, layout):
        super().__init__()
        self.order, self.layout = list(order), layout
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1))

    def forward(self, images):
        """Prepare images of shape (n, size, size, 3); the result is (n, 3, size, size), float32."""
        channels_first = images.permute(0, 3, 1, 2)[:, self.order]
        # The order of axes says channels first, whatever comes first in memory.
        return (channels_first.to(torch.float32, memory_format=self.layout) - self.mean) / self.scale


def build(variant, size, fc_units, num_classes, layout=torch.channels_last):
    """Build the network with PyTorch's own random weights, in training mode.

    Parameters
    ----------
    variant : {"caffe", "torchvision"}
    size, fc_units, num_classes : int
        As in `repro.alexnet.build_alexnet`.
    layout : torch.memory_format
        How maps and weights lie in memory.

    Returns
    -------
    nn.Sequential
        From images of shape (n, size, size, 3), uint8, to logits of shape (n, num_classes). Its layers have Keras'
        names: ``module.conv1``, ``module.fc6``.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    kind = VARIANTS[variant]
    layers = OrderedDict(preprocessing=Preprocessing(kind.order, kind.mean, kind.scale, layout))
    channels = 3
    for name, spec in kind.convolutions.items():
        number = name[-1]
        kernel = {"kernel_size": spec.kernel, "stride": spec.stride, "padding": spec.padding, "groups": spec.groups}
        layers[name] = nn.Conv2d(channels, spec.filters, **kernel)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        if name in kind.normalised:
            layers[f"norm{number}"] = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        if name in POOLED:
            layers[f"pool{number}"] = nn.MaxPool2d(3, 2, ceil_mode=kind.pool_rounds_up)
        channels = spec.filters
    layers["flatten"] = nn.Flatten()
    with torch.inference_mode():
        inputs = nn.Sequential(layers)(torch.zeros(1, size, size, 3, dtype=torch.uint8)).shape[1]
    for name in ("fc6", "fc7"):
        number = name[-1]
        layers[name], layers[f"relu{number}"] = nn.Linear(inputs, fc_units), nn.ReLU(inplace=True)
        layers[f"drop{number}"] = nn.Dropout(0.5)
        inputs = fc_units
    layers["fc8"] = nn.Linear(inputs, num_classes)
    return nn.Sequential(layers).to(memory_format=layout)


def copy_weights(keras_model, module):
    """Give the module the weights of a `repro.alexnet.build_alexnet` of the same sizes, in PyTorch's order of axes."""
    _, rows, columns, channels = keras_model.get_layer("pool5").output.shape
    for name in LAYERS:
        kernel, bias = map(torch.as_tensor, keras_model.get_layer(name).get_weights())
        if name == "fc6":  # Keras flattens (row, column, channel), PyTorch (channel, row, column).
            kernel = kernel.view(rows, columns, channels, -1).permute(2, 0, 1, 3).reshape(kernel.shape)
        with torch.no_grad():
            layer = getattr(module, name)
            layer.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
            layer.bias.copy_(bias)
