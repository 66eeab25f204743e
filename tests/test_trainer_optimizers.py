"""Adam as one operation beside Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.optimizers import FusedAdam

SETTINGS = {"clipnorm": 1.0, "weight_decay": 0.1}


def trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    """Weights after some steps on a table, of which few rows are used, and a matrix."""
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
        optimizer.apply_gradients(zip(gradients, [table, matrix], strict=True))

    for _ in range(30):
        step(tf.constant(random.permutation(6)[:4]))
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
