"""Networks, fine-tuning, training, evaluation and runs.

TensorFlow reads its environment once, when it is imported; so these two defaults stand here, ahead of every
import of Keras in this package. What the user has set is kept.
"""

import os

# oneDNN is off by default on some CPUs; with it, training AlexNet takes a quarter less time.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Notices of TensorFlow would break progress bars; its errors are still shown, and two notices that no setting stops.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
