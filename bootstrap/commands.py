"""Commands of the set-up."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bootstrap import browser, doctor, environment, pythons, wheel
from bootstrap.environment import LOCK, OVERRIDES
from bootstrap.process import Log, SetupError
from bootstrap.tools import Tools


def run(root: str, requested: str, arguments: Sequence[str]) -> int:
    """Run one command of the set-up.

    Args:
        root: Directory of the checkout.
        requested: Python interpreter that the user requested; "" if none.
        arguments: Command and its options.

    Returns:
        Exit status: 0 on success, 1 if `doctor` found a problem, 2 on an error.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m bootstrap",
        description="Create and check the project's virtual environment.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("setup", help="create or update the virtual environment")
    commands.add_parser("browser", help="download a browser for the tests unless there is one")
    commands.add_parser(
        "doctor", help="check this machine and the environment, and explain problems"
    )
    lock = commands.add_parser("lock", help="resolve setup.py into requirements.lock")
    lock.add_argument(
        "--upgrade", action="store_true", help="use the newest versions that setup.py allows"
    )
    commands.add_parser("wheel-test", help="build the wheel and test it in clean environments")
    options = parser.parse_args(arguments)

    checkout = Path(root)
    try:
        if options.command == "setup":
            environment.set_up(checkout, requested)
        elif options.command == "browser":
            browser.provide(checkout)
        elif options.command == "doctor":
            return doctor.print_findings(checkout, requested)
        elif options.command == "lock":
            _lock(checkout, requested, upgrade=options.upgrade)
        else:
            wheel.test_wheel(checkout)
    except (SetupError, pythons.PythonNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return 2
    return 0


def _lock(root: Path, requested: str, upgrade: bool) -> None:
    """Write requirements.lock and the lock files in bootstrap/, for all Pythons and systems.

    Args:
        root: Directory of the checkout.
        requested: Python interpreter that runs uv; "" uses the first suitable one.
        upgrade: Whether to use the newest allowed versions instead of those in the lock files.

    Raises:
        SetupError: The requirements conflict, or the package index cannot be reached.
        pythons.PythonNotFoundError: There is no suitable interpreter.
    """
    directory = Path(tempfile.mkdtemp(prefix="ordained-lock-"))
    log = Log(directory / "lock.log")
    tools = Tools(directory, pythons.choose(requested), log)
    for source, target in (
        (["setup.py", "--all-extras", "--override", OVERRIDES], LOCK),
        (["bootstrap/tools.in"], "bootstrap/tools.lock"),
        # Only the files of these packages are used. Their dependencies include PyTorch.
        (["bootstrap/mpnet.in", "--no-deps"], "bootstrap/mpnet.lock"),
    ):
        log.progress(f"Resolving {source[0]} into {target}")
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
    shutil.rmtree(directory)  # After an error it is kept, since it contains the log.
