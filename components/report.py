"""Writes the report of a run: one HTML file that says what the model is good for, and why it went
out or not.

TFX has no such component. Its Evaluator's results open in notebooks alone and know neither the gate
nor what was trained on what; a model that is refused leaves a reason and no way to look further.
This node comes last, so that it can tell what became of the model and that its own failure stops no
push. A refusal is no error of any node: the report of a refused model is written like any other.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from components import examples as example_files
from components.anomaly_gate.component import AcceptedStatistics
from components.anomaly_gate.figures import load_anomalies
from components.evaluator import metrics
from components.evaluator.verdict import read_verdict
from components.pusher import versions
from components.pusher.component import OUTCOME_PROPERTY
from components.simple_baseline.model import labels
from components.smoke_test.component import REASON_PROPERTY
from report import facts, lineage, measures, occlusion, page
from report.measures import Floats
from schema import features as raw
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from schema.names import (
    ANOMALY_REPORT_FILE,
    EVALUATE_SIGNATURE,
    EXAMPLES_INPUT,
    EXTRA_ASSETS,
    PROBABILITIES_OUTPUT,
    SCORES_OUTPUT,
    TRAINING_RECORD_FILE,
)
from transform import features as xf

REPORT_FILE: Final = "report.html"
INGEST_FILE: Final = "report.json"
"""Beside the CSV files: what the join of the dumps read, dropped and rejected."""

EXAMPLES: Final = 3
"""Films that the model did well on, and as many that it did badly on, that are shown."""

BATCH_SIZE: Final = 256
ROWS_AT_ONCE: Final = 64


class ReportPage(Artifact):
    """One HTML file, `report.html`."""

    TYPE_NAME = "ReportPage"
    PROPERTIES = {"macro_f1": Property(type=PropertyType.FLOAT)}


class ModelReportSpec(ComponentSpec):
    """What ModelReport takes and gives."""

    PARAMETERS = {
        "name": ExecutionParameter(type=str),
        "split": ExecutionParameter(type=str),
        "movies": ExecutionParameter(type=str),
        "metadata": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
        "last_blessed": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies, optional=True),
        "accepted": ChannelParameter(type=AcceptedStatistics, optional=True),
    }
    OUTPUTS = {"report": ChannelParameter(type=ReportPage)}


class Executor(base_executor.BaseExecutor):
    """Gathers what the run made and writes the page."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write `report.html`.

        Args:
            input_dict: one artifact each of `examples` (raw), `model`, `evaluation` and `blessing`;
                at most one each of the others.
            output_dict: `report`.
            exec_properties: see `ModelReport`.

        Raises:
            UserError: the verdict or the record of the training is missing.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        started = time.monotonic()
        run = getattr(self._context, "pipeline_run_id", None) if self._context else None
        gathered = gather(
            {key: given[0] for key, given in input_dict.items() if given},
            exec_properties,
            run or "",
        )
        artifact = artifact_utils.get_single_instance(output_dict["report"])
        folder = Path(artifact.uri)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT_FILE).write_text(page.render(gathered), encoding="utf-8")
        artifact.macro_f1 = gathered.verdict.macro_f1
        logging.info("ModelReport: %s, in %.1f s", folder / REPORT_FILE, time.monotonic() - started)


class ModelReport(base_component.BaseComponent):
    """Writes one HTML file about a model and the run that made it.

    Outputs:
        report: the file, `report.html`.
    """

    SPEC_CLASS = ModelReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel[Any],
        model: types.BaseChannel[Any],
        evaluation: types.BaseChannel[Any],
        blessing: types.BaseChannel[Any],
        *,
        infra_blessing: types.BaseChannel[Any] | None = None,
        pushed_model: types.BaseChannel[Any] | None = None,
        last_blessed: types.BaseChannel[Any] | None = None,
        anomalies: types.BaseChannel[Any] | None = None,
        accepted: types.BaseChannel[Any] | None = None,
        name: str = "model",
        split: str = "test",
        movies: str = "",
        metadata: str = "",
        code_fingerprint: str = "",
    ) -> None:
        """Make the node.

        Args:
            examples: raw Examples.
            model: the candidate.
            evaluation: of the Evaluator.
            blessing: of the Evaluator, with the verdict.
            infra_blessing: of the smoke test.
            pushed_model: of the Pusher.
            last_blessed: the last blessed model; may hold none.
            anomalies: of the ExampleValidator.
            accepted: of the AnomalyGate.
            name: of the model, for the title.
            split: that the Evaluator measured on.
            movies: folder of the movies CSV, for the record of what was read.
            metadata: ML Metadata's SQLite database on this machine; without it lineage and times
                are left out.
            code_fingerprint: enters the cache key only, so that a change to the code runs it again.
        """
        super().__init__(
            ModelReportSpec(
                examples=examples,
                model=model,
                evaluation=evaluation,
                blessing=blessing,
                infra_blessing=infra_blessing,
                pushed_model=pushed_model,
                last_blessed=last_blessed,
                anomalies=anomalies,
                accepted=accepted,
                name=name,
                split=split,
                movies=movies,
                metadata=metadata,
                code_fingerprint=code_fingerprint,
                report=types.Channel(type=ReportPage),
            )
        )


def gather(
    given: Mapping[str, types.Artifact], parameters: Mapping[str, Any], run: str = ""
) -> facts.Facts:
    """Read everything that the report tells.

    Args:
        given: the inputs by name.
        parameters: `name`, `split`, `movies` and `metadata`, see `ModelReport`.
        run: id of this pipeline run; empty is the newest.

    Raises:
        UserError: the verdict or the record of the training is missing.
    """
    split = parameters["split"]
    verdict = _verdict(Path(given["blessing"].uri))
    folder = Path(path_utils.serving_model_path(given["model"].uri))
    compared = verdict.last_blessed_macro_f1 is not None and "last_blessed" in given
    last = Path(path_utils.serving_model_path(given["last_blessed"].uri)) if compared else None
    training, last_training = _training(folder), _training(last) if last else None
    model = tf.saved_model.load(str(folder))
    columns = example_files.columns(given["examples"], split, [raw.TCONST, *raw.MODEL_INPUTS])
    films = _films(model, given["examples"], split, columns)
    history = lineage.read(Path(parameters["metadata"])) if parameters["metadata"] else None
    return facts.Facts(
        name=parameters["name"],
        written=datetime.now(UTC),
        model=str(folder),
        fingerprint=versions.fingerprint(folder),
        verdict=verdict,
        outcome=_outcome(given.get("infra_blessing"), given.get("pushed_model")),
        films=films,
        slices=tuple(read_slices(given["evaluation"].uri, tfma.CANDIDATE_KEY if compared else "")),
        examples=tuple(_examples(model, films, columns)),
        training=training,
        last_training=last_training,
        data=_data(given, Path(parameters["movies"]) if parameters["movies"] else None),
        recipe=lineage.recipe(history, given["model"].id) if history else None,
        last_recipe=lineage.recipe(history, given["last_blessed"].id)
        if history and compared
        else None,
        also_used=tuple(lineage.also_used(history, given["model"].id)) if history else (),
        timings=tuple(lineage.timings(history, run or history.newest_run)) if history else (),
    )


def _verdict(blessing: Path) -> facts.Verdict:
    found = read_verdict(blessing)
    return facts.Verdict(
        blessed=found.blessed,
        reasons=found.reasons,
        notes=found.notes,
        examples=found.examples,
        genres=tuple(
            facts.Genre(**{**asdict(row), "judgement": row.judgement.value}) for row in found.genres
        ),
        macro_f1=found.macro_f1,
        last_blessed_macro_f1=found.last_blessed_macro_f1,
        simple_baseline_macro_f1=found.simple_baseline_macro_f1,
        aggregates=found.aggregates,
    )


def _outcome(
    infra_blessing: types.Artifact | None, pushed_model: types.Artifact | None
) -> facts.Outcome:
    """What became of the model; the reasons of a refusal, the smoke test's before the Pusher's."""
    if pushed_model is not None and pushed_model.get_int_custom_property("pushed"):
        return facts.Outcome(
            version=pushed_model.get_string_custom_property("pushed_version"),
            destination=pushed_model.get_string_custom_property("pushed_destination"),
        )
    for artifact in (infra_blessing, pushed_model):
        reason = artifact and artifact.get_string_custom_property(REASON_PROPERTY)
        if reason:
            return facts.Outcome(reasons=tuple(reason.splitlines()))
    if pushed_model is None:
        return facts.Outcome(reasons=("nothing was to push it",))
    outcome = pushed_model.get_string_custom_property(OUTCOME_PROPERTY)
    return facts.Outcome(reasons=(outcome or "no reason is given",))


def _films(
    model: Any, examples: types.Artifact, split: str, columns: Mapping[str, Any]
) -> facts.Films:
    """What the model says of each film of a split, in batches through its signature `evaluate`."""
    evaluate = model.signatures[EVALUATE_SIGNATURE]
    wanted = (xf.LABEL, PROBABILITIES_OUTPUT, SCORES_OUTPUT)
    parts: dict[str, list[Floats]] = {
        name: [np.zeros((0, NUM_GENRES), np.float32)] for name in wanted
    }
    for batch in example_files.serialized(examples, split).batch(BATCH_SIZE):
        answer = evaluate(**{EXAMPLES_INPUT: batch})
        for name in wanted:
            parts[name].append(answer[name].numpy())
    labels, probabilities, scores = (np.concatenate(parts[name]) for name in wanted)
    return facts.Films(
        tconst=columns[raw.TCONST],
        title=columns[raw.TITLE],
        labels=labels > 0.5,
        decided=scores > 0.5,
        probabilities=probabilities,
        scores=scores,
    )


def _examples(model: Any, films: facts.Films, columns: Mapping[str, Any]) -> list[facts.Example]:
    """The films that the model did best and worst on, each with what decided."""
    # The signature that has answered for all films already: the first call of one takes seconds.
    evaluate = model.signatures[EVALUATE_SIGNATURE]

    def ask(asked: Sequence[occlusion.Film]) -> Floats:
        rows = [_serialized(film) for film in asked]
        return np.concatenate(
            [
                evaluate(**{EXAMPLES_INPUT: tf.constant(rows[start : start + ROWS_AT_ONCE])})[
                    PROBABILITIES_OUTPUT
                ].numpy()
                for start in range(0, len(rows), ROWS_AT_ONCE)
            ]
        )

    found = []
    for good, rows in zip((True, False), best_and_worst(films, EXAMPLES), strict=True):
        for row in rows:
            genre = telling_genre(films, row, good=good)
            film = {
                name: float(columns[name][row]) if name in raw.NUMBERS else str(columns[name][row])
                for name in raw.MODEL_INPUTS
            }
            found.append(
                facts.Example(
                    tconst=films.tconst[row],
                    title=films.title[row],
                    listed=_names(films.labels[row]),
                    decided=_names(films.decided[row]),
                    genre=GENRES[genre],
                    probability=float(films.probabilities[row, genre]),
                    good=good,
                    effects=tuple(occlusion.effects(ask, film, genre)),
                )
            )
    return found


def _serialized(film: occlusion.Film) -> bytes:
    """A film as CsvExampleGen writes it, without its genres: what is not known has no value."""
    example = tf.train.Example()
    for name, value in film.items():
        feature = example.features.feature[name]
        if not occlusion.known(value):
            continue
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif name == raw.RATING:
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(round(value))
    return example.SerializeToString()


def best_and_worst(films: facts.Films, count: int) -> tuple[list[int], list[int]]:
    """Rows of films that the model did well and badly on.

    Well is all genres right, films of several genres first, and sure of it. Badly is the lowest F1
    of the film's own genres, and sure of what is wrong.

    Args:
        films: of the test split.
        count: how many of each.
    """
    losses = measures.log_losses(films.labels, films.probabilities)
    f1 = measures.film_f1(films.labels, films.decided)
    several = films.labels.sum(axis=1) > 1
    best = [int(row) for row in np.lexsort((losses, ~several)) if f1[row] == 1.0]
    worst = [int(row) for row in np.lexsort((-losses, f1)) if f1[row] < 1.0]
    return best[:count], worst[:count]


def telling_genre(films: facts.Films, row: int, *, good: bool) -> int:
    """Column of the genre that is explained.

    Of a good prediction the right genre that is the likeliest; of a bad one the wrong genre that
    is, or where none was given the missed one that is the least likely.
    """
    probabilities = films.probabilities[row]
    labels, decided = films.labels[row], films.decided[row]
    if good:
        return int(np.where(labels & decided, probabilities, -1.0).argmax())
    wrong = decided & ~labels
    if wrong.any():
        return int(np.where(wrong, probabilities, -1.0).argmax())
    return int(np.where(labels & ~decided, probabilities, 2.0).argmin())


def _names(labels: Any) -> tuple[str, ...]:
    return tuple(name for name, has in zip(GENRES, labels, strict=True) if has)


def read_slices(evaluation: str, model_name: str) -> list[facts.Slice]:
    """Figures by slice from TFMA's results, those of the whole split left out.

    Args:
        evaluation: folder of TFMA's results.
        model_name: as TFMA has it; empty where one model was measured alone.
    """
    results = tfma.load_eval_result(evaluation, model_name=model_name or None).slicing_metrics
    found = []
    for key, values in results:
        if key == ():
            continue
        [(kind, name)] = key
        of_genres = [values[""][f"classId:{column}"] for column in range(NUM_GENRES)]
        overall = values[""][""]
        found.append(
            facts.Slice(
                kind=str(kind),
                name=str(name),
                films=round(overall[metrics.EXAMPLE_COUNT]["doubleValue"]),
                micro_f1=float(overall[f"{metrics.MICRO}_{metrics.F1}"]["doubleValue"]),
                f1=np.array([one[metrics.F1]["doubleValue"] for one in of_genres]),
                support=np.array([round(one[metrics.SUPPORT]["doubleValue"]) for one in of_genres]),
            )
        )
    order = {kind: place for place, kind in enumerate(xf.SLICES)}
    return sorted(found, key=lambda one: (order.get(one.kind, len(order)), one.name))


def _training(folder: Path) -> facts.Training:
    """The record that the Trainer left with the model.

    Raises:
        UserError: there is none.
    """
    path = folder / EXTRA_ASSETS / TRAINING_RECORD_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing: train the model again (--from Trainer)")
    record = json.loads(path.read_text(encoding="utf-8"))
    # A model of an earlier version of the project has no `seconds_before`.
    names = {field.name for field in fields(facts.Training)} & record.keys()
    return facts.Training(**{name: record[name] for name in names})


def _data(given: Mapping[str, types.Artifact], movies: Path | None) -> facts.Data:
    examples = given["examples"]
    films, genres = {}, {}
    for split in artifact_utils.decode_split_names(examples.split_names):
        joined = example_files.columns(examples, split, [raw.GENRES_FIELD])[raw.GENRES_FIELD]
        films[split] = len(joined)
        genres[split] = labels(joined.tolist()).sum(axis=0)
    ingest: dict[str, Any] = {}
    if movies and (movies / INGEST_FILE).is_file():
        ingest = json.loads((movies / INGEST_FILE).read_text(encoding="utf-8"))["report"]
    return facts.Data(
        span=examples.get_int_custom_property("span"),
        fingerprint=examples.get_string_custom_property("input_fingerprint"),
        folder=str(movies or ""),
        films=films,
        genres=genres,
        anomalies=tuple(_anomalies(given["anomalies"])) if "anomalies" in given else (),
        distances=tuple(_distances(Path(given["accepted"].uri))) if "accepted" in given else (),
        ingest=ingest,
    )


def _anomalies(artifact: types.Artifact) -> list[str]:
    """What TFDV found, one line for each feature and split."""
    return [
        f"{split}: {feature}: {info.short_description}: {info.description}"
        for split in artifact_utils.decode_split_names(artifact.split_names)
        for feature, info in sorted(load_anomalies(artifact, split).anomaly_info.items())
    ]


def _distances(accepted: Path) -> list[facts.Distance]:
    """What the AnomalyGate measured."""
    report = json.loads((accepted / ANOMALY_REPORT_FILE).read_text(encoding="utf-8"))
    compared = {f"{split} and train": measured for split, measured in report["skew"].items()}
    if report["drift"]:
        compared["train and the data before"] = report["drift"]
    return [
        facts.Distance(name, feature, found["kind"], found["value"], found["limit"])
        for name, measured in compared.items()
        for feature, found in measured.get("distances", {}).items()
    ]
