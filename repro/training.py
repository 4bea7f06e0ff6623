"""Train one network: Eq. 2 on mini-batches, validation AUC after each epoch, the best weights kept."""

import time
from dataclasses import dataclass, field

import keras
import numpy as np
from tqdm import tqdm

from repro.evaluation.roc import auc
from repro.feeding import Feed
from repro.finetune import optimizer
from repro.inference import probabilities


@dataclass
class History:
    """What was seen while a network was trained.

    Attributes
    ----------
    epochs : list of dict
        epoch (from 1), batches (done so far), loss (mean over the epoch's patches), auc (validation), seconds (so far).
    checks : list of dict
        batches, auc: between epochs, where `repro.schema.Plan.checks_per_decade` asked for it.
    best_epoch : int
        The epoch whose weights the model holds at the end.
    waited : float
        Seconds that training stood still because the next mini-batch was not cut yet (`repro.feeding`).
    """

    epochs: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    best_epoch: int = 0
    waited: float = 0.0


class TrainingDivergedError(FloatingPointError):
    """Loss or weights are not finite: there is no network to report."""


def train(model, patches, validation, rates, plan, seed):
    """Train a network until its validation AUC stops rising; the model then holds its best weights.

    Parameters
    ----------
    model : keras.Model
        Takes uint8 patches, ends in logits; frozen as `rates` says (`repro.finetune.trainable_until`).
    patches, validation : data_prep.patches.PatchTable
        With labels from 0; no subject may stand in both. The AUC takes class 0 against all others together, as the
        paper does for the three classes of the carotid application.
    rates : dict of str to float
        Learning rate of each layer, as `repro.finetune.layer_rates` gives it.
    plan : repro.schema.Plan
    seed : int
        Orders the patches. The same seed on the same machine and backend gives the same weights to the bit; on a GPU
        only where its backend is told to (JAX: XLA_FLAGS=--xla_gpu_deterministic_ops=true), which was not tried.

    Returns
    -------
    History

    Raises
    ------
    TrainingDivergedError
        The loss or a weight is not finite.
    """
    keras.utils.set_random_seed(seed)
    steps = -(-len(patches) // plan.batch_size)
    compile_network(model, rates, steps, plan.momentum, plan.decay)
    watch = _Watch(model, validation, plan, steps)
    order = np.random.default_rng(seed)
    with tqdm(total=steps * plan.max_epochs, desc="training", unit="batch", leave=False, disable=None) as bar:
        for epoch in range(1, plan.max_epochs + 1):
            watch.end_epoch(epoch, _epoch(model, patches, order.permutation(len(patches)), watch, bar))
            bar.set_postfix(auc=f"{watch.history.epochs[-1]['auc']:.3f}")
            if epoch - watch.history.best_epoch >= plan.patience:
                break
    model.set_weights(watch.best_weights)
    return watch.history


def compile_network(model, rates, steps_per_epoch, momentum=0.9, decay=0.95):
    """Give a network its loss and the optimiser of Eq. 2; see `repro.finetune.optimizer`.

    Compiled where a backend gains from it: XLA costs TensorFlow more seconds than a short run gives back.
    """
    model.compile(
        optimizer=optimizer(model, rates, steps_per_epoch, momentum, decay),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    # TensorFlow traces a step again when variables came to be in it; each time is half a second or more.
    model.optimizer.build(model.trainable_variables)


def _epoch(model, patches, rows, watch, bar):
    """Take one pass over the rows; return the mean loss of a patch."""
    total, batches = 0.0, np.array_split(rows, np.arange(watch.batch_size, len(rows), watch.batch_size))
    feed = Feed(patches, batches)
    for batch, cut in zip(batches, feed, strict=True):
        loss = float(model.train_on_batch(cut, patches.labels[batch]))
        watch.end_batch(loss)
        total += loss * len(batch)
        bar.update()
    watch.history.waited = round(watch.history.waited + feed.waited, 2)
    return total / len(rows)


class _Watch:
    """Follows a training: validation AUC, the best weights, and that all stays finite."""

    def __init__(self, model, validation, plan, steps):
        self.model, self.validation, self.batch_size = model, validation, plan.batch_size
        self.history, self.best_weights = History(), None
        self.batches, self.best_auc, self.start = 0, -np.inf, time.perf_counter()
        self.checks = _checkpoints(steps * plan.max_epochs, plan.checks_per_decade)

    def measure(self):
        """Return the AUC of the validation patches, class 0 against the others."""
        found = probabilities(self.model, self.validation)
        if not np.isfinite(found).all():
            raise TrainingDivergedError(f"The network's output is not finite after {self.batches} mini-batches.")
        return float(auc(self.validation.labels > 0, 1.0 - found[:, 0]))

    def end_batch(self, loss):
        self.batches += 1
        if not np.isfinite(loss):
            raise TrainingDivergedError(
                f"The loss is {loss} after {self.batches} mini-batches. Lower the learning rates, or look for "
                "damaged patches or weights."
            )
        if self.batches in self.checks:
            self.history.checks.append({"batches": self.batches, "auc": self.measure()})

    def end_epoch(self, epoch, loss):
        value, seconds = self.measure(), round(time.perf_counter() - self.start, 2)
        entry = {"epoch": epoch, "batches": self.batches, "loss": loss, "auc": value, "seconds": seconds}
        self.history.epochs.append(entry)
        if value > self.best_auc:
            weights = self.model.get_weights()
            if not all(np.isfinite(weight).all() for weight in weights):
                raise TrainingDivergedError(f"A weight is not finite after epoch {epoch}.")
            self.best_auc, self.history.best_epoch, self.best_weights = value, epoch, weights


def _checkpoints(most, per_decade):
    if not per_decade:
        return frozenset()
    number = int(np.log10(most) * per_decade) + 1
    return frozenset(np.round(np.logspace(0, (number - 1) / per_decade, number)).astype(int).tolist())
