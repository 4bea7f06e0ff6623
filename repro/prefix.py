"""Frozen prefixes: what the frozen layers make of patches, computed once and shared by all depths of a sweep.

Below the first layer that learns nothing changes and nothing is random, so that a network trained on these activations
is the one trained on the patches: equal losses and weights to the bit (tests/repro/test_prefix.py). One pass over a
table keeps the activations at the cuts of all depths that a sweep still wants. Of conv1 and scratch nothing is frozen:
they keep the patches themselves, which are cut once for all their epochs. All is forgotten with the sweep.
Imported by `repro.sweep`, which says what is wanted, and by `repro.networks` and the applications, which train.
"""

import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.kept_patches import KeptPatches
from repro.files import Mapped
from repro.runs import digest

CUTS = {
    "fc8": "flatten",
    "fc7": "flatten",
    "fc6": "flatten",
    "conv5": "relu4",
    "conv4": "relu3",
    "conv3": "pool2",
    "conv2": "pool1",
}
"""By arm, the layer whose output is kept: below it nothing learns, nothing is random, and what comes of a patch does
not depend on the others of its batch. fc6 is frozen for fc8 and fc7 too, but without AVX-512 the bits of a row of a
matrix product depend on its place and on the number of rows (TensorFlow 2.21 with oneDNN, AVX2). Convolutions gave a
patch the same bits in all batches of 2 to 100 that were tried, and others when it was alone: only a last mini-batch of
one patch is not equal to the bit there."""

LEARN_ALL = ("conv1", "scratch")
"""Arms that have no prefix."""

AGAIN = ("training", "validation")
"""Tables that a run looks at in every epoch."""

TOGETHER = ("fc8", "fc7", "fc6", "conv5", "conv4")
"""Depths that cost less, once the prefix is there, than the prefix."""

MEMORY = 512 << 20
"""Bytes of one table's activations, and of its patches, that are held in memory; more lie in files."""

DISK_SHARE = 0.5
"""Of the free disk, what one table's files may take. Cuts that do not fit are left out, the largest first: their depths
compute their frozen layers in every epoch."""

PATCHES_SHARE = 0.25
"""And what its patches may take; what does not fit is cut in every epoch. Less, since cutting takes less time."""

BATCH = 100


@dataclass(frozen=True)
class Features:
    """A table's activations at one cut, in the place of its patches.

    Attributes
    ----------
    values : ndarray or Mapped, of shape (n, ...), float32 or float16
    labels : ndarray of shape (n,), int
    """

    values: "np.ndarray | Mapped"
    labels: np.ndarray

    def __len__(self):
        return len(self.values)

    def cut(self, rows):
        """Return the activations of some rows, in their order, float32."""
        return self.values[np.asarray(rows)].astype(np.float32, copy=False)


class Shelf:
    """The activations and patches of one group of runs, which differ in nothing but their depth.

    Parameters
    ----------
    wanted : sequence of repro.runs.Run
        All that will be performed; each group's cuts are those of its runs.
    folder : path
        There is one. What is large lies in a hidden folder of their own in it, which `clear` removes; a kill leaves
        it behind, and it is never used again.
    """

    def __init__(self, wanted, folder):
        self._folder, self._group, self._tables, self._patches, self._place = Path(folder), None, {}, {}, None
        self._cuts, self._dtype, self._learn_all = {}, None, set()
        for run in wanted:
            if run.arm in CUTS:
                self._cuts.setdefault(group(run), set()).add(CUTS[run.arm])
            elif run.arm in LEARN_ALL:
                self._learn_all.add(group(run))

    def features(self, run, model, patches, side):
        """Return the activations of a table at a run's cut.

        Parameters
        ----------
        run : repro.runs.Run
        model : keras.Model
            The run's, not yet trained: deeper cuts than its own are kept for other depths.
        patches : object
            A table: a length, `labels`, and `cut(rows)`, uint8 patches.
        side : str
            Which table of the group's it is: "training", "validation" or "testing".

        Returns
        -------
        Features or None
            None where they are too large to keep.
        """
        key = side, CUTS[run.arm]
        known = self._tables.get(key)
        if known is None or known[0] != _weights_below(model, CUTS[run.arm]):
            self._fill(model, self.patches(patches, side), side)
        values = self._tables[key][1]
        return None if values is None else Features(values, patches.labels)

    def patches(self, table, side):
        """Return a table that remembers its patches, where that saves cutting them again.

        Parameters
        ----------
        table : object
            As for `features`.
        side : str

        Returns
        -------
        data_prep.kept_patches.KeptPatches, or `table` itself
        """
        if self._group not in self._learn_all or side not in AGAIN or getattr(table, "cuts_fast", False):
            return table
        if side not in self._patches:
            shape = len(table), table.size, table.size, 3
            needed, room = int(np.prod(shape)), PATCHES_SHARE * shutil.disk_usage(self._folder).free
            fits = needed <= max(MEMORY, room)
            store = self._store(side, "patches", np.uint8, shape, in_file=needed > MEMORY) if fits else None
            self._patches[side] = store, np.zeros(len(table), bool)
        # Of each run the table is its own: that of an earlier one would hold its decoded frames in memory.
        store, known = self._patches[side]
        return table if store is None else KeptPatches(table, store, known)

    def enter(self, run):
        """Forget what another group's runs left behind, whether this run shares anything or not."""
        if group(run) != self._group:
            self.clear()
            self._group, self._dtype = group(run), np.dtype(_kept_in(run))

    def clear(self):
        """Forget all activations and patches, and remove their files."""
        self._tables, self._patches = {}, {}
        if self._place:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place = None

    def _fill(self, model, patches, side):
        """Compute a table's activations at all cuts of the group, in one pass."""
        import keras

        from repro.feeding import Feed, filled_batches

        cuts = [cut for cut in dict.fromkeys(CUTS.values()) if cut in self._cuts[self._group]]
        kept = self._make(side, len(patches), {cut: tuple(model.get_layer(cut).output.shape[1:]) for cut in cuts})
        trunk = keras.Model(model.inputs, [model.get_layer(cut).output for cut in kept]) if kept else None
        batches = filled_batches(len(patches), BATCH) if kept else []
        for number, batch in enumerate(Feed(patches, batches)):
            found = trunk.predict_on_batch(batch)
            start, stop = number * BATCH, min((number + 1) * BATCH, len(patches))
            for values, activations in zip(kept.values(), [found] if len(kept) == 1 else found, strict=True):
                values[start:stop] = np.asarray(activations)[: stop - start]
        for cut in cuts:
            self._tables[side, cut] = _weights_below(model, cut), kept.get(cut)

    def _make(self, side, number, shapes):
        """Make room for activations of so many patches: by cut, in memory or in files; for the small ones first."""
        sizes = {cut: self._dtype.itemsize * number * int(np.prod(shape)) for cut, shape in shapes.items()}
        fitting, room = [], max(MEMORY, DISK_SHARE * shutil.disk_usage(self._folder).free)
        for cut in sorted(sizes, key=sizes.get):
            room -= sizes[cut]
            fitting += [cut] if room >= 0 else []
        in_file = sum(sizes[cut] for cut in fitting) > MEMORY
        return {cut: self._store(side, cut, self._dtype, (number, *shapes[cut]), in_file) for cut in fitting}

    def _store(self, side, name, dtype, shape, in_file):
        """Return an array, in memory or in a file that `clear` removes."""
        if not in_file:
            return np.empty(shape, dtype)
        if self._place is None:
            self._place = Path(tempfile.mkdtemp(prefix=".prefix-", dir=self._folder))
        return Mapped(self._place / f"{side}_{name}.npy", dtype, shape)


_shelf = None


@contextmanager
def sharing(wanted, folder):
    """Share frozen prefixes and patches among the runs that are performed meanwhile in this process; see `Shelf`.

    Within another `sharing` this does nothing: the outer one knows of more runs.
    """
    global _shelf
    if _shelf is not None:
        yield
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    _shelf = Shelf(wanted, folder)
    try:
        yield
    finally:
        _shelf.clear()
        _shelf = None


def group(run):
    """Name what runs have in common that see the same patches through the same weights; they differ in depth.

    Parameters
    ----------
    run : repro.runs.Run

    Returns
    -------
    str
    """
    common = {key: value for key, value in run.definition.items() if key not in ("arm", "profile")}
    settings = {section: values for section, values in run.settings.items() if section != "training"}
    precision = run.settings.get("training", {}).get("precision")
    return digest(common | {"settings": settings, "precision": precision, "kept in": _kept_in(run)})


def arrange(wanted):
    """Put runs that share a prefix one after the other.

    Parameters
    ----------
    wanted : sequence of repro.runs.Run

    Returns
    -------
    list of repro.runs.Run
        Groups in the order of their first runs, and runs within a group in theirs.
    """
    places = {name: place for place, name in enumerate(dict.fromkeys(map(group, wanted)))}
    return sorted(wanted, key=lambda run: places[group(run)])


def batches(wanted):
    """Divide runs into what one process should perform, so that others can work meanwhile.

    Parameters
    ----------
    wanted : sequence of repro.runs.Run

    Returns
    -------
    list of list of repro.runs.Run
        The depths up to conv4 of a group in one, where sharing gains most; every other run by itself.
    """
    found = {}
    for run in wanted:
        found.setdefault(group(run) if run.arm in TOGETHER else run.name, []).append(run)
    return sorted(found.values(), key=len, reverse=True)


class Split:
    """A network that is about to learn, divided at its cut, if its sweep shares frozen prefixes.

    Parameters
    ----------
    run : repro.runs.Run
    model : keras.Model
        Frozen as the run's arm says, not yet trained.
    """

    def __init__(self, run, model):
        self.run, self.model, self._suffix = run, model, None
        if _shelf is not None:
            _shelf.enter(run)

    def of(self, **tables):
        """Return the network that takes some tables, and what it takes.

        Parameters
        ----------
        tables
            Of patches, by side: "training", "validation" or "testing". Before anything is trained: what trains is in
            the prefixes of other depths.

        Returns
        -------
        tuple
            The layers above the cut, which are the network's own, and a `Features` for each table. Or, where nothing
            is frozen or shared, the network and the tables, which may remember their patches.

        Raises
        ------
        OSError
            The run rounds its activations (`repro.schema.Plan`), and there is no room to keep them.
        """
        if self.run.arm not in CUTS:
            return self.model, *(_shelf.patches(table, side) if _shelf else table for side, table in tables.items())
        found = [_shelf and _shelf.features(self.run, self.model, table, side) for side, table in tables.items()]
        if any(features is None for features in found):
            if _kept_in(self.run) != "float32":
                raise OSError(
                    f"{self.run.name}: no room for its frozen layers' activations, which it rounds "
                    f"(training.prefix={_kept_in(self.run)}). Make room in the results' folder."
                )
            return self.model, *tables.values()
        if self._suffix is None:
            self._suffix = suffix(self.model, CUTS[self.run.arm])
        return self._suffix, *found


def suffix(model, cut):
    """Build the network above a cut from a chain's own layers: they learn as one.

    Parameters
    ----------
    model : keras.Model
        A chain of layers.
    cut : str
        Name of the layer whose output it takes.

    Returns
    -------
    keras.Model
    """
    import keras

    names = [layer.name for layer in model.layers]
    x = inputs = keras.Input(model.get_layer(cut).output.shape[1:], dtype="float32")
    for layer in model.layers[names.index(cut) + 1 :]:
        x = layer(x)
    return keras.Model(inputs, x, name=f"{model.name}_above_{cut}")


def _kept_in(run):
    """Name what a run's activations are kept in."""
    return run.settings.get("training", {}).get("prefix", "float32")


def _weights_below(model, cut):
    """Describe the weights that activations at a cut follow from."""
    digest_of = hashlib.blake2b(digest_size=16)
    for layer in model.layers:
        for weight in layer.weights:
            digest_of.update(np.ascontiguousarray(weight.numpy() if hasattr(weight, "numpy") else weight))
        if layer.name == cut:
            return digest_of.hexdigest()
    raise ValueError(f"Expected a layer of the model. Received: {cut!r}.")
