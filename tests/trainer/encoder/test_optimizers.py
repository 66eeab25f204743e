"""Adam as one operation beside Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.encoder.optimizers import FusedAdam

SETTINGS = {"clipnorm": 1.0, "weight_decay": 0.1}


def trained(
    optimizer: keras.optimizers.Optimizer, *, repeated: bool = False, dense: bool = False
) -> list[np.ndarray]:
    """Weights after some steps on a table, of which few rows are used, and a matrix.

    Args:
        optimizer: new.
        repeated: whether a step uses rows twice.
        dense: whether the gradient of the table has all its rows.
    """
    random = np.random.default_rng(2)
    table = keras.Variable(random.normal(size=(6, 4)).astype(np.float32))
    matrix = keras.Variable(random.normal(size=(4, 3)).astype(np.float32))
    optimizer.build([table, matrix])

    @tf.function
    def step(rows: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            found = tf.gather(table.value, rows) @ matrix.value
            loss = tf.reduce_sum((found - 1.0) ** 2)
        gradients = tape.gradient(loss, [table.value, matrix.value])
        assert isinstance(gradients[0], tf.IndexedSlices)
        if dense:
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, [table, matrix], strict=True))

    for _ in range(30):
        step(tf.constant(np.tile(random.permutation(6)[:4], 1 + repeated)))
    return [table.numpy(), matrix.numpy()]


@pytest.mark.parametrize("settings", [{}, SETTINGS])
def test_it_moves_weights_as_keras_does(settings: dict[str, float]) -> None:
    rate = keras.optimizers.schedules.CosineDecay(0.05, 30)
    found = trained(FusedAdam(rate, **settings))
    expected = trained(keras.optimizers.Adam(rate, **settings))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    elsewhere = trained(keras.optimizers.Adam(0.05))
    assert np.abs(found[1] - elsewhere[1]).max() > 0.01


def test_a_row_used_twice_moves_by_its_whole_gradient() -> None:
    found = trained(FusedAdam(0.05), repeated=True)
    expected = trained(keras.optimizers.Adam(0.05), repeated=True, dense=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    parts = trained(keras.optimizers.Adam(0.05), repeated=True)
    assert np.abs(found[0] - parts[0]).max() > 0.01


def test_what_the_operation_does_not_do_is_refused() -> None:
    with pytest.raises(TypeError, match="amsgrad"):
        FusedAdam(0.05, amsgrad=True)
