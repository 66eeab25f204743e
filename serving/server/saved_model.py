"""A version of a model in memory: its signatures, and the calls of them."""

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
from serving.server.batching import Arrays, Batcher, expired, rows_of
from serving.server.config import Batching
from serving.server.errors import ServingError, from_exception, invalid, not_found

DEFAULT_SIGNATURE: Final = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
SERVE_TAG: Final = "serve"
_INIT_OP: Final = "__saved_model_init_op"


class Signature:
    """One function of a model that is loaded into a session."""

    def __init__(
        self,
        definition: meta_graph_pb2.SignatureDef,
        session: tf.compat.v1.Session,
        batching: Batching | None,
    ) -> None:
        self.definition = definition
        # Maps of protobuf have no order, and errors list the names.
        self.inputs = {n: tf.dtypes.as_dtype(i.dtype) for n, i in sorted(definition.inputs.items())}
        self.outputs = {n: tf.dtypes.as_dtype(o.dtype) for n, o in definition.outputs.items()}
        self.defaults: Arrays = {
            name: tensors.from_proto(name, proto) for name, proto in definition.defaults.items()
        }
        self._shapes = {n: tf.TensorShape(i.tensor_shape) for n, i in definition.inputs.items()}
        self._session = session
        self._fed = {name: info.name for name, info in definition.inputs.items()}
        self._fetched = {name: info.name for name, info in definition.outputs.items()}
        self.batcher = Batcher(self._call, batching) if batching else None

    def run(self, arrays: Arrays, deadline: float) -> Arrays:
        """Answer one request, alone or with others, before a deadline of `time.monotonic`.

        Raises:
            ServingError: it does not fit, comes too late, or TensorFlow refuses.
        """
        for name, array in arrays.items():
            if not self._shapes[name].is_compatible_with(array.shape):
                raise invalid(
                    f"Tensor {name} has shape {list(array.shape)}, expected {self._shapes[name]}"
                )
        complete = self.defaults | arrays
        rows = rows_of(complete)
        if self.batcher is None or rows is None:
            if time.monotonic() >= deadline:
                raise expired()
            return self._call(complete)
        answer = self.batcher.submit(complete, rows, deadline)
        try:
            return answer.result(max(deadline - time.monotonic(), 0) + 0.01)
        except TimeoutError:
            raise expired() from None

    def _call(self, arrays: Arrays) -> Arrays:
        try:
            fed = {tensor: arrays[name] for name, tensor in self._fed.items()}
            answer: Arrays = self._session.run(self._fetched, fed)
            return answer
        except Exception as error:
            raise from_exception(error) from error


class Version:
    """A loaded version.

    It is loaded into a session, as TensorFlow Serving does: the graph goes to TensorFlow as a
    whole. `tf.saved_model.load` would build it again in Python, function by function, and hold up
    the requests meanwhile.
    """

    def __init__(self, path: Path, number: int, batching: Batching | None) -> None:
        self.number = number
        self.users = 0  # `Models` counts the requests that it is answering.
        definitions = _signature_definitions(path)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default(), _literal(path) as folder:
            tf.compat.v1.saved_model.load(self._session, [SERVE_TAG], str(folder))
        self.signatures = {
            name: Signature(definition, self._session, batching)
            for name, definition in definitions.items()
        }

    def signature(self, name: str) -> Signature:
        """The signature of this name, or the usual one for no name."""
        key = name or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
            )
        return self.signatures[key]

    def close(self) -> None:
        """End the threads of the batches, and let the model go."""
        for signature in self.signatures.values():
            if signature.batcher:
                signature.batcher.close()
        self._session.close()


def _signature_definitions(path: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Signatures as the file has them: Python's loader keeps neither defaults nor methods."""
    try:
        content = (path / SAVED_MODEL_FILE).read_bytes()
    except OSError as error:
        raise not_found(f"Could not find SavedModel .pb at supplied path: {path}") from error
    for graph in saved_model_pb2.SavedModel.FromString(content).meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            return {name: one for name, one in graph.signature_def.items() if name != _INIT_OP}
    raise not_found(f"Could not find meta graph def matching supplied tags: {{ {SERVE_TAG} }}")


@contextlib.contextmanager
def _literal(path: Path) -> Iterator[Path]:
    """The path of a folder in a form that TensorFlow does not take as a pattern.

    It looks for the variables by a pattern and would not find them in a folder such as `model[1]`.
    """
    if not set("*?[]\\").intersection(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, path.name)
        link.symlink_to(path.absolute(), target_is_directory=True)
        yield link
