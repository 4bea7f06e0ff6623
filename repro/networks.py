"""From a run's definition to a network that can train: variant, weights, depth. Every application uses it."""

from dataclasses import asdict
from zipfile import BadZipFile

import numpy as np

from repro.alexnet import build_alexnet
from repro.finetune import label, layer_rates, trainable_until
from repro.inference import candidate_scores
from repro.precision import computing_in
from repro.prefix import Split, sharing
from repro.runs import kept_epoch, path_of, write_atomically
from repro.schema import Plan
from repro.training import train
from repro.weights import SOURCES, fitting_layers, load_imagenet

CAVEATS = "caveats"
"""Stands among the weights in a network's file; no layer has a name without a slash there."""


def prepare_network(run, num_classes):
    """Build, fill and freeze the network of a run.

    Parameters
    ----------
    run : repro.runs.Run
        Its weights decide the variant, for the arm from scratch too, so that all arms of a figure are one network.
    num_classes : int

    Returns
    -------
    model : keras.Model
    caveats : list of str
        What a reader must know of this arm: frozen layers that have no ImageNet weights.
    """
    # New layers of a fine-tuned network are Gaussian, as in Caffe: after He, they would drown what was transferred.
    init = run.settings["training"]["init"] if run.arm == "scratch" else "gaussian"
    model = _build(run, num_classes, init)
    if run.arm == "scratch":
        trainable_until(model, "conv1")
        return model, []
    filled = load_imagenet(model, run.weights, layers=fitting_layers(model, run.weights))
    trainable_until(model, run.arm)
    return model, _caveats(run.arm, filled)


def train_arm(run, model, patches, validation):
    """Train a prepared network by its arm's row of Table II.

    Returns
    -------
    dict
        The `repro.training.History`, as plain values.
    """
    plan, names = Plan(**run.settings["training"]), {layer.name for layer in model.layers}
    # Of a network above its cut, the frozen layers are not there.
    rates = {layer: rate for layer, rate in layer_rates(run.arm).items() if rate or layer in names}
    return asdict(train(model, patches, validation, rates, plan, run.seed))


def classify(run, patches, record):
    """Train the network of a run on two classes, and score what is tested by the mean over its patches.

    Parameters
    ----------
    run : repro.runs.Run
    patches : object
        Of an application: `training()` returns the tables of training and of validation, `testing()` the table of
        testing and the candidate, from 0, that each patch shows; `caveats`, texts, what came of drawing them.
    record : dict
        Gets the patches' numbers, the history and the caveats.

    Returns
    -------
    ndarray of shape (number of candidates,), float64
    """
    training, validation = patches.training()
    table, candidate = patches.testing()
    model, caveats = prepare_network(run, num_classes=2)
    split = Split(run, model)
    learner, training, validation = split.of(training=training, validation=validation)
    tester, table = split.of(testing=table)
    made = _learn(run, learner, training, validation, [*caveats, *patches.caveats])
    scores = candidate_scores(tester, table, candidate, description="testing")
    made["patches"]["testing"] = len(table)
    record |= made | {"caveats": [*record["caveats"], *made["caveats"]]}
    return scores


def fit(run, patches):
    """Train the network of a run on two classes.

    Parameters
    ----------
    run : repro.runs.Run
    patches : object
        See `classify`; `testing()` is not called.

    Returns
    -------
    model : keras.Model
    made : dict
        For the run's record: the patches' numbers, the history and the caveats.
    """
    training, validation = patches.training()
    model, caveats = prepare_network(run, num_classes=2)
    learner, training, validation = Split(run, model).of(training=training, validation=validation)
    return model, _learn(run, learner, training, validation, [*caveats, *patches.caveats])


def _learn(run, learner, training, validation, caveats):
    history = train_arm(run, learner, training, validation)
    numbers = {"training": len(training), "validation": len(validation)}
    return {"caveats": caveats, "patches": numbers, "history": history}


def trained(run, results, history, make_patches):
    """Return the network of a run that is done: as it was kept, or else trained again, and kept.

    Training is deterministic, so that no run needs to keep its network, and every one can still be used.

    Parameters
    ----------
    run : repro.runs.Run
        Of two classes.
    results : path
        The network is kept beside the run's record, as NAME.weights.npz.
    history : dict
        In that record. What is trained again is compared with it.
    make_patches : callable
        Returns what `fit` takes; called only when the network must be trained.

    Returns
    -------
    model : keras.Model
    caveats : list of str
        That the network trained again is not that of the record, as on another machine.
    """
    path = path_of(run, results, "weights.npz")
    if path.is_file():
        model = _build(run, num_classes=2)
        return model, _fill(model, path)
    with sharing([run], results):
        model, made = fit(run, make_patches())
    caveats = _compare(made["history"], history)
    values = {name: weight.numpy() for name, weight in _weights(model).items()}
    write_atomically(path, lambda file: np.savez(file, **{CAVEATS: np.array(caveats, str)}, **values))
    return model, caveats


def _build(run, num_classes, init="gaussian"):
    size = run.settings["network"]
    with computing_in(Plan(**run.settings["training"]).precision):
        return build_alexnet(num_classes, SOURCES[run.weights].variant, **size, seed=run.seed, init=init)


def _weights(model):
    """Map "conv1/kernel" to its variable, and so on."""
    return {f"{layer.name}/{weight.name}": weight for layer in model.layers for weight in layer.weights}


def _fill(model, path):
    """Give a network the weights of a file, all or none; return the file's caveats."""
    try:
        # Opened here: of a damaged file NumPy leaves its own handle open.
        with path.open("rb") as file, np.load(file) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        caveats = values.pop(CAVEATS).tolist()
    except (ValueError, OSError, KeyError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{path}: not a network, or damaged ({error}). Delete it; it is then trained again."
        ) from error
    own = _weights(model)
    shapes = {name: tuple(weight.shape) for name, weight in own.items()}
    received = {name: value.shape for name, value in values.items()}
    if received != shapes:
        raise ValueError(f"{path}: expected the weights {shapes}. Received: {received}. Delete it.")
    for name, weight in own.items():
        weight.assign(values[name])
    return caveats


def _compare(history, before):
    """Say that two trainings differ, if they do, by the AUC of what each one kept."""
    steps = [[{**epoch, "seconds": 0} for epoch in of["epochs"]] for of in (history, before)]
    if steps[0] == steps[1]:
        return []
    aucs = [kept_epoch(of)["auc"] for of in (history, before)]
    return [
        f"The network was trained again and is not that of the run to the bit: validation AUC {aucs[0]:.4f}, that of "
        f"the run {aucs[1]:.4f}. Another machine, backend or number of threads does that."
    ]


def _caveats(arm, filled):
    random = [layer for layer, rate in layer_rates(arm).items() if rate == 0 and layer not in filled]
    if not random:
        return []
    verb = "stays" if len(random) == 1 else "stay"
    return [f"{label(arm)}: {' and '.join(random)} {verb} at random (no ImageNet weights fit)"]
