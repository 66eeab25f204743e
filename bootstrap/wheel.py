"""Proves that the built package is whole: it is installed without the checkout and run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import environment, glibc, pythons
from bootstrap.environment import LOCK, OVERRIDES
from bootstrap.shell import Log, SetupError, clean_environ, output_of
from bootstrap.tools import Tools

_COMMANDS = ("ordained", "ordained-ingest", "ordained-predict")

_QUICK = """\
hparams:
  {epochs: 1, trees: 5, filters: 16, rnn_units: 8,
   encoder_layers: 1, finetuned_layers: 0}
gate: {floor: 0.0, simple_baseline_tolerance: 1.0}
"""
"""Settings of a run that asks whether all parts work together, and nothing of the model."""

_CLIENT_ALONE = """\
import importlib.util, sys
import schema.features, serving.client, serving.client.grpc_transport, serving.client.rest_transport
if importlib.util.find_spec("tensorflow"):
    sys.exit("TensorFlow is installed with the client")
"""

_INSIDE = Path(__file__).with_name("inside_wheel.py")
_SERVING = Path(__file__).with_name("inside_serving.py")


def test(root: Path) -> None:
    """Builds the wheel, installs it in clean environments outside the checkout and runs it there.

    One environment holds the client alone, which is the base of setup.py; the other all extras for
    users. Versions and hashes are those of the lock file; development tools are in neither.

    Raises:
        SetupError: the wheel lacks a file, or something in it does not run.
    """
    own = root / environment.FOLDER
    base = pythons.probe(str(environment.python_of(own)))
    if base is None:
        raise SetupError(f"{own} is missing: run `make setup` first")
    folder = Path(tempfile.mkdtemp(prefix="ordained-wheel-"))
    log = Log(folder / "wheel.log")
    tools = Tools(own, base, log)

    empty = folder / "empty"
    empty.mkdir()

    def run(what: str, *argv: str | Path) -> None:
        log.run(argv, what, clean_environ(), cwd=empty)

    log.say(f"Building the wheel in {folder}")
    sources = _copy_sources(root, folder / "source")
    build: list[str | Path] = [tools.uv, "build", "--quiet", "--no-build-isolation"]
    build += ["--python", environment.python_of(own), "--out-dir", folder / "dist"]
    log.run([*build, folder / "source"], "building the wheel", tools.environ)
    (wheel,) = (folder / "dist").glob("*.whl")

    log.say(f"Installing {wheel.name} without extras: the client alone")
    alone = _installed(f"ordained @ {wheel.as_uri()}", folder / "client", root, base, tools, log)
    python = environment.python_of(alone)
    run("the client without TensorFlow", python, "-I", "-c", _CLIENT_ALONE)
    run("`ordained predict` without extras", alone / "bin" / "ordained", "predict", "--help")

    log.say(f"Installing {wheel.name} with all extras for users")
    clean = _installed(f"ordained[all] @ {wheel.as_uri()}", folder / "all", root, base, tools, log)
    python = environment.python_of(clean)
    log.say("Importing every module and asking the commands for help")
    run("importing the wheel's modules", python, "-I", _INSIDE, *sources)
    for command in _COMMANDS:
        run(f"`{command}` from the wheel", clean / "bin" / command, "--help")
    log.say("Running the pipeline from the wheel on the bundled sample")
    (folder / "quick.yaml").write_text(_QUICK, encoding="utf-8")
    output = folder / "output"
    run(
        "the pipeline from the wheel",
        *(clean / "bin" / "ordained", "run", "--data", root / "data" / "sample"),
        *("--output", output, "--config", folder / "quick.yaml"),
    )
    log.say("Serving the model from the wheel")
    run("serving from the wheel", python, "-I", _SERVING, output)
    shutil.rmtree(folder)  # Kept on a failure, to look at.
    print(f"The wheel {wheel.name} is whole and works", flush=True)


def _installed(
    requirement: str, folder: Path, root: Path, base: Mapping[str, Any], tools: Tools, log: Log
) -> Path:
    """Makes a clean environment with one requirement in it; gives its folder."""
    own = root / environment.FOLDER
    environment.make_bare(folder, base, log)
    if (own / glibc.FOLDER).is_dir():
        shutil.copytree(own / glibc.FOLDER, folder / glibc.FOLDER)
        glibc.apply(folder, base["executable"], tools.patchelf, log)
    install = tools.install_into(environment.python_of(folder))
    install += ["-b", LOCK, "-c", LOCK, "--override", OVERRIDES, requirement]
    log.run(install, f"installing {requirement}", tools.environ, cwd=root)
    return folder


def _copy_sources(root: Path, target: Path) -> list[str]:
    """Copies what git knows, or would add; gives the files that belong in the wheel."""
    listed = output_of(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"])
    files = [name for name in listed.split("\0") if name and (root / name).is_file()]
    if "setup.py" not in files:
        raise SetupError(
            f"git does not list the files of {root}: the wheel is built from a git checkout"
        )
    for name in files:
        if not name.startswith("data/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    beside = ("bootstrap", "benchmarks", "tests")
    packages = {path.parent.name for path in root.glob("*/__init__.py")}.difference(beside)
    return [name for name in files if name.partition("/")[0] in packages]
