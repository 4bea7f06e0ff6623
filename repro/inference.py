"""What a trained network says of patches, of candidates (the mean over their views), and of all pixels of an ROI."""

import numpy as np
from tqdm import tqdm

from repro.dense import dense_probabilities
from repro.feeding import Feed, filled_batches

__all__ = ["candidate_scores", "dense_probabilities", "probabilities"]


def probabilities(model, patches, batch_size=100, description=None):
    """Class probabilities of patches.

    Parameters
    ----------
    model : keras.Model
        Ends in logits of shape (n, classes).
    patches : data_prep.patches.PatchTable
        Anything with a length and `cut(rows) -> uint8 patches`. One batch is held in memory at a time.
    batch_size : int
        Every batch is filled up to this size, so that the network is traced or compiled once.
    description : str, optional
        Show a progress bar under this name.

    Returns
    -------
    ndarray of shape (n, classes), float32
    """
    if not len(patches):
        return np.empty((0, model.output_shape[-1]), np.float32)
    feed = Feed(patches, filled_batches(len(patches), batch_size))
    shown = tqdm(feed, desc=description, leave=False, disable=None if description else True)
    logits = [np.asarray(model.predict_on_batch(batch), np.float32) for batch in shown]
    return np.concatenate([_softmax(batch) for batch in logits])[: len(patches)]


def candidate_scores(model, patches, candidate, batch_size=100, description=None):
    """Score candidates: the mean probability over each one's views (PAPER section 2).

    Parameters
    ----------
    model, patches, batch_size, description
        See `probabilities`. What is scored is the probability of not being of class 0, the background.
    candidate : ndarray of shape (n,), int
        The candidate, from 0, that each patch shows; every candidate must have a patch.

    Returns
    -------
    ndarray of shape (number of candidates,), float64
    """
    positive = 1.0 - probabilities(model, patches, batch_size, description)[:, 0].astype(np.float64)
    seen = np.bincount(candidate)
    if (seen == 0).any():
        raise ValueError(f"Every candidate needs a view. Received none for {np.flatnonzero(seen == 0).tolist()}.")
    return np.bincount(candidate, weights=positive) / seen


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
