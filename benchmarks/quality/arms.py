"""The baselines: what each reads and how it is fitted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from benchmarks.quality.features import TRAINING, Features, Matrix, View
from schema.genres import NUM_GENRES

Logits = npt.NDArray[np.float32]

TOLERANCE: Final = 0.1
"""Of liblinear's dual solver; a tenth of it takes several times as long for the same F1."""

CERTAIN: Final = 10.0
"""Logit of a genre that all films have, or none with its sign turned."""

HIDDEN_UNITS: Final = 512
DROPOUT: Final = 0.5
INPUT_DROPOUT: Final = 0.2
FIELD_DROPOUT: Final = 0.25
EPOCHS: Final = 10
BATCH: Final = 256
LEARNING_RATE: Final = 1e-3
WEIGHT_DECAY: Final = 0.05


@dataclass(frozen=True)
class Trained:
    """A fitted arm.

    Attributes:
        logits: of the features of a view, float32 [films, 22].
        kept: what a server would have to keep beside the features, to be measured by its pickle.
    """

    logits: Callable[[View], Logits]
    kept: object


@dataclass(frozen=True)
class Arm:
    """A baseline.

    Attributes:
        title: for tables.
        recipes: names of `features.RECIPES` that it reads.
        fit: on the training films.
        plot_only: whether it reads the plot alone.
    """

    title: str
    recipes: tuple[str, ...]
    fit: Callable[[Features, "Arm"], Trained]
    plot_only: bool = False


@dataclass(frozen=True)
class Blend:
    """Arms mixed in logits, with weights that did well on the eval split of real data.

    Attributes:
        title: for tables.
        weights: of each arm of `ARMS`; together 1.
        plot_only: whether all of them read the plot alone.
    """

    title: str
    weights: Mapping[str, float]
    plot_only: bool = False


def prevalence(features: Features, arm: Arm) -> Trained:
    """The share of each genre, whatever the film."""
    del arm
    shares = np.clip(features.given.mean(axis=0), 1e-6, 1 - 1e-6)
    constant = np.log(shares / (1 - shares)).astype(np.float32)
    return Trained(lambda view: np.tile(constant, (len(features.views[view]), 1)), constant)


def logistic(strength: float) -> Callable[[Features, Arm], Trained]:
    """One logistic regression a genre, over sparse features side by side.

    Args:
        strength: inverse of the regularization, scikit-learn's `C`.
    """

    def fit(features: Features, arm: Arm) -> Trained:
        def matrix(view: View) -> Matrix:
            return sp.hstack([features.get(name, view) for name in arm.recipes], format="csr")

        # The dual form takes a seventh of the time of the primal on sparse rows.
        weights, bias = _by_genre(
            LogisticRegression(
                C=strength,
                solver="liblinear",
                dual=True,
                tol=TOLERANCE,
                random_state=features.seed,
            ),
            matrix(TRAINING),
            features.given,
        )
        return Trained(lambda view: matrix(view) @ weights + bias, (weights, bias))

    return fit


def dense_logistic(strength: float) -> Callable[[Features, Arm], Trained]:
    """One logistic regression a genre, over dense features side by side, scaled to variance 1.

    Args:
        strength: inverse of the regularization, scikit-learn's `C`.
    """

    def fit(features: Features, arm: Arm) -> Trained:
        def matrix(view: View) -> Matrix:
            return np.hstack([features.get(name, view) for name in arm.recipes])

        train = matrix(TRAINING)
        mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6
        weights, bias = _by_genre(
            LogisticRegression(C=strength, tol=1e-3), (train - mean) / deviation, features.given
        )
        return Trained(
            lambda view: (matrix(view) - mean) / deviation @ weights + bias,
            (mean, deviation, weights, bias),
        )

    return fit


def _by_genre(
    model: LogisticRegression, train: Matrix, given: Matrix
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights, float32 [features, 22], and bias, float32 [22], of one model fitted genre by genre.

    A genre that none of the films has, or all have, has no weights, and a bias that is sure.
    """
    weights = np.zeros((train.shape[1], NUM_GENRES), np.float32)
    bias = np.where(given.all(axis=0), CERTAIN, -CERTAIN).astype(np.float32)
    for genre in range(NUM_GENRES):
        has = given[:, genre] > 0.5
        if has.any() and not has.all():
            model.fit(train, has)
            weights[:, genre], bias[genre] = model.coef_[0], model.intercept_[0]
    return weights, bias


class FieldDropout(keras.layers.Layer):
    """Hides whole fields of some rows while training, as where they are not known.

    Features that are not known are 0, so a field is hidden by zeros.
    """

    def __init__(self, fields: Sequence[str], rate: float, seed: int) -> None:
        """Make the layer.

        Args:
            fields: for each column of the input the field that it belongs to; one that is empty is
                never hidden.
            rate: share of rows that lose a field, for each field by itself.
            seed: of the draws.
        """
        super().__init__()
        names = sorted(set(fields) - {""})
        self.rate = rate
        self.count = len(names)
        self.seeds = keras.random.SeedGenerator(seed)
        columns = [[field == name for field in fields] for name in names]
        self.columns = np.array(columns, np.float32).reshape(len(names), len(fields))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Zeros in the columns of the fields that are drawn; float32 [N, columns] in and out."""
        if not training:
            return inputs
        draws = keras.random.uniform((tf.shape(inputs)[0], self.count), seed=self.seeds)
        lost = tf.cast(draws < self.rate, tf.float32)
        return inputs * (1.0 - tf.matmul(lost, self.columns))


FIELDS: Final[Mapping[str, str]] = {
    "title directions": "title",
    "people directions": "people",
    "encoded people": "people",
    "credit counts": "people",
    "numbers": "numbers",
}
"""The field whose absence makes a recipe's features 0; the plot is always there."""


def perceptron(seeds: int) -> Callable[[Features, Arm], Trained]:
    """Networks with one hidden layer, the mean of their logits.

    Args:
        seeds: how many.
    """

    def fit(features: Features, arm: Arm) -> Trained:
        parts = [features.get(name, TRAINING) for name in arm.recipes]
        # Scaled but not shifted, so that what is not known stays 0.
        scales = [1 / (np.sqrt(np.mean(part**2, axis=0)) + 1e-6) for part in parts]
        fields = [
            FIELDS.get(name, "")
            for name, part in zip(arm.recipes, parts, strict=True)
            for _ in range(part.shape[1])
        ]

        def matrix(view: View) -> Matrix:
            return np.hstack(
                [
                    np.clip(features.get(name, view) * scale, -5, 5)
                    for name, scale in zip(arm.recipes, scales, strict=True)
                ]
            ).astype(np.float32)

        train = matrix(TRAINING)
        networks = [
            _network(train, features.given, fields, features.seed + i) for i in range(seeds)
        ]
        return Trained(
            lambda view: np.mean(
                [net.predict(matrix(view), batch_size=1024, verbose=0) for net in networks], axis=0
            ),
            [[np.asarray(weight) for weight in net.get_weights()] for net in networks],
        )

    return fit


def _network(train: Matrix, given: Matrix, fields: Sequence[str], seed: int) -> keras.Model:
    """A trained network from features to logits."""
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((train.shape[1],)),
            FieldDropout(fields, FIELD_DROPOUT, seed),
            keras.layers.Dropout(INPUT_DROPOUT),
            keras.layers.Dense(HIDDEN_UNITS, activation="gelu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(NUM_GENRES),
        ]
    )
    steps = -(-len(train) // BATCH) * EPOCHS
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.01, warmup_target=LEARNING_RATE, warmup_steps=steps // 15
    )
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    network.fit(train, given, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return network


_TEXT: Final = ("plot words", "plot characters")
_METADATA: Final = ("people directions", "encoded people", "credit counts", "numbers")

ARMS: Final[Mapping[str, Arm]] = {
    "prevalence": Arm("prevalence", (), prevalence, plot_only=True),
    "glove": Arm("GloVe 50d mean and max, LR", ("glove",), dense_logistic(0.1), plot_only=True),
    "word2vec": Arm(
        "Word2Vec 150d mean and max, LR", ("word2vec",), dense_logistic(0.1), plot_only=True
    ),
    "minilm": Arm(
        "MiniLM sentence embedding, LR", ("sentences",), dense_logistic(0.1), plot_only=True
    ),
    "tfidf": Arm(
        "TF-IDF words 1-2, characters 3-5, LR (plot)", _TEXT, logistic(2.0), plot_only=True
    ),
    "plot_mlp": Arm(
        "MLP on MiniLM and TF-IDF SVD (plot)",
        ("sentences", "plot directions"),
        perceptron(1),
        plot_only=True,
    ),
    "metadata_lr": Arm(
        "metadata and title, LR",
        ("title words", "hashed people", "number classes"),
        logistic(1.0),
    ),
    "metadata_mlp": Arm("metadata, MLP", _METADATA, perceptron(1)),
    "linear": Arm(
        "TF-IDF, title, hashed people, numbers, LR",
        (*_TEXT, "title words", "hashed people", "number classes"),
        logistic(2.0),
    ),
    "mlp": Arm(
        "MLP x 3: MiniLM, SVDs, target-encoded people, numbers",
        ("sentences", "plot directions", "title directions", *_METADATA),
        perceptron(3),
    ),
}

BLENDS: Final[Mapping[str, Blend]] = {
    "plot_blend": Blend(
        "that MLP .6, TF-IDF LR .4 (best plot only)",
        {"plot_mlp": 0.6, "tfidf": 0.4},
        plot_only=True,
    ),
    "stacked": Blend("that LR .7, MiniLM LR .3", {"linear": 0.7, "minilm": 0.3}),
    "practitioner": Blend(
        "**MLP x 3 .7, linear .3 (the strong practitioner)**", {"mlp": 0.7, "linear": 0.3}
    ),
}

ORDER: Final = (
    "prevalence",
    "glove",
    "word2vec",
    "minilm",
    "tfidf",
    "plot_mlp",
    "plot_blend",
    "metadata_lr",
    "metadata_mlp",
    "linear",
    "stacked",
    "mlp",
    "practitioner",
)
"""The arms as the tables list them."""
