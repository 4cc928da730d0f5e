"""Pictures: what is unpacked is what was packed, to half a step."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.browse.pictures import Plane, pack_picture
from tests.unit.browse.conftest import decoded, unpacked


@pytest.mark.parametrize("signed", [True, False])
def test_values_come_back_to_half_a_step(signed):
    values = np.random.default_rng(0).normal(3, 1, size=(7, 5))
    values[2, 3] = np.nan
    packed = pack_picture(values, signed=signed)
    found = unpacked(packed, values.shape)
    assert (np.isnan(found) == np.isnan(values)).all()
    assert np.nanmax(np.abs(found - values)) <= packed["step"] / 2 * 1.0001
    reach = 2 * np.nanmax(np.abs(values)) if signed else np.nanmax(values) - np.nanmin(values)
    assert packed["step"] == pytest.approx(reach / 254)


def test_signed_pictures_keep_zero_and_both_ends():
    values = np.array([[-0.5, 0.0, 2.0]])
    found = unpacked(pack_picture(values, signed=True), values.shape)
    assert found[0, 1] == 0
    assert found[0, 2] == pytest.approx(2.0)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.5, -2.0])
def test_pictures_of_one_value(value, signed):
    values = np.full((2, 2), value)
    np.testing.assert_allclose(unpacked(pack_picture(values, signed=signed), (2, 2)), value)


def test_a_picture_without_values_is_all_gaps():
    packed = pack_picture(np.full((2, 3), np.nan), signed=True)
    assert (decoded(packed["data"], (2, 3)) == 0).all()
    assert packed["low"] == packed["step"] == 0


def test_planes_put_operand_2_along_the_rows():
    prompts = pd.DataFrame({"a": [5, 7, 5], "b": [1, 1, 2]})
    plane = Plane.of(prompts)
    found = plane.picture(np.array([10.0, 20.0, 30.0]))
    np.testing.assert_array_equal(found, [[10, np.nan, 20], [30, np.nan, np.nan]])
    assert plane.axes() == {"x": [5, 3], "y": [1, 2]}
