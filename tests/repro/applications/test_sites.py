"""The bookkeeping of candidates: what is counted, what FROC gets, which views are drawn."""

import numpy as np
import pytest

from repro.applications.sites import Sites, draw_views, number_lesions

# 5 subjects with 1, 2, 1, 2, 1 images; b and d test. Image k shows k % 3 lesions and has k + 1 candidates.
SUBJECTS = tuple("abcde")
IMAGE_SUBJECT = np.array([0, 1, 1, 2, 3, 3, 4])
IMAGE_LESIONS = np.arange(7) % 3


def sites():
    """Return sites in which the first two candidates of an image hit its last lesion, if any, and no others do."""
    hits = [np.where(np.arange(k + 1) < 2, lesions - 1, -1) for k, lesions in enumerate(IMAGE_LESIONS)]
    return Sites(
        subjects=SUBJECTS,
        is_test=np.array([False, True, False, True, False]),
        image_subject=IMAGE_SUBJECT,
        image_lesions=IMAGE_LESIONS,
        image=np.repeat(np.arange(7), np.arange(7) + 1),
        lesion=number_lesions(hits, IMAGE_LESIONS),
    )


def test_lesions_are_numbered_through_the_data_set():
    """Images show 0, 1, 2, 0, 1, 2, 0 lesions: 0 | 1, 2 | 3 | 4, 5."""
    assert np.unique(sites().lesion).tolist() == [-1, 0, 2, 3, 5]


def test_detections_are_the_test_subjects_and_keep_what_no_candidate_hits():
    """Subject b: images 1 and 2 with 1 + 2 lesions, 2 + 3 candidates; d: images 4 and 5 with 1 + 2, 5 + 6."""
    found = sites().detections(np.linspace(0, 1, 16))
    assert found.subjects == ("b", "d")
    np.testing.assert_array_equal(found.subject, [0] * 5 + [1] * 11)
    np.testing.assert_array_equal(found.num_images, [2, 2])
    np.testing.assert_array_equal(found.num_lesions, [3, 3])


def test_the_ledger_counts_both_sides():
    ledger = sites().counts("volumes", "emboli")
    assert ledger["train"] == {
        "subjects": 3,
        "volumes": 3,
        "emboli": 0,
        "emboli hit": 0,
        "candidates": 1 + 4 + 7,
        "candidates on emboli": 0,
    }
    assert ledger["test"] == {
        "subjects": 2,
        "volumes": 4,
        "emboli": 6,
        "emboli hit": 4,
        "candidates": 16,
        "candidates on emboli": 8,
    }


def test_views_are_balanced_distinct_and_of_the_right_class():
    """3 of 11 candidates with 5 views each: 15 views of the smaller class are all there are."""
    positive = np.arange(11) % 4 == 1
    candidate, view = draw_views(positive, 5, 100, seed=2)
    assert positive[candidate].tolist() == [True] * 15 + [False] * 15
    assert len(set(zip(candidate.tolist(), view.tolist(), strict=True))) == 30
    assert len(draw_views(positive, 5, 9, seed=2)[0]) == 8


def test_a_class_without_candidates_is_an_error():
    with pytest.raises(ValueError, match="Received 0 on and 4 off lesions"):
        draw_views(np.zeros(4, bool), 5, 100, seed=2)
