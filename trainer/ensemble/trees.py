"""The member of boosted trees, on people's other movies, numbers and text regressions.

Trees combine conditions on several columns, such as a lead who is known from Westerns and the year,
which the deep member, with a thousand columns, has to find by gradients. Gradient boosting is due
to Friedman 2001 (Annals of Statistics 29), growing trees on histograms to Ke et al. 2017 (NIPS,
LightGBM). scikit-learn grows the trees; here they become tables that stock operations of TensorFlow
walk through.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from sklearn.ensemble import HistGradientBoostingClassifier

from schema import features as raw
from schema.genres import GENRES, NUM_GENRES
from trainer.data import Rows
from trainer.features import fields
from trainer.features.vocabulary import fixed
from trainer.hparams import HParams
from transform import features as xf

INPUTS: Final = {
    fields.PEOPLE_LIFTS: 4 * fields.LIFT_SIZE,
    fields.CREDIT_COUNTS: len(raw.PEOPLE),
    xf.NUMBERS: len(raw.NUMBERS),
    xf.NUMBERS_MISSING: len(raw.NUMBERS),
    fields.PLOT_LOGITS: NUM_GENRES,
    fields.TITLE_LOGITS: NUM_GENRES,
}
"""Features that the trees read, in the order of their columns, with the number of columns of each.
None of them has seen a movie's own genres."""

DEPTH: Final = 5
INNER: Final = 2**DEPTH - 1
"""Number of nodes of a whole tree that ask something; those below node n are 2n + 1 and 2n + 2."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trees:
    """Whole binary trees; where a tree ends early, every way on leads to the same value.

    Attributes:
        column: int32 [22, trees, INNER], which column of `INPUTS` a node asks for.
        limit: float32 [22, trees, INNER]; a row goes on to the second node below if it is above.
        value: float32 [22, trees, 2 ** DEPTH], what the leaves add to the logit.
        bias: float32 [22].
    """

    column: np.ndarray
    limit: np.ndarray
    value: np.ndarray
    bias: np.ndarray


def fit(train: Rows, hparams: HParams) -> Trees:
    """Grow the trees of all genres; a genre that no row has, or each, has a bias alone.

    `train` is the training split with the features of `INPUTS`, computed out of fold. Fields are
    hidden at the same rates as from the deep member.
    """
    hide = fields.FieldDropout(hparams.field_dropout, hparams.seed)
    known = hide({name: tf.cast(train.inputs[name], tf.float32) for name in INPUTS}, training=True)
    rows = np.concatenate([known[name] for name in INPUTS], axis=1)
    labels = train.labels
    shape = NUM_GENRES, hparams.trees
    column = np.zeros((*shape, INNER), np.int32)
    limit = np.zeros((*shape, INNER), np.float32)
    value = np.zeros((*shape, INNER + 1), np.float32)
    movies, bias = labels.sum(0), train.log_odds()
    for genre in np.flatnonzero((movies > 0) & (movies < len(labels))):
        grown = HistGradientBoostingClassifier(
            max_iter=hparams.trees,
            learning_rate=0.1,
            max_leaf_nodes=15,
            max_depth=DEPTH,
            min_samples_leaf=40,
            l2_regularization=5.0,
            max_features=0.3,
            early_stopping=False,
            random_state=hparams.seed,
        ).fit(rows, labels[:, genre] > 0.5)
        # scikit-learn has no public view of these trees; a test compares them with its answers.
        bias[genre] = grown._baseline_prediction.item()
        for number, (tree,) in enumerate(grown._predictors):
            place = genre, number
            column[place], limit[place], value[place] = _whole(tree.nodes)
        log.info("trees of %s: %d", GENRES[genre], len(grown._predictors))
    return Trees(column, limit, value, bias)


def _whole(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One of scikit-learn's trees, a structured array, as a whole tree: column, limit and value.

    Level by level, a leaf takes the place of both nodes that would be below it.
    """
    columns, limits = [], []
    level = np.zeros(1, np.int64)
    for _ in range(DEPTH):
        found = nodes[level]
        leaf = found["is_leaf"].astype(bool)
        columns.append(np.where(leaf, 0, found["feature_idx"]))
        limits.append(np.where(leaf, 0.0, found["num_threshold"]))
        below = [np.where(leaf, level, found[side]) for side in ("left", "right")]
        level = np.stack(below, axis=1).ravel()
    return np.concatenate(columns), np.concatenate(limits), nodes[level]["value"]


class Forest(keras.layers.Layer):
    """Logits by the trees."""

    def __init__(self, trees: Trees, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.genres, self.trees = trees.value.shape[:2]
        self.column = fixed(self, "column", trees.column.ravel())
        self.limit = fixed(self, "limit", trees.limit.ravel())
        self.value = fixed(self, "value", trees.value.ravel())
        self.bias = fixed(self, "bias", trees.bias)

    def call(self, rows: Any) -> Any:
        """Columns of `INPUTS` in, float32 [N, columns]; float32 [N, 22] out."""
        trees = tf.range(self.genres * self.trees)
        column, limit, value = map(tf.convert_to_tensor, (self.column, self.limit, self.value))
        node = tf.zeros([tf.shape(rows)[0], tf.size(trees)], tf.int32)
        for _ in range(DEPTH):
            asked = trees * INNER + node
            found = tf.gather(rows, tf.gather(column, asked), batch_dims=1)
            node = 2 * node + 1 + tf.cast(found > tf.gather(limit, asked), tf.int32)
        leaf = tf.gather(value, trees * (INNER + 1) + node - INNER)
        by_genre = tf.reshape(leaf, [-1, self.genres, self.trees])
        return tf.reduce_sum(by_genre, axis=2) + tf.convert_to_tensor(self.bias)

    def compute_output_spec(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        """Shape of the output, which Keras cannot find through the ops above."""
        return keras.KerasTensor((rows.shape[0], self.genres), dtype="float32")
