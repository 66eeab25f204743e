"""Word vectors are in the order of the vocabulary, reproducible, and readable by run_fn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_transform as tft
from tfx import v1 as tfx
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import examples as example_files
from components.word_vectors.component import WordVectors
from components.word_vectors.vectors import train_word2vec
from schema import features as raw
from schema.names import WORD_VECTORS_FILE, WORD_VECTORS_INFO_FILE, Split
from tests.data.tiny_movies import make_movies, write_csv
from transform import features as xf

GLOVE_THE = np.array([0.418, 0.24968, -0.41242, 0.1217], np.float32)
"""The first numbers of GloVe's 50-dimensional vector of `the`."""


def load_vectors(directory: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the vectors and the description of how they were created."""
    info = json.loads(Path(directory, WORD_VECTORS_INFO_FILE).read_text())
    return np.load(Path(directory, WORD_VECTORS_FILE)), info


def record_base_model(fn_args: tfx.components.FnArgs) -> None:
    """Serve as a run_fn that records the contents of `base_model`."""
    vectors, info = load_vectors(fn_args.base_model)
    directory = Path(fn_args.serving_model_dir)
    directory.mkdir(parents=True)
    (directory / "seen.json").write_text(json.dumps({"shape": vectors.shape, "info": info}))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the artifacts of a run whose Trainer has the vectors as its base model."""
    directory = tmp_path_factory.mktemp("run")
    (directory / "movies").mkdir()
    write_csv(directory / "movies" / "movies-00000-of-00001.csv", make_movies(200))
    examples = tfx.components.CsvExampleGen(input_base=str(directory / "movies"))
    schema = tfx.components.ImportSchemaGen(schema_file=str(raw.SCHEMA_FILE))
    transform = tfx.components.Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="transform.preprocessing.preprocessing_fn",
    )
    vectors = WordVectors(
        transform_graph=transform.outputs["transform_graph"],
        examples=transform.outputs["transformed_examples"],
    )
    trainer = tfx.components.Trainer(
        run_fn=f"{__name__}.record_base_model",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        base_model=vectors.outputs["model"],
        train_args=tfx.proto.TrainArgs(),
        eval_args=tfx.proto.EvalArgs(),
    )
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="vectors",
            pipeline_root=str(directory / "artifacts"),
            components=[examples, schema, transform, vectors, trainer],
            metadata_connection_config=(
                tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    str(directory / "metadata.sqlite")
                )
            ),
            beam_pipeline_args=["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        )
    )
    return directory / "artifacts"


def only_artifact(directory: Path) -> str:
    """Return the only artifact in an output's directory."""
    (found,) = directory.iterdir()
    return str(found)


@pytest.mark.slow
def test_the_trainer_finds_the_vectors_as_its_base_model(run: Path) -> None:
    tft_output = tft.TFTransformOutput(only_artifact(run / "Transform" / "transform_graph"))
    words = [word.decode() for word in tft_output.vocabulary_by_name(xf.PLOT_WORDS)]
    directory = Path(path_utils.serving_model_path(only_artifact(run / "WordVectors" / "model")))
    seen = json.loads(
        (
            Path(only_artifact(run / "Trainer" / "model")) / "Format-Serving" / "seen.json"
        ).read_text()
    )

    assert {path.name for path in directory.iterdir()} == {"vectors.npy", "info.json"}
    assert seen["shape"] == [len(words) + 1, 50]
    np.testing.assert_array_equal(
        load_vectors(str(directory))[0][words.index("the"), :4], GLOVE_THE
    )
    assert seen["info"].pop("seconds") >= 0
    assert seen["info"] == {
        "source": "glove",
        "dimensions": 50,
        "seed": 1,
        "words": 25,
        "coverage": {"vocabulary": 1.0, "running_words": 1.0},
    }


@pytest.mark.slow
def test_word2vec_is_trained_on_the_train_split(run: Path, tmp_path: Path) -> None:
    graph = standard_artifacts.TransformGraph()
    graph.uri = only_artifact(run / "Transform" / "transform_graph")
    examples = standard_artifacts.Examples()
    examples.uri = only_artifact(run / "Transform" / "transformed_examples")
    examples.split_names = '["train", "eval"]'
    contents = []
    for directory in (tmp_path / "one", tmp_path / "two"):
        model = standard_artifacts.Model()
        model.uri = str(directory)
        WordVectors.test_call(
            transform_graph=graph,
            examples=examples,
            model=model,
            source="word2vec",
            dimensions=12,
            epochs=2,
            seed=5,
        )
        serving = directory / path_utils.path_constants.SERVING_MODEL_DIR
        contents.append((serving / WORD_VECTORS_FILE).read_bytes())
    vectors, info = load_vectors(str(serving))

    assert contents[0] == contents[1]
    assert vectors.shape == (26, 12)
    assert (info["source"], info["dimensions"], info["seed"]) == ("word2vec", 12, 5)
    assert info["coverage"] == {"vocabulary": 1.0, "running_words": 1.0}
    train = example_files.read_id_lists(examples, Split.TRAIN, xf.PLOT_WORDS)
    expected, _ = train_word2vec(train.to_list(), 26, 12, 2, 5)
    np.testing.assert_array_equal(vectors, expected)
