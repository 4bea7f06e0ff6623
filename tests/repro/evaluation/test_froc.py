import numpy as np
import pytest

from repro.evaluation import Detections, froc_curve, sensitivity_at


def detections(**changes):
    """Make 5 candidates in 3 subjects (4, 2 and 3 images; 2, 0 and 2 lesions)."""
    fields = {
        "subject": np.array([0, 0, 1, 2, 2]),
        "image": np.array([0, 3, 1, 0, 2]),
        "lesion": np.array([0, -1, -1, 2, 2]),
        "score": np.array([0.9, 0.4, 0.6, 0.5, 0.8]),
        "subjects": ("ann", "bob", "eve"),
        "num_images": np.array([4, 2, 3]),
        "num_lesions": np.array([2, 0, 2]),
    }
    return Detections(**(fields | changes))


def test_curve_by_hand():
    """3 frames, 4 lesions: hits on 0 (.9) and 2 (.4); lesions 1 and 3 are never hit."""
    fp, sensitivity, thresholds = froc_curve([0.4, 0.7, 0.9, 0.2], [2, -1, 0, -1], 4, 3)
    np.testing.assert_array_equal(fp, [0, 0, 1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_array_equal(sensitivity, [0, 1 / 4, 1 / 4, 2 / 4, 2 / 4])
    np.testing.assert_array_equal(thresholds, [np.inf, 0.9, 0.7, 0.4, 0.2])


def test_further_hits_are_neither_true_nor_false():
    """Lesion 1 is hit at .3, .8 and .8 again: found once at .8; each distinct score stays a threshold."""
    fp, sensitivity, thresholds = froc_curve([0.3, 0.8, 0.5, 0.8, 0.1], [1, 1, -1, 1, 0], 3, 7)
    np.testing.assert_array_equal(sensitivity, [0, 1 / 3, 1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_array_equal(fp, [0, 0, 1 / 7, 1 / 7, 1 / 7])
    np.testing.assert_array_equal(thresholds, [np.inf, 0.8, 0.5, 0.3, 0.1])


def test_ties_move_together_whatever_their_order():
    scores, lesions = np.array([0.5, 0.5, 0.5, 0.5, 0.2]), np.array([-1, 3, -1, 8, -1])
    for order in ([0, 1, 2, 3, 4], [4, 3, 1, 2, 0]):
        fp, sensitivity, _ = froc_curve(scores[order], lesions[order], 5, 2)
        np.testing.assert_array_equal(fp, [0, 2 / 2, 3 / 2])
        np.testing.assert_array_equal(sensitivity, [0, 2 / 5, 2 / 5])


def test_lowest_score_is_a_threshold():
    """The point that MONAI's `all_probs[1:]` loses: all lesions found, at the lowest score."""
    _, sensitivity, _ = froc_curve([0.9, 0.6, 0.1], [0, 1, 2], 3, 11)
    assert sensitivity[-1] == 1


def test_no_candidates_at_all():
    fp, sensitivity, thresholds = froc_curve([], [], 6, 13)
    assert (fp.tolist(), sensitivity.tolist(), thresholds.tolist()) == ([0], [0], [np.inf])


def test_sensitivity_at_takes_the_last_point_not_beyond():
    fp, sensitivity = np.array([0, 0, 1, 1, 4]) / 10, np.array([0, 1, 1, 3, 4]) / 5
    read = sensitivity_at(fp, sensitivity, [0, 0.09, 0.1, 0.39, 0.4, 7])
    np.testing.assert_array_equal(read, np.array([1, 1, 3, 3, 4, 4]) / 5)
    with pytest.raises(ValueError, match=r"negative.*-1"):
        sensitivity_at(fp, sensitivity, -1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, np.nan], [0, -1], 1, 1), "1 NaN or infinite of 2"),
        (([0.5, 0.4, 0.3], [0, -1], 1, 1), "'scores': 3, 'lesions': 2"),
        (([0.5, 0.4], [0, 1], 1, 1), "hit 2 different lesions, but num_lesions=1"),
        (([0.5, 0.4], [0, -1], 1, 0), "num_images=0"),
        (([0.5, 0.4], [-1, -1], 0, 5), "num_lesions=0"),
        (([0.5, 0.4], [0, -2], 3, 5), "smallest -2"),
        (([0.5, 0.4], [0.0, -1.0], 3, 5), "float64"),
    ],
)
def test_input_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        froc_curve(*arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": np.array([0, 0, 1, 2, 3])}, "index into the 3 subjects.*0 to 3"),
        ({"subject": np.array([0, 0, 1, 1, 2])}, r"several: \[2\]"),
        ({"num_lesions": np.array([2, 0, 0])}, "eve: 1 lesions hit.*num_lesions=0"),
        ({"image": np.array([0, 1])}, "'image': 2"),
        ({"num_images": np.array([4, 2])}, "'num_images': 2"),
    ],
)
def test_detections_that_contradict_themselves_are_refused(changes, message):
    detections()
    with pytest.raises(ValueError, match=message):
        detections(**changes)
