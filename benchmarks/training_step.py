"""Time a training step of all eight layers: this package on its Keras backend, against the same network in PyTorch.

    python benchmarks/training_step.py                     # about a minute and a half on 2 cores
    KERAS_BACKEND=jax python benchmarks/training_step.py   # or torch

One step is 50 uint8 patches in a loss out: preprocessing, forward, back, and momentum with a rate for each layer, as
`repro.training` does it. PyTorch is written as its users do: `Conv2d` with groups, `LocalResponseNorm`, pooling in
ceil mode, `SGD` with parameter groups; no `torch.compile`. It gets all cores and the memory layout that is faster
here, contiguous or channels_last. Both start from the same weights, and their logits are compared before they train.

All take turns in one process; ratios are of neighbours in time, so that whatever else the machine does hits both. One
process is fair: the threads of the one that waits do not spin. Alone in a process of its own, each took the same time
(2 cores, Caffe 227 px, the fastest of 7 steps, alone and together: TensorFlow 22.8 and 23.5 ms an image, PyTorch 44.7
and 45.2). What it measures, it also writes into measured.csv.

Both run where the backend does, on its GPU if it has one. There each takes all memory unless it is told not to:
TF_FORCE_GPU_ALLOW_GROWTH=true, XLA_PYTHON_CLIENT_PREALLOCATE=false.
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import time
from dataclasses import dataclass

import keras
import measured
import numpy as np

from repro.alexnet import build_alexnet
from repro.finetune import BIAS_FACTOR, layer_rates, trainable_until
from repro.precision import computing_in
from repro.training import compile_network

try:
    import torch
    import torch_twin
except ImportError:
    torch = None

BATCH, CLASSES, UNITS = 50, 2, 4096
ROUNDS = 5
ARM, MOMENTUM = "conv1", 0.9
AGAINST = "the same network in plain PyTorch"
LAYOUTS = ("contiguous_format", "channels_last")


@dataclass(frozen=True)
class Case:
    """A network and its input's side."""

    variant: str
    size: int
    name: str


CASES = (Case("caffe", 227, "Caffe 227 px"), Case("torchvision", 224, "torchvision 224 px"))


def keras_step(model, patches, labels):
    """Return a function that trains the package's network by one step and returns the loss, as `repro.training`."""
    trainable_until(model, ARM)
    compile_network(model, layer_rates(ARM), steps_per_epoch=1000, momentum=MOMENTUM)
    return lambda: float(model.train_on_batch(patches, labels))


def plain_step(net, patches, labels):
    """Return a function that trains PyTorch's network by one step and returns the loss."""
    groups = []
    for name, rate in layer_rates(ARM).items():
        own = net.get_submodule(name)
        groups += [{"params": [own.weight], "lr": rate}, {"params": [own.bias], "lr": BIAS_FACTOR * rate}]
    sgd, loss_of, device = (
        torch.optim.SGD(groups, momentum=MOMENTUM),
        torch.nn.CrossEntropyLoss(),
        net.fc8.weight.device,
    )
    net.train()

    def step():
        sgd.zero_grad()
        loss = loss_of(net(torch.from_numpy(patches).to(device)), torch.from_numpy(labels).to(device))
        loss.backward()
        sgd.step()
        return loss.item()

    return step


def difference(model, net, patches):
    """Compare logits before anything is trained: the largest difference, as a share of their range over patches."""
    net.eval()
    with torch.no_grad():
        theirs = net(torch.from_numpy(patches).to(net.fc8.weight.device)).cpu().numpy()
    ours = keras.ops.convert_to_numpy(model(patches, training=False))
    return np.abs(ours - theirs).max() / np.ptp(theirs, axis=0).max()


def measure(case):
    """Time one case; return its row."""
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (BATCH, 8, 8, 3), np.uint8)  # Blots: to a network, all fine noise looks alike.
    patches = np.ascontiguousarray(np.kron(coarse, np.ones((1, 29, 29, 1), np.uint8))[:, : case.size, : case.size])
    labels = draw.integers(0, CLASSES, BATCH)
    with computing_in("float32"):
        model = build_alexnet(CLASSES, case.variant, case.size, UNITS, seed=1)
    on_gpu = torch.cuda.is_available() and keras.distribution.list_devices("gpu")
    steps, apart = {"ours": keras_step(model, patches, labels)}, []
    for layout in LAYOUTS:
        net = torch_twin.build(case.variant, case.size, UNITS, CLASSES, getattr(torch, layout))
        torch_twin.copy_weights(model, net)
        net.to("cuda" if on_gpu else "cpu")
        apart.append(difference(model, net, patches))
        steps[layout] = plain_step(net, patches, labels)
    return row(case, in_turns(steps), max(apart))


def in_turns(steps):
    """Return each way's times, ms an image, round by round."""
    times = {name: [] for name in steps}
    for _ in range(ROUNDS + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            loss = step()
            times[name].append((time.perf_counter() - start) * 1000 / BATCH)
            if not np.isfinite(loss):
                raise FloatingPointError(f"Expected a finite loss. Received: {loss} from {name}.")
    return {name: np.array(each[1:]) for name, each in times.items()}  # The first round traces and compiles.


def row(case, times, apart):
    """Describe a case, against PyTorch's faster layout."""
    best, other = sorted(LAYOUTS, key=lambda layout: np.median(times[layout]))
    name = f"{case.name}, {UNITS} units"
    medians = {of: np.median(each) for of, each in times.items()}
    ratio = np.median(times[best] / times["ours"])
    print(f"{name:30} {medians[best]:8.1f} {medians['ours']:8.1f} {ratio:6.2f} {apart:10.1e}  {best}", flush=True)
    return {
        "what": f"training step of {BATCH} patches, FT:conv1-fc8: {name}",
        "against": AGAINST,
        "before": medians[best],
        "after": medians["ours"],
        "unit": "ms an image",
        "ratio": ratio,
        "note": f"logits differ by {apart:.0e} of their range; PyTorch {best} ({other}: {medians[other]:.1f} ms)",
    }


def main():
    """Print a table."""
    if torch is None:
        print("PyTorch is not installed, so there is nothing to compare with: pip install -e '.[parity]'")
        return
    torch.set_num_threads(measured.cores())
    print(
        f"A training step, ms an image, medians of {ROUNDS}; Keras on {measured.backend()}, PyTorch {torch.__version__}"
    )
    print(f"{'':30} {'PyTorch':>8} {'ours':>8} {'ratio':>6} {'logits':>10}  layout of PyTorch")
    measured.record(__file__, [measure(case) for case in CASES])


if __name__ == "__main__":
    main()
