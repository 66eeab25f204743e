"""A loaded version of a model and its signatures."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from schema.names import SAVED_MODEL_FILE
from serving.server import tensors
from serving.server.batching import Arrays, Batcher, count_rows
from serving.server.config import BatchingConfig
from serving.server.errors import (
    ServingError,
    as_serving_error,
    deadline_exceeded,
    invalid_argument,
    not_found,
)

DEFAULT_SIGNATURE: Final = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
SERVE_TAG: Final = "serve"
_INIT_OP: Final = "__saved_model_init_op"


class Signature:
    """A signature of a loaded model.

    Args:
        definition: SignatureDef of the SavedModel.
        session: Session that holds the model.
        batching: Batching parameters; None disables batching.

    Attributes:
        inputs: Type of each input by name, sorted by name.
        outputs: Type of each output by name.
        defaults: Default value of each input that may be omitted.
        batcher: Queue of this signature; None without batching.
    """

    def __init__(
        self,
        definition: meta_graph_pb2.SignatureDef,
        session: tf.compat.v1.Session,
        batching: BatchingConfig | None,
    ) -> None:
        self.definition = definition
        # Maps of protobuf have no order, but error messages list the inputs.
        self.inputs = {n: tf.dtypes.as_dtype(i.dtype) for n, i in sorted(definition.inputs.items())}
        self.outputs = {n: tf.dtypes.as_dtype(o.dtype) for n, o in definition.outputs.items()}
        self.defaults: Arrays = {
            name: tensors.from_proto(name, proto) for name, proto in definition.defaults.items()
        }
        self._shapes = {n: tf.TensorShape(i.tensor_shape) for n, i in definition.inputs.items()}
        self._session = session
        self._input_tensors = {name: info.name for name, info in definition.inputs.items()}
        self._output_tensors = {name: info.name for name, info in definition.outputs.items()}
        self.batcher = Batcher(self._run_session, batching) if batching else None

    def run(self, arrays: Arrays, deadline: float) -> Arrays:
        """Compute the outputs of one request, batched with other requests if possible.

        Args:
            arrays: Inputs by name; omitted inputs take their defaults.
            deadline: Time of `time.monotonic` until which the outputs are needed.

        Returns:
            Outputs by name.

        Raises:
            ServingError: A shape does not fit, the deadline has passed, or TensorFlow fails.
        """
        for name, array in arrays.items():
            if not self._shapes[name].is_compatible_with(array.shape):
                raise invalid_argument(
                    f"Tensor {name} has shape {list(array.shape)}, expected {self._shapes[name]}"
                )
        inputs = self.defaults | arrays
        rows = count_rows(inputs)
        if self.batcher is None or rows is None:
            if time.monotonic() >= deadline:
                raise deadline_exceeded()
            return self._run_session(inputs)
        result = self.batcher.submit(inputs, rows, deadline)
        try:
            return result.result(max(deadline - time.monotonic(), 0) + 0.01)
        except TimeoutError:
            raise deadline_exceeded() from None

    def _run_session(self, arrays: Arrays) -> Arrays:
        try:
            feeds = {tensor: arrays[name] for name, tensor in self._input_tensors.items()}
            outputs: Arrays = self._session.run(self._output_tensors, feeds)
            return outputs
        except Exception as error:
            raise as_serving_error(error) from error


class LoadedVersion:
    """A version of a model, loaded into a session.

    A session takes the graph as a whole, as TensorFlow Serving does. `tf.saved_model.load` would
    rebuild it in Python, function by function, and block the running requests meanwhile.

    Args:
        path: Directory of the version.
        number: Number of the version.
        batching: Batching parameters; None disables batching.

    Attributes:
        running_requests: Number of requests that use this version, counted by `ModelManager`.
        signatures: Signatures by name.

    Raises:
        ServingError: The directory holds no SavedModel for serving.
    """

    def __init__(self, path: Path, number: int, batching: BatchingConfig | None) -> None:
        self.number = number
        self.running_requests = 0
        definitions = _read_signature_definitions(path)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default(), _path_without_wildcards(path) as directory:
            tf.compat.v1.saved_model.load(self._session, [SERVE_TAG], str(directory))
        self.signatures = {
            name: Signature(definition, self._session, batching)
            for name, definition in definitions.items()
        }

    def signature(self, name: str) -> Signature:
        """Return a signature by name; the default signature for an empty name."""
        key = name or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
            )
        return self.signatures[key]

    def close(self) -> None:
        """Stop the batching threads and release the model."""
        for signature in self.signatures.values():
            if signature.batcher:
                signature.batcher.close()
        self._session.close()


def _read_signature_definitions(path: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Read signatures from the file, since TensorFlow's loader drops defaults and methods."""
    try:
        content = (path / SAVED_MODEL_FILE).read_bytes()
    except OSError as error:
        raise not_found(f"Could not find SavedModel .pb at supplied path: {path}") from error
    for graph in saved_model_pb2.SavedModel.FromString(content).meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            return {
                name: definition
                for name, definition in graph.signature_def.items()
                if name != _INIT_OP
            }
    raise not_found(f"Could not find meta graph def matching supplied tags: {{ {SERVE_TAG} }}")


@contextlib.contextmanager
def _path_without_wildcards(path: Path) -> Iterator[Path]:
    """Yield a path to the directory that contains no wildcards.

    TensorFlow treats the path of the variables as a glob pattern, so it would not find them in a
    directory such as `model[1]`. In that case the path is that of a temporary symbolic link.
    """
    if not set("*?[]\\").intersection(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory() as directory:
        link = Path(directory, path.name)
        link.symlink_to(path.absolute(), target_is_directory=True)
        yield link
