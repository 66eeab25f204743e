"""The program `ordained`: its subcommands, its version, and how it reports errors."""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

import cli.ingest
import cli.label
import cli.lineage
import cli.predict
import cli.report
import cli.rollback
import cli.run
import cli.schema
import cli.serve
import cli.web
from schema import command
from schema.errors import UserError

REQUIRED_MODULES: Final = {
    "train": ("tfx", "duckdb", "yaml", "rich"),
    "ingest": ("duckdb", "scipy"),
    "web": ("fastapi", "uvicorn"),
}
"""Modules that must be installed before a subcommand can run, by extra of `setup.py`."""


class _OptionsMixin:
    """Shows the options of a command without a type for flags, which take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the command."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return parameters


class _Group(_OptionsMixin, TyperGroup):
    """A command with subcommands."""


app = typer.Typer(
    name="ordained",
    cls=_Group,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Predict the genres of movies, from raw data to a served model.",
)


def _print_version(value: bool) -> None:
    if value:
        print("ordained", importlib.metadata.version("ordained"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


def _command(extra: str | None) -> type[TyperCommand]:
    """Return a class of commands that end with an exit status of `schema.errors.ExitStatus`."""

    class Command(_OptionsMixin, TyperCommand):
        def invoke(self, ctx: Any) -> Any:
            def call() -> int | None:
                _require(ctx.command_path, extra)
                status: int | None = super(Command, self).invoke(ctx)
                return status

            return command.run(call)

    return Command


def _require(name: str, extra: str | None) -> None:
    for module in REQUIRED_MODULES.get(extra or "", ()):
        if importlib.util.find_spec(module) is None:
            raise UserError(
                f"`{name}` needs the package {module}, which is not installed. Run "
                f"`pip install 'ordained[{extra}]'`, or `make setup` in a checkout."
            )


def _add(
    to: typer.Typer, name: str, function: Callable[..., Any], extra: str | None, epilog: str
) -> None:
    to.command(name, cls=_command(extra), epilog=epilog)(function)


_ingest = typer.Typer(cls=_Group, help="Download the data, or build the movies CSV.")
_add(app, "run", cli.run.run, "train", cli.run.EPILOG)
app.add_typer(_ingest, name="ingest")
_add(_ingest, "build", cli.ingest.build, "ingest", cli.ingest.BUILD_EPILOG)
_add(_ingest, "fetch", cli.ingest.fetch, "ingest", cli.ingest.FETCH_EPILOG)
_add(app, "label", cli.label.label, "train", cli.label.EPILOG)
_add(app, "predict", cli.predict.predict, None, cli.predict.EPILOG)
_add(app, "serve", cli.serve.serve, None, cli.serve.EPILOG)
_add(app, "web", cli.web.web, "web", cli.web.EPILOG)
_add(app, "report", cli.report.report, "train", cli.report.EPILOG)
_add(app, "lineage", cli.lineage.lineage, "train", cli.lineage.EPILOG)
_add(app, "rollback", cli.rollback.rollback, "train", cli.rollback.EPILOG)
_add(app, "schema", cli.schema.schema, "train", cli.schema.EPILOG)


def main(arguments: Sequence[str] | None = None, subcommand: str | None = None) -> int:
    """Run `ordained` and return its exit status.

    Args:
        arguments: Sequence of str. Command-line arguments; those of the process by default.
        subcommand: Str. Subcommand whose arguments these are; None reads it from `arguments`.
    """
    program = typer.main.get_command(app)
    before = [] if subcommand is None else [subcommand]
    given = [*before, *(sys.argv[1:] if arguments is None else arguments)]

    def call() -> int | None:
        try:
            status: int | None = program.main(given, prog_name="ordained", standalone_mode=False)
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context else "ordained"
            message = error.format_message()
            end = "" if message.endswith((".", "?")) else "."
            raise UserError(f"{message}{end} See `{path} --help`.") from error
        return status

    return command.run(call)


def ingest() -> int:
    """Run `ordained ingest` under the name that it had until version 0.1."""
    _print_new_name("ordained-ingest", "ordained ingest")
    return main(["ingest", *sys.argv[1:]])


def predict() -> int:
    """Run `ordained predict` under the name that it had until version 0.1."""
    _print_new_name("ordained-predict", "ordained predict")
    renamed = {"--version": "--model-version", "--label": "--model-label"}
    arguments = []
    for argument in sys.argv[1:]:
        name, equals, value = argument.partition("=")
        arguments.append(renamed.get(name, name) + equals + value)
    return main(["predict", *arguments])


def _print_new_name(old: str, new: str) -> None:
    message = f"`{old}` is now called `{new}`. The old name will be removed in the next release."
    print(message, file=sys.stderr)
