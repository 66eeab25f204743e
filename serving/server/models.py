"""Models and their versions: what is found on disk, loaded, served and let go.

A `ServingError` tells those who ask for what there is not.
"""

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
from serving.server.errors import ServingError, from_exception, invalid, not_found
from serving.server.metrics import Metrics
from serving.server.saved_model import Version

log = logging.getLogger(__name__)

State = get_model_status_pb2.ModelVersionStatus.State

Warm = Callable[[Version, Path], None]
"""Sends the requests of a warm-up file to a version that nobody else uses yet."""


@dataclass
class _Status:
    state: int
    error: ServingError | None = None
    attempts: int = 0
    retry_at: float = 0.0


@dataclass
class _Model:
    config: ModelConfig = field(default_factory=ModelConfig)
    versions: dict[int, Version] = field(default_factory=dict)
    statuses: dict[int, _Status] = field(default_factory=dict)


class Models:
    """All models of a server.

    One thread loads and unloads; requests take a version under a lock that is never held for
    longer than a look into a dictionary.
    """

    def __init__(self, config: ServerConfig, warm: Warm, metrics: Metrics) -> None:
        self._config, self._warm, self._metrics = config, warm, metrics
        self._models: dict[str, _Model] = {}
        self._leaving: dict[Version, _Status] = {}
        self._guard = threading.Lock()
        self._refreshing = threading.RLock()
        self._stop = threading.Event()
        self._garbage = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="versions", daemon=True)

    def start(self) -> None:
        """Watch the directories from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer, and let go of all models."""
        self._stop.set()
        self._thread.join()
        self.configure({})

    def configure(self, configs: Mapping[str, ModelConfig]) -> None:
        """Serve these models and no others, by name; returns when what can be loaded is."""
        with self._refreshing:
            with self._guard:
                old = self._models
                for name in configs.keys() & old.keys():
                    config, before = configs[name], old[name]
                    if before.config.base_path != config.base_path:
                        raise invalid(f"The base path of model {name} cannot be changed")
                    if missing := set(config.version_labels.values()) - set(before.versions):
                        label = f"Request to assign label to version {min(missing)} of model {name}"
                        raise invalid(f"{label}, which is not currently available for inference")
                self._models = {name: old.get(name, _Model()) for name in configs}
                for name, model in self._models.items():
                    model.config = configs[name]
            for name, model in old.items():
                if name not in configs:
                    self._retire(model, list(model.versions))
            self.refresh()

    def _poll(self) -> None:
        seconds = self._config.file_system_poll_wait_seconds
        while seconds > 0 and not self._stop.wait(seconds):
            try:
                self.refresh()
            except Exception:
                log.exception("the versions could not be looked at; trying again")
            if self._garbage.is_set():
                # A loaded graph is full of cycles, and Python would let it lie for hours.
                self._garbage.clear()
                gc.collect()

    def refresh(self) -> None:
        """Look at the directories once."""
        with self._refreshing:
            for name, model in self._models.items():
                wanted = wanted_versions(model.config)
                if not wanted:
                    # A server keeps what it has: a directory may be gone for a moment.
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
        status = model.statuses.get(number, _Status(State.START))
        if (
            number in model.versions
            or status.attempts > max(self._config.max_num_load_retries, 0)
            or time.monotonic() < status.retry_at
        ):
            return
        attempts = status.attempts + 1
        with self._guard:
            model.statuses[number] = _Status(State.LOADING, status.error, attempts)
        started, error = time.monotonic(), None
        try:
            with contextlib.ExitStack() as undo:
                version = Version(path, number, self._config.batching)
                undo.callback(version.close)
                if (path / WARMUP_FILE).is_file():
                    self._warm(version, path / WARMUP_FILE)
                undo.pop_all()
            _return_freed_memory()
        except Exception as failure:
            error = from_exception(failure)
            log.error("version %d of model %s failed to load: %s", number, name, error)
        ended = time.monotonic()
        self._metrics.loaded(str(path), success=error is None, seconds=ended - started)
        with self._guard:
            if error:
                retry_at = ended + self._config.load_retry_interval_micros / 1e6
                model.statuses[number] = _Status(State.END, error, attempts, retry_at)
                return
            model.versions[number] = version
            model.statuses[number] = _Status(State.AVAILABLE)
        log.info("version %d of model %s is served", number, name)

    def _retire(self, model: _Model, numbers: list[int]) -> None:
        """Give these versions no more requests; each goes when its last one has been answered."""
        for number in numbers:
            with self._guard:
                version = model.versions.pop(number)
                self._leaving[version] = model.statuses[number] = _Status(State.UNLOADING)
                idle = not version.users
            if idle:
                self._let_go(version)

    def _let_go(self, version: Version) -> None:
        version.close()
        with self._guard:
            self._leaving.pop(version).state = State.END
        self._garbage.set()

    @contextlib.contextmanager
    def acquire(self, spec: Any) -> Iterator[Version]:
        """The version that a ModelSpec names, kept for as long as the block runs."""
        if not spec.name:
            raise invalid("Missing ModelSpec.name" if spec.ByteSize() else "Missing ModelSpec")
        with self._guard:
            model, number = self._asked(spec)
            if number is None:
                if not model.versions:
                    raise not_found(f"Servable not found for request: Latest({spec.name})")
                number = max(model.versions)
            if number not in model.versions:
                raise not_found(f"Servable not found for request: Specific({spec.name}, {number})")
            version = model.versions[number]
            version.users += 1
        try:
            yield version
        finally:
            with self._guard:
                version.users -= 1
                last = not version.users and version in self._leaving
            if last:
                self._let_go(version)

    def _asked(self, spec: Any) -> tuple[_Model, int | None]:
        """The model that a ModelSpec names, and the version if it asks for one."""
        model = self._models.get(spec.name, _Model())
        choice = spec.WhichOneof("version_choice")
        if choice != "version_label":
            return model, spec.version.value if choice else None
        if spec.version_label not in model.config.version_labels:
            raise invalid(f"Unrecognized servable version label: {spec.version_label}")
        return model, model.config.version_labels[spec.version_label]

    def status(self, spec: Any) -> Any:
        """The answer to a GetModelStatus request."""
        if not spec.name:
            raise invalid("Missing ModelSpec")
        with self._guard:
            model, number = self._asked(spec)
            statuses = dict(model.statuses)
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


def wanted_versions(config: ModelConfig) -> dict[int, Path]:
    """The version directories that the policy of a model asks for, the newest first."""
    found: dict[int, Path] = {}
    with contextlib.suppress(OSError):
        found = versions.version_directories(Path(config.base_path))
    newest = sorted(found, reverse=True)
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        newest = [number for number in newest if number in policy.specific.versions]
    elif choice != "all":
        newest = newest[: policy.latest.num_versions or 1]
    return {number: found[number] for number in newest}


def _return_freed_memory() -> None:
    """Give memory that loading has freed back to the system, which glibc does not do by itself."""
    with contextlib.suppress(AttributeError):  # Other C libraries lack the function.
        ctypes.CDLL(None).malloc_trim(0)
