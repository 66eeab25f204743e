"""The boosted trees: gradient boosting on people, numbers and text regressions.

Trees combine conditions on several columns, such as the year and a lead actor known from Westerns,
which the deep network has to find by gradient descent among a thousand columns. Gradient boosting
is due to Friedman 2001 (Annals of Statistics 29), growing trees on histograms to Ke et al. 2017
(NIPS, LightGBM). scikit-learn grows the trees; `ForestLayer` evaluates them with TensorFlow
operations.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from sklearn.ensemble import HistGradientBoostingClassifier

from schema import features as raw
from trainer.data import Rows
from trainer.features import fields
from trainer.features.vocabulary import add_constant_weight
from trainer.hparams import HParams
from transform import features as xf

MAX_DEPTH: Final = 5
NUM_SPLITS: Final = 2**MAX_DEPTH - 1
"""Number of split nodes of a complete tree; the children of node n are 2n + 1 and 2n + 2."""

log = logging.getLogger(__name__)


def input_sizes(num_genres: int) -> dict[str, int]:
    """Return the number of columns of each input of the trees, in the order of the columns.

    All of these inputs are computed out of fold or without labels.
    """
    return {
        fields.PEOPLE_TARGET_ENCODING: fields.NUM_ENCODED_FIELDS
        * fields.target_encoding_size(num_genres),
        fields.CREDIT_COUNTS: len(raw.PEOPLE),
        xf.NUMBERS: len(raw.NUMBERS),
        xf.NUMBERS_MISSING: len(raw.NUMBERS),
        fields.PLOT_LOGITS: num_genres,
        fields.TITLE_LOGITS: num_genres,
    }


@dataclass(frozen=True)
class Forest:
    """Complete binary trees. All paths below an early leaf of the grown tree lead to its value.

    Attributes:
        split_columns: int32 [genres, trees, NUM_SPLITS]. Input column that a split node tests.
        split_thresholds: float32 [genres, trees, NUM_SPLITS]. A row whose value is above it goes to
            the second child.
        leaf_values: float32 [genres, trees, 2 ** MAX_DEPTH]. Contributions to the logit.
        biases: float32 [genres]. Initial logits.
    """

    split_columns: np.ndarray
    split_thresholds: np.ndarray
    leaf_values: np.ndarray
    biases: np.ndarray


def fit(train: Rows, hparams: HParams) -> Forest:
    """Grow the trees of all genres. A genre that all rows have or none gets only a bias.

    Fields are masked at the same rates as for the deep network.

    Args:
        train: Training split with the inputs of `input_sizes`, computed out of
            fold.
        hparams: Hyperparameters of the training.
    """
    field_dropout = fields.FieldDropout(hparams.field_dropout, hparams.seed)
    labels, num_genres = train.labels, train.labels.shape[1]
    names = input_sizes(num_genres)
    inputs = {name: tf.cast(train.inputs[name], tf.float32) for name in names}
    masked = field_dropout(inputs, training=True)
    rows = round_columns(tf.concat([masked[name] for name in names], axis=1)).numpy()
    shape = num_genres, hparams.trees
    split_columns = np.zeros((*shape, NUM_SPLITS), np.int32)
    split_thresholds = np.zeros((*shape, NUM_SPLITS), np.float32)
    leaf_values = np.zeros((*shape, NUM_SPLITS + 1), np.float32)
    movies, biases = labels.sum(0), train.genre_log_odds()
    for genre in np.flatnonzero((movies > 0) & (movies < len(labels))):
        classifier = HistGradientBoostingClassifier(
            max_iter=hparams.trees,
            learning_rate=0.1,
            max_leaf_nodes=15,
            max_depth=MAX_DEPTH,
            min_samples_leaf=40,
            l2_regularization=5.0,
            max_features=0.3,
            early_stopping=False,
            random_state=hparams.seed,
        ).fit(rows, labels[:, genre] > 0.5)
        # These attributes are private: a test compares the forest with scikit-learn's predictions.
        biases[genre] = classifier._baseline_prediction.item()
        for number, (tree,) in enumerate(classifier._predictors):
            index = genre, number
            split_columns[index], split_thresholds[index], leaf_values[index] = _complete_tree(
                tree.nodes
            )
        log.info("trees: fitted genre %d of %d", genre + 1, num_genres)
    return Forest(split_columns, split_thresholds, leaf_values, biases)


def round_columns(rows: tf.Tensor) -> tf.Tensor:
    """Round what the trees read to the precision of float16, in which features are stored.

    A threshold is often the value of a training movie. A value whose last digit differs, as on
    another processor, must not be on the other side of it.

    Args:
        rows: float32 [N, columns].

    Returns:
        float32 [N, columns].
    """
    return tf.cast(tf.cast(rows, tf.float16), tf.float32)


def _complete_tree(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert the nodes of one of scikit-learn's trees to a complete tree.

    An early leaf is repeated level by level, as both of its children.

    Args:
        nodes: Structured array of `TreePredictor.nodes`.

    Returns:
        Split columns, split thresholds and leaf values of one tree of `Forest`.
    """
    columns, thresholds = [], []
    level = np.zeros(1, np.int64)
    for _ in range(MAX_DEPTH):
        splits = nodes[level]
        is_leaf = splits["is_leaf"].astype(bool)
        columns.append(np.where(is_leaf, 0, splits["feature_idx"]))
        thresholds.append(np.where(is_leaf, 0.0, splits["num_threshold"]))
        children = [np.where(is_leaf, level, splits[side]) for side in ("left", "right")]
        level = np.stack(children, axis=1).ravel()
    return np.concatenate(columns), np.concatenate(thresholds), nodes[level]["value"]


class ForestLayer(keras.layers.Layer):
    """Layer that evaluates a forest.

    Args:
        forest: Trees of all genres.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, forest: Forest, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.num_genres, self.num_trees = forest.leaf_values.shape[:2]
        self.split_columns = add_constant_weight(
            self, "split_columns", forest.split_columns.ravel()
        )
        self.split_thresholds = add_constant_weight(
            self, "split_thresholds", forest.split_thresholds.ravel()
        )
        self.leaf_values = add_constant_weight(self, "leaf_values", forest.leaf_values.ravel())
        self.biases = add_constant_weight(self, "biases", forest.biases)

    def call(self, rows: Any) -> Any:
        """Return the logits, float32 [N, genres].

        Args:
            rows: float32 [N, columns]. The inputs of `input_sizes`, concatenated.
        """
        trees = tf.range(self.num_genres * self.num_trees)
        split_columns = tf.convert_to_tensor(self.split_columns)
        split_thresholds = tf.convert_to_tensor(self.split_thresholds)
        rows = round_columns(rows)
        node = tf.zeros([tf.shape(rows)[0], tf.size(trees)], tf.int32)
        for _ in range(MAX_DEPTH):
            split = trees * NUM_SPLITS + node
            values = tf.gather(rows, tf.gather(split_columns, split), batch_dims=1)
            node = 2 * node + 1 + tf.cast(values > tf.gather(split_thresholds, split), tf.int32)
        leaf = trees * (NUM_SPLITS + 1) + node - NUM_SPLITS
        contributions = tf.gather(tf.convert_to_tensor(self.leaf_values), leaf)
        by_genre = tf.reshape(contributions, [-1, self.num_genres, self.num_trees])
        return tf.reduce_sum(by_genre, axis=2) + tf.convert_to_tensor(self.biases)

    def compute_output_spec(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        """Return the output's shape, which Keras cannot infer from TensorFlow operations."""
        return keras.KerasTensor((rows.shape[0], self.num_genres), dtype="float32")
