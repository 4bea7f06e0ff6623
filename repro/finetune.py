"""Which layers learn, and how fast: the paper's arms, Table II, and `trainable_until` for any Keras model.

The tables at the top need no Keras, so that figures can be drawn without a backend.
"""

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")

DEPTHS = LAYERS[::-1]
"""Depths of fine-tuning, shallow to deep; a depth is named after the first layer that learns."""

ARMS = (*DEPTHS, "scratch")
"""The nine ways to train a network; the handcrafted rival is the tenth arm of a figure."""

HANDCRAFTED = "handcrafted"
# Arms without a network. The last two are sanity baselines of frame classification (METHODS A4).
RIVALS = (HANDCRAFTED, "wavelet", "edges")

# Table II. The paper tunes at .001 but gives the new fc8 ten times as much; from scratch all learn at .001.
TUNING_RATE = 0.001
NEW_LAYER_RATE = 0.01
SCRATCH_RATE = 0.001

BIAS_FACTOR = 2.0
"""A bias learns at twice the rate of its weights (PAPER section 1; Caffe's `lr_mult: 2`)."""


def label(arm):
    """Name an arm as the paper's figures do.

    Parameters
    ----------
    arm : str
        One of `ARMS` or of `RIVALS`.

    Returns
    -------
    str
        "FT:conv5-fc8" for "conv5", "FT:only fc8" for "fc8"; "scratch" and the rivals as they are.
    """
    if arm in ("scratch", *RIVALS):
        return arm
    _check_arm(arm)
    return "FT:only fc8" if arm == "fc8" else f"FT:{arm}-fc8"


def layer_rates(arm):
    """Return the learning rate of every layer's weights: a row of Table II.

    Parameters
    ----------
    arm : str
        One of `ARMS`.

    Returns
    -------
    dict of str to float
        All eight of `LAYERS`; 0 means frozen. Biases learn at `BIAS_FACTOR` times the rate.
    """
    _check_arm(arm)
    if arm == "scratch":
        return dict.fromkeys(LAYERS, SCRATCH_RATE)
    first = LAYERS.index(arm)
    rates = {layer: TUNING_RATE if LAYERS.index(layer) >= first else 0.0 for layer in LAYERS}
    return rates | {"fc8": NEW_LAYER_RATE}


def trainable_until(model, layer):
    """Let `layer` and all layers after it learn, and freeze all before it.

    Works on any `keras.Model`, nested ones included: layers are taken in the model's own order, a nested
    model's layers in its place. The model has to be compiled after this call, since Keras ignores a flag that
    changes after compiling; a model that was compiled before is therefore marked as not compiled.

    Parameters
    ----------
    model : keras.Model
    layer : str
        Name of the first layer that learns.

    Returns
    -------
    tuple of str
        Names of the layers with weights that learn, in order.

    Raises
    ------
    ValueError
        No layer, or more than one, has this name.
    """
    layers = list(_flat(model))
    names = [item.name for item in layers]
    if names.count(layer) != 1:
        weighted = [item.name for item in layers if item.weights]
        raise ValueError(
            f"layer must name exactly one layer of the model. Received: {layer!r}, found {names.count(layer)} "
            f"times. Expected one of {weighted}."
        )
    first = names.index(layer)
    model.trainable = True
    for position, item in enumerate(layers):
        item.trainable = position >= first
    model.compiled = False
    return tuple(item.name for item in layers if item.trainable_weights)


def optimizer(model, rates, steps_per_epoch, momentum=0.9, decay=0.95):
    """Build the optimiser of Eq. 2: momentum, a rate for each layer, one step down after each epoch.

    ``V <- momentum * V - decay**epoch * rate * gradient``, ``W <- W + V``; a bias learns at twice the rate.
    The paper's ``floor(t N / |X|)`` is the epoch when the batch size N divides the training set's size |X|;
    otherwise we step after each full pass, the last, smaller batch included.

    Parameters
    ----------
    model : keras.Model
        Already frozen as wanted.
    rates : dict of str to float
        Learning rate of the weights of every layer that has any, by name, as `layer_rates` gives it. Every
        layer of the model must be named and learn exactly when its rate is above 0.
    steps_per_epoch : int
    momentum, decay : float
        PAPER Table II: .9 and .95 in every row.

    Returns
    -------
    keras.optimizers.MultiOptimizer

    Raises
    ------
    ValueError
        A layer without a rate, a rate without a layer, or a rate that contradicts what is frozen.
    """
    import keras

    class OneDeviceSGD(keras.optimizers.SGD):
        """Does not sum gradients over devices: there is one.

        On TensorFlow, Keras' way of summing keeps every trained network in memory for good (tensorflow/tensorflow,
        issue 97697).
        """

        def _all_reduce_sum_gradients(self, grads_and_vars):
            return grads_and_vars

    weighted = {layer.name: layer for layer in _flat(model) if layer.weights}
    _check_cover(weighted, rates)
    steps = {}

    def sgd(rate):
        if rate not in steps:
            schedule = keras.optimizers.schedules.ExponentialDecay(rate, steps_per_epoch, decay, staircase=True)
            steps[rate] = OneDeviceSGD(schedule, momentum=momentum)
        return steps[rate]

    # By identity of the variable: MultiOptimizer's patterns fall back silently on what they do not match.
    by_variable = {}
    for name, layer in weighted.items():
        for variable in layer.trainable_variables:
            factor = BIAS_FACTOR if variable.name == "bias" else 1.0
            by_variable[id(variable)] = sgd(factor * rates[name])
    return keras.optimizers.MultiOptimizer(lambda variable: by_variable[id(variable)])


def _check_arm(arm):
    if arm not in ARMS:
        raise ValueError(f"Unknown arm. Received: {arm!r}. Expected one of {ARMS}.")


def _flat(model):
    """Yield the layers that are not models themselves, in the model's order."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            layer.trainable = True  # a frozen container would freeze its children whatever they say
            yield from _flat(layer)
        else:
            yield layer


def _check_cover(weighted, rates):
    missing, unknown = sorted(set(weighted) - set(rates)), sorted(set(rates) - set(weighted))
    if missing or unknown:
        raise ValueError(f"rates must name every layer with weights. Missing: {missing}. Not in the model: {unknown}.")
    wrong = [name for name, layer in weighted.items() if bool(layer.trainable_variables) != (rates[name] > 0)]
    if wrong:
        raise ValueError(
            f"A layer learns exactly when its rate is above 0. Contradicted by: {wrong}. "
            "Call trainable_until(model, layer) with the depth that the rates belong to."
        )
