"""Measures models by TFMA and reads its results.

TFX's own Evaluator does not do for the gate: its thresholds know neither how many examples a genre
has nor what it is called, a threshold on the change against a missing model passes in silence, and
a refusal comes without a reason. TFMA measures here as it does there, so that dashboards find what
they expect.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import metrics
from components.evaluator.decision import GenreScores, Scores
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from schema.names import (
    EVALUATE_SIGNATURE,
    PROBABILITIES_OUTPUT,
    SAVED_MODEL_FILE,
    SCORES_OUTPUT,
    Split,
)
from transform import features as xf

PREDICTIONS: Final[tuple[str, ...]] = (SCORES_OUTPUT, PROBABILITIES_OUTPUT)
"""What is measured of each model: these outputs of its signature `evaluate`."""

OUTPUTS: Final[tuple[str, ...]] = (*PREDICTIONS, xf.LABEL, *xf.SLICES)
"""What the candidate's signature gives: for both models, its labels and slice keys count."""

BATCH_SIZE: Final = 256
"""Examples that a model sees at once."""


def require_outputs(model: Path, outputs: Iterable[str], remedy: str) -> None:
    """Check that the signature `evaluate` of a SavedModel gives what is measured.

    Args:
        model: folder of the SavedModel.
        outputs: names of the outputs that it must have.
        remedy: a clause for the error message that names the correction.

    Raises:
        UserError: the model is gone, or made by another version of the project.
    """
    path = model / SAVED_MODEL_FILE
    if not path.is_file():
        raise UserError(f"the model {model} is gone: {remedy}")
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
                f"the signature {EVALUATE_SIGNATURE!r} of the model {model} does not give "
                f"{what}: {remedy}"
            )


def measure(
    pipeline: beam.Pipeline,
    files: list[str],
    models: list[Path],
    config: config_pb2.EvalConfig,
    output: str,
) -> None:
    """Write TFMA's results for the candidate, and the last blessed model if there is one.

    Args:
        pipeline: a Beam pipeline; it has run when this function returns.
        files: TFRecord files of raw examples.
        models: folders of the SavedModels, one for each `model_specs` of `config`.
        config: from `eval_config`.
        output: folder of the results.
    """
    shared = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=str(path), model_name=spec.name, eval_config=config
        )
        for spec, path in zip(config.model_specs, models, strict=True)
    ]
    with pipeline:
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


def read_scores(evaluation: str, model_name: str) -> Scores:
    """The figures of one model over the whole test split, from TFMA's results.

    Args:
        evaluation: folder of TFMA's results.
        model_name: as TFMA has it; empty where one model was measured alone.

    Raises:
        UserError: the split has no example.
    """
    results = tfma.load_eval_result(evaluation, model_name=model_name or None).slicing_metrics
    overall = next((values[""] for key, values in results if key == ()), None)
    if overall is None:
        raise UserError(
            f"the split '{Split.TEST}' has no example: nothing can be measured. Bring more data"
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
