"""What networks compute in: float32, the TF32 of recent GPUs or bfloat16, the same on every backend. For `networks`.

Left to themselves, backends round the factors of float32 products to TF32's 11 bits on GPUs that can: TensorFlow and
JAX all, PyTorch those of convolutions. Then "float32" would be another arithmetic on a GPU than on a CPU or in Caffe.
"""

from contextlib import contextmanager

import keras


@contextmanager
def computing_in(precision):
    """Let the layers that are made meanwhile compute in a precision.

    Whether a GPU may use TF32 is not a layer's own affair: backends know one answer for a process. It is that of the
    network made last, and stays.

    Parameters
    ----------
    precision : str
        One of `repro.schema.PRECISIONS`. A CPU knows no TF32: "tf32" is float32 there, to the bit.
    """
    before = keras.config.dtype_policy()
    _allow_tf32(precision == "tf32")
    keras.config.set_dtype_policy("float32" if precision == "tf32" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _allow_tf32(allowed):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(allowed)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if allowed else "highest")
    elif backend == "torch":
        import torch

        # PyTorch's older names: from 2.9 on it has others beside them, and is in error where both are used.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
