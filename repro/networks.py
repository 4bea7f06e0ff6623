"""From a run's definition to a network that can train: variant, weights, depth. Every application uses it."""

from dataclasses import asdict

from repro.alexnet import build_alexnet
from repro.finetune import label, layer_rates, trainable_until
from repro.inference import candidate_scores
from repro.schema import Plan
from repro.training import train
from repro.weights import SOURCES, fitting_layers, load_imagenet


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
    network = run.settings["network"]
    # New layers of a fine-tuned network are Gaussian, as in Caffe: after He, they would drown what was transferred.
    init = run.settings["training"]["init"] if run.arm == "scratch" else "gaussian"
    model = build_alexnet(num_classes, SOURCES[run.weights].variant, **network, seed=run.seed, init=init)
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
    plan = Plan(**run.settings["training"])
    return asdict(train(model, patches, validation, layer_rates(run.arm), plan, run.seed))


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
    model, caveats = prepare_network(run, num_classes=2)
    history = train_arm(run, model, training, validation)
    table, candidate = patches.testing()
    scores = candidate_scores(model, table, candidate, description="testing")
    numbers = {"training": len(training), "validation": len(validation), "testing": len(table)}
    record |= {"caveats": [*record["caveats"], *caveats, *patches.caveats], "patches": numbers, "history": history}
    return scores


def _caveats(arm, filled):
    random = [layer for layer, rate in layer_rates(arm).items() if rate == 0 and layer not in filled]
    if not random:
        return []
    verb = "stays" if len(random) == 1 else "stay"
    return [f"{label(arm)}: {' and '.join(random)} {verb} at random (no ImageNet weights fit)"]
