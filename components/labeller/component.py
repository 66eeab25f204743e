"""Label the movies without genres with the model that a run has pushed.

TFX's BulkInferrer writes the raw outputs of a model. `Labeller` writes the tables that
`ordained label` writes: the genres of the movies that have none, and the listed genres that the
model doubts. It comes after the report, so that its own failure stops neither push nor report.
"""

from pathlib import Path

import apache_beam as beam
from absl import logging
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components import examples as example_files
from components.labeller.inference import Model, Source
from components.labeller.job import LabelJob, delete_parts, unlabelled_shards
from schema.names import (
    DOUBTS_FILE,
    LABELS_FILE,
    PUSHED_PROPERTY,
    PUSHED_VERSION_PROPERTY,
    Split,
)


class LabelTables(Artifact):
    """Labels of movies: the Parquet files `LABELS_FILE` and `DOUBTS_FILE` of `schema.names`.

    The directory is empty if no model was pushed. The custom properties `labels`,
    `unsure` and `doubts` are the numbers of labelled, unsure and doubted movies.
    """

    TYPE_NAME = "LabelTables"


@component(use_beam=True)
def Labeller(  # noqa: N802 (TFX names the node after the function)
    labels: OutputArtifact[LabelTables],
    pushed_model: InputArtifact[standard_artifacts.PushedModel],
    examples: InputArtifact[standard_artifacts.Examples],
    movies: Parameter[str],
    movies_digest: Parameter[str] = "",  # noqa: ARG001
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Label movies, unless the run has pushed no model.

    Args:
        labels: Output with both tables.
        pushed_model: Output of the Pusher.
        examples: Raw examples. The model is asked about those of the eval and test splits.
        movies: Path of the directory with the shards of movies without genres.
        movies_digest: Digest of these shards; part of the node's cache key.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.
        beam_pipeline: Beam pipeline, which TFX provides. Only its options are used: each part of a
            shard is labelled in a pipeline of its own.
    """
    directory = Path(labels.uri)
    directory.mkdir(parents=True, exist_ok=True)
    if not pushed_model.get_int_custom_property(PUSHED_PROPERTY):
        logging.info("Labeller: no model was pushed")
        return
    version = pushed_model.get_string_custom_property(PUSHED_VERSION_PROPERTY)
    model = Model(Path(pushed_model.uri), version)
    job = LabelJob(beam_pipeline.options)
    unlabelled = [Source(path, model) for path in unlabelled_shards(Path(movies))]
    doubt_sources = [
        Source(Path(path), model, split)
        for split in (Split.EVAL, Split.TEST)
        for path in example_files.split_files(examples, split)
    ]
    counts = job.write_labels(unlabelled, directory / LABELS_FILE)
    doubts = job.write_doubts(doubt_sources, directory / DOUBTS_FILE)
    for table in (LABELS_FILE, DOUBTS_FILE):
        delete_parts(directory / table)
    for name, count in {"labels": counts.movies, "unsure": counts.unsure, "doubts": doubts}.items():
        labels.set_int_custom_property(name, count)
        logging.info("Labeller: %d %s", count, name)
