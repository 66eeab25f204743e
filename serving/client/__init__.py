"""Asking a served model: from movies to genres with probabilities.

    from serving.client import predict

    [prediction] = predict([{"title": "The Long Ford", "year": 1957}], "localhost:8500")
    print(prediction.predicted_genres)

It needs no TensorFlow, and talks to any TensorFlow Serving.
"""

from serving.client.client import Client, predict
from serving.client.movies import FieldError, Movie
from serving.client.transport import (
    Genre,
    ModelSpec,
    Prediction,
    ServerError,
    VersionStatus,
)

__all__ = [
    "Client",
    "FieldError",
    "Genre",
    "ModelSpec",
    "Movie",
    "Prediction",
    "ServerError",
    "VersionStatus",
    "predict",
]
