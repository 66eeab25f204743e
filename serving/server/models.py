"""Models and their versions: what is found on disk, loaded, served and let go."""

import contextlib
import gc
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from schema import versions
from schema.errors import UserError
from schema.names import SAVED_MODEL_FILE, WARMUP_FILE
from serving.server import tensors
from serving.server.batching import Arrays, Batcher, expired, rows_of
from serving.server.errors import ServingError, from_exception, invalid, not_found
from serving.server.metrics import Metrics
from serving.server.text_config import Batching

log = logging.getLogger(__name__)

ModelConfig = model_server_config_pb2.ModelConfig
State = get_model_status_pb2.ModelVersionStatus.State
DEFAULT_SIGNATURE: Final = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
SERVE_TAG: Final = "serve"
_INIT_OP: Final = "__saved_model_init_op"

Warm = Callable[["Version", Path], None]
"""Sends the requests of a warm-up file to a version that nobody else uses yet."""


class Signature:
    """One function of a loaded SavedModel.

    Args:
        definition: names, types, shapes and defaults.
        session: in which the model is loaded.
        batching: how requests are joined, or None for one call a request.
    """

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
        self.shapes = {n: tf.TensorShape(i.tensor_shape) for n, i in definition.inputs.items()}
        self.defaults: Arrays = {
            name: tensors.from_proto(name, proto) for name, proto in definition.defaults.items()
        }
        self._session = session
        self._fed = {name: info.name for name, info in definition.inputs.items()}
        self._fetched = {name: info.name for name, info in definition.outputs.items()}
        self.batcher = Batcher(self.call, batching) if batching else None

    def run(self, arrays: Arrays, deadline: float) -> Arrays:
        """Answer one request, alone or with others.

        Args:
            arrays: all inputs without a default, and any others.
            deadline: of `time.monotonic`.

        Raises:
            ServingError: see `call` and `Batcher.submit`; DEADLINE_EXCEEDED.
        """
        for name, array in arrays.items():
            if not self.shapes[name].is_compatible_with(array.shape):
                raise invalid(
                    f"Tensor {name} has shape {list(array.shape)}, expected {self.shapes[name]}"
                )
        complete = {**self.defaults, **arrays}
        rows = rows_of(complete)
        if self.batcher is None or rows is None:
            if time.monotonic() >= deadline:
                raise expired()
            return self.call(complete)
        answer = self.batcher.submit(complete, rows, deadline)
        try:
            return answer.result(max(deadline - time.monotonic(), 0) + 0.01)
        except TimeoutError:
            raise expired() from None

    def call(self, arrays: Arrays) -> Arrays:
        """Call the function.

        Raises:
            ServingError: TensorFlow refused, with its code and words.
        """
        try:
            fed = {tensor: arrays[name] for name, tensor in self._fed.items()}
            answer: Arrays = self._session.run(self._fetched, fed)
            return answer
        except Exception as error:
            raise from_exception(error) from error


class Version:
    """A loaded version, with a count of the requests that use it.

    It is loaded into a session, as TensorFlow Serving does: the graph goes to TensorFlow as a
    whole. `tf.saved_model.load` would build it again in Python, function by function, and hold up
    the requests meanwhile.
    """

    def __init__(self, path: Path, number: int, batching: Batching | None) -> None:
        self.number = number
        definitions = _signature_definitions(path)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default(), _literal(path) as folder:
            tf.compat.v1.saved_model.load(self._session, [SERVE_TAG], str(folder))
        self.signatures = {
            name: Signature(definition, self._session, batching)
            for name, definition in definitions.items()
        }
        self.definitions = definitions
        self._guard = threading.Lock()
        self._users = 0
        self._when_idle: Callable[[], None] | None = None

    def signature(self, name: str) -> Signature:
        """The signature of this name, or the usual one for no name.

        Raises:
            ServingError: there is none.
        """
        key = name or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
            )
        return self.signatures[key]

    @contextlib.contextmanager
    def in_use(self) -> Iterator["Version"]:
        """Count a request; to be entered with the lock of the model held."""
        with self._guard:
            self._users += 1
        try:
            yield self
        finally:
            with self._guard:
                self._users -= 1
                done = None if self._users else self._when_idle
            if done:
                done()

    def retire(self, when_idle: Callable[[], None]) -> None:
        """Take no more requests; call back when the last one has been answered."""
        with self._guard:
            self._when_idle = when_idle
            idle = not self._users
        if idle:
            when_idle()

    def close(self) -> None:
        """End the threads of the batches, and let the model go."""
        for signature in self.signatures.values():
            if signature.batcher:
                signature.batcher.close()
        self._session.close()


@dataclass
class _Status:
    state: int
    error: ServingError | None = None
    attempts: int = 0
    retry_at: float = 0.0


@dataclass
class _Model:
    config: Any
    versions: dict[int, Version] = field(default_factory=dict)
    statuses: dict[int, _Status] = field(default_factory=dict)


@dataclass(frozen=True)
class Polling:
    """How directories are watched.

    Attributes:
        seconds: between two looks; 0 looks once, below 0 never.
        retries: attempts after a version failed to load.
        retry_seconds: between two of them.
    """

    seconds: float = 1.0
    retries: int = 5
    retry_seconds: float = 60.0


class Models:
    """All models of a server.

    One thread loads and unloads; requests take a version under a lock that is never held for
    longer than a look into a dictionary.
    """

    def __init__(
        self, polling: Polling, batching: Batching | None, warm: Warm, metrics: Metrics
    ) -> None:
        self._polling, self._batching, self._warm = polling, batching, warm
        self._metrics = metrics
        self._models: dict[str, _Model] = {}
        self._guard = threading.Lock()
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._garbage = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="versions", daemon=True)

    def start(self) -> None:
        """Watch the directories from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def configure(self, configs: Mapping[str, Any]) -> None:
        """Serve these models and no others; returns when what can be loaded is.

        Args:
            configs: `ModelConfig`s by name.

        Raises:
            ServingError: INVALID_ARGUMENT, a label names a version that is not available.
        """
        with self._refreshing:
            with self._guard:
                old = self._models
                for name, config in configs.items():
                    before = old.get(name)
                    if before and before.config.base_path != config.base_path:
                        raise invalid(f"The base path of model {name} cannot be changed")
                    known = before.versions if before else {}
                    missing = set(config.version_labels.values()) - set(known)
                    if before and missing:
                        raise invalid(
                            f"Request to assign label to version {min(missing)} of model {name}, "
                            "which is not currently available for inference"
                        )
                self._models = {}
                for name, config in configs.items():
                    self._models[name] = old.get(name, _Model(config))
                    self._models[name].config = config
            for name, model in old.items():
                if name not in configs:
                    self._retire(model, list(model.versions))
            self._refresh()

    def refresh(self) -> None:
        """Look at the directories once."""
        with self._refreshing:
            self._refresh()

    def _poll(self) -> None:
        while self._polling.seconds > 0 and not self._stop.wait(self._polling.seconds):
            try:
                self.refresh()
            except Exception:
                log.exception("the versions could not be looked at; trying again")
            if self._garbage.is_set():
                # A loaded graph is full of cycles, and Python would let it lie for hours.
                self._garbage.clear()
                gc.collect()

    def _refresh(self) -> None:
        with self._guard:
            models = dict(self._models)
        for name, model in models.items():
            wanted = wanted_versions(model.config)
            if not wanted:
                # A server keeps what it has: a directory that is gone for a moment is no order.
                continue
            for number, path in wanted.items():
                self._load(name, model, number, path)
            if any(number in model.versions for number in wanted):
                self._retire(model, [n for n in model.versions if n not in wanted])
            with self._guard:
                for number in [n for n, s in model.statuses.items() if s.error]:
                    if number not in wanted:
                        del model.statuses[number]

    def _load(self, name: str, model: _Model, number: int, path: Path) -> None:
        if number in model.versions:
            return
        status = model.statuses.get(number, _Status(State.START))
        failed = status.attempts > 0
        if failed and (
            status.attempts > self._polling.retries or time.monotonic() < status.retry_at
        ):
            return
        attempts = status.attempts + 1
        with self._guard:
            model.statuses[number] = _Status(State.LOADING, status.error, attempts)
        started = time.monotonic()
        try:
            version = Version(path, number, self._batching)
            if (path / WARMUP_FILE).is_file():
                self._warm(version, path / WARMUP_FILE)
        except Exception as error:
            log.error("version %d of model %s failed to load: %s", number, name, error)
            self._metrics.loaded(str(path), success=False, seconds=time.monotonic() - started)
            retry_at = time.monotonic() + self._polling.retry_seconds
            with self._guard:
                model.statuses[number] = _Status(
                    State.END, from_exception(error), attempts, retry_at
                )
            return
        self._metrics.loaded(str(path), success=True, seconds=time.monotonic() - started)
        with self._guard:
            model.versions[number] = version
            model.statuses[number] = _Status(State.AVAILABLE)
        log.info("version %d of model %s is served", number, name)

    def _retire(self, model: _Model, numbers: list[int]) -> None:
        for number in numbers:
            with self._guard:
                version = model.versions.pop(number)
                status = model.statuses[number] = _Status(State.UNLOADING)

            def gone(version: Version = version, status: _Status = status) -> None:
                version.close()
                status.state = State.END
                self._garbage.set()

            version.retire(gone)

    @contextlib.contextmanager
    def acquire(self, spec: Any) -> Iterator[Version]:
        """The version that a ModelSpec names, kept for as long as the block runs.

        Raises:
            ServingError: INVALID_ARGUMENT without a name or for an unknown label; NOT_FOUND.
        """
        if not spec.name:
            raise invalid("Missing ModelSpec.name" if spec.ByteSize() else "Missing ModelSpec")
        with contextlib.ExitStack() as stack:
            with self._guard:
                version = stack.enter_context(self._find(spec).in_use())
            yield version

    def _find(self, spec: Any) -> Version:
        model = self._models.get(spec.name)
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            labels = model.config.version_labels if model else {}
            if spec.version_label not in labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            number = labels[spec.version_label]
        elif choice == "version":
            number = spec.version.value
        else:
            if not model or not model.versions:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            number = max(model.versions)
        if not model or number not in model.versions:
            raise not_found(f"Servable not found for request: Specific({spec.name}, {number})")
        return model.versions[number]

    def status(self, spec: Any) -> Any:
        """The answer to a GetModelStatus request.

        Raises:
            ServingError: INVALID_ARGUMENT without a name or for an unknown label; NOT_FOUND.
        """
        if not spec.name:
            raise invalid("Missing ModelSpec")
        with self._guard:
            model = self._models.get(spec.name)
            statuses = dict(model.statuses) if model else {}
            choice = spec.WhichOneof("version_choice")
            number = spec.version.value if choice == "version" else None
            if choice == "version_label":
                labels = model.config.version_labels if model else {}
                if spec.version_label not in labels:
                    raise invalid(f"Unrecognized servable version label: {spec.version_label}")
                number = labels[spec.version_label]
        if number is not None and number not in statuses:
            raise not_found(f"Could not find version {number} of model {spec.name}")
        if not statuses:
            raise not_found(f"Could not find any versions of model {spec.name}")
        answer = get_model_status_pb2.GetModelStatusResponse()
        for version, status in sorted(statuses.items(), reverse=True):
            if number in (None, version):
                one = answer.model_version_status.add(version=version, state=status.state)
                one.status.error_code = status.error.code.value[0] if status.error else 0
                one.status.error_message = status.error.message if status.error else ""
        return answer

    def known(self, name: str) -> str:
        """The name, if a model has it; nothing otherwise."""
        return name if name in self._models else ""

    def available(self) -> bool:
        """Whether every model has a version that answers."""
        with self._guard:
            return bool(self._models) and all(m.versions for m in self._models.values())


def wanted_versions(config: Any) -> dict[int, Path]:
    """The version directories that the policy of a model asks for, the newest first."""
    found: dict[int, Path] = {}
    with contextlib.suppress(OSError):
        found = versions.folders(Path(config.base_path))
    newest = sorted(found, reverse=True)
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        newest = [number for number in newest if number in policy.specific.versions]
    elif choice != "all":
        newest = newest[: policy.latest.num_versions or 1]
    return {number: found[number] for number in newest}


def model_configs(config: model_server_config_pb2.ModelServerConfig) -> dict[str, Any]:
    """The models of a model server config by name.

    Raises:
        UserError: a model has no name, no path, a name twice or another platform.
    """
    configs: dict[str, Any] = {}
    for one in config.model_config_list.config:
        if not one.name or not one.base_path:
            raise UserError("model config: each model needs a name and a base_path")
        if one.name in configs:
            raise UserError(f"model config: the name {one.name} is given twice")
        if one.model_platform not in ("", "tensorflow"):
            raise UserError(f"model config: {one.name} is not of model_platform tensorflow")
        configs[one.name] = one
    return configs


def _signature_definitions(path: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Signatures as the file has them: Python's loader keeps neither defaults nor methods."""
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / SAVED_MODEL_FILE).read_bytes())
    except OSError as error:
        raise not_found(f"Could not find SavedModel .pb at supplied path: {path}") from error
    for graph in model.meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            return {
                name: definition
                for name, definition in graph.signature_def.items()
                if name != _INIT_OP
            }
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


def as_array(values: list[bytes]) -> np.ndarray:
    """Bytes as an array of objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
