"""What a person reads at the end of a run."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from components.evaluator.verdict import read_verdict, verdict_table
from ingest import IngestReport
from pipeline.config import RunConfig
from pipeline.console import print_lines
from pipeline.runner import NodeResult, Status
from schema.errors import ExitStatus
from schema.names import (
    MODEL_REPORT_FILE,
    OUTCOME_PROPERTY,
    PUSHED_DESTINATION_PROPERTY,
    PUSHED_PROPERTY,
    PUSHED_VERSION_PROPERTY,
    REASON_PROPERTY,
    VERDICT_FILE,
    Node,
)
from schema.verdict import Verdict


def show(
    config: RunConfig,
    console: Console,
    movies: IngestReport,
    results: Sequence[NodeResult],
    log_file: Path,
) -> ExitStatus:
    """Print what came of a run whose nodes all ended, the reason of a refusal last.

    Args:
        config: of the run.
        console: where to.
        movies: what was read.
        results: of all nodes.
        log_file: of the run.
    """
    node = {result.node: result for result in results}
    blessing = node[Node.EVALUATOR].outputs["blessing"]
    verdict = read_verdict(blessing)
    console.print()
    console.print(verdict_table(verdict))
    aggregates = ", ".join(
        f"{name.replace('_', ' ')} {value:.3f}" for name, value in verdict.aggregates.items()
    )
    print_lines(
        console,
        f"on the test split: {aggregates}",
        *(f"note: {note}" for note in verdict.notes),
        f"movies  {movies.movies:,} in {config.movies}",
        f"verdict {blessing / VERDICT_FILE}",
        f"report  {node[Node.MODEL_REPORT].outputs['report'] / MODEL_REPORT_FILE}",
        f"log     {log_file}",
    )
    return _outcome(config, console, verdict, node[Node.PUSHER], node[Node.SMOKE_TEST])


def _outcome(
    config: RunConfig,
    console: Console,
    verdict: Verdict,
    pusher: NodeResult,
    smoke_test: NodeResult,
) -> ExitStatus:
    pushed = pusher.properties["pushed_model"]
    if pushed.get(PUSHED_PROPERTY):
        print_lines(console, f"model   {pushed[PUSHED_DESTINATION_PROPERTY]}")
        # A push out of the cache was made by an earlier run.
        outcome = "unchanged" if pusher.status is Status.CACHED else pushed[OUTCOME_PROPERTY]
        console.print(f"{outcome}: version {pushed[PUSHED_VERSION_PROPERTY]}", style="bold green")
        return ExitStatus.OK
    print_lines(console, f"model   not pushed; {config.model_directory} is as it was")
    if not verdict.blessed:
        print_lines(console, *verdict.reasons, title="refused by the gate:")
        return ExitStatus.REFUSED
    reason = smoke_test.properties["blessing"].get(REASON_PROPERTY) or pushed.get(REASON_PROPERTY)
    print_lines(console, *str(reason).splitlines(), title="not pushed:")
    return ExitStatus.REFUSED
