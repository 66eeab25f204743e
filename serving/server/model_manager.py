"""Loading and unloading of model versions."""

import contextlib
import ctypes
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from schema import versions
from schema.names import WARMUP_FILE
from serving.server.config import ServerConfig
from serving.server.errors import ServingError, as_serving_error, invalid_argument, not_found
from serving.server.metrics import Metrics
from serving.server.saved_model import LoadedVersion

log = logging.getLogger(__name__)

State = get_model_status_pb2.ModelVersionStatus.State

WarmUp = Callable[[LoadedVersion, Path], None]
"""Sends the requests of a warm-up file to a version before it is served."""


@dataclass
class _VersionStatus:
    state: int
    error: ServingError | None = None
    attempts: int = 0
    retry_at: float = 0.0


@dataclass
class _Model:
    config: ModelConfig = field(default_factory=ModelConfig)
    versions: dict[int, LoadedVersion] = field(default_factory=dict)
    statuses: dict[int, _VersionStatus] = field(default_factory=dict)


class ModelManager:
    """Loads, serves and unloads the versions of all models.

    One thread at a time loads and unloads versions. Requests only look up a version, under a lock
    that is held briefly, so they do not wait while another version loads.

    Args:
        config: Configuration of the server.
        warm_up: Function that sends warm-up requests to a version.
        metrics: Metrics that record the loading.
    """

    def __init__(self, config: ServerConfig, warm_up: WarmUp, metrics: Metrics) -> None:
        self._config, self._warm_up, self._metrics = config, warm_up, metrics
        self._models: dict[str, _Model] = {}
        self._unloading: dict[LoadedVersion, _VersionStatus] = {}
        self._lock = threading.Lock()
        self._refresh_lock = threading.RLock()
        self._stop = threading.Event()
        self._version_unloaded = threading.Event()
        self._thread = threading.Thread(target=self._poll_directories, name="versions", daemon=True)

    def start(self) -> None:
        """Start to poll the model directories."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling and unload all models."""
        self._stop.set()
        self._thread.join()
        self.configure({})

    def configure(self, configs: Mapping[str, ModelConfig]) -> None:
        """Serve the given models and no others, and wait until their versions are loaded.

        Args:
            configs: Models by name.

        Raises:
            ServingError: A model's base path has changed, or a label names a version that is not
                loaded.
        """
        with self._refresh_lock:
            with self._lock:
                old = self._models
                for name in configs.keys() & old.keys():
                    config, model = configs[name], old[name]
                    if model.config.base_path != config.base_path:
                        raise invalid_argument(f"The base path of model {name} cannot be changed")
                    if missing := set(config.version_labels.values()) - set(model.versions):
                        label = f"Request to assign label to version {min(missing)} of model {name}"
                        raise invalid_argument(
                            f"{label}, which is not currently available for inference"
                        )
                self._models = {name: old.get(name, _Model()) for name in configs}
                for name, model in self._models.items():
                    model.config = configs[name]
            for name, model in old.items():
                if name not in configs:
                    self._unload(model, list(model.versions))
            self.refresh()

    def _poll_directories(self) -> None:
        seconds = self._config.file_system_poll_wait_seconds
        while seconds > 0 and not self._stop.wait(seconds):
            try:
                self.refresh()
            except Exception:
                log.exception("cannot look for new versions; the next poll tries again")
            if self._version_unloaded.is_set():
                # A loaded graph has many reference cycles. Without an explicit collection, Python
                # might keep it in memory for hours.
                self._version_unloaded.clear()
                gc.collect()

    def refresh(self) -> None:
        """Look into the model directories once, and load and unload versions accordingly."""
        with self._refresh_lock:
            for name, model in self._models.items():
                paths = select_versions(model.config)
                if not paths:
                    # Keep the loaded versions: the directory may be missing for a moment only.
                    continue
                for number, path in paths.items():
                    self._load(name, model, number, path)
                if any(number in model.versions for number in paths):
                    self._unload(model, [n for n in model.versions if n not in paths])
                with self._lock:
                    for number in [n for n, status in model.statuses.items() if status.error]:
                        if number not in paths:
                            del model.statuses[number]

    def _load(self, name: str, model: _Model, number: int, path: Path) -> None:
        status = model.statuses.get(number, _VersionStatus(State.START))
        if (
            number in model.versions
            or status.attempts > max(self._config.max_num_load_retries, 0)
            or time.monotonic() < status.retry_at
        ):
            return
        attempts = status.attempts + 1
        with self._lock:
            model.statuses[number] = _VersionStatus(State.LOADING, status.error, attempts)
        started, error = time.monotonic(), None
        try:
            with contextlib.ExitStack() as on_error:
                version = LoadedVersion(path, number, self._config.batching)
                on_error.callback(version.close)
                if (path / WARMUP_FILE).is_file():
                    self._warm_up(version, path / WARMUP_FILE)
                on_error.pop_all()
            _return_freed_memory()
        except Exception as failure:
            error = as_serving_error(failure)
            log.error("model %s: version %d failed to load: %s", name, number, error)
        ended = time.monotonic()
        self._metrics.record_load(str(path), success=error is None, seconds=ended - started)
        with self._lock:
            if error:
                retry_at = ended + self._config.load_retry_interval_micros / 1e6
                model.statuses[number] = _VersionStatus(State.END, error, attempts, retry_at)
                return
            model.versions[number] = version
            model.statuses[number] = _VersionStatus(State.AVAILABLE)
        log.info("model %s: serving version %d", name, number)

    def _unload(self, model: _Model, numbers: list[int]) -> None:
        """Send no more requests to these versions; each closes after its last running request."""
        for number in numbers:
            with self._lock:
                version = model.versions.pop(number)
                status = _VersionStatus(State.UNLOADING)
                self._unloading[version] = model.statuses[number] = status
                idle = not version.running_requests
            if idle:
                self._close(version)

    def _close(self, version: LoadedVersion) -> None:
        version.close()
        with self._lock:
            self._unloading.pop(version).state = State.END
        self._version_unloaded.set()

    @contextlib.contextmanager
    def acquire(self, spec: Any) -> Iterator[LoadedVersion]:
        """Return the version that a ModelSpec names, and keep it loaded within the `with` block.

        Raises:
            ServingError: The spec names no model, or its model, version or label is not served.
        """
        if not spec.name:
            missing = "Missing ModelSpec.name" if spec.ByteSize() else "Missing ModelSpec"
            raise invalid_argument(missing)
        with self._lock:
            model, number = self._resolve(spec)
            if number is None:
                if not model.versions:
                    raise not_found(f"Servable not found for request: Latest({spec.name})")
                number = max(model.versions)
            if number not in model.versions:
                raise not_found(f"Servable not found for request: Specific({spec.name}, {number})")
            version = model.versions[number]
            version.running_requests += 1
        try:
            yield version
        finally:
            with self._lock:
                version.running_requests -= 1
                close = not version.running_requests and version in self._unloading
            if close:
                self._close(version)

    def _resolve(self, spec: Any) -> tuple[_Model, int | None]:
        """Return the model of a ModelSpec, and the version; None for the newest."""
        model = self._models.get(spec.name, _Model())
        choice = spec.WhichOneof("version_choice")
        if choice != "version_label":
            return model, spec.version.value if choice else None
        if spec.version_label not in model.config.version_labels:
            raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
        return model, model.config.version_labels[spec.version_label]

    def status(self, spec: Any) -> Any:
        """Return the GetModelStatusResponse for a ModelSpec.

        Raises:
            ServingError: The spec names no model, or its model, version or label is unknown.
        """
        if not spec.name:
            raise invalid_argument("Missing ModelSpec")
        with self._lock:
            model, number = self._resolve(spec)
            statuses = dict(model.statuses)
        if number is not None and number not in statuses:
            raise not_found(f"Could not find version {number} of model {spec.name}")
        if not statuses:
            raise not_found(f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, status in sorted(statuses.items(), reverse=True):
            if number in (None, version):
                entry = response.model_version_status.add(version=version, state=status.state)
                entry.status.error_code = status.error.code.value[0] if status.error else 0
                entry.status.error_message = status.error.message if status.error else ""
        return response

    def has_model(self, name: str) -> bool:
        """Return whether a model of this name is configured."""
        return name in self._models

    def all_available(self) -> bool:
        """Return whether there are models, and each of them has a loaded version."""
        with self._lock:
            return bool(self._models) and all(m.versions for m in self._models.values())


def select_versions(config: ModelConfig) -> dict[int, Path]:
    """Return the version directories that a model's version policy selects, newest first."""
    directories: dict[int, Path] = {}
    with contextlib.suppress(OSError):
        directories = versions.version_directories(Path(config.base_path))
    selected = sorted(directories, reverse=True)
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        selected = [number for number in selected if number in policy.specific.versions]
    elif choice != "all":
        selected = selected[: policy.latest.num_versions or 1]
    return {number: directories[number] for number in selected}


def _return_freed_memory() -> None:
    """Return freed memory to the operating system, which glibc does not do by itself."""
    with contextlib.suppress(AttributeError):  # Other C libraries lack the function.
        ctypes.CDLL(None).malloc_trim(0)
