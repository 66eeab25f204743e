"""Fixtures that several test files share, and the assignment of tests to workers of xdist."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import tensorflow_model_analysis as tfma
    from xdist.remote import Producer
    from xdist.scheduler import LoadGroupScheduling

    from tests.data.tiny_server import TinyServer
    from tests.end_to_end.project import Project, Run

# Shells start background processes with SIGINT ignored, and child processes inherit this. Tests of
# Ctrl-C need the default handler.
signal.signal(signal.SIGINT, signal.default_int_handler)


FIRST_RUN = "first_run"
"""Name of the group of tests that share the first run. One worker runs the whole group."""


@pytest.hookimpl(tryfirst=True)  # This must run before xdist reads the marks.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the longest tests first, so that all workers are busy until the end.

    The tests that share the first run come first, then files with a slow test, then all others.
    """
    shared = [item for item in items if FIRST_RUN in getattr(item, "fixturenames", ())]
    if config.pluginmanager.hasplugin("xdist"):
        for item in shared:
            item.add_marker(pytest.mark.xdist_group(FIRST_RUN))
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Slow tests mostly run code in other processes, and measuring coverage takes time.
    if config.pluginmanager.hasplugin("pytest_cov"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.no_cover)
    ids = {id(item) for item in shared}
    items.sort(key=lambda item: (id(item) not in ids, item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> "LoadGroupScheduling | None":
    """Assign whole files or groups to workers, so that fixtures of a module are created once."""
    from xdist.scheduler import LoadGroupScheduling

    class FileScheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return super()._split_scope(nodeid).partition("::")[0]

    return FileScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Project, Run]":
    """A project after its first run, and the result of that run. Do not change the project.

    Tests that change it use the fixture `project` instead.
    """
    # This imports TensorFlow, which most test files do not need.
    from tests.end_to_end.project import Project

    if "PYTEST_XDIST_WORKER" in os.environ:
        # This fails if a second worker starts a first run although the group has one worker.
        (tmp_path_factory.getbasetemp().parent / FIRST_RUN).mkdir()
    project = Project(tmp_path_factory.mktemp("project"))
    project.create()
    run = project.run()
    for name in ("checkout", "data", "output"):
        _copy(project.directory / name, project.directory / "snapshot" / name)
    return project, run


@pytest.fixture
def project(first_run: "tuple[Project, Run]") -> "Iterator[Project]":
    """The project in the state after its first run; it is restored after the test."""
    project, _ = first_run
    yield project
    for name in ("checkout", "data", "output"):
        shutil.rmtree(project.directory / name, ignore_errors=True)
        _copy(project.directory / "snapshot" / name, project.directory / name)


@pytest.fixture(scope="session")
def tiny_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[TinyServer]":
    """The embedded server with a tiny model, over gRPC and REST."""
    from tests.data.tiny_server import serve_tiny_model

    with serve_tiny_model(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> "tfma.EvalResult":
    """TFMA's evaluation of made-up predictions, for the dashboards."""
    from tests.data.tiny_evaluation import evaluate

    return evaluate(tmp_path_factory.mktemp("evaluation"))


def _copy(source: Path, target: Path) -> None:
    """Copy a directory with the times of its files, because caches compare them."""
    shutil.copytree(source, target, copy_function=shutil.copy2)
