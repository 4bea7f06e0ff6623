import numpy as np
from skimage.draw import disk, polygon

from data_prep.candidates.edges import field_of_view, find_edges, keep_tissue, shrink, specular


def _endoscope(height=350, width=500, cut=60):
    """Even tissue in a black border with cut corners, as CVC-ColonDB shows it."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left, bottom, right = 15, 25, height - 20, width - 10
    rows = [top, top, top + cut, bottom - cut, bottom, bottom, bottom - cut, top + cut]
    columns = [left + cut, right - cut, right, right, right - cut, left + cut, left, left]
    pixels[polygon(rows, columns, pixels.shape[:2])] = (170, 110, 90)
    return pixels


def _edges_of(pixels):
    filled, real = keep_tissue(shrink(pixels)[0])
    return find_edges(filled, real)


def test_shrink_averages_areas_and_keeps_the_shape():
    pixels = np.zeros((175, 576, 3), np.uint8)
    pixels[:, ::2] = (250, 100, 50)
    frame, scale = shrink(pixels)
    assert frame.shape == (88, 288, 3)
    assert scale == 2.0
    np.testing.assert_allclose(frame, np.broadcast_to(np.float32([125, 50, 25]) / 255, frame.shape), rtol=1e-5)


def test_black_border_with_cut_corners_gives_no_edges():
    pixels = _endoscope()
    assert len(_edges_of(pixels).points) == 0
    pixels[disk((170, 240), 50)] = (220, 130, 110)
    points = _edges_of(pixels).points
    distance = np.hypot(*(points - np.array([170, 240]) / (500 / 288)).T)
    assert len(points) > 40
    assert np.all(np.abs(distance - 50 / (500 / 288)) < 4)


def test_dark_lumen_belongs_to_the_field_of_view_and_text_in_the_border_does_not():
    pixels = _endoscope()
    pixels[disk((180, 40), 60)] = 0
    # A line of text that touches the tissue, which begins at row 15.
    pixels[:16, 250:256] = 255
    field = field_of_view(shrink(pixels)[0])
    # Row 180, column 60 of the frame is lumen; row 17, column 252 lies in the margin below the text.
    assert field[104, 35]
    assert not field[10].any()
    assert field[17].any()


def test_reflections_are_dropped_with_their_edges():
    pixels = _endoscope()
    for row, column in ((120, 150), (200, 300), (260, 222)):
        pixels[disk((row, column), 6)] = 255
    frame = shrink(pixels)[0]
    spots = specular(frame) & field_of_view(frame)
    # Three discs of 6 px and a rim are 3 x 113 px of the original to 3 x 300 px, and 3 px of it are one here.
    assert spots[115, 173]
    assert 113 < spots.sum() < 300
    assert len(_edges_of(pixels).points) == 0


def test_each_edge_is_listed_for_both_of_its_sides():
    pixels = _endoscope()
    pixels[:, 250:] = pixels[:, 250:] * 0.6
    edges = _edges_of(pixels)
    half = len(edges.points) // 2
    np.testing.assert_array_equal(edges.points[:half], edges.points[half:])
    np.testing.assert_array_equal(edges.inward[:half], -edges.inward[half:])
    # The edge is vertical: its normal has no row part, up to the fold's ends.
    assert np.median(np.abs(edges.inward[:, 0])) < 0.02


def test_edges_do_not_depend_on_the_frame_s_size():
    small = _endoscope()
    small[disk((170, 240), 50)] = (220, 130, 110)
    large = np.kron(small, np.ones((3, 3, 1), np.uint8))
    few, many = _edges_of(small).points, _edges_of(large).points
    assert abs(len(few) - len(many)) < 0.15 * len(few)
    np.testing.assert_allclose(few.mean(axis=0), many.mean(axis=0), atol=1)


def test_frames_without_anything_give_no_edges():
    for pixels in (np.zeros((350, 500, 3), np.uint8), np.full((47, 31, 3), 120, np.uint8)):
        assert _edges_of(pixels).points.shape == (0, 2)
