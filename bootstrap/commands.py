"""The commands of the set-up."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bootstrap import doctor, environment, pythons, wheel
from bootstrap.environment import LOCK, OVERRIDES
from bootstrap.shell import Log, SetupError
from bootstrap.tools import Tools


def run(root: str, requested: str, arguments: Sequence[str]) -> int:
    """Runs one command on a checkout.

    Returns:
        The exit status: 0 done, 1 doctor found something wrong, 2 the command could not be done.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m bootstrap", description="Makes and checks the project's environment."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("setup", help="make the environment, or bring it up to date")
    commands.add_parser("doctor", help="say what is here and what is wrong")
    renew = commands.add_parser("lock", help="resolve setup.py into requirements.lock")
    renew.add_argument(
        "--upgrade", action="store_true", help="take the newest versions that setup.py allows"
    )
    commands.add_parser("wheel-test", help="build the wheel and run it in a clean environment")
    options = parser.parse_args(arguments)

    checkout = Path(root)
    try:
        if options.command == "setup":
            environment.set_up(checkout, requested)
        elif options.command == "doctor":
            return doctor.examine(checkout, requested)
        elif options.command == "lock":
            _lock(checkout, requested, upgrade=options.upgrade)
        else:
            wheel.test(checkout)
    except (SetupError, pythons.NoPython) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted; the same command goes on where it can", file=sys.stderr)
        return 2
    return 0


def _lock(root: Path, requested: str, upgrade: bool) -> None:
    """Writes requirements.lock and the locks of bootstrap/, for all Pythons and systems at once.

    Args:
        root: the checkout.
        requested: the Python that runs uv; empty to take the first that fits.
        upgrade: take the newest versions that setup.py allows, not those of the present lock.

    Raises:
        SetupError, pythons.NoPython: nothing fits together, or the package index cannot be reached.
    """
    folder = Path(tempfile.mkdtemp(prefix="ordained-lock-"))
    log = Log(folder / "lock.log")
    tools = Tools(folder, pythons.choose(requested), log)
    for source, target in (
        (["setup.py", "--all-extras", "--override", OVERRIDES], LOCK),
        (["bootstrap/tools.in"], "bootstrap/tools.lock"),
        # What these ask for beside themselves is not read, and would be all of PyTorch.
        (["bootstrap/mpnet.in", "--no-deps"], "bootstrap/mpnet.lock"),
    ):
        log.say(f"Resolving {source[0]} into {target}")
        log.run(
            [
                tools.uv,
                *("pip", "compile", "--quiet", *source, "--output-file", target),
                *("--universal", "--python-version", "{}.{}".format(*pythons.SUPPORTED[0])),
                *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"),
                *("--custom-compile-command", "make lock"),
                *(["--upgrade"] if upgrade else []),
            ],
            f"resolving {source[0]}",
            tools.environ,
            cwd=root,
        )
    shutil.rmtree(folder)  # Kept on a failure: the log is in it.
