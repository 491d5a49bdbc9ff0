"""`SelectClass`: of the outputs for all classes, that of the own one."""

import keras
import numpy as np
import pytest

from capsgan_keras.layers import SelectClass

VALUES = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], "float32")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_the_outputs_of_the_own_classes(dtype):
    chosen = SelectClass()([VALUES, np.array([2, 0], dtype)])
    np.testing.assert_array_equal(chosen, VALUES[[0, 1], [2, 0]][:, None])
    assert keras.backend.standardize_dtype(chosen.dtype) == "float32"


def test_symbolic_and_called_shapes_agree():
    inputs = [keras.Input((3,)), keras.Input((), dtype="int32")]
    model = keras.Model(inputs, SelectClass()(inputs))
    assert model.output_shape == (None, 1)
    assert model.predict([VALUES, np.array([1, 1])], verbose=0).shape == (2, 1)
    again = keras.Model.from_config(model.get_config())
    np.testing.assert_array_equal(again([VALUES, np.array([1, 1])]), VALUES[:, 1:2])


@pytest.mark.parametrize("shapes", [(2, 3), ((2, 3), (2, 3)), ((2, 3),), ((2, 3, 4), (2,))])
def test_other_inputs_are_refused(shapes):
    with pytest.raises(ValueError, match=r"expects the list \[outputs, labels\]"):
        SelectClass().compute_output_shape(shapes)
