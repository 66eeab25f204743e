"""The commands of the set-up."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bootstrap import doctor, environment, lock, pythons, wheel
from bootstrap.shell import SetupError, fail


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
            lock.renew(checkout, requested, upgrade=options.upgrade)
        else:
            wheel.test(checkout)
    except (SetupError, pythons.NoPython) as error:
        return fail(error)
    except KeyboardInterrupt:
        return fail(RuntimeError("interrupted; the same command goes on where it can"))
    return 0
