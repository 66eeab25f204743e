"""The notebooks, executed on a real run and shown as HTML, in JupyterLab and in Notebook.

They are shown in Chromium, which can reach only this machine.
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
import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, FrameLocator, Page, expect

from components.evaluator.verdict import read_verdict
from pipeline.past_runs import OUTPUT_VARIABLE, PastRuns
from schema.genres import GENRES
from tests.data.chromium import TIMEOUT_MILLISECONDS, chromium
from tests.end_to_end.project import Project, Run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT_SECONDS = 300
Notebook = Any


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which the kernel imports this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **variables}


def execute(name: str, directory: Path, **variables: str) -> Notebook:
    """Execute a notebook to its end, also after an error, which `problems` finds."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        allow_errors=True,
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute(env=environment(**variables))
    return notebook


@pytest.fixture(scope="module")
def with_two_spans(
    first_run: tuple[Project, Run], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Metadata of the run and of later data, whose training split is the run's test split."""
    project, _ = first_run
    directory = tmp_path_factory.mktemp("two-spans")
    shutil.copy(project.output / "metadata.sqlite", directory)
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(directory / "metadata.sqlite")
    store = MetadataStore(config)
    [written] = PastRuns(directory).all("StatisticsGen", "statistics")
    for split in ("train", "eval", "test"):
        shutil.copytree(written.path / "Split-test", directory / "statistics" / f"Split-{split}")
    # A column of the training split has a name that the schema does not contain.
    file = directory / "statistics" / "Split-train" / "FeatureStats.pb"
    statistics = tfdv.load_stats_binary(str(file))
    [runtime] = [
        feature
        for feature in statistics.datasets[0].features
        if feature.path.step == ["runtime_minutes"]
    ]
    runtime.path.step[0] = "minutes"
    file.write_bytes(statistics.SerializeToString())
    [artifact] = store.get_artifacts_by_uri(str(written.path))
    [execution] = store.get_executions_by_id([written.execution_id])
    later = mlmd.Execution(type_id=execution.type_id, last_known_state=mlmd.Execution.COMPLETE)
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add(key="statistics")
    event.path.steps.add(index=0)
    copied = mlmd.Artifact(type_id=artifact.type_id, uri=str(directory / "statistics"))
    contexts = store.get_contexts_by_execution(execution.id)
    store.put_execution(later, [(copied, event)], contexts, reuse_context_if_already_exist=True)
    return directory


@pytest.fixture(scope="module")
def status_before() -> str:
    return git_status()


@pytest.fixture(scope="module")
def executed(
    first_run: tuple[Project, Run],
    status_before: str,
    with_two_spans: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Notebook]:
    """Execute all notebooks, two at a time, because importing TensorFlow takes one core."""
    project, _ = first_run
    directory = tmp_path_factory.mktemp("elsewhere")
    variables = {
        "data": {OUTPUT_VARIABLE: str(with_two_spans)},
        "evaluation": {OUTPUT_VARIABLE: str(project.output)},
        "serving": {OUTPUT_VARIABLE: str(project.output)},
        "dag": {"ORDAINED_DATA": str(project.data)},
    }
    with ThreadPoolExecutor(2) as pool:
        running = {
            name: pool.submit(execute, name, directory, **variables[name])
            for name in ("dag", "data", "evaluation", "serving")
        }
        return {name: future.result() for name, future in running.items()}


def standard_output(notebook: Notebook) -> str:
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )


def standard_error(notebook: Notebook) -> list[str]:
    """Return the texts on the standard error."""
    return [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]


def html_outputs(notebook: Notebook) -> list[str]:
    """Return all outputs in HTML."""
    return [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "text/html" in output.get("data", {})
    ]


def problems(notebook: Notebook) -> list[str]:
    """Return what went wrong in a notebook, cell by cell.

    A cell that was not executed, an error, and an error that a library only shows are problems.
    """
    found = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            found.append(f"cell {number} was not executed")
        for output in cell.outputs:
            texts = [output.get("text", ""), *output.get("data", {}).values()]
            if output.output_type == "error":
                found.append(f"cell {number}: {output.ename}: {output.evalue}")
            found += [
                f"cell {number}: {line}"
                for line in "\n".join(map(str, texts)).splitlines()
                if re.match(r"error: |Traceback|\w+(Error|Exception): ", line)
            ]
    return found


def view_titles(notebook: Notebook) -> list[str]:
    return [
        title
        for html in html_outputs(notebook)
        for title in re.findall(r'iframe title="(.*?)"', html)
    ]


def anomalies(html: str) -> dict[str, str]:
    """Return the short descriptions of anomalies in TFDV's HTML by feature."""
    return dict(re.findall(r"<th>'(.*?)'</th>\s*<td>(.*?)</td>", html))


def test_notebooks_are_committed_without_outputs() -> None:
    for path in NOTEBOOKS.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None


def test_all_cells_have_been_executed_without_an_error(executed: dict[str, Notebook]) -> None:
    found = {name: problems(notebook) for name, notebook in executed.items()}
    assert not any(found.values()), found


def test_problems_are_found() -> None:
    v4 = nbformat.v4
    error = v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    shown = v4.new_output("stream", name="stdout", text="done\nerror: no such run\n")
    cells = [
        v4.new_markdown_cell("Traceback"),
        v4.new_code_cell("1", execution_count=1, outputs=[error]),
        v4.new_code_cell("2"),
        v4.new_code_cell("3", execution_count=2, outputs=[shown]),
    ]
    assert problems(v4.new_notebook(cells=cells)) == [
        "cell 1: ValueError: no",
        "cell 2 was not executed",
        "cell 3: error: no such run",
    ]


def git_status() -> str:
    """Return the changes of the checkout, in notebooks and files that git does not ignore."""
    command = ["git", "-C", str(ROOT), "status", "--porcelain"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_notebooks_leave_the_checkout_clean(
    status_before: str, executed: dict[str, Notebook]
) -> None:
    assert executed
    assert git_status() == status_before


def test_make_opens_copies_of_the_notebooks() -> None:
    command = ["make", "--dry-run", "-o", "setup", "notebooks"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if "jupyter lab" in line]
    assert "--notebook-dir=build/notebooks" in line
    # Jupyter refuses to run as root without this option.
    assert ("--allow-root" in line) == (os.getuid() == 0)
    subprocess.run(["git", "-C", ROOT, "check-ignore", "-q", "build/notebooks"], check=True)


def test_nothing_is_written_to_standard_error(executed: dict[str, Notebook]) -> None:
    assert [line for notebook in executed.values() for line in standard_error(notebook)] == []


def test_data_notebook(executed: dict[str, Notebook], with_two_spans: Path) -> None:
    notebook = executed["data"]
    assert view_titles(notebook) == [
        "Statistics by split",
        "Training split: previous and current data",
    ]
    previous, current = PastRuns(with_two_spans).all("StatisticsGen", "statistics")
    assert f"{with_two_spans}, statistics of {current}" in standard_output(notebook)
    statistics = tfdv.load_stats_binary(str(previous.path / "Split-train" / "FeatureStats.pb"))
    assert statistics.datasets[0].num_examples > 200
    assert "runtime_minutes" in "".join(html_outputs(notebook))  # The table of the schema.
    *split_anomalies, drift = [
        anomalies(html)
        for html in html_outputs(notebook)
        if "No anomalies found" in html or "Anomaly short description" in html
    ]
    schema = tfdv.load_schema_text(str(ROOT / "schema" / "schema.pbtxt"))
    for split, actual in zip(("train", "eval", "test"), split_anomalies, strict=True):
        file = current.path / f"Split-{split}" / "FeatureStats.pb"
        found = tfdv.validate_statistics(tfdv.load_stats_binary(str(file)), schema).anomaly_info
        assert actual == {name: info.short_description for name, info in found.items()}
    assert split_anomalies[0]["minutes"] == drift["minutes"] == "New column"
    assert "minutes" not in split_anomalies[1]


def test_evaluation_notebook(executed: dict[str, Notebook], first_run: tuple[Project, Run]) -> None:
    project, _ = first_run
    notebook = executed["evaluation"]
    assert view_titles(notebook) == [
        *("Metrics by genre", "Metrics by slice", "Plots by genre", "Metrics by run")
    ]
    verdict = read_verdict(project.artifacts("Evaluator", "blessing")[0])
    assert (
        f"macro-F1 {verdict.macro_f1:.3f} on {verdict.examples} movies: blessed"
        in standard_output(notebook)
    )
    table = html_outputs(notebook)[0]
    for row in verdict.genres:
        assert row.genre in table
        assert f"{row.f1:.3f}" in table


def test_serving_notebook(executed: dict[str, Notebook], first_run: tuple[Project, Run]) -> None:
    project, _ = first_run
    text = standard_output(executed["serving"])
    [version] = project.served
    assert f"{version} AVAILABLE" in text
    first, second = re.findall("predicted: (.*)", text)
    assert first == second
    assert set(first.split(", ")) <= set(GENRES)
    [difference] = re.findall(r"differ by at most (\S+)", text)
    assert float(difference) < 1e-6
    assert re.search(r"input +plot +DT_STRING", text)


def test_dag_notebook(executed: dict[str, Notebook]) -> None:
    text = standard_output(executed["dag"])
    assert "302 movies of 302 titles" in text
    assert re.search(r"train +\d+ movies", text)
    assert re.search(r"plot_words +1,264 lines", text)
    assert re.search(r"epoch 2: macro-F1 0\.\d{3} on the eval split", text)
    assert "['assets', 'assets.extra', 'fingerprint.pb', 'saved_model.pb', 'variables']" in text
    assert re.search(r"pushed as version \d{10}\n", text)
    shown = next(html for html in html_outputs(executed["dag"]) if "macro-F1" in html)
    assert "not blessed" not in shown
    assert view_titles(executed["dag"]) == ["Statistics", "Metrics by slice"]


def test_a_missing_run_is_an_error_without_a_stack_trace(tmp_path: Path) -> None:
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
    message = done.stdout.splitlines()[-1]
    assert message.startswith("error: ")
    assert str(tmp_path) in message
    assert "Traceback" not in done.stdout


# ---- in a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(TIMEOUT_MILLISECONDS)
    yield page
    page.close()


def assert_genres_are_drawn(frame: FrameLocator, first_run: tuple[Project, Run]) -> None:
    """Assert that the bars and the table show the F1 of each genre."""
    project, _ = first_run
    verdict = read_verdict(project.artifacts("Evaluator", "blessing")[0])
    bars = frame.locator("tfma-slice-overview .marks rect")
    expect(bars).to_have_count(len(GENRES))
    f1 = [row.f1 for row in verdict.genres]
    heights = np.array([float(bar.get_attribute("height") or "nan") for bar in bars.all()])
    assert heights / heights.max() == pytest.approx(np.divide(f1, max(f1)))
    cells = frame.locator("tfma-metrics-table tbody tr").first.locator("td")
    expect(cells.first).to_have_text(GENRES[0])
    expect(cells.last).to_have_text(str(verdict.genres[0].support))


def assert_facets_are_drawn(frame: FrameLocator) -> None:
    for name in ("train", "eval", "test", "runtime_minutes"):
        expect(frame.get_by_text(name, exact=True).first).to_be_visible()
    expect(frame.locator("facets-overview-chart svg rect").first).to_be_visible()


def test_views_in_html(
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
    selected = [genre for genre in GENRES if genre in frequent]
    expect(slices.get_by_label("Classes")).to_have_value(", ".join(["No class", *selected]))
    plots = page.frame_locator("iframe >> nth=2")
    expect(plots.locator("h4")).to_have_text(f"Plot for Overall, {frequent[0]}")
    expect(plots.locator("tfma-calibration-plot .marks circle").first).to_be_visible()
    runs = page.frame_locator("iframe >> nth=3")
    expect(runs.locator("tfma-line-chart")).to_have_count(2)


@pytest.fixture(scope="module")
def jupyter(
    executed: dict[str, Notebook], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start JupyterLab and Notebook with one trusted notebook, and yield the address."""
    directory = tmp_path_factory.mktemp("jupyter")
    home = directory / "home"
    evaluation, data = executed["evaluation"], executed["data"]
    cells = [
        cell
        for notebook, title in ((evaluation, "Metrics by genre"), (data, "Statistics by split"))
        for cell in notebook.cells
        if any(
            f'iframe title="{title}"' in html
            for html in html_outputs(nbformat.v4.new_notebook(cells=[cell]))
        )
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=evaluation.metadata)
    nbformat.write(notebook, directory / "notebook.ipynb")
    os_variables = {
        "JUPYTER_DATA_DIR": str(home),
        "JUPYTER_CONFIG_DIR": str(home),
        "HOME": str(home),
    }
    home.mkdir()
    NotebookNotary(data_dir=str(home)).sign(
        nbformat.read(directory / "notebook.ipynb", as_version=4)
    )
    with _jupyter(directory, environment(**os_variables)) as address:
        yield address


@contextmanager
def _jupyter(directory: Path, variables: dict[str, str]) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    token = secrets.token_hex()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={directory}"),
        *("--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
    ]
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + 90
            while True:
                assert server.poll() is None, (directory / "log").read_text()
                try:
                    urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                    break
                except OSError:
                    assert time.monotonic() < end, (directory / "log").read_text()
                    time.sleep(0.2)
            yield f"{address}/{{}}/notebook.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(30)


def assert_follows_the_theme(page: Page) -> None:
    """Choose JupyterLab's dark theme and look at the colours, whatever the system has."""
    frame = page.locator("iframe.dashboards-view").first
    page.emulate_media(color_scheme="light")
    expect(frame).to_have_css("filter", "none")
    page.get_by_role("menuitem", name="Settings").click()
    items = page.locator(".lm-Menu-itemLabel")
    items.get_by_text("Theme", exact=True).click()
    items.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(frame).to_have_css("filter", "invert(0.92) hue-rotate(180deg)")
    expect(frame.content_frame.locator("html")).to_have_css("filter", "none")


@pytest.mark.parametrize("application", ["lab/tree", "notebooks"])
def test_views_in_jupyter(
    jupyter: str, application: str, first_run: tuple[Project, Run], page: Page
) -> None:
    page.goto(jupyter.format(application), wait_until="domcontentloaded")
    for title, assert_drawn in (
        ("Metrics by genre", lambda frame: assert_genres_are_drawn(frame, first_run)),
        ("Statistics by split", assert_facets_are_drawn),
    ):
        frame = page.locator(f'iframe[title="{title}"]')
        frame.scroll_into_view_if_needed()
        assert_drawn(frame.content_frame)
    if application == "lab/tree":
        assert_follows_the_theme(page)
