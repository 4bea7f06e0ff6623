"""Time an FROC curve with its intervals: weights of subjects against a loop that rebuilds the curve for each resample.

    python benchmarks/froc.py     # about 20 seconds on 2 cores

Both give what a figure draws of an arm: the curve, the IDCA fit with its interval, and a percentile interval over 2,000
resamples of subjects. The loop is what one writes with NumPy: draw subjects with replacement, join their candidates,
number the lesions of a subject anew each time it is drawn, sort, build the curve, read it. It is timed on some of the
draws and scaled to all; the rest of it (curve, fit) is the package's own. Both see the same draws, and their
sensitivities are compared to the bit. They take turns, and ratios are of neighbours in time, so that whatever else the
machine does hits both. What it measures, it also writes into measured.csv.
"""

import time

import measured
import numpy as np

from repro.evaluation import Detections, curve, froc_curve, froc_interval, sensitivity_at
from repro.evaluation.resampling import froc_statistic, resample

CANDIDATES, SUBJECTS, LESIONS, IMAGES = 100_000, 100, 1_000, 5_000
AT = (0.1, 1.0, 5.0)
RESAMPLES = 2_000
TIMED = 40
ROUNDS = 5


def test_set(rng):
    """Draw a test set: 5 % of the candidates hit one of their subject's lesions, and score higher than the others."""
    subject = np.sort(rng.integers(SUBJECTS, size=CANDIDATES))
    each = LESIONS // SUBJECTS
    hits = rng.random(CANDIDATES) < 0.05
    lesion = np.where(hits, subject * each + rng.integers(each, size=CANDIDATES), -1)
    # Subjects differ: what makes the bootstrap's intervals wide. 32-bit scores, as of a network.
    score = (rng.normal(size=CANDIDATES) + hits + 0.5 * rng.normal(size=SUBJECTS)[subject]).astype(np.float32)
    return Detections(
        subject=subject,
        image=rng.integers(IMAGES // SUBJECTS, size=CANDIDATES),
        lesion=lesion,
        score=score,
        subjects=tuple(f"patient {number}" for number in range(SUBJECTS)),
        num_images=np.full(SUBJECTS, IMAGES // SUBJECTS),
        num_lesions=np.full(SUBJECTS, each),
    )


def rebuild(data, rows, weights):
    """Read the curve of one resample, built anew; `rows` : of each subject's candidates; returns (points,)."""
    drawn = np.repeat(np.arange(SUBJECTS), weights)
    chosen = np.concatenate([rows[subject] for subject in drawn])
    time_drawn = np.repeat(np.arange(drawn.size), [rows[subject].size for subject in drawn])
    lesion = data.lesion[chosen]
    lesion = np.where(lesion < 0, -1, lesion + LESIONS * time_drawn)
    counts = data.num_lesions[drawn].sum(), data.num_images[drawn].sum()
    fp_per_image, sensitivity, _ = froc_curve(data.score[chosen], lesion, *counts)
    return sensitivity_at(fp_per_image, sensitivity, AT)


def draw_figure(data):
    """Compute what a figure draws of an arm."""
    return curve(data), froc_interval(data, AT), froc_interval(data, AT, "bootstrap", resamples=RESAMPLES)


def loop(data, draws):
    """Compute the same with rebuilt curves; return the sensitivities of the resamples, (draws, points)."""
    rows = np.split(np.arange(CANDIDATES), np.searchsorted(data.subject, np.arange(1, SUBJECTS)))
    return np.array([rebuild(data, rows, weights) for weights in draws])


def _timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def main():
    """Print a table."""
    data = test_set(np.random.default_rng(0))
    draws = resample(lambda weights: weights, SUBJECTS, RESAMPLES)  # The seed is `draw_figure`'s too.
    quick = froc_statistic(data, AT)(draws)
    seconds, difference = [], 0.0
    for number in range(ROUNDS + 1):
        some = draws[number * TIMED : (number + 1) * TIMED]
        slow, rebuilding = _timed(loop, data, some)
        _, once = _timed(lambda: (curve(data), froc_interval(data, AT)))
        (_, fitted, _), ours = _timed(draw_figure, data)
        seconds.append((rebuilding * RESAMPLES / TIMED + once, ours))
        difference = max(difference, np.abs(slow - quick[number * TIMED : (number + 1) * TIMED]).max())
    before, after = np.array(seconds[1:]).T  # The first round fills caches.
    ratio = np.median(before / after)
    if not (fitted.method == "idca").all():
        raise RuntimeError(f"The IDCA fit failed, and was not timed: {fitted.note}.")
    print(f"{CANDIDATES} candidates, {RESAMPLES} resamples; seconds, medians of {ROUNDS}; loop scaled from {TIMED}")
    print(f"{'loop':>8} {'ours':>8} {'ratio':>6} {'difference':>11}")
    print(f"{np.median(before):8.2f} {np.median(after):8.3f} {ratio:6.0f} {difference:11.1e}")
    same = "equal to the bit" if difference == 0 else f"that differ by at most {difference:.0e}"
    row = {
        "what": f"FROC curve with its IDCA fit and {RESAMPLES:,} resamples of subjects, {CANDIDATES:,} candidates",
        "against": "a loop that rebuilds the curve for each resample",
        "before": np.median(before),
        "after": np.median(after),
        "unit": "s",
        "ratio": ratio,
        "note": f"{SUBJECTS} subjects, {LESIONS:,} lesions, {IMAGES:,} images; the same draws, with sensitivities "
        f"{same}; the loop is timed on {TIMED} draws a round and scaled, the IDCA fit counts on both sides",
    }
    measured.record(__file__, [row])


if __name__ == "__main__":
    main()
