"""Test the built wheel: install it outside the checkout and run it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import environment, glibc, pythons
from bootstrap.environment import LOCK, OVERRIDES
from bootstrap.process import Log, SetupError, clean_environ, command_output
from bootstrap.tools import Tools

_COMMANDS = ("ordained", "ordained-ingest", "ordained-predict")

_QUICK_CONFIG = """\
hparams:
  {epochs: 1, trees: 5, filters: 16, rnn_units: 8,
   encoder_layers: 1, finetuned_layers: 0}
gate: {floor: 0.0, simple_baseline_tolerance: 1.0}
"""
"""Settings of a short run. The quality of its model does not matter."""

_CHECK_CLIENT = """\
import importlib.util, sys
import schema.features, serving.client, serving.client.grpc_transport, serving.client.rest_transport
if importlib.util.find_spec("tensorflow"):
    sys.exit("TensorFlow is installed with the client")
"""

_CHECK_WHEEL = Path(__file__).with_name("check_wheel.py")
_CHECK_SERVING = Path(__file__).with_name("check_serving.py")


def test_wheel(root: Path) -> None:
    """Build the wheel, install it in clean environments outside the checkout and run it there.

    One environment has the package without extras, which is the client, and the other has the extra
    `all`. Versions and hashes are those of the lock file. Neither has development tools.

    Args:
        root: Directory of the checkout.

    Raises:
        SetupError: The wheel does not contain a file, or a part of it does not run.
    """
    venv = root / environment.DIRECTORY
    base = pythons.probe(str(environment.python_path(venv)))
    if base is None:
        raise SetupError(f"{venv}: the environment is missing. Run `make setup`.")
    directory = Path(tempfile.mkdtemp(prefix="ordained-wheel-"))
    log = Log(directory / "wheel.log")
    tools = Tools(venv, base, log)

    empty = directory / "empty"
    empty.mkdir()

    def run(description: str, *argv: str | Path) -> None:
        log.run(argv, description, clean_environ(), cwd=empty)

    log.progress(f"Building the wheel in {directory}")
    sources = _copy_sources(root, directory / "source")
    build: list[str | Path] = [tools.uv, "build", "--quiet", "--no-build-isolation"]
    build += ["--python", environment.python_path(venv), "--out-dir", directory / "dist"]
    log.run([*build, directory / "source"], "building the wheel", tools.environ)
    (wheel,) = (directory / "dist").glob("*.whl")

    log.progress(f"Installing {wheel.name} without extras (only the client)")
    client = _install_clean(
        f"ordained @ {wheel.as_uri()}", directory / "client", root, base, tools, log
    )
    python = environment.python_path(client)
    run("importing the client without TensorFlow", python, "-I", "-c", _CHECK_CLIENT)
    run(
        "running `ordained predict` without extras",
        client / "bin" / "ordained",
        "predict",
        "--help",
    )

    log.progress(f"Installing {wheel.name} with the extra `all`")
    clean = _install_clean(
        f"ordained[all] @ {wheel.as_uri()}", directory / "all", root, base, tools, log
    )
    python = environment.python_path(clean)
    log.progress("Importing every module and showing the commands' help")
    run("importing the wheel's modules", python, "-I", _CHECK_WHEEL, *sources)
    for command in _COMMANDS:
        run(f"running `{command}` from the wheel", clean / "bin" / command, "--help")
    log.progress("Running the pipeline from the wheel on the bundled sample")
    (directory / "quick.yaml").write_text(_QUICK_CONFIG, encoding="utf-8")
    output = directory / "output"
    run(
        "running the pipeline from the wheel",
        *(clean / "bin" / "ordained", "run", "--data", root / "data" / "sample"),
        *("--output", output, "--config", directory / "quick.yaml"),
    )
    log.progress("Serving the model from the wheel")
    run("serving from the wheel", python, "-I", _CHECK_SERVING, output)
    shutil.rmtree(directory)  # After an error it is kept for inspection.
    print(f"The wheel {wheel.name} works", flush=True)


def _install_clean(
    requirement: str, directory: Path, root: Path, base: Mapping[str, Any], tools: Tools, log: Log
) -> Path:
    """Create an environment with one requirement and return its directory."""
    venv = root / environment.DIRECTORY
    environment.create_venv(directory, base, log)
    if (venv / glibc.DIRECTORY).is_dir():
        shutil.copytree(venv / glibc.DIRECTORY, directory / glibc.DIRECTORY)
        glibc.patch_interpreter(directory, base["executable"], tools.patchelf, log)
    install = tools.install_into(environment.python_path(directory))
    install += ["-b", LOCK, "-c", LOCK, "--override", OVERRIDES, requirement]
    log.run(install, f"installing {requirement}", tools.environ, cwd=root)
    return directory


def _copy_sources(root: Path, target: Path) -> list[str]:
    """Copy the files that git tracks or would add; return those that belong in the wheel."""
    listed = command_output(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"])
    files = [name for name in listed.split("\0") if name and (root / name).is_file()]
    if "setup.py" not in files:
        raise SetupError(f"{root}: git does not list its files. Build the wheel in a git checkout.")
    for name in files:
        if not name.startswith("data/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    not_packaged = ("bootstrap", "benchmarks", "tests")
    packages = {path.parent.name for path in root.glob("*/__init__.py")}.difference(not_packaged)
    return [name for name in files if name.partition("/")[0] in packages]
