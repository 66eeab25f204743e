"""Evaluate a model with TFMA and bless it if it passes the gate.

TFX's own Evaluator cannot apply the gate; `measurement` explains why. The blessing has the same
properties as that of TFX's Evaluator, so that dashboards, resolvers and the Pusher can read it.
"""

from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import tensorflow_model_analysis as tfma
from absl import logging
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import examples as example_files
from components.evaluator import measurement
from components.evaluator.decision import GateConfig, ModelScores, apply_gate
from components.simple_baseline.component import SimpleBaselineMetrics, load_metrics
from schema import features as raw
from schema import manifest
from schema.errors import UserError
from schema.genres import read_genres
from schema.names import VERDICT_FILE, Split
from schema.verdict import Verdict


@component(use_beam=True)
def GenreEvaluator(  # noqa: N802 (TFX names the node after the function)
    examples: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    evaluation: OutputArtifact[standard_artifacts.ModelEvaluation],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    gate: Parameter[str],
    last_blessed_model: InputArtifact[standard_artifacts.Model] = None,
    simple_baseline: InputArtifact[SimpleBaselineMetrics] = None,
    ignore_blessed_model: Parameter[bool] = False,
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Evaluate a model on the test split, which training does not use, and bless it or not.

    Movies with corrected genres are left out, because corrections that were chosen from a model's
    own doubts favour it. The verdict has the metrics with them as well.

    A model that does not pass the gate is not an error. Its blessing records the refusal.

    Args:
        examples: Raw examples.
        model: Candidate to evaluate.
        evaluation: Output with TFMA's results, by slice and genre, of the candidate and the last
            blessed model.
        blessing: Output as that of TFX's Evaluator, with the verdict in addition (see
            `verdict.read_verdict`).
        gate: `GateConfig` as JSON.
        last_blessed_model: Model that was blessed last, if there is one.
        simple_baseline: Metrics of the simple baseline.
        ignore_blessed_model: Whether to leave the last blessed model out of the comparison.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.
        beam_pipeline: Beam pipeline, which TFX provides.

    Raises:
        UserError: The model has other files than the Trainer exported, the last blessed model is
            damaged or lacks an output, or the test split is empty.
        KeyError: The simple baseline has no metrics for a genre.
    """
    last_blessed = None if ignore_blessed_model else last_blessed_model
    model_paths = [Path(path_utils.serving_model_path(model.uri))]
    exported = manifest.check(model_paths[0])
    measurement.check_outputs(
        model_paths[0], measurement.CANDIDATE_OUTPUTS, "Train the model again (--from Trainer)"
    )
    genres, last_scores = read_genres(model_paths[0]), None
    if last_blessed is not None:
        last_path = Path(path_utils.serving_model_path(last_blessed.uri))
        remedy = "Run once with --ignore-blessed-model to leave it out of the comparison"
        if damage := manifest.damage(last_path):
            raise UserError(f"{last_path} is damaged: {manifest.shorten(damage)}. {remedy}")
        measurement.check_outputs(last_path, measurement.PREDICTION_OUTPUTS, remedy)
        last_genres = read_genres(last_path)
        last_scores = ModelScores(0, {}, {}, last_genres)
        if {*genres} & {*last_genres}:
            model_paths.append(last_path)
    compared = len(model_paths) > 1
    files = example_files.split_files(examples, Split.TEST)
    columns = example_files.read_columns(examples, Split.TEST, [raw.CORRECTED])
    has_corrected = bool((columns[raw.CORRECTED] == 1).any())
    measurement.evaluate_models(
        beam_pipeline, files, model_paths, evaluation.uri, separate_corrected=has_corrected
    )
    candidate_name = tfma.CANDIDATE_KEY if compared else ""
    if compared:
        last_scores = measurement.read_last_blessed_scores(evaluation.uri, genres, last_genres)
    rows = load_metrics(simple_baseline.uri)["genres"] if simple_baseline else None
    verdict = apply_gate(
        measurement.read_model_scores(evaluation.uri, candidate_name, genres),
        last_scores,
        None if rows is None else {genre: row["f1"] for genre, row in rows.items()},
        GateConfig.from_json(gate),
        all_movies=measurement.read_model_scores(
            evaluation.uri, candidate_name, genres, measurement.ALL_EXAMPLES
        )
        if has_corrected
        else None,
        ignore_blessed_model=ignore_blessed_model,
    )
    verdict = replace(verdict, model_digest=exported.digest)
    _write_blessing(blessing, verdict, model, last_blessed if compared else None)
    logging.info("Evaluator: %s", "blessed" if verdict.blessed else "not blessed")
    for line in verdict.reasons + verdict.notes:
        logging.info("Evaluator: %s", line)


def _write_blessing(
    blessing: types.Artifact,
    verdict: Verdict,
    model: types.Artifact,
    last_blessed: types.Artifact | None,
) -> None:
    """Write the blessing as TFX's Evaluator does, and the verdict in addition."""
    value, flag_file = constants.NOT_BLESSED_VALUE, constants.NOT_BLESSED_FILE_NAME
    if verdict.blessed:
        value, flag_file = constants.BLESSED_VALUE, constants.BLESSED_FILE_NAME
    message = "\n".join(verdict.reasons + verdict.notes)
    set_text, set_number = blessing.set_string_custom_property, blessing.set_int_custom_property
    set_number(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    set_text(constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY, message)
    set_text(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    set_number(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if last_blessed is not None:
        set_text(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, last_blessed.uri)
        set_number(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, last_blessed.id)
    directory = Path(blessing.uri)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / VERDICT_FILE).write_text(verdict.to_json(), encoding="utf-8")
    (directory / flag_file).touch()
