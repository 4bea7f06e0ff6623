import numpy as np

from data_prep.candidates.context import describe, log_colours, surroundings
from data_prep.candidates.edges import Edges

H, W = 97, 131


def _step(left, right):
    frame = np.empty((H, W, 3), np.float32)
    frame[:, : W // 2], frame[:, W // 2 :] = left, right
    return frame


def _edge(inward):
    inward = np.float32(inward)
    points = np.float32([[48, 65], [48, 65]])
    return Edges(points, np.stack([inward, -inward]))


def test_turning_the_scene_turns_the_description():
    """The other side of an edge looks like the same edge in the mirrored frame."""
    frame = _step((0.6, 0.4, 0.3), (0.2, 0.15, 0.1))
    real = np.ones((H, W), bool)
    here = describe(log_colours(frame, real), _edge((0, 1)))
    turned = describe(log_colours(frame[::-1, ::-1].copy(), real), _edge((0, 1)))
    assert here.shape == (2, 3 * 3 * 2 * 6)
    # W is odd, so that the mirror moves the step by one pixel.
    np.testing.assert_allclose(here[1], turned[0], atol=0.35)
    assert np.abs(here[0] - turned[0]).max() > 2


def test_second_half_is_the_exact_reverse_of_the_first():
    """Describing the same point with opposite normals in opposite order swaps the two rows."""
    rng = np.random.default_rng(0)
    colours = rng.normal(size=(3, H, W)).astype(np.float32)
    for inward in ((0, 1), (1, 0), (-1, 0)):
        one, other = describe(colours, _edge(inward)), describe(colours, _edge(-np.array(inward)))
        np.testing.assert_allclose(one, other[::-1], atol=1e-4)
        assert not np.allclose(one[0], one[1], atol=0.1)


def test_half_the_light_gives_the_same_description():
    frame, real = _step((0.8, 0.7, 0.6), (0.5, 0.4, 0.3)), np.ones((H, W), bool)
    bright = describe(log_colours(frame, real), _edge((0, 1)))
    dim = describe(log_colours(frame * 0.5, real), _edge((0, 1)))
    # Not to the bit: the offset against noise in the dark weighs more in dim light.
    np.testing.assert_allclose(bright, dim, atol=0.15)
    assert np.abs(bright).max() > 1


def test_surroundings_see_the_votes_of_a_circle_ahead():
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    out = np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
    points = np.float32([48, 65]) + 21 * out
    edges = Edges(np.concatenate([points, points]), np.concatenate([-out, out]))
    probabilities = np.tile(np.float32([0.2, 0.6, 0.1, 0.1]), (80, 1))
    around = surroundings(edges, probabilities, (H, W))
    # Columns 0-7: probabilities of this side and the other; 8-14: votes ahead for radii 9, 14, 21, 32, ...
    np.testing.assert_allclose(around[:, :4], probabilities)
    inner, outer = around[:40, 10].mean(), around[40:, 10].mean()
    assert inner > 3 * outer
    assert np.isfinite(around).all()
