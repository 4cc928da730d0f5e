import numpy as np
import pytest

from pipeline_lib.measures.components import principal_plane


def test_a_rotated_rectangle_by_hand():
    corners = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    turn = np.array([[0.8, 0.6, 0.0], [0.6, -0.8, 0.0]])
    plane = principal_plane(corners @ turn + 7.0)
    # the largest entries of both axes are positive, so (-.6, .8) stands for (.6, -.8)
    np.testing.assert_allclose(plane.places, corners * [1.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(plane.explained, [0.8, 0.2])


def test_points_on_a_line():
    plane = principal_plane(np.array([[0.0], [1.0], [5.0]]))
    np.testing.assert_allclose(plane.places, [[-2, 0], [-1, 0], [3, 0]], atol=1e-12)
    assert plane.explained.tolist() == [1.0, 0.0]


def test_nothing_to_see():
    assert principal_plane(np.zeros((0, 4))).places.shape == (0, 2)
    same = principal_plane(np.ones((3, 4)))
    assert same.places == pytest.approx(0.0)
    assert np.isnan(same.explained).all()
