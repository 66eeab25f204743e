"""Measures models by TFMA and reads its results.

TFX's own Evaluator does not do for the gate: its thresholds know neither how many examples a genre
has nor what it is called, a threshold on the change against a missing model passes in silence, and
a refusal comes without a reason. TFMA measures here as it does there, so that dashboards find what
they expect.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import metrics
from components.evaluator.decision import Scores
from schema import names
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from schema.verdict import GenreScores
from transform import features as xf

PREDICTIONS: Final[tuple[str, ...]] = (names.SCORES_OUTPUT, names.PROBABILITIES_OUTPUT)
"""What is measured of each model: these outputs of its signature `evaluate`."""

OUTPUTS: Final[tuple[str, ...]] = (*PREDICTIONS, xf.LABEL, *xf.SLICE_KEYS)
"""What the candidate's signature gives: for both models, its labels and slice keys count."""

BATCH_SIZE: Final = 256
"""Examples that a model sees at once."""

SliceKey = tuple[tuple[str, str], ...]
SliceMetrics = dict[str, dict[str, float]]
"""Metrics of one slice by sub key, `classId:3` or empty for those over all genres, and by name."""


def require_outputs(model: Path, outputs: Iterable[str], remedy: str) -> None:
    """Check that the signature `evaluate` of a SavedModel gives what is measured.

    The error message ends with `remedy`, a clause that names the correction.

    Raises:
        UserError: the model is gone, or made by another version of the project.
    """
    path = model / names.SAVED_MODEL_FILE
    if not path.is_file():
        raise UserError(f"the model {model} is gone: {remedy}")
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    # The maps of a proto make an entry of whatever is asked for by brackets.
    signature = saved.meta_graphs[0].signature_def.get(names.EVALUATE_SIGNATURE)
    given = {} if signature is None else dict(signature.outputs)
    for name in outputs:
        of_genres = name not in xf.SLICE_KEYS
        shape = [dim.size for dim in given[name].tensor_shape.dim] if name in given else []
        if name not in given or (of_genres and shape[-1:] != [NUM_GENRES]):
            what = f"{name!r} for {NUM_GENRES} genres" if of_genres else repr(name)
            raise UserError(
                f"the signature {names.EVALUATE_SIGNATURE!r} of the model {model} does not give "
                f"{what}: {remedy}"
            )


def measure(pipeline: beam.Pipeline, files: list[str], models: list[Path], output: str) -> None:
    """Write TFMA's results: all genres, overall and by decade, plot length and metadata.

    Args:
        pipeline: a Beam pipeline; it has run when this function returns.
        files: TFRecord files of raw examples.
        models: folders of the SavedModels: the candidate, and the last blessed one if there is any.
        output: folder of the results.
    """
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
        config=json.dumps({"genres": NUM_GENRES}),
    )
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=len(models) > 1)
    shared = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=str(path), model_name=spec.name, eval_config=config
        )
        for spec, path in zip(config.model_specs, models, strict=True)
    ]
    # Examples are not decoded outside the model, which runs once a batch: its signature gives the
    # label and the slice keys, too.
    extractors = [
        tfma.extractors.PredictionsExtractor(config, shared),
        tfma.extractors.Extractor("PickLabelsAndSlices", beam.Map(_labels_and_slices)),
        tfma.extractors.UnbatchExtractor(),
        tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False),
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
                extractors=extractors,
                output_path=output,
            )
        )


def _serialized(batch: list[bytes]) -> tfma.Extracts:
    """A batch of examples as TFMA takes it."""
    return {tfma.INPUT_KEY: np.array(batch, object)}


def _labels_and_slices(extracts: tfma.Extracts) -> tfma.Extracts:
    """A batch with label, slice keys and predictions in their own places.

    The label and the slice keys of the candidate count for both models.
    """
    outputs = extracts[tfma.PREDICTIONS_KEY]
    candidate = outputs.get(tfma.CANDIDATE_KEY, outputs)
    models = {"": outputs} if candidate is outputs else outputs
    kept: Any = {model: {name: of[name] for name in PREDICTIONS} for model, of in models.items()}
    return {
        tfma.LABELS_KEY: candidate[xf.LABEL],
        tfma.FEATURES_KEY: {key: candidate[key] for key in xf.SLICE_KEYS},
        tfma.PREDICTIONS_KEY: kept.get("", kept),
    }


def read_metrics(evaluation: str, model_name: str) -> dict[SliceKey, SliceMetrics]:
    """The metrics of one model by slice, from TFMA's results; the key `()` is the whole split.

    Args:
        evaluation: folder of TFMA's results.
        model_name: TFMA's name of the model; empty where one model was measured alone.
    """
    results = tfma.load_eval_result(evaluation, model_name=model_name or None).slicing_metrics
    return {
        key: {
            sub_key: {name: float(value["doubleValue"]) for name, value in named.items()}
            for sub_key, named in values[""].items()
        }
        for key, values in results
    }


def read_scores(evaluation: str, model_name: str) -> Scores:
    """The figures of one model over the whole test split; for the arguments see `read_metrics`.

    Raises:
        UserError: the split has no example.
    """
    measured = read_metrics(evaluation, model_name).get(())
    if measured is None:
        raise UserError(
            f"the split '{names.Split.TEST}' has no example: nothing can be measured. "
            "Bring more data"
        )
    genres = {}
    for i, genre in enumerate(GENRES):
        found = measured[f"classId:{i}"]
        genres[genre] = GenreScores(
            support=round(found[metrics.SUPPORT]),
            f1=found[metrics.F1],
            precision=found[metrics.PRECISION],
            recall=found[metrics.RECALL],
            auc_pr=found[metrics.AUC_PR],
        )
    aggregates = (
        metrics.MICRO_F1,
        metrics.SAMPLES_F1,
        metrics.SUBSET_ACCURACY,
        metrics.HAMMING_ACCURACY,
        metrics.MACRO_AUC_PR,
    )
    overall = measured[""]
    examples = round(overall[metrics.EXAMPLE_COUNT])
    return Scores(examples, genres, {name: overall[name] for name in aggregates})
