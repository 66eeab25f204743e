"""What several test files share: one run of the whole pipeline, one running server.

`make test` has two workers run the files side by side (pytest-xdist), see below.
"""

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

    from tests.data.tiny_server import Served
    from tests.end_to_end.project import Project, Run

# A shell starts what it puts in the background deaf to Ctrl-C, and its children inherit that; tests
# of what Ctrl-C does would see nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)


FIRST_RUN = "first_run"
"""The group of tests that share the first run: one worker makes it, and runs all of them."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes longest first, so that all workers are busy until the end.

    First come the tests that share the first run, then files that hold a slow test, then the rest.
    """
    shared = [item for item in items if FIRST_RUN in getattr(item, "fixturenames", ())]
    if config.pluginmanager.hasplugin("xdist"):
        for item in shared:
            item.add_marker(pytest.mark.xdist_group(FIRST_RUN))
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Most of what slow tests run is in other processes, and watching lines takes time.
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
    """Give a worker whole files, whose fixtures are then made once, or a whole group."""
    from xdist.scheduler import LoadGroupScheduling

    class Files(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return super()._split_scope(nodeid).partition("::")[0]

    return Files(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Project, Run]":
    """A project after its first run, and what that run said. Use `project`, unless to read only."""
    # Imports TensorFlow, which most test files do without.
    from tests.end_to_end.project import Project

    if "PYTEST_XDIST_WORKER" in os.environ:
        # Fails in a second worker: then the group has come apart, and the run is made twice.
        (tmp_path_factory.getbasetemp().parent / FIRST_RUN).mkdir()
    project = Project(tmp_path_factory.mktemp("project"))
    project.create()
    run = project.run()
    for name in ("checkout", "data", "output"):
        _copy(project.directory / name, project.directory / "kept" / name)
    return project, run


@pytest.fixture
def project(first_run: "tuple[Project, Run]") -> "Iterator[Project]":
    """The project as its first run left it, whatever other tests did to it."""
    project, _ = first_run
    yield project
    for name in ("checkout", "data", "output"):
        shutil.rmtree(project.directory / name, ignore_errors=True)
        _copy(project.directory / "kept" / name, project.directory / name)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Served]":
    """A tiny model behind the embedded server, over gRPC and REST."""
    from tests.data.tiny_server import serving_tiny_model

    with serving_tiny_model(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> "tfma.EvalResult":
    """TFMA's evaluation of made-up predictions, for the dashboards."""
    from tests.data.tiny_evaluation import evaluate

    return evaluate(tmp_path_factory.mktemp("evaluation"))


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with the times of its files, which caches go by."""
    shutil.copytree(source, target, copy_function=shutil.copy2)
