"""The notebooks run from top to bottom on a real run, and are seen where people look at them.

In Chromium, in JupyterLab, in Notebook and as HTML, with no name but this machine's.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tensorflow_data_validation as tfdv
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, FrameLocator, Page, expect

from components.evaluator.verdict import read_verdict
from pipeline.past_runs import VARIABLE, PastRuns
from schema.genres import GENRES
from tests.data.chromium import PATIENCE, chromium
from tests.end_to_end.project import Project, Run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
SECONDS = 300
Notebook = Any


def environment(**more: str) -> dict[str, str]:
    """In which the kernel finds this checkout, wherever the environment's own is."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **more}


def execute(name: str, folder: Path, **variables: str) -> Notebook:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment(**variables))
    return notebook


@pytest.fixture(scope="module")
def with_two_spans(
    first_run: tuple[Project, Run], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The metadata of the run, and of data that came after it: the test split as training split."""
    project, _ = first_run
    folder = tmp_path_factory.mktemp("two-spans")
    shutil.copy(project.output / "metadata.sqlite", folder)
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(folder / "metadata.sqlite")
    store = MetadataStore(config)
    [written] = PastRuns(folder).all("StatisticsGen", "statistics")
    for split in ("train", "eval", "test"):
        shutil.copytree(written.path / "Split-test", folder / "statistics" / f"Split-{split}")
    # A column of the training split has another name than the schema knows.
    file = folder / "statistics" / "Split-train" / "FeatureStats.pb"
    statistics = tfdv.load_stats_binary(str(file))
    [runtime] = [
        feature
        for feature in statistics.datasets[0].features
        if feature.path.step == ["runtime_minutes"]
    ]
    runtime.path.step[0] = "minutes"
    file.write_bytes(statistics.SerializeToString())
    [artifact] = store.get_artifacts_by_uri(str(written.path))
    [execution] = store.get_executions_by_id([written.run])
    later = mlmd.Execution(type_id=execution.type_id, last_known_state=mlmd.Execution.COMPLETE)
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add(key="statistics")
    event.path.steps.add(index=0)
    copied = mlmd.Artifact(type_id=artifact.type_id, uri=str(folder / "statistics"))
    contexts = store.get_contexts_by_execution(execution.id)
    store.put_execution(later, [(copied, event)], contexts, reuse_context_if_already_exist=True)
    return folder


@pytest.fixture(scope="module")
def executed(
    first_run: tuple[Project, Run],
    with_two_spans: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Notebook]:
    """All notebooks, executed two at a time: importing TensorFlow takes one core."""
    project, _ = first_run
    folder = tmp_path_factory.mktemp("elsewhere")
    variables = {
        "data": {VARIABLE: str(with_two_spans)},
        "evaluation": {VARIABLE: str(project.output)},
        "serving": {VARIABLE: str(project.output)},
        "dag": {"ORDAINED_DATA": str(project.data)},
    }
    with ThreadPoolExecutor(2) as pool:
        running = {
            name: pool.submit(execute, name, folder, **variables[name])
            for name in ("dag", "data", "evaluation", "serving")
        }
        return {name: one.result() for name, one in running.items()}


def printed(notebook: Notebook) -> str:
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )


def complaints(notebook: Notebook) -> list[str]:
    """What was printed on the standard error."""
    return [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]


def shown(notebook: Notebook) -> list[str]:
    """All HTML."""
    return [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "text/html" in output.get("data", {})
    ]


def titles(notebook: Notebook) -> list[str]:
    return [title for one in shown(notebook) for title in re.findall(r'iframe title="(.*?)"', one)]


def anomalies(html: str) -> dict[str, str]:
    """Short descriptions of the anomalies that TFDV shows, by feature."""
    return dict(re.findall(r"<th>'(.*?)'</th>\s*<td>(.*?)</td>", html))


def test_they_are_committed_without_outputs() -> None:
    for path in FOLDER.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None


def test_libraries_are_silent(executed: dict[str, Notebook]) -> None:
    assert [line for notebook in executed.values() for line in complaints(notebook)] == []


def test_data(executed: dict[str, Notebook], with_two_spans: Path) -> None:
    notebook = executed["data"]
    assert titles(notebook) == ["Statistics by split", "The training split, before and now"]
    before, now = PastRuns(with_two_spans).all("StatisticsGen", "statistics")
    assert f"{with_two_spans}, statistics of {now}" in printed(notebook)
    statistics = tfdv.load_stats_binary(str(before.path / "Split-train" / "FeatureStats.pb"))
    assert statistics.datasets[0].num_examples > 200
    assert "runtime_minutes" in "".join(shown(notebook))  # of the schema
    *of_splits, drift = [
        anomalies(html)
        for html in shown(notebook)
        if "No anomalies found" in html or "Anomaly short description" in html
    ]
    schema = tfdv.load_schema_text(str(ROOT / "schema" / "schema.pbtxt"))
    for split, seen in zip(("train", "eval", "test"), of_splits, strict=True):
        file = now.path / f"Split-{split}" / "FeatureStats.pb"
        found = tfdv.validate_statistics(tfdv.load_stats_binary(str(file)), schema).anomaly_info
        assert seen == {name: one.short_description for name, one in found.items()}
    assert of_splits[0]["minutes"] == drift["minutes"] == "New column"
    assert "minutes" not in of_splits[1]


def test_evaluation(executed: dict[str, Notebook], first_run: tuple[Project, Run]) -> None:
    project, _ = first_run
    notebook = executed["evaluation"]
    assert titles(notebook) == [
        *("Metrics by genre", "Metrics by slice", "Plots by genre", "Metrics by run")
    ]
    verdict = read_verdict(project.artifacts("Evaluator", "blessing")[0])
    assert f"macro-F1 {verdict.macro_f1:.3f} on {verdict.examples} movies: blessed" in printed(
        notebook
    )
    table = shown(notebook)[0]
    for row in verdict.genres:
        assert row.genre in table
        assert f"{row.f1:.3f}" in table


def test_serving(executed: dict[str, Notebook], first_run: tuple[Project, Run]) -> None:
    project, _ = first_run
    text = printed(executed["serving"])
    [version] = project.served
    assert f"{version} AVAILABLE" in text
    first, second = re.findall("predicted: (.*)", text)
    assert first == second
    assert set(first.split(", ")) <= set(GENRES)
    [difference] = re.findall(r"differ by at most (\S+)", text)
    assert float(difference) < 1e-6
    assert re.search(r"input +plot +DT_STRING", text)


def test_dag(executed: dict[str, Notebook]) -> None:
    text = printed(executed["dag"])
    assert "302 movies of 302 titles" in text
    assert re.search(r"train +\d+ movies", text)
    assert re.search(r"plot_words +1,264 lines", text)
    assert re.search(r"epoch 2: macro-F1 0\.\d{3} on eval", text)
    assert "['assets', 'assets.extra', 'fingerprint.pb', 'saved_model.pb', 'variables']" in text
    assert titles(executed["dag"]) == ["Statistics", "Metrics by slice"]


def test_no_run_is_told_without_a_stack_trace(tmp_path: Path) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('from pipeline.past_runs import find_output')\n"
        "shell.run_cell('find_output()')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(ORDAINED_OUTPUT=str(tmp_path), HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=True,
    )
    told = f"error: {tmp_path}: no run has been made there. Run `make run` first."
    assert done.stdout.splitlines()[-1] == told
    assert "Traceback" not in done.stdout


# ---- seen ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


def assert_genres_are_drawn(frame: FrameLocator, first_run: tuple[Project, Run]) -> None:
    """That bars and table show the F1 of each genre."""
    project, _ = first_run
    verdict = read_verdict(project.artifacts("Evaluator", "blessing")[0])
    bars = frame.locator("tfma-slice-overview .marks rect")
    expect(bars).to_have_count(len(GENRES))
    f1 = [row.f1 for row in verdict.genres]
    drawn = [float(bar.get_attribute("height") or "nan") for bar in bars.all()]
    assert [one / max(drawn) for one in drawn] == pytest.approx([one / max(f1) for one in f1])
    cells = frame.locator("tfma-metrics-table tbody tr").first.locator("td")
    expect(cells.first).to_have_text(GENRES[0])
    expect(cells.last).to_have_text(str(verdict.genres[0].support))


def assert_facets_are_drawn(frame: FrameLocator) -> None:
    for name in ("train", "eval", "test", "runtime_minutes"):
        expect(frame.get_by_text(name, exact=True).first).to_be_visible()
    expect(frame.locator("facets-overview-chart svg rect").first).to_be_visible()


def test_as_html(
    executed: dict[str, Notebook], first_run: tuple[Project, Run], page: Page, tmp_path: Path
) -> None:
    project, _ = first_run
    text, _ = HTMLExporter().from_notebook_node(executed["evaluation"])
    (tmp_path / "evaluation.html").write_text(text, encoding="utf-8")
    page.goto((tmp_path / "evaluation.html").as_uri(), wait_until="domcontentloaded")
    assert_genres_are_drawn(page.frame_locator("iframe >> nth=0"), first_run)
    verdict = read_verdict(project.artifacts("Evaluator", "blessing")[0])
    frequent = [row.genre for row in sorted(verdict.genres, key=lambda row: -row.support)[:3]]
    slices = page.frame_locator("iframe >> nth=1")
    chosen = [genre for genre in GENRES if genre in frequent]
    expect(slices.get_by_label("Classes")).to_have_value(", ".join(["No class", *chosen]))
    plots = page.frame_locator("iframe >> nth=2")
    expect(plots.locator("h4")).to_have_text(f"Plot for Overall, {frequent[0]}")
    expect(plots.locator("tfma-calibration-plot .marks circle").first).to_be_visible()
    runs = page.frame_locator("iframe >> nth=3")
    expect(runs.locator("tfma-line-chart")).to_have_count(2)


@pytest.fixture(scope="module")
def jupyter(
    executed: dict[str, Notebook], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server of JupyterLab and Notebook with one trusted notebook; yields its address."""
    folder = tmp_path_factory.mktemp("jupyter")
    home = folder / "home"
    evaluation, data = executed["evaluation"], executed["data"]
    cells = [
        cell
        for notebook, title in ((evaluation, "Metrics by genre"), (data, "Statistics by split"))
        for cell in notebook.cells
        if any(
            f'iframe title="{title}"' in one
            for one in shown(nbformat.v4.new_notebook(cells=[cell]))
        )
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=evaluation.metadata)
    nbformat.write(notebook, folder / "seen.ipynb")
    os_variables = {
        "JUPYTER_DATA_DIR": str(home),
        "JUPYTER_CONFIG_DIR": str(home),
        "HOME": str(home),
    }
    home.mkdir()
    NotebookNotary(data_dir=str(home)).sign(nbformat.read(folder / "seen.ipynb", as_version=4))
    with _jupyter(folder, environment(**os_variables)) as address:
        yield address


@contextmanager
def _jupyter(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
        *("--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + 90
            while True:
                assert server.poll() is None, (folder / "log").read_text()
                try:
                    urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                    break
                except OSError:
                    assert time.monotonic() < end, (folder / "log").read_text()
                    time.sleep(0.2)
            yield f"{address}/{{}}/seen.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.parametrize("application", ["lab/tree", "notebooks"])
def test_in_jupyter(
    jupyter: str, application: str, first_run: tuple[Project, Run], page: Page
) -> None:
    page.goto(jupyter.format(application), wait_until="domcontentloaded")
    for title, drawn in (
        ("Metrics by genre", lambda frame: assert_genres_are_drawn(frame, first_run)),
        ("Statistics by split", assert_facets_are_drawn),
    ):
        frame = page.locator(f'iframe[title="{title}"]')
        frame.scroll_into_view_if_needed()
        drawn(frame.content_frame)
