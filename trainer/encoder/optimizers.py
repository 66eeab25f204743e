"""Adam as one operation."""

from typing import Any

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, whose update of a variable is TensorFlow's single operation for it.

    Keras composes the update of a dozen operations, each of which goes through memory of the size
    of the variable. The method is that of Kingma and Ba 2015 (arXiv:1412.6980) and, with
    `weight_decay`, of Loshchilov and Hutter 2019 (arXiv:1711.05101). A row of a table that a batch
    uses twice moves by its whole gradient; Keras adds up the squares of the two parts.
    """

    def __init__(self, learning_rate: Any, **kwargs: Any) -> None:
        """Set rates.

        Args:
            learning_rate: a number or a schedule.
            **kwargs: of `keras.optimizers.Adam`, but for `amsgrad`.

        Raises:
            TypeError: `amsgrad` is given, which the operation does not do.
        """
        super().__init__(learning_rate, amsgrad=False, **kwargs)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move a variable.

        Args:
            gradient: float32 of the variable's shape, or `tf.IndexedSlices` of some of its rows.
            variable: float32 `tf.Variable` of any shape; written.
            learning_rate: float32 scalar.
        """
        place = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1), step),
            beta2_power=tf.pow(tf.constant(self.beta_2), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.convert_to_tensor(gradient),
        )
