"""Client for a served model: predicts the genres of movies.

    from serving.client import predict

    [prediction] = predict([{"title": "The Long Ford", "year": 1957}], "localhost:8500")
    print(prediction.predicted_genres)

The client works with any TensorFlow Serving server and does not need TensorFlow.
"""

from serving.client.client import Client, predict
from serving.client.movies import FieldError, Movie
from serving.client.predictions import Genre, InputWarning, Prediction
from serving.client.transport import ModelSpec, ServerError, VersionStatus

__all__ = [
    "Client",
    "FieldError",
    "Genre",
    "InputWarning",
    "ModelSpec",
    "Movie",
    "Prediction",
    "ServerError",
    "VersionStatus",
    "predict",
]
