"""`ordained run` and `python pipeline/run_local.py`: run the whole pipeline on this machine."""

from typing import Annotated, Any, Final

import typer

from cli.options import (
    ColumnOption,
    ConfigOption,
    DataOption,
    OutputOption,
    TableOption,
    data_directory,
    exit_statuses,
    parse_columns,
)
from schema.errors import ExitStatus
from schema.names import DEFAULT_OUTPUT

EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "The model is in the serving directory, or was there already.",
        ExitStatus.FAILED: "A node crashed; the log has the details.",
        ExitStatus.USER_ERROR: "The input, the settings or an option is wrong.",
        ExitStatus.REFUSED: "The model was not pushed: the gate did not bless it, the smoke "
        "test refused it, or it was rolled back before.",
        ExitStatus.ANOMALIES: "The data have anomalies.",
        ExitStatus.NOTHING_JOINED: "No plot, or almost none, joined a title.",
        ExitStatus.TRY_AGAIN: "Another run is working there, or the disk is full. Try again later.",
        ExitStatus.INTERRUPTED: "You interrupted the run; the same command continues it.",
    }
)


def _renamed(old: str, new: str) -> Any:
    """Return a hidden option of an earlier version that ends the command with its new name."""

    def refuse(value: bool) -> None:
        if value:
            raise typer.BadParameter(f"this option is now called {new}")

    return typer.Option(old, hidden=True, callback=refuse)


def run(
    data: DataOption = None,
    table: TableOption = None,
    column: ColumnOption = [],  # noqa: B006 (Typer makes a new list for each call)
    output: OutputOption = DEFAULT_OUTPUT,
    config: ConfigOption = [],  # noqa: B006 (Typer makes a new list for each call)
    tune: Annotated[
        bool | None,
        typer.Option(
            "--tune/--no-tune",
            help="Search for new hyperparameters. Without a search, the run uses the best ones of "
            "the latest search, except for those that the settings name.",
            show_default="the setting tuner.enabled",
        ),
    ] = None,
    ignore_search: Annotated[
        bool,
        typer.Option(
            "--ignore-search", help="Do not use the hyperparameters that an earlier search found."
        ),
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every node, even if nothing has changed.")
    ] = False,
    from_node: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NODE",
            help="Run this node and all nodes after it again, even if nothing has changed.",
        ),
    ] = None,
    ignore_blessed_model: Annotated[
        bool,
        typer.Option(
            "--ignore-blessed-model",
            help="Do not compare the new model with the last blessed model in this run.",
        ),
    ] = False,
    reset_baseline: Annotated[  # noqa: ARG001 (its callback acts)
        bool, _renamed("--reset-baseline", "--ignore-blessed-model")
    ] = False,
    accept_drift: Annotated[
        bool,
        typer.Option(
            "--accept-drift",
            help="Accept data that drifted from the last run, and compare later runs with them.",
        ),
    ] = False,
    push_again: Annotated[
        bool, typer.Option("--push-again", help="Push a model that was rolled back before.")
    ] = False,
    republish: Annotated[  # noqa: ARG001 (its callback acts)
        bool, _renamed("--republish", "--push-again")
    ] = False,
) -> ExitStatus:
    """Run the whole pipeline on this machine.

    The pipeline joins, checks and transforms the data, trains and evaluates a model, and pushes it
    to the serving directory if it passes the gate. A later run takes the results of nodes whose
    inputs have not changed from the cache.

    Examples:
    - `ordained run`
    - `ordained run --table movies.csv`
    - `ordained run --data imdb/ --output runs/imdb --tune`
    - `ordained run --from Trainer`
    """
    from pipeline import launch

    return launch.run(
        data_directory(data, table),
        output,
        config,
        table=table,
        columns=parse_columns(column),
        tune=tune,
        ignore_search=ignore_search,
        cache=not no_cache,
        from_node=from_node,
        ignore_blessed_model=ignore_blessed_model,
        accept_drift=accept_drift,
        push_again=push_again,
    )
