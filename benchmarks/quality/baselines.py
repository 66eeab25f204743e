"""The baselines: their features and how they are fitted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.quality.dataset import SEED
from benchmarks.quality.features import Matrix
from schema.genres import NUM_GENRES

Logits = npt.NDArray[np.float32]

FeatureMatrices = Mapping[str, Matrix]
"""Matrices of the same movies by name of the feature set."""

Predict = Callable[[FeatureMatrices], Logits]
"""Function from the features of any movies to logits, float32 [movies, 22]."""

Fit = Callable[[FeatureMatrices, Matrix], tuple[Predict, object]]
"""Function from the features and labels (float32 [movies, 22]) of the training movies to a
prediction function and its fitted parameters."""

FIELD_OF_FEATURES: Final[Mapping[str, str]] = {
    "title SVD": "title",
    "people SVD": "people",
    "people target encoding": "people",
    "credit counts": "people",
    "numbers": "numbers",
}
"""Field from which a feature set is computed. If the field is missing, all features are 0. Feature
sets of the plot, which is never missing, are not listed."""


class Baseline(NamedTuple):
    """A baseline model.

    Attributes:
        title: Title in tables.
        feature_sets: Names of the feature sets that it reads.
        fit: Function that fits it.
    """

    title: str
    feature_sets: Sequence[str]
    fit: Fit


class Blend(NamedTuple):
    """A weighted sum of the logits of baselines.

    Attributes:
        title: Title in tables.
        weights: Weight of each baseline, chosen on the eval split of real data.
    """

    title: str
    weights: Mapping[str, float]


def _concatenate(matrices: FeatureMatrices) -> Matrix:
    columns = list(matrices.values())
    return sp.hstack(columns, format="csr") if sp.issparse(columns[0]) else np.hstack(columns)


def fit_prevalence(matrices: FeatureMatrices, labels: Matrix) -> tuple[Predict, object]:
    """Fit a baseline that predicts the share of each genre for every movie."""
    del matrices
    shares = np.clip(labels.mean(axis=0, keepdims=True), 1e-6, 1 - 1e-6)
    constant = np.log(shares / (1 - shares)).astype(np.float32)
    return lambda matrices: matrices["constant"] @ constant, constant


def logistic_regression(inverse_penalty: float) -> Fit:
    """Return a function that fits one logistic regression per genre; dense features are scaled.

    Args:
        inverse_penalty: Float. Inverse of the L2 penalty, scikit-learn's `C`.
    """

    def fit(matrices: FeatureMatrices, labels: Matrix) -> tuple[Predict, object]:
        train = _concatenate(matrices)
        if sp.issparse(train):
            scaler: Any = FunctionTransformer()
            # On sparse rows the dual form takes a seventh of the time of the primal form. A smaller
            # tolerance takes several times as long and does not improve F1.
            model = LogisticRegression(
                C=inverse_penalty, solver="liblinear", dual=True, tol=0.1, random_state=SEED
            )
        else:
            scaler = StandardScaler()
            model = LogisticRegression(C=inverse_penalty, tol=1e-3)
        train = scaler.fit_transform(train)
        weights = np.zeros((train.shape[1], NUM_GENRES), np.float32)
        # A genre that no movie or every movie has cannot be fitted; it gets a constant logit.
        bias = np.where(labels.all(axis=0), 10, -10).astype(np.float32)
        for genre in range(NUM_GENRES):
            positive = labels[:, genre] > 0.5
            if positive.any() and not positive.all():
                model.fit(train, positive)
                weights[:, genre], bias[genre] = model.coef_[0], model.intercept_[0]

        def predict(matrices: FeatureMatrices) -> Logits:
            return scaler.transform(_concatenate(matrices)) @ weights + bias

        return predict, (scaler, weights, bias)

    return fit


class FieldDropout(keras.layers.Layer):
    """Dropout of whole fields during training, which simulates missing fields.

    Features of a missing field are 0, so a dropped field gets zeros.
    """

    def __init__(self, fields: Sequence[str], rate: float, seed: int) -> None:
        """Initialize the layer.

        Args:
            fields: Name of the field of each column; columns with an empty name are never dropped.
            rate: Float. Probability with which each field of a row is dropped.
            seed: Int. Random seed.
        """
        super().__init__()
        names = sorted(set(fields) - {""})
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)
        columns = [[field == name for field in fields] for name in names]
        self.columns = np.array(columns, np.float32)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Set the columns of dropped fields to 0; float32 [rows, columns] in and out."""
        if not training or not len(self.columns):
            return inputs
        uniform = keras.random.uniform((tf.shape(inputs)[0], len(self.columns)), seed=self.seeds)
        return inputs * (1.0 - tf.matmul(tf.cast(uniform < self.rate, tf.float32), self.columns))


def multilayer_perceptron(networks: int) -> Fit:
    """Return a function that fits networks with one hidden layer and averages their logits.

    Args:
        networks: Int. Number of networks, which differ by their seeds.
    """

    def fit(matrices: FeatureMatrices, labels: Matrix) -> tuple[Predict, object]:
        fields = [
            FIELD_OF_FEATURES.get(name, "")
            for name, matrix in matrices.items()
            for _ in range(matrix.shape[1])
        ]
        # Features are scaled but not shifted, so that those of missing fields stay 0.
        factors = 1 / (np.sqrt(np.mean(_concatenate(matrices) ** 2, axis=0)) + 1e-6)

        def scale(matrices: FeatureMatrices) -> Matrix:
            return np.clip(_concatenate(matrices) * factors, -5, 5).astype(np.float32)

        train = scale(matrices)
        trained = [_train_network(train, labels, fields, SEED + i) for i in range(networks)]

        def predict(matrices: FeatureMatrices) -> Logits:
            inputs = scale(matrices)
            return np.mean(
                [network.predict(inputs, batch_size=1024, verbose=0) for network in trained], axis=0
            )

        return predict, [network.get_weights() for network in trained]

    return fit


def _train_network(train: Matrix, labels: Matrix, fields: Sequence[str], seed: int) -> keras.Model:
    """Train a network from features to logits."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((train.shape[1],)),
            FieldDropout(fields, 0.25, seed),
            layers.Dropout(0.2),
            layers.Dense(512, activation="gelu"),
            layers.Dropout(0.5),
            layers.Dense(NUM_GENRES),
        ]
    )
    batch, epochs = 256, 10
    steps = -(-len(train) // batch) * epochs
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.01, warmup_target=1e-3, warmup_steps=steps // 15
    )
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    network.fit(train, labels, batch_size=batch, epochs=epochs, verbose=0)
    return network


_TEXT: Final = ("plot words", "plot characters")
_SPARSE: Final = ("title words", "hashed people", "binned numbers")
_DENSE: Final = ("people SVD", "people target encoding", "credit counts", "numbers")

BASELINES: Final[Mapping[str, Baseline | Blend]] = {
    "prevalence": Baseline("prevalence", ["constant"], fit_prevalence),
    "glove": Baseline("GloVe 50d mean and max, LR", ["glove"], logistic_regression(0.1)),
    "word2vec": Baseline("Word2Vec 150d mean and max, LR", ["word2vec"], logistic_regression(0.1)),
    "minilm": Baseline("MiniLM sentence embedding, LR", ["sentences"], logistic_regression(0.1)),
    "tfidf": Baseline(
        "TF-IDF words 1-2, characters 3-5, LR (plot)", _TEXT, logistic_regression(2.0)
    ),
    "plot_mlp": Baseline(
        "MLP on MiniLM and TF-IDF SVD (plot)", ["sentences", "plot SVD"], multilayer_perceptron(1)
    ),
    "plot_blend": Blend(
        "that MLP .6, TF-IDF LR .4 (strong plot-only baseline)", {"plot_mlp": 0.6, "tfidf": 0.4}
    ),
    "metadata_lr": Baseline("metadata and title, LR", _SPARSE, logistic_regression(1.0)),
    "metadata_mlp": Baseline("metadata, MLP", _DENSE, multilayer_perceptron(1)),
    "linear": Baseline(
        "TF-IDF, title, hashed people, numbers, LR", _TEXT + _SPARSE, logistic_regression(2.0)
    ),
    "linear_blend": Blend("that LR .7, MiniLM LR .3", {"linear": 0.7, "minilm": 0.3}),
    "mlp": Baseline(
        "MLP x 3: MiniLM, SVDs, target-encoded people, numbers",
        ["sentences", "plot SVD", "title SVD", *_DENSE],
        multilayer_perceptron(3),
    ),
    "strong_blend": Blend(
        "**MLP x 3 .7, linear .3 (strong baseline)**", {"mlp": 0.7, "linear": 0.3}
    ),
}
"""Baselines by name, in the order of the tables."""

PLOT_ONLY: Final = ("prevalence", "glove", "word2vec", "minilm", "tfidf", "plot_mlp", "plot_blend")
"""Names of the baselines that read only the plot."""
