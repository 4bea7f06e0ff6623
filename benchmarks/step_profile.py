"""Say where the time of each arm's training step goes: by kind of operation, beside the machine's own rates.

    python benchmarks/step_profile.py     # Caffe's variant at the paper's size: about 3 minutes on 2 cores

The steps are those of `benchmarks/arms.py`, 227 pixels and 4096 units: on a frozen prefix, with a fifth of the pass
that makes it, as in 5 epochs; conv1 on patches. TensorFlow's own profiler times every operation, so that this needs
the TensorFlow backend. Operations wait for each other (one thread between them, all cores within each), and their times
add up to the step's; what is left over is Python, TensorFlow's calls and the profiler. Products have their share of
the machine's rate of matrix products beside them, the update its share of the rate of memory, as the floors of
`arms.py` count both. The median of several steps; what it measures, it also writes into measured.csv.
"""

import repro  # noqa: F401, ahead of Keras: it switches oneDNN on  # isort: skip

import gc
import tempfile
import time
from collections import Counter
from pathlib import Path

import arms
import keras
import measured
import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from repro.finetune import DEPTHS, label
from repro.prefix import CUTS, suffix

CASE = arms.FULL
STEPS = 7
XLA = "CpuExecutable::ExecuteAsyncOnStream"
"""A call of what XLA compiled, which is LRN alone (`repro.layers`)."""
KINDS = ("convolutions", "fully connected layers", "update", "LRN", "other layers", "between operations")


def kind_of(event):
    """Name the kind of an event of the profiler, "gradient_tape/.../conv3/...:Conv2D..."; None where it is none."""
    name, _, operation = event.rpartition(":")
    if event == XLA:
        return "LRN"
    if not name or name.endswith(":") or " " in event:
        return None
    if "Conv2D" in operation:
        return "convolutions"
    if "MatMul" in operation:
        return "fully connected layers"
    return "update" if "sgd" in name or "optimizer" in name else "other layers"


def profiled(step):
    """Return ms an image of a step by kind of operation; the first steps, which trace, are not timed."""
    for _ in range(2):
        step()
    found = [_profiled_once(step) for _ in range(STEPS)]
    return {kind: float(np.median([each[kind] for each in found])) for kind in KINDS}


def _profiled_once(step):
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        planes = xplane_pb2.XSpace.FromString(path.read_bytes()).planes
    times = Counter()
    for plane in planes:
        names = {number: kind_of(about.name) for number, about in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            if names.get(event.metadata_id):
                times[names[event.metadata_id]] += event.duration_ps / 1e9 / arms.BATCH
    times["between operations"] = 1000 * seconds / arms.BATCH - times.total()
    return times


def measure(depth):
    """Profile one depth; return ms an image of its step by kind, of the pass below it, and its work by kind."""
    model, patches, labels = arms.prepare(CASE, depth)
    work, before = arms.count(model, depth), 0.0
    if depth not in CUTS:
        return profiled(arms.trainer(model, depth, patches, labels)), before, work
    trunk = keras.Model(model.inputs, model.get_layer(CUTS[depth]).output)
    before = sum(profiled(lambda: trunk.predict_on_batch(patches)).values())
    step = arms.trainer(suffix(model, CUTS[depth]), depth, trunk.predict_on_batch(patches), labels)
    return profiled(step), before, work


def row(depth, times, before, work, roof):
    """Describe a depth."""
    ideal = {
        "convolutions": 1000 * work.convolutions / roof.flops,
        "fully connected layers": 1000 * (work.operations - work.convolutions) / roof.flops,
        "update": work.floor_ms(roof)[1],
    }
    shared = before / arms.EPOCHS
    parts = [f"frozen layers, once for {arms.EPOCHS} epochs {shared:.3g}"] if before else []
    for kind, own in times.items():
        rate = f" ({100 * ideal[kind] / own:.0f} %)" if ideal.get(kind) and own >= 0.01 else ""
        parts.append(f"{kind} {own:.3g}{rate}")
    found = {
        "what": f"profile of a training step, {label(depth)}: {CASE.name}",
        "after": shared + sum(times.values()),
        "unit": "ms an image",
        "note": "; ".join(parts),
    }
    print(f"{label(depth):14} {found['after']:6.2f}  {found['note']}", flush=True)
    return found


def main():
    """Print a line for each depth, and write all down."""
    tf.config.threading.set_inter_op_parallelism_threads(1)
    roof, found = arms.Roof("float32"), []
    for depth in DEPTHS:
        roof.measure()
        found.append((depth, *measure(depth)))
        keras.backend.clear_session()
        gc.collect()
    measured.record(__file__, [row(*each, roof) for each in found])


if __name__ == "__main__":
    main()
