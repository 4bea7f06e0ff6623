"""The four layers of AlexNet that Keras lacks, or has but slowly; for every backend."""

import math

import keras
from keras import ops

BACKEND = keras.backend.backend()
LARGE = 8_000_000
"""Weights from which `FullyConnected` differs from Keras: fc6 and fc7 of 4096 units, and not those of 512."""


@keras.saving.register_keras_serializable(package="repro")
class GroupedConv2D(keras.layers.Conv2D):
    """Convolution in groups, kernel of shape (rows, columns, channels / groups, filters), float32.

    It splits the channels, convolves each part and concatenates: what Keras' own groups compute, in another time.
    A training step of the Caffe variant at 227 pixels, 512 units and batch 50, on 2 cores, in ms an image: 20 so and
    78 with Keras' groups on TensorFlow, 49 and 146 on JAX, 47 both on PyTorch.
    """

    def convolution_op(self, inputs, kernel):
        """Convolve group by group."""
        convolve = super().convolution_op
        parts = zip(ops.split(inputs, self.groups, -1), ops.split(kernel, self.groups, -1), strict=True)
        return ops.concatenate([convolve(part, filters) for part, filters in parts], -1)


@keras.saving.register_keras_serializable(package="repro")
class FullyConnected(keras.layers.Dense):
    """A dense layer; where it is large, TensorFlow takes the gradient of its inputs as a batched product.

    TensorFlow's own way, a product with its second factor transposed, runs at a third of the rate of others on
    processors with AVX-512: for 50 patches and fc6 of 9216 x 4096 weights, 71 ms and 24 so on 2 cores; for fc7, 34 and
    11. It sums in another order, so that gradients differ in their last digits. Small layers, where this gains little,
    keep TensorFlow's way, and what was trained with them stays the same to the bit.
    """

    def call(self, inputs, training=None):
        """Multiply inputs of shape (n, features) by the kernel, and add the bias; the result is (n, units)."""
        if BACKEND != "tensorflow" or math.prod(self.kernel.shape) < LARGE:
            return super().call(inputs, training)
        return self.activation(_product(inputs, tf.convert_to_tensor(self.kernel)) + self.bias)


@keras.saving.register_keras_serializable(package="repro")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide each activation by a power of the mean square of its neighbour channels, as Caffe does.

    ``y = x / (k + alpha / size * sum of squares over size channels) ** beta``; past the ends, channels are zero.
    Krizhevsky et al., NIPS 2012, section 3.3; Caffe divides alpha by size, the paper does not (METHODS.md 0).
    No weights.

    Parameters
    ----------
    size : int
        Number of channels, odd.
    alpha, beta, k : float
        As Caffe's `lrn_param`.
    """

    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=1.0, **kwargs):
        super().__init__(**kwargs)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def call(self, x):
        """Normalise x, of shape (n, rows, columns, channels), float; the result has that shape."""
        return _normalise(x, self.size, self.alpha, self.beta, self.k)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return what `from_config` needs to make this layer again."""
        own = {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
        return {**super().get_config(), **own}


def _window_sum(x, size):
    """Sum over `size` neighbour channels: shifted sums, which compilers fuse into one pass over memory."""
    channels = x.shape[-1]
    padded = ops.pad(x, [(0, 0)] * 3 + [(size // 2, size // 2)])
    return sum(padded[..., shift : shift + channels] for shift in range(size))


def _normalise(x, size, alpha, beta, k):
    """Apply LRN, with its derivative written out.

    With b = k + alpha / size * window_sum(x**2) and y = x * b**-beta, a gradient u on y becomes on x
    ``u * b**-beta - 2 * alpha * beta / size * x * window_sum(u * y / b)``.

    norm1 and norm2 at 227 pixels and batch 50 on 2 cores, forward and back, in ms an image: on TensorFlow 2.0 so,
    compiled, and 6.3 by its own op, 3.7 with a 1x1 convolution as the sum, 22 in plain operations with `power`; on
    JAX 3.5, and 8.6 without the written derivative; on PyTorch 17, and 28 by its own function.
    """

    @ops.custom_gradient
    def normalise(x):
        base = k + alpha / size * _window_sum(ops.square(x), size)
        factor = _power(base, -beta)
        y = x * factor

        def gradient(*upstreams, upstream=None):
            u = upstreams[0] if upstream is None else upstream
            return u * factor - (2 * alpha * beta / size) * x * _window_sum(u * y / base, size)

        return y, gradient

    return normalise(x)


def _power(base, exponent):
    """Raise to a power; -3/4, the one that AlexNet uses, by roots, several times as fast as pow."""
    if exponent != -0.75:
        return ops.power(base, exponent)
    root = ops.rsqrt(base)
    return root * ops.sqrt(root)


if BACKEND == "tensorflow":
    import tensorflow as tf

    # Compiled for each batch size that occurs, about .3 s each time.
    _normalise = tf.function(_normalise, jit_compile=True)

    # A function of its own, traced once for each shape: TensorFlow keeps a written gradient for good, and with it the
    # graph that it stands in, which would be that of a network's training step.
    @tf.function
    @tf.custom_gradient
    def _product(x, kernel):
        def gradient(upstream):
            by_inputs = tf.raw_ops.BatchMatMulV2(x=upstream, y=kernel, adj_y=True)
            return by_inputs, tf.matmul(x, upstream, transpose_a=True)

        return tf.matmul(x, kernel), gradient


@keras.saving.register_keras_serializable(package="repro")
class Preprocessing(keras.layers.Layer):
    """From RGB, 0 to 255, to what a network was trained on: order of the channels, then mean and scale.

    Parameters
    ----------
    variant : str
        Whose input this is; `repro.weights` reads it to refuse the weights of another.
    order : sequence of int
        Which of red, green, blue comes first, second, third.
    mean, scale : sequence of float
        Taken off and divided by, in that order of channels, in units of 0 to 255.
    """

    def __init__(self, variant, order, mean, scale, **kwargs):
        super().__init__(**kwargs)
        self.variant, self.order, self.mean, self.scale = variant, list(order), list(mean), list(scale)

    def call(self, images):
        """Prepare images of shape (n, rows, columns, 3); the result has that shape, float."""
        mean = ops.convert_to_tensor(self.mean, self.compute_dtype)
        scale = ops.convert_to_tensor(self.scale, self.compute_dtype)
        return (ops.take(ops.cast(images, self.compute_dtype), self.order, axis=-1) - mean) / scale

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return what `from_config` needs to make this layer again."""
        own = {"variant": self.variant, "order": self.order, "mean": self.mean, "scale": self.scale}
        return {**super().get_config(), **own}
