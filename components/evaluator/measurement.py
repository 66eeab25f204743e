"""Evaluate models with TFMA and read its results.

TFX's own Evaluator is not sufficient for the gate. Its thresholds consider neither the number of
examples nor the name of a genre, a threshold on the change passes silently if there is no model to
compare with, and a refusal has no reason. TFMA is called here as TFX's Evaluator calls it, so that
dashboards can read the results.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib as slicer

from components.evaluator import metrics
from components.evaluator.decision import ModelScores
from schema import features as raw
from schema import names
from schema.errors import UserError
from schema.genres import read_genres
from schema.verdict import GenreScores
from transform import features as xf

PREDICTION_OUTPUTS: Final[tuple[str, ...]] = (names.SCORES_OUTPUT, names.PROBABILITIES_OUTPUT)
"""Outputs of the signature `evaluate` that every model must have."""

CANDIDATE_OUTPUTS: Final[tuple[str, ...]] = (*PREDICTION_OUTPUTS, xf.LABEL, *xf.SLICE_KEYS)
"""Outputs of the signature `evaluate` that the candidate must have.

Its labels and slice keys are used for both models.
"""

BATCH_SIZE: Final = 256
"""Number of examples in a batch."""

SliceKey = tuple[tuple[str, str], ...]
"""Pairs of a feature and its value; empty for the whole split."""

ALL_EXAMPLES: Final[SliceKey] = (("corrected_movies", "included"),)
"""Slice with all examples; the others lack those with corrected genres."""

SliceMetrics = dict[str, dict[str, float]]
"""Metrics of one slice by sub key, then by name.

The sub key is `classId:3` for the genre with index 3 and empty for metrics over all genres.
"""


def check_outputs(model: Path, outputs: Iterable[str], remedy: str) -> None:
    """Check that the signature `evaluate` of a SavedModel has the outputs that are measured.

    Args:
        model: Path of the SavedModel.
        outputs: Names of the outputs.
        remedy: Last sentence of the error message, without a full stop.

    Raises:
        UserError: The model does not exist, or it lacks an output.
    """
    path = model / names.SAVED_MODEL_FILE
    if not path.is_file():
        raise UserError(f"the model {model} no longer exists. {remedy}")
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    # Subscripting a map of a proto would create the missing entry.
    signature = saved.meta_graphs[0].signature_def.get(names.EVALUATE_SIGNATURE)
    declared = {} if signature is None else dict(signature.outputs)
    num_genres = len(read_genres(model))
    for name in outputs:
        has_genres = name not in xf.SLICE_KEYS
        shape = [dim.size for dim in declared[name].tensor_shape.dim] if name in declared else []
        if name not in declared or (has_genres and shape[-1:] != [num_genres]):
            expected = f"{name!r} for {num_genres} genres" if has_genres else repr(name)
            raise UserError(
                f"the signature {names.EVALUATE_SIGNATURE!r} of the model {model} has no output "
                f"{expected}. {remedy}"
            )


def evaluate_models(
    pipeline: beam.Pipeline,
    files: list[str],
    models: list[Path],
    output: str,
    *,
    separate_corrected: bool = False,
) -> None:
    """Evaluate models with TFMA, over all examples and by each of `SLICE_KEYS`.

    Args:
        pipeline: Beam pipeline, which this function runs.
        files: Paths of TFRecord files with raw examples.
        models: Paths of SavedModels: the candidate, then the last blessed model if there is one.
            Scores and probabilities of a genre that only the candidate has are 0 for the latter.
        output: Path of the directory for the results.
        separate_corrected: Boolean. Whether to leave examples with corrected genres out of all
            slices but `ALL_EXAMPLES`. By default, they are not told apart, and there is no such
            slice.
    """
    genres, last_genres = read_genres(models[0]), read_genres(models[-1])
    last_columns = [last_genres.index(name) if name in last_genres else -1 for name in genres]
    spec = config_pb2.ModelSpec(
        signature_name=names.EVALUATE_SIGNATURE,
        label_key=xf.LABEL,
        prediction_key=names.SCORES_OUTPUT,
    )
    slices = [[], *([key] for key in xf.SLICE_KEYS)]
    config = config_pb2.EvalConfig(
        model_specs=[spec],
        slicing_specs=[config_pb2.SlicingSpec(feature_keys=keys) for keys in slices],
    )
    config.metrics_specs.add().metrics.add(
        class_name=metrics.GenreMetrics.__name__,
        module=metrics.__name__,
        config=json.dumps({"num_genres": len(genres)}),
    )
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=len(models) > 1)
    shared = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=str(path), model_name=spec.name, eval_config=config
        )
        for spec, path in zip(config.model_specs, models, strict=True)
    ]
    slice_keys = tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False)
    if separate_corrected:
        # In the same stage, since TFMA reads the keys after the stage of this name.
        separate = "SeparateCorrected" >> beam.Map(_separate_corrected)
        slice_keys = slice_keys._replace(ptransform=slice_keys.ptransform | separate)
    # The signature also returns the label and the slice keys, so that examples are decoded only
    # once, by the model.
    extractors = [
        tfma.extractors.PredictionsExtractor(config, shared),
        tfma.extractors.Extractor(
            "PickLabelsAndSlices", beam.Map(_pick_labels_and_slices, last_columns)
        ),
        tfma.extractors.UnbatchExtractor(),
        slice_keys,
    ]
    with pipeline:
        (
            pipeline
            | "Files" >> beam.Create(files)
            | "Read" >> beam.io.ReadAllFromTFRecord()
            | "Batch" >> beam.BatchElements(BATCH_SIZE, BATCH_SIZE)
            | "Extracts" >> beam.Map(_to_extracts)
            | "Measure"
            >> tfma.ExtractEvaluateAndWriteResults(
                eval_shared_model=shared if len(shared) > 1 else shared[0],
                eval_config=config,
                extractors=extractors,
                output_path=output,
            )
        )


def _to_extracts(batch: list[bytes]) -> tfma.Extracts:
    """Convert a batch of serialized examples to TFMA's input."""
    return {tfma.INPUT_KEY: np.array(batch, object)}


def _pick_labels_and_slices(extracts: tfma.Extracts, last_columns: list[int]) -> tfma.Extracts:
    """Move labels, slice keys and predictions from the models' outputs to TFMA's keys for them.

    The labels and slice keys of the candidate are used for both models.

    Args:
        extracts: Outputs of both models.
        last_columns: Column of each of the candidate's genres in the outputs of the last blessed
            model; -1 for a genre that it does not have.
    """
    outputs = extracts[tfma.PREDICTIONS_KEY]
    candidate = outputs.get(tfma.CANDIDATE_KEY, outputs)
    models = {"": outputs} if candidate is outputs else outputs
    marks = tf.io.parse_example(
        extracts[tfma.INPUT_KEY], {raw.CORRECTED: tf.io.RaggedFeature(tf.int64)}
    )
    predictions: Any = {
        model: {name: model_outputs[name] for name in PREDICTION_OUTPUTS}
        for model, model_outputs in models.items()
    }
    for name, values in predictions.get(tfma.BASELINE_KEY, {}).items():
        # The last column, with the index -1, is 0.
        predictions[tfma.BASELINE_KEY][name] = np.pad(values, [(0, 0), (0, 1)])[:, last_columns]
    return {
        tfma.LABELS_KEY: candidate[xf.LABEL],
        tfma.FEATURES_KEY: {key: candidate[key] for key in xf.SLICE_KEYS}
        | {raw.CORRECTED: tf.reduce_sum(marks[raw.CORRECTED], axis=1).numpy()},
        tfma.PREDICTIONS_KEY: predictions.get("", predictions),
    }


def _separate_corrected(extracts: tfma.Extracts) -> tfma.Extracts:
    """Leave an example with corrected genres out of all slices but `ALL_EXAMPLES`."""
    is_corrected = bool(np.any(extracts[tfma.FEATURES_KEY][raw.CORRECTED]))
    keys = [] if is_corrected else list(extracts[tfma.SLICE_KEY_TYPES_KEY])
    slices = slicer.slice_keys_to_numpy_array([*keys, ALL_EXAMPLES])
    return extracts | {tfma.SLICE_KEY_TYPES_KEY: slices}


def read_metrics(evaluation: str, model_name: str) -> dict[SliceKey, SliceMetrics]:
    """Read the metrics of one model from TFMA's results, by slice.

    Args:
        evaluation: Path of the directory with TFMA's results.
        model_name: TFMA's name of the model; empty if only one model was evaluated.
    """
    results = tfma.load_eval_result(evaluation, model_name=model_name or None).slicing_metrics
    return {
        key: {
            sub_key: {name: float(value["doubleValue"]) for name, value in metrics_by_name.items()}
            for sub_key, metrics_by_name in values[""].items()
        }
        for key, values in results
    }


def read_model_scores(
    evaluation: str, model_name: str, genres: Sequence[str], key: SliceKey = ()
) -> ModelScores:
    """Read the scores of one model over a slice of the test split.

    Args:
        evaluation: Path of the directory with TFMA's results.
        model_name: TFMA's name of the model; empty if only one model was evaluated.
        genres: Names of the candidate's genres, in the order of the class ids.
        key: Slice to read; by default all examples except those with corrected genres.

    Raises:
        UserError: The slice has no examples.
    """
    slices = read_metrics(evaluation, model_name)
    slice_metrics = slices.get(key)
    if slice_metrics is None:
        uncorrected = " with uncorrected genres" if slices else ""
        raise UserError(
            f"the split '{names.Split.TEST}' has no examples{uncorrected}, so the model cannot be "
            "evaluated. Add more movies"
        )
    scores = {}
    for i, genre in enumerate(genres):
        genre_metrics = slice_metrics[f"classId:{i}"]
        scores[genre] = GenreScores(
            support=round(genre_metrics[metrics.SUPPORT]),
            f1=genre_metrics[metrics.F1],
            precision=genre_metrics[metrics.PRECISION],
            recall=genre_metrics[metrics.RECALL],
            auc_pr=genre_metrics[metrics.AUC_PR],
        )
    aggregates = (
        metrics.MICRO_F1,
        metrics.SAMPLES_F1,
        metrics.SUBSET_ACCURACY,
        metrics.HAMMING_ACCURACY,
        metrics.MACRO_AUC_PR,
    )
    overall = slice_metrics[""]
    examples = round(overall[metrics.EXAMPLE_COUNT])
    return ModelScores(examples, scores, {name: overall[name] for name in aggregates})


def read_last_blessed_scores(
    evaluation: str, genres: Sequence[str], last_genres: Sequence[str]
) -> ModelScores:
    """Read the scores of the last blessed model, on the genres that both models have.

    Args:
        evaluation: Path of the directory with TFMA's results.
        genres: Names of the candidate's genres, in the order of the class ids.
        last_genres: Names of the genres of the last blessed model.
    """
    scores = read_model_scores(evaluation, tfma.BASELINE_KEY, genres)
    return replace(
        scores,
        genres={name: scores.genres[name] for name in genres if name in last_genres},
        other_genres=tuple(name for name in last_genres if name not in genres),
    )
