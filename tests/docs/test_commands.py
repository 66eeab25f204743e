"""The commands in the documents are understood by the programs that they start."""

import argparse
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from schema.fingerprint import PACKAGES
from tests.docs.documents import HISTORY, PROJECT, commands

ORDAINED = typer.main.get_command(app)

PLACEHOLDERS = {"COMMAND": "run", "VERSION": "7"}
"""Values of placeholders that are not names of files or nodes."""

COMMANDS = sorted({" ".join(map(shlex.quote, words)): place for place, words in commands()}.items())
"""Each command line and a document that shows it."""


LEFT_OUT = ("the following arguments are required", "Missing option", "Missing argument")
"""Messages about arguments that are missing."""


class Understood(Exception):  # noqa: N818
    """A program has understood its arguments, and its work would begin."""


class Refused(Exception):  # noqa: N818
    """A program has refused its arguments."""


def allowed_messages(place: str) -> tuple[str, ...]:
    """Return how the messages may begin with which a command of a document is refused."""
    document, _, line = place.partition(":")
    # A command in a sentence may leave out what is not its subject.
    left_out = () if line else LEFT_OUT
    # Documents of measurements keep the names of the version that was measured.
    renamed = ("argument --only: invalid choice",) if Path(document).name in HISTORY else ()
    return left_out + renamed


def check(words: list[str]) -> None:
    """Check a command line with the parser of its program, which then does nothing.

    Raises:
        Refused: The program does not understand it.
    """
    program, *arguments = [PLACEHOLDERS.get(word, word) for word in words]
    if program == "make":
        check_make(arguments)
    elif program == "ordained":
        check_ordained(arguments)
    elif program == "python" and arguments:
        check_python(arguments)


def check_make(arguments: list[str]) -> None:
    """Check the command lines that make would run."""
    done = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(done.stderr)
    for line in done.stdout.splitlines():
        if line.startswith(".venv/bin/"):
            check(shlex.split(line.removeprefix(".venv/bin/")))


def check_ordained(arguments: list[str]) -> None:
    command: Any = ORDAINED
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    if hasattr(command, "commands"):
        # The options of a group act at once, so they are not parsed.
        known = {"--help", *(option for given in command.params for option in given.opts)}
        if not set(arguments) <= known:
            raise Refused(f"unknown: {arguments}")
        return
    try:
        command.make_context("ordained", list(arguments))
    except typer.Exit:
        return  # The help was shown.
    except typer.TyperException as error:
        raise Refused(error.format_message()) from error


def check_python(arguments: list[str]) -> None:
    if arguments[0] == "pipeline/run_local.py":
        check_ordained(["run", *arguments[1:]])
    elif arguments[0] == "-m":
        module, *rest = arguments[1:]
        if module.split(".")[0] in {*PACKAGES, "benchmarks"}:
            start(lambda: runpy.run_module(module, run_name="__main__"), rest)
    else:
        script, *rest = arguments
        # A script that takes no arguments would do its work.
        if "argparse" in (PROJECT / script).read_text("utf-8"):
            start(lambda: runpy.run_path(str(PROJECT / script), run_name="__main__"), rest)
        elif rest:
            raise Refused(f"{script} takes no arguments")


def start(program: Callable[[], Any], arguments: list[str]) -> None:
    """Start a program, and end it when it has parsed its arguments."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise Understood

    def refuse(parser: argparse.ArgumentParser, message: str) -> None:
        raise Refused(message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["program", *arguments])
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        patch.setattr(argparse.ArgumentParser, "error", refuse)
        with pytest.raises(Understood):
            program()


@pytest.mark.parametrize(("line", "place"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_a_command_is_understood(line: str, place: str) -> None:
    try:
        check(shlex.split(line))
    except Refused as refused:
        assert str(refused).startswith(allowed_messages(place))  # noqa: PT017


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("make no-such-target", Refused),
        ("make rollback ARGS=--too", Refused),
        ("ordained run --no-such-option", Refused),
        ("ordained rollback --to new", Refused),
        ("python benchmarks/no_such_file.py", FileNotFoundError),
        ("python -m serving.web", ImportError),
        ("python -m serving.server --no_such_flag", Refused),
        ("python -m benchmarks.quality --no-such-option", Refused),
    ],
)
def test_a_wrong_command_is_noticed(line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(shlex.split(line))
