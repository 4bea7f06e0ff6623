"""Test sets drawn from the IDCA model, so that the true sensitivity is known."""

import numpy as np
import pytest

from repro.evaluation import Detections


def simulated(seed, scans=60, rate=18.0, a=1.7, b=0.8, correlation=0.0):
    """Draw scans with Poisson false positives and 2.1 lesions on average, nine in ten found.

    `correlation` is that of two scores of a scan, among false positives and among lesions (METHODS B1).
    """
    generator = np.random.default_rng(seed)
    num_lesions = generator.poisson(2.1, scans)
    counts = generator.poisson(rate, scans), generator.binomial(num_lesions, 0.9)
    noise_scan, hit_scan = (np.repeat(np.arange(scans), count) for count in counts)
    noise, hits = (
        np.sqrt(correlation) * generator.normal(size=scans)[scan]
        + np.sqrt(1 - correlation) * generator.normal(size=scan.size)
        for scan in (noise_scan, hit_scan)
    )
    subject = np.concatenate([noise_scan, hit_scan])
    return Detections(
        subject=subject,
        image=np.zeros_like(subject),
        lesion=np.concatenate([np.full(noise.size, -1), np.arange(hits.size)]),
        score=np.concatenate([noise, (a + hits) / b]),
        subjects=tuple(f"scan {number}" for number in range(scans)),
        num_images=np.ones(scans, dtype=int),
        num_lesions=num_lesions,
    )


@pytest.fixture
def simulate():
    return simulated
