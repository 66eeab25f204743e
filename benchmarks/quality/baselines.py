"""The baselines: what each reads and how it is fitted."""

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

Parts = Mapping[str, Matrix]
"""Matrices of some movies by recipe."""

Fitted = tuple[Callable[[Parts], Logits], object]
"""Logits from the parts of any movies, float32 [movies, 22]; what is kept beside the features."""

Fitting = Callable[[Parts, Matrix], Fitted]
"""From parts of the training movies, and their genres, float32 [movies, 22]."""

FIELDS: Final[Mapping[str, str]] = {
    "title directions": "title",
    "people directions": "people",
    "encoded people": "people",
    "credit counts": "people",
    "numbers": "numbers",
}
"""The field whose absence makes a recipe's features 0; the plot is always there."""


class Arm(NamedTuple):
    """A baseline: the names of the recipes that it reads, and how it is fitted."""

    title: str
    recipes: Sequence[str]
    fit: Fitting


class Blend(NamedTuple):
    """Arms mixed in logits, with weights that did well on the eval split of real data."""

    title: str
    weights: Mapping[str, float]


def _joined(parts: Parts) -> Matrix:
    columns = list(parts.values())
    return sp.hstack(columns, format="csr") if sp.issparse(columns[0]) else np.hstack(columns)


def prevalence(parts: Parts, given: Matrix) -> Fitted:
    """The share of each genre, whatever the movie."""
    del parts
    shares = np.clip(given.mean(axis=0, keepdims=True), 1e-6, 1 - 1e-6)
    constant = np.log(shares / (1 - shares)).astype(np.float32)
    return lambda parts: parts["constant"] @ constant, constant


def logistic(strength: float) -> Fitting:
    """One logistic regression a genre, over features side by side, dense ones scaled.

    Args:
        strength: inverse of the regularization, scikit-learn's `C`.
    """

    def fit(parts: Parts, given: Matrix) -> Fitted:
        train = _joined(parts)
        if sp.issparse(train):
            scaler: Any = FunctionTransformer()
            # The dual form takes a seventh of the time of the primal on sparse rows, and a tenth of
            # the tolerance several times as long for the same F1.
            model = LogisticRegression(
                C=strength, solver="liblinear", dual=True, tol=0.1, random_state=SEED
            )
        else:
            scaler = StandardScaler()
            model = LogisticRegression(C=strength, tol=1e-3)
        train = scaler.fit_transform(train)
        weights = np.zeros((train.shape[1], NUM_GENRES), np.float32)
        # Genres that no movie has, or all have, keep a bias that is sure.
        bias = np.where(given.all(axis=0), 10, -10).astype(np.float32)
        for genre in range(NUM_GENRES):
            has = given[:, genre] > 0.5
            if has.any() and not has.all():
                model.fit(train, has)
                weights[:, genre], bias[genre] = model.coef_[0], model.intercept_[0]

        def logits(parts: Parts) -> Logits:
            return scaler.transform(_joined(parts)) @ weights + bias

        return logits, (scaler, weights, bias)

    return fit


class FieldDropout(keras.layers.Layer):
    """Hides whole fields of some rows while training, as where they are not known.

    Features that are not known are 0, so a field is hidden by zeros.
    """

    def __init__(self, fields: Sequence[str], rate: float, seed: int) -> None:
        """Hide each field at a rate.

        Args:
            fields: Name of the field of each column; a column with an empty name is never hidden.
            rate: Share of rows that lose a field, for each field by itself.
            seed: Seed of the random draws.
        """
        super().__init__()
        names = sorted(set(fields) - {""})
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)
        columns = [[field == name for field in fields] for name in names]
        self.columns = np.array(columns, np.float32)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Zeros in the columns of the fields that are drawn; float32 [N, columns] in and out."""
        if not training or not len(self.columns):
            return inputs
        draws = keras.random.uniform((tf.shape(inputs)[0], len(self.columns)), seed=self.seeds)
        return inputs * (1.0 - tf.matmul(tf.cast(draws < self.rate, tf.float32), self.columns))


def perceptron(seeds: int) -> Fitting:
    """Networks with one hidden layer, the mean of their logits.

    Args:
        seeds: how many.
    """

    def fit(parts: Parts, given: Matrix) -> Fitted:
        fields = [
            FIELDS.get(name, "") for name, part in parts.items() for _ in range(part.shape[1])
        ]
        # Scaled but not shifted, so that what is not known stays 0.
        scale = 1 / (np.sqrt(np.mean(_joined(parts) ** 2, axis=0)) + 1e-6)

        def scaled(parts: Parts) -> Matrix:
            return np.clip(_joined(parts) * scale, -5, 5).astype(np.float32)

        networks = [_network(scaled(parts), given, fields, SEED + i) for i in range(seeds)]

        def logits(parts: Parts) -> Logits:
            inputs = scaled(parts)
            return np.mean(
                [one.predict(inputs, batch_size=1024, verbose=0) for one in networks], axis=0
            )

        return logits, [one.get_weights() for one in networks]

    return fit


def _network(train: Matrix, given: Matrix, fields: Sequence[str], seed: int) -> keras.Model:
    """A trained network from features to logits."""
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
    network.fit(train, given, batch_size=batch, epochs=epochs, verbose=0)
    return network


_TEXT: Final = ("plot words", "plot characters")
_SPARSE: Final = ("title words", "hashed people", "number classes")
_DENSE: Final = ("people directions", "encoded people", "credit counts", "numbers")

ARMS: Final[Mapping[str, Arm | Blend]] = {
    "prevalence": Arm("prevalence", ["constant"], prevalence),
    "glove": Arm("GloVe 50d mean and max, LR", ["glove"], logistic(0.1)),
    "word2vec": Arm("Word2Vec 150d mean and max, LR", ["word2vec"], logistic(0.1)),
    "minilm": Arm("MiniLM sentence embedding, LR", ["sentences"], logistic(0.1)),
    "tfidf": Arm("TF-IDF words 1-2, characters 3-5, LR (plot)", _TEXT, logistic(2.0)),
    "plot_mlp": Arm(
        "MLP on MiniLM and TF-IDF SVD (plot)", ["sentences", "plot directions"], perceptron(1)
    ),
    "plot_blend": Blend(
        "that MLP .6, TF-IDF LR .4 (best plot only)", {"plot_mlp": 0.6, "tfidf": 0.4}
    ),
    "metadata_lr": Arm("metadata and title, LR", _SPARSE, logistic(1.0)),
    "metadata_mlp": Arm("metadata, MLP", _DENSE, perceptron(1)),
    "linear": Arm("TF-IDF, title, hashed people, numbers, LR", _TEXT + _SPARSE, logistic(2.0)),
    "stacked": Blend("that LR .7, MiniLM LR .3", {"linear": 0.7, "minilm": 0.3}),
    "mlp": Arm(
        "MLP x 3: MiniLM, SVDs, target-encoded people, numbers",
        ["sentences", "plot directions", "title directions", *_DENSE],
        perceptron(3),
    ),
    "practitioner": Blend(
        "**MLP x 3 .7, linear .3 (the strong practitioner)**", {"mlp": 0.7, "linear": 0.3}
    ),
}
"""In the order of the tables."""

PLOT_ONLY: Final = ("prevalence", "glove", "word2vec", "minilm", "tfidf", "plot_mlp", "plot_blend")
"""The arms that read the plot alone."""
