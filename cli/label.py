"""`ordained label`: genres for the movies that have none."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.options import (
    ColumnOption,
    ConfigOption,
    DataOption,
    TableOption,
    data_directory,
    exit_statuses,
    expand_home,
    parse_columns,
)
from schema.errors import ExitStatus, UserError
from schema.names import DEFAULT_OUTPUT, MODEL_NAME, SERVING_DIRECTORY
from schema.wording import count

EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "The tables are complete.",
        ExitStatus.FAILED: "The model failed; the log has the details.",
        ExitStatus.USER_ERROR: "No model has been pushed, or the data or an option is wrong.",
        ExitStatus.NOTHING_JOINED: "No plot, or almost none, joined a title.",
        ExitStatus.TRY_AGAIN: "A run is working there, or the disk is full. Try again later.",
        ExitStatus.INTERRUPTED: "You interrupted the command; the same command continues it.",
    }
)


_REMEDIES: Final = {
    "--data": " Name a directory with IMDb's dumps, or with movies that ingest has built.",
    "--run": " Push a model first with `ordained run`, or name the output directory of its run.",
}


def _table(text: str) -> typer.models.OptionInfo:
    return typer.Option(metavar="FILE", help=text, callback=expand_home, show_default=False)


def label(
    data: DataOption = None,
    table: TableOption = None,
    column: ColumnOption = [],  # noqa: B006 (Typer makes a new list for each call)
    run: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Output directory of the runs.", callback=expand_home),
    ] = DEFAULT_OUTPUT,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="SavedModel, or directory of its versions.",
            show_default="the newest version that a run has pushed",
            callback=expand_home,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        _table("Write the genres of the movies without genres to this `.csv` or `.parquet` file."),
    ] = None,
    doubts: Annotated[
        Path | None,
        _table(
            "Write the movies whose genres the model doubts to this `.csv` or `.parquet` file, the "
            "surest doubt first. They are those of the run's eval and test splits, on which the "
            "model was not fitted."
        ),
    ] = None,
    without_plot: Annotated[
        bool,
        typer.Option(
            "--without-plot", help="Also label movies without plot that have a title and people."
        ),
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="K",
            help="Doubt the genres of all movies: train K models, each on the movies of all other "
            "folds.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Train the models of `--folds` without being asked.")
    ] = False,
    config: ConfigOption = [],  # noqa: B006 (Typer makes a new list for each call)
) -> ExitStatus:
    """Label the movies that have a plot and no genre.

    The pushed model predicts their genres. `--data` may also be a directory of movies that
    `ordained ingest build` has written. An interrupted command continues where it ended.

    Examples:
    - `ordained label --data imdb/ --output genres.csv`
    - `ordained label --table movies.csv --output genres.csv`
    - `ordained label --data imdb/ --run runs/imdb --output genres.parquet --doubts doubts.csv`
    """
    if output is None and doubts is None:
        raise UserError("expected --output FILE, --doubts FILE or both.")
    if output is not None and doubts is not None and output.resolve() == doubts.resolve():
        raise UserError("--output and --doubts must be different files.")
    if folds is not None and doubts is None:
        raise UserError("--folds needs --doubts FILE.")
    source = data_directory(data, table)
    for name, directory in (("--data", source), ("--run", run), ("--model", model)):
        if directory is not None and not directory.is_dir():
            raise UserError(f"{name} {directory}: no such directory.{_REMEDIES.get(name, '')}")
    from components.labeller.tables import check_table
    from pipeline import launch

    for file in filter(None, (output, doubts)):
        check_table(file)
    if folds is not None:
        _confirm(folds, run, model, yes=yes)
    return launch.label(
        run.resolve(),
        data=source.resolve(),
        table=table,
        columns=parse_columns(column),
        config_files=config,
        model=model,
        output=output,
        doubts=doubts,
        without_plot=without_plot,
        folds=folds or 0,
    )


def _confirm(folds: int, run: Path, model: Path | None, *, yes: bool) -> None:
    """Say what the trainings of all folds cost, and ask whether to go on unless `yes` is given."""
    from pipeline.served_model import find_model, training_seconds

    seconds = training_seconds(find_model(run / SERVING_DIRECTORY / MODEL_NAME, model))
    minutes = count(round(folds * seconds / 60), "minute")
    print(
        f"--folds {folds} trains {folds} models. The training of the pushed model took "
        f"{seconds:,.0f} s, so these take about {minutes}, and the nodes "
        "before each training take their time as well."
    )
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nothing was trained: agree with --yes")
    if not typer.confirm("Do you want to train them?"):
        raise UserError("nothing was trained: you did not agree")
