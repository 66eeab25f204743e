"""GenreEvaluator: measures a model by TFMA and blesses it if the gate on each genre's F1 is open.

TFX's own Evaluator does not do for this gate: its thresholds know neither how many examples a genre
has nor what it is called, a threshold on the change against a missing model passes in silence, and
a refusal comes without a reason. TFMA measures here as it does there, and the blessing has the same
properties, so that dashboards, resolvers and the Pusher find what they expect.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import ml_metadata as mlmd
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from absl import logging
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.dsl.input_resolution.strategies import latest_blessed_model_strategy
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils

from components import baseline, examples, metrics
from components.gate import (
    VERDICT_FILE,
    GateConfig,
    GenreScores,
    Scores,
    Verdict,
    judge,
)
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from schema.names import EVALUATE_SIGNATURE, PROBABILITIES_OUTPUT, SCORES_OUTPUT
from transform import features as xf

PREDICTIONS: Final[tuple[str, ...]] = (SCORES_OUTPUT, PROBABILITIES_OUTPUT)
"""What is measured of each model: these outputs of its signature `evaluate`."""

OUTPUTS: Final[tuple[str, ...]] = (*PREDICTIONS, xf.LABEL, *xf.SLICES)
"""What the candidate's signature gives: for both models, its labels and slice keys count."""

BATCH_SIZE: Final = 256
"""Examples that a model sees at once."""

Artifacts = dict[str, list[types.Artifact]]


class GenreEvaluatorSpec(component_spec.ComponentSpec):
    """What GenreEvaluator takes and gives."""

    PARAMETERS = {
        "gate": component_spec.ExecutionParameter(type=str),
        "split": component_spec.ExecutionParameter(type=str),
        "min_slice_size": component_spec.ExecutionParameter(type=int),
        "reset_baseline": component_spec.ExecutionParameter(type=bool),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
        "baseline_metrics": component_spec.ChannelParameter(
            type=baseline.BaselineMetrics, optional=True
        ),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs TFMA, then the gate."""

    def Do(  # noqa: N802
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Write the evaluation, the blessing and the verdict.

        A model that the gate refuses is no error: its blessing says so.

        Args:
            input_dict: one artifact each of `examples` and `model`; at most one each of
                `baseline_model` (the last blessed model) and `baseline_metrics`.
            output_dict: `evaluation` and `blessing`.
            exec_properties: see `GenreEvaluator`.

        Raises:
            UserError: the last blessed model cannot be compared, the split is empty, or figures of
                the simple baseline are missing.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        reset_baseline = exec_properties["reset_baseline"]
        last_blessed = None
        if input_dict.get("baseline_model") and not reset_baseline:
            last_blessed = artifact_utils.get_single_instance(input_dict["baseline_model"])
        simple_baseline = None
        if input_dict.get("baseline_metrics"):
            simple_baseline = read_simple_baseline(
                artifact_utils.get_single_uri(input_dict["baseline_metrics"])
            )

        models = [_saved_model(model, OUTPUTS, "train it again with this version of the project")]
        if last_blessed is not None:
            remedy = "run once with --reset-baseline to do without it"
            models.append(_saved_model(last_blessed, PREDICTIONS, remedy))
        split = exec_properties["split"]
        evaluation = artifact_utils.get_single_uri(output_dict["evaluation"])
        self._measure(
            examples.files(artifact_utils.get_single_instance(input_dict["examples"]), split),
            models,
            eval_config(exec_properties["min_slice_size"], has_baseline=last_blessed is not None),
            evaluation,
        )

        verdict = judge(
            read_scores(evaluation, tfma.CANDIDATE_KEY if last_blessed else "", split),
            read_scores(evaluation, tfma.BASELINE_KEY, split) if last_blessed else None,
            simple_baseline,
            GateConfig.from_json(exec_properties["gate"]),
            reset_baseline=reset_baseline,
        )
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        _write_blessing(blessing, verdict, model, last_blessed)
        logging.info("Evaluator: %s", "blessed" if verdict.blessed else "not blessed")
        for line in verdict.reasons + verdict.notes:
            logging.info("Evaluator: %s", line)

    def _measure(
        self, files: list[str], models: list[Path], config: config_pb2.EvalConfig, output: str
    ) -> None:
        """Write TFMA's results for the candidate, and the last blessed model if there is one."""
        shared = [
            tfma.default_eval_shared_model(
                eval_saved_model_path=str(path), model_name=spec.name, eval_config=config
            )
            for spec, path in zip(config.model_specs, models, strict=True)
        ]
        with self._make_beam_pipeline() as pipeline:
            (
                pipeline
                | "Files" >> beam.Create(files)
                | "Read" >> beam.io.ReadAllFromTFRecord()
                | "Batch" >> beam.BatchElements(BATCH_SIZE, BATCH_SIZE)
                | "Serialized" >> beam.Map(_serialized)
                | "Measure"
                >> tfma.ExtractEvaluateAndWriteResults(
                    eval_shared_model=shared if len(shared) > 1 else shared[0],
                    eval_config=config,
                    extractors=_extractors(shared, config),
                    output_path=output,
                )
            )


class GenreEvaluator(base_beam_component.BaseBeamComponent):
    """Measures a model on a split that training has not seen, and blesses it or not.

    Outputs:
        evaluation: TFMA's results by slice and genre, of the candidate and the last blessed model.
        blessing: as TFX's own Evaluator writes it, with the verdict beside (`gate.read_verdict`).
    """

    SPEC_CLASS = GenreEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        gate: GateConfig,
        baseline_model: types.BaseChannel | None = None,
        baseline_metrics: types.BaseChannel | None = None,
        split: str = "test",
        min_slice_size: int = 1,
        reset_baseline: bool = False,
        code_fingerprint: str = "",
    ) -> None:
        """Make the node.

        Args:
            examples: raw Examples.
            model: the candidate.
            gate: what it must reach.
            baseline_model: the last blessed model; may hold none.
            baseline_metrics: figures of the simple baseline.
            split: what to measure on.
            min_slice_size: examples that a slice must have to be shown.
            reset_baseline: leave the last blessed model out of the comparison.
            code_fingerprint: of the sources that the result depends on; enters the cache key only.
        """
        super().__init__(
            GenreEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                baseline_metrics=baseline_metrics,
                gate=gate.to_json(),
                split=split,
                min_slice_size=min_slice_size,
                reset_baseline=reset_baseline,
                code_fingerprint=code_fingerprint,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )


class LastOtherBlessedModel(latest_blessed_model_strategy.LatestBlessedModelStrategy):
    """The latest blessed model other than the candidate.

    TFX's own strategy hands a model that was blessed in the run before to the next run as the one
    to be compared with itself: the comparison would say nothing, and a run in which nothing has
    changed would miss the cache.

    A Resolver with this strategy takes the channels `candidate`, `model` and `model_blessing`.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: Artifacts
    ) -> Artifacts | None:
        """Resolve `model` and `model_blessing`, each to one artifact or none."""
        candidates = {artifact.id for artifact in input_dict["candidate"]}
        resolved = super().resolve_artifacts(
            store,
            {
                "model": [a for a in input_dict["model"] if a.id not in candidates],
                "model_blessing": input_dict["model_blessing"],
            },
        )
        return None if resolved is None else {"candidate": input_dict["candidate"], **resolved}


def eval_config(min_slice_size: int, *, has_baseline: bool) -> config_pb2.EvalConfig:
    """What TFMA is to measure: all genres, overall and by decade, plot length and metadata.

    Args:
        min_slice_size: examples that a slice must have to be shown.
        has_baseline: whether a last blessed model is measured beside the candidate.
    """
    config = config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=EVALUATE_SIGNATURE,
                label_key=xf.LABEL,
                prediction_key=SCORES_OUTPUT,
            )
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(
                        class_name=metrics.GenreMetrics.__name__,
                        module=metrics.__name__,
                        config=json.dumps({"genres": NUM_GENRES}),
                    )
                ]
            )
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[key]) for key in xf.SLICES),
        ],
        options=config_pb2.Options(min_slice_size={"value": min_slice_size}),
    )
    return tfma.utils.update_eval_config_with_defaults(config, has_baseline=has_baseline)


def _extractors(
    models: list[tfma.EvalSharedModel], config: config_pb2.EvalConfig
) -> list[tfma.extractors.Extractor]:
    """TFMA's extractors, without decoding the examples outside the model.

    Each model runs once a batch: its signature gives the label and the slice keys, too. Those of
    the candidate count for both models.
    """
    return [
        tfma.extractors.PredictionsExtractor(config, models),
        tfma.extractors.Extractor("PickLabelsAndSlices", beam.Map(_labels_and_slices)),
        tfma.extractors.UnbatchExtractor(),
        tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False),
    ]


def _serialized(batch: list[bytes]) -> tfma.Extracts:
    """A batch of examples as TFMA takes it."""
    return {tfma.INPUT_KEY: np.array(batch, object)}


def _labels_and_slices(extracts: tfma.Extracts) -> tfma.Extracts:
    """A batch with label, slice keys and predictions in their own places."""
    outputs = extracts[tfma.PREDICTIONS_KEY]
    candidate = outputs.get(tfma.CANDIDATE_KEY, outputs)
    return {
        tfma.LABELS_KEY: candidate[xf.LABEL],
        tfma.FEATURES_KEY: {key: candidate[key] for key in xf.SLICES},
        tfma.PREDICTIONS_KEY: (
            {name: _predictions(model) for name, model in outputs.items()}
            if tfma.CANDIDATE_KEY in outputs
            else _predictions(outputs)
        ),
    }


def _predictions(outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: outputs[name] for name in PREDICTIONS}


def read_scores(evaluation: str, model_name: str, split: str) -> Scores:
    """The figures of one model over a whole split, from TFMA's results.

    Args:
        evaluation: folder of TFMA's results.
        model_name: as TFMA has it; empty where one model was measured alone.
        split: what was measured, for the error.

    Raises:
        UserError: the split had no example.
    """
    results = tfma.load_eval_result(evaluation, model_name=model_name or None).slicing_metrics
    overall = next((values[""] for key, values in results if key == ()), None)
    if overall is None:
        raise UserError(
            f"the split {split!r} has no example: nothing can be measured. Bring more data"
        )

    def figure(genre: int, name: str) -> float:
        return float(overall[f"classId:{genre}"][name]["doubleValue"])

    genres = {
        genre: GenreScores(
            support=round(figure(i, metrics.SUPPORT)),
            f1=figure(i, metrics.F1),
            precision=figure(i, metrics.PRECISION),
            recall=figure(i, metrics.RECALL),
            auc_pr=figure(i, metrics.AUC_PR),
        )
        for i, genre in enumerate(GENRES)
    }
    aggregates = {
        name: float(overall[""][name]["doubleValue"])
        for name in (
            metrics.EXAMPLE_COUNT,
            f"{metrics.MICRO}_{metrics.F1}",
            metrics.SAMPLES_F1,
            metrics.SUBSET_ACCURACY,
            metrics.HAMMING_ACCURACY,
            f"{metrics.MACRO}_{metrics.AUC_PR}",
        )
    }
    examples = round(aggregates.pop(metrics.EXAMPLE_COUNT))
    return Scores(examples, genres, aggregates)


def read_simple_baseline(uri: str) -> dict[str, float]:
    """F1 by genre from a BaselineMetrics artifact.

    Raises:
        UserError: a genre is missing.
    """
    genres = baseline.load(uri)["genres"]
    missing = [genre for genre in GENRES if genre not in genres]
    if missing:
        raise UserError(
            f"the simple baseline in {uri} has no figures for {', '.join(missing)}: run again with "
            "--from Baseline"
        )
    return {genre: float(genres[genre]["f1"]) for genre in GENRES}


def _saved_model(model: types.Artifact, outputs: Iterable[str], remedy: str) -> Path:
    """Where the SavedModel of an artifact is, whose signature gives what is measured.

    Raises:
        UserError: it is gone, or from another version of the project.
    """
    folder = Path(path_utils.serving_model_path(model.uri))
    path = folder / tf.saved_model.SAVED_MODEL_FILENAME_PB
    if not path.is_file():
        raise UserError(f"the model {folder} is gone: {remedy}")
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    # The maps of a proto make an entry of whatever is asked for by brackets.
    signature = saved.meta_graphs[0].signature_def.get(EVALUATE_SIGNATURE)
    given = {} if signature is None else dict(signature.outputs)
    for name in outputs:
        genres = name not in xf.SLICES
        size = given[name].tensor_shape.dim[-1:] if name in given else []
        if name not in given or (genres and [dim.size for dim in size] != [NUM_GENRES]):
            what = f"{name!r} for {NUM_GENRES} genres" if genres else repr(name)
            raise UserError(
                f"the signature {EVALUATE_SIGNATURE!r} of the model {folder} does not give "
                f"{what}: {remedy}"
            )
    return folder


def _write_blessing(
    blessing: types.Artifact,
    verdict: Verdict,
    model: types.Artifact,
    last_blessed: types.Artifact | None,
) -> None:
    """The blessing as TFX's own Evaluator writes it, and the verdict beside."""
    strings = {
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY: model.uri,
        constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY: "\n".join(
            verdict.reasons + verdict.notes
        ),
    }
    numbers = {
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY: model.id,
        constants.ARTIFACT_PROPERTY_BLESSED_KEY: (
            constants.BLESSED_VALUE if verdict.blessed else constants.NOT_BLESSED_VALUE
        ),
    }
    if last_blessed is not None:
        strings[constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY] = last_blessed.uri
        numbers[constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY] = last_blessed.id
    for key, text in strings.items():
        blessing.set_string_custom_property(key, text)
    for key, number in numbers.items():
        blessing.set_int_custom_property(key, number)
    folder = Path(blessing.uri)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VERDICT_FILE).write_text(verdict.to_json(), encoding="utf-8")
    (
        folder
        / (constants.BLESSED_FILE_NAME if verdict.blessed else constants.NOT_BLESSED_FILE_NAME)
    ).touch()
