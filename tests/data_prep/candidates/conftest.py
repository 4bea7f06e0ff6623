"""Edges drawn by hand, for voting and rays."""

import numpy as np
import pytest

from data_prep.candidates.edges import Edges


@pytest.fixture
def both_sides():
    """Return a function that lists points for both of their sides, as `find_edges` does."""

    def double(points, inward):
        points, inward = np.float32(points), np.float32(inward)
        return Edges(np.concatenate([points, points]), np.concatenate([inward, -inward]))

    return double


@pytest.fixture
def ellipse():
    """Return a function from an ellipse to points on it and their inward normals."""

    def draw(row, column, half_height, half_width, count):
        angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
        points = np.column_stack([row + half_height * np.sin(angle), column + half_width * np.cos(angle)])
        normals = np.column_stack([np.sin(angle) / half_height, np.cos(angle) / half_width])
        return points, -normals / np.linalg.norm(normals, axis=1, keepdims=True)

    return draw
