"""Which arms differ in their errors on the same ROIs: Table S4, and the tests beside it.

The paper prints p values without naming its test; its numbers are those of a paired t test over the 132 test ROIs
(METHODS B3). Three ROIs come from one video, so ROIs are not independent and that p is too small. Beside it stand
Wilcoxon's signed ranks, which no outlier carries but which has the same fault, and the bootstrap over subjects, which
has not; each also corrected for all pairs by Holm's method.
"""

from dataclasses import dataclass, replace

import numpy as np

from repro.evaluation.comparison import holm, smallest_p, two_sided_p
from repro.evaluation.intervals import percentiles
from repro.evaluation.resampling import resample


@dataclass(frozen=True)
class PairedErrors:
    """Two arms' errors on the same ROIs: a row of a table, flat so that it can be written as one.

    Attributes
    ----------
    first, second : str
        Arms, in the order they were handed over: a column and a row of the paper's lower triangles.
    mean_first, mean_second : float
        Over ROIs, in the errors' unit.
    difference, difference_low, difference_high : float
        Second minus first; 95 % interval over resampled subjects.
    p_t, p_wilcoxon : float
        Two-sided, over ROIs; the first is the paper's.
    p_bootstrap : float
        Two-sided, over subjects (see `comparison.two_sided_p`).
    p_t_holm, p_wilcoxon_holm, p_bootstrap_holm : float
        Each corrected for all pairs of the table.
    note : str
        What a reader must know: few subjects; or empty.
    """

    first: str
    second: str
    mean_first: float
    mean_second: float
    difference: float
    difference_low: float
    difference_high: float
    p_t: float
    p_wilcoxon: float
    p_bootstrap: float
    p_t_holm: float
    p_wilcoxon_holm: float
    p_bootstrap_holm: float
    note: str


def compare_errors(arms, subject, resamples=20_000, seed=0):
    """Compare the errors of every pair of arms.

    Parameters
    ----------
    arms : dict of str to array of shape (n,), float
        Each arm's error in the same n ROIs, in the order of the table; one interface.
    subject : array of shape (n,), int or str
        The subject of each ROI.
    resamples : int
        As many as `comparison.compare` takes, since Holm multiplies the smallest p by the number of pairs.
    seed : int
        All arms see the same resamples.

    Returns
    -------
    list of PairedErrors
        A lower triangle read by rows.

    Raises
    ------
    ValueError
        For fewer than two arms or ROIs, lengths that differ, or an error that is not finite.
    """
    errors = _checked(arms, subject)
    num_subjects, means, samples = _resampled(errors, subject, resamples, seed)
    names = list(arms)
    rows = []
    for row, second in enumerate(names):
        for column, first in enumerate(names[:row]):
            difference = (samples[:, row] - samples[:, column])[:, None]
            interval = percentiles(means[[row]] - means[[column]], difference, num_subjects)
            p = (*_over_rois(errors[column], errors[row]), float(two_sided_p(difference, num_subjects)[0]))
            ends = (float(limit[0]) for limit in (interval.value, interval.low, interval.high))
            note = _note(interval.note, num_subjects)
            rows.append(PairedErrors(first, second, float(means[column]), float(means[row]), *ends, *p, *p, note))
    return _corrected(rows)


def _over_rois(first, second):
    """Return p of the paired t test and of Wilcoxon's signed ranks; first, second : (n,) float."""
    if np.array_equal(first, second):
        # No difference at all: 0 / 0 in the first, no ranks in the second.
        return 1.0, 1.0
    # Imported late: figures that compare nothing load this module with the package.
    from scipy import stats

    return float(stats.ttest_rel(second, first).pvalue), float(stats.wilcoxon(second, first).pvalue)


def _resampled(errors, subject, resamples, seed):
    """Return the number of subjects, the arms' means, (arms,), and those of resamples, (resamples, arms)."""
    names, index, counts = np.unique(subject, return_inverse=True, return_counts=True)
    sums = np.zeros((names.size, len(errors)))
    np.add.at(sums, index, errors.T)

    def means(weights):
        return weights @ sums / (weights @ counts)[:, None]

    return names.size, errors.mean(axis=1), resample(means, names.size, resamples, seed)


def _corrected(rows):
    """Put Holm's p values in the place of the plain ones that stood there."""
    tests = ("p_t_holm", "p_wilcoxon_holm", "p_bootstrap_holm")
    corrected = [holm([getattr(row, test) for row in rows]) for test in tests]
    return [
        replace(row, **dict(zip(tests, map(float, values), strict=True)))
        for row, *values in zip(rows, *corrected, strict=True)
    ]


def _note(note, num_subjects):
    """Add to an interval's note of few subjects what that means for p."""
    return f"{note}, and no p of it can be under {smallest_p(num_subjects):.2g}" if note else ""


def _checked(arms, subject):
    lengths = {name: np.shape(errors) for name, errors in arms.items()}
    num_rois = np.size(subject)
    if len(arms) < 2 or num_rois < 2 or any(shape != (num_rois,) for shape in lengths.values()):
        raise ValueError(
            "A paired comparison needs two arms with an error in each of the same ROIs, two ROIs at least. "
            f"Received: {num_rois} ROIs, errors of shapes {lengths}."
        )
    errors = np.array(list(arms.values()), dtype=float)
    if not np.isfinite(errors).all():
        wrong = [name for name, values in zip(arms, errors, strict=True) if not np.isfinite(values).all()]
        raise ValueError(f"Errors must be finite. Received NaN or infinite for: {wrong}. Pair what all arms found.")
    return errors
