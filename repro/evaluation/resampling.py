"""The bootstrap over subjects, many resamples at a time.

A resample is a row of weights: how often each subject was drawn. Subjects are what is independent; candidates,
frames and lesions of one subject are not, and resampling those makes intervals that are far too narrow
(METHODS B1). Candidates are sorted once; no curve is built again for a resample.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from repro.evaluation.froc import scored

# Numbers held at once for a batch of resamples (8 bytes each, a few arrays of this size), and how many of them one
# resample needs at least: as many as blocks of scores, of which there are 256 for 65,000 candidates (see `_ranked`).
BATCH = 1_000_000
WIDTH = 256


def resample(statistic, num_subjects, resamples=2000, seed=0):
    """Evaluate a statistic on bootstrap resamples of subjects.

    Parameters
    ----------
    statistic : callable
        Takes weights, ndarray of shape (r, num_subjects), int, how often each subject was drawn; returns an
        ndarray of shape (r, ...).
    num_subjects : int
    resamples : int
    seed : int

    Returns
    -------
    ndarray of shape (resamples, ...)
        The same for any batch size; two statistics called with one seed see the same resamples.
    """
    if num_subjects < 1 or resamples < 1:
        raise ValueError(f"Nothing to resample. Received: num_subjects={num_subjects}, resamples={resamples}.")
    generator = np.random.default_rng(seed)
    equal = np.full(num_subjects, 1 / num_subjects)
    batch = max(1, BATCH // max(num_subjects, WIDTH))
    sizes = [min(batch, resamples - start) for start in range(0, resamples, batch)]
    return np.concatenate([statistic(generator.multinomial(num_subjects, equal, size)) for size in sizes])


def froc_statistic(detections, at):
    """Prepare the sensitivity at fixed false positives per image as a statistic of subject weights.

    Parameters
    ----------
    detections : Detections
    at : array of shape (points,), float
        False positives per image. Lesions, false positives and images are all resampled; the step rule of
        `sensitivity_at` holds in every resample.

    Returns
    -------
    callable
        From weights of shape (r, subjects) to sensitivities of shape (r, points); NaN for a resample that
        drew no lesion or no image.
    """
    data = scored(detections)
    num_subjects = len(detections.subjects)
    return partial(
        _sensitivities,
        _ranked(data.noise_subject, num_subjects),
        _ranked(data.hit_subject, num_subjects),
        # Lesions strictly above each false positive; after the last one, all of them.
        np.append(np.searchsorted(-data.hits, -data.noise, side="left"), data.hits.size),
        np.stack([detections.num_images, detections.num_lesions]),
        np.atleast_1d(np.asarray(at, dtype=float)),
    )


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Events by descending score.

    Attributes
    ----------
    size : int
        Number of events.
    blocks : ndarray of shape (blocks + 1, ranks), int
        Subject of each event; where there is none, one past the last subject, whose weight is zero. Whole blocks are
        counted by one matrix product, one block by rank.
    reached : ndarray of shape (blocks + 1, subjects), float
        Events of each subject before each block.
    """

    size: int
    blocks: np.ndarray
    reached: np.ndarray


def _ranked(subject, num_subjects):
    # About as many blocks as ranks in one: a resample looks at all blocks and then at the ranks of one.
    ranks = math.isqrt(subject.size) + 1
    num_blocks = -(-subject.size // ranks)
    blocks = np.full((num_blocks + 1) * ranks, num_subjects)
    blocks[: subject.size] = subject
    cells = np.arange(subject.size) // ranks * num_subjects + subject
    counts = np.bincount(cells, minlength=num_blocks * num_subjects).reshape(num_blocks, num_subjects)
    reached = np.vstack([np.zeros(num_subjects), np.cumsum(counts, axis=0)])
    return _Ranked(subject.size, blocks.reshape(-1, ranks), reached)


def _sensitivities(noise, hits, above, counts, at, weights):
    """Read every resample's curve at `at`.

    At most so many false positives are tolerated; the first one too many closes all thresholds at its score
    and below. What counts is then the weight of lesions strictly above it, which is the step rule with ties.
    """
    # NaN where a resample has nothing to divide by: it compares as false and stays NaN, without a warning.
    num_images, num_lesions = (np.where(n > 0, n, np.nan) for n in (weights @ counts.T).T)
    padded = np.pad(weights, ((0, 0), (0, 1)))
    noise_reached, hits_reached = (events.reached @ weights.T for events in (noise, hits))
    columns = []
    for limit in at:
        tolerated = _tolerated(noise, noise_reached, padded, limit, num_images)
        columns.append(_weight_of_first(hits, hits_reached, padded, above[tolerated]) / num_lesions)
    return np.where(np.isnan(num_images)[:, None], np.nan, np.stack(columns, axis=1))


def _tolerated(noise, reached, padded, limit, num_images):
    """Count the false positives, by rank, that keep each resample at or under the limit; (r,) int."""
    # Divided, not multiplied: 29 / 100 <= 0.29 holds, 29 <= 0.29 * 100 does not.
    block = np.maximum(np.count_nonzero(reached / num_images <= limit, axis=0) - 1, 0)
    before = reached[block, np.arange(block.size)]
    weight = np.take_along_axis(padded, noise.blocks[block], axis=1)
    false_positives = before[:, None] + np.cumsum(weight, axis=1)
    within = np.count_nonzero(false_positives / num_images[:, None] <= limit, axis=1)
    return np.minimum(block * noise.blocks.shape[1] + within, noise.size)


def _weight_of_first(hits, reached, padded, number):
    """Sum each resample's weight over the first `number` events; number : (r,) int."""
    ranks = hits.blocks.shape[1]
    block, rest = np.divmod(number, ranks)
    weight = np.take_along_axis(padded, hits.blocks[block], axis=1)
    inside = np.sum(weight * (np.arange(ranks) < rest[:, None]), axis=1)
    return reached[block, np.arange(block.size)] + inside
