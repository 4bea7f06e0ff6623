"""Networks, fine-tuning, training, evaluation and runs.

TensorFlow reads its environment once, when it is imported; so these two defaults stand here, ahead of every
import of Keras in this package. What the user has set is kept.
"""

import os
import sys
import warnings


def _warn_of_slow_tensorflow():
    """Warn where TensorFlow was imported too soon for oneDNN, which it does not use by itself on this processor."""
    keras, port = map(sys.modules.get, ("keras", "tensorflow.python.util._pywrap_util_port"))  # no public one tells
    if port is None or not hasattr(port, "IsMklEnabled") or port.IsMklEnabled():
        return
    if keras is None or not hasattr(keras, "backend") or keras.backend.backend() == "tensorflow":
        warnings.warn(
            "TensorFlow was imported before repro, and does without oneDNN: training takes up to twice as long. "
            "Import repro first, or set TF_ENABLE_ONEDNN_OPTS=1 before Python starts.",
            stacklevel=3,
        )


if "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
    # Off by default on processors without AVX-512; there training AlexNet takes twice as long without it.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    _warn_of_slow_tensorflow()
# Notices of TensorFlow would break progress bars; its errors are still shown, and two notices that no setting stops.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
