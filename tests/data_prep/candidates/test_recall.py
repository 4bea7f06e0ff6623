"""Candidate recall on real frames: what it leaves out no network finds again."""

import numpy as np
import pytest

from data_prep.candidates.polyps import fit_detector, hit
from data_prep.cohort import lesions
from data_prep.readers import read_colonoscopy

# Drawn once with numpy.random.default_rng(0).permutation(10)[:3], not chosen.
TESTED = {"3", "5", "9"}


def test_four_of_five_polyps_of_unseen_sequences_are_hit(real_data):
    folder = real_data / "cvc-colondb"
    if not folder.is_dir():
        pytest.skip(f"CVC-ColonDB not found at {folder}")
    subjects = read_colonoscopy(folder).subjects
    detector = fit_detector([s for s in subjects if s.name not in TESTED], seed=0, jobs=2, most_frames=56)
    found = []
    for image in (image for s in subjects if s.name in TESTED for image in s.images[::3]):
        truth = image.read_truth()
        hits = hit(detector.propose(image.read_pixels()).points, truth)
        found += [lesion.number in hits for lesion in lesions(truth)]
    assert len(found) >= 25
    assert np.mean(found) >= 0.8
