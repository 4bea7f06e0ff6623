"""The picture of the best candidates: which are kept, what is drawn of each."""

from types import SimpleNamespace

import numpy as np
import pytest

from repro.detect_sheet import GAP_PX, Best, Shown, draw, mosaic, save


class Table:
    """Patches of 5x5 pixels; patch k has k, k + 100 and k + 200 as its channels."""

    def cut(self, rows):
        return np.broadcast_to(np.stack([rows, rows + 100, rows + 200], -1)[:, None, None], (len(rows), 5, 5, 3))


def proposal(number, views=4):
    """Return so many candidates, whose places tell them apart."""
    return SimpleNamespace(
        places=[{"row_mm": 10.0 * k} for k in range(number)],
        patches=Table(),
        candidate=np.repeat(np.arange(number), views),
        overview=lambda k: (np.full((30, 41, 3), k, np.uint8), (2, 3, 7, 11)),
    )


@pytest.mark.parametrize(
    ("views", "shown"),
    [(9, (9, 13, 17)), (2, (2, 3)), (1, (1,))],
)
def test_the_first_the_middle_and_the_last_view_stand_beside_each_other(views, shown):
    """Candidate 1 of 3; a row in colour, then two in grey."""
    channels = ((0, 1, 2), (0, 0, 0), (1, 1, 1))
    candidate = proposal(3, views).candidate
    found = mosaic(Table(), candidate == 1, channels)
    step = 5 + GAP_PX
    assert found.shape == (3 * step, len(shown) * step, 3)
    for k, view in enumerate(shown):
        for row, expected in enumerate(((view, view + 100, view + 200), (view,) * 3, (view + 100,) * 3)):
            patch = found[row * step :, k * step :][:5, :5]
            assert (patch == expected).all()
    assert (found[:, 5:step] == 255).all()


def test_only_the_best_of_all_images_are_kept_and_only_they_are_cut():
    best, cut = Best(3, 0.15, ((0, 1, 2),)), []
    for name, probabilities in (
        ("a", [0.1, 0.5, 0.9]),
        ("b", [0.2, 0.5]),
        ("c", [0.5]),
        ("e", []),
        ("d", [0.6, 0.05, 0.1]),
    ):
        images = proposal(len(probabilities))
        images.overview = lambda k, name=name: cut.append(name + str(k)) or (np.zeros((30, 41, 3), np.uint8), (0,) * 4)
        orders = best.offer(name, images, np.array(probabilities))
        assert orders == [k for k in np.argsort(-np.array(probabilities)) if probabilities[k] >= 0.15]
    found = [(shown.image, shown.place["row_mm"], shown.probability) for shown in best.shown]
    assert found == [("a", 20.0, 0.9), ("d", 0.0, 0.6), ("a", 10.0, 0.5)]
    assert cut == ["a2", "a1", "b1", "d0"]


def test_each_candidate_is_drawn_with_its_box_name_probability_and_place():
    """5 candidates: a row of 4 and one more; the box of top 2, left 3 covers pixels 2..8 and 3..13."""
    picture, views = np.zeros((30, 41, 3), np.uint8), np.zeros((7, 21, 3), np.uint8)
    shown = [
        Shown(f"image {k}", {"x_mm": -3.6, "y_mm": k}, 0.9 - k / 10, picture, (2, 3, 7, 11), views) for k in range(5)
    ]
    figure = draw(shown, ["NOT FOR CLINICAL USE."])
    drawn = [ax for ax in figure.axes if ax.images]
    texts = [ax.texts[0].get_text() for ax in drawn if ax.texts]
    boxes = [ax.patches[0] for ax in drawn if ax.patches]
    assert texts == [f"image {k}: {0.9 - k / 10:.3f}\nx_mm -4, y_mm {k}" for k in range(5)]
    assert [box.get_bbox().bounds for box in boxes] == [(2.5, 1.5, 11, 7)] * 5
    assert figure.get_supxlabel().strip() == "NOT FOR CLINICAL USE."


def test_a_picture_without_candidates_says_so(tmp_path):
    assert draw([], ["a"]).get_suptitle() == "No candidates"
    save(tmp_path / "new" / "x.png", [], ["a"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.png"]
