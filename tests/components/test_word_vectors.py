"""Word vectors stand in the order of the vocabulary, repeat byte for byte, and reach run_fn."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_transform as tft
from tfx import types
from tfx import v1 as tfx
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import examples as example_files
from components.word_vectors import (
    INFO_FILE,
    SPLIT,
    VECTORS_FILE,
    Executor,
    WordVectors,
    from_glove,
    from_plots,
    load,
)
from schema import features as raw
from schema.errors import UserError
from tests.data.tiny_movies import movies, write_csv
from transform import features as xf

GLOVE_THE = np.array([0.418, 0.24968, -0.41242, 0.1217], np.float32)
"""The first numbers of GloVe's 50-dimensional vector of `the`."""

PLOTS = [[0, 1, 2, 3] * 5, [4, 5, 6, 7] * 5] * 40
"""Two sets of words that never meet; the ids 8 and 9 do not occur."""


def test_glove_vectors_stand_in_the_order_of_the_ids() -> None:
    vectors, known = from_glove(["zzzqq", "the", "cat"], num_ids=4, seed=1)

    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 50)
    assert known.tolist() == [False, True, True, False]
    np.testing.assert_array_equal(vectors[1, :4], GLOVE_THE)


def test_glove_is_asked_for_what_it_has_in_place_of_a_word() -> None:
    words = ["fiancés", "fiance", "familys", "family", "jürgensen", "jurgensen", "s"]
    vectors, known = from_glove(words, num_ids=7, seed=1)

    assert known.all()
    np.testing.assert_array_equal(vectors[2], vectors[3])
    np.testing.assert_array_equal(vectors[4], vectors[5])


def test_words_that_glove_does_not_have_get_small_vectors_by_seed() -> None:
    one, _ = from_glove(["zzzqq", "the"], num_ids=3, seed=1)
    same, _ = from_glove(["zzzqq", "the"], num_ids=3, seed=1)
    other, _ = from_glove(["zzzqq", "the"], num_ids=3, seed=2)

    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one[[0, 2]], other[[0, 2]])
    np.testing.assert_array_equal(one[1], other[1])
    assert 0 < np.abs(one[[0, 2]]).max() < 0.25


def test_words_that_stand_together_get_like_vectors() -> None:
    vectors, known = from_plots(PLOTS, num_ids=10, dimensions=8, epochs=20, seed=3)

    assert vectors.dtype == np.float32
    assert vectors.shape == (10, 8)
    assert known.tolist() == [True] * 8 + [False] * 2
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    together, apart = unit[0] @ unit[1:4].T, unit[0] @ unit[4:8].T
    assert together.min() > apart.max()


@pytest.mark.slow
def test_word2vec_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "import sys; from components.word_vectors import from_plots;"
        "from tests.components.test_word_vectors import PLOTS;"
        "sys.stdout.buffer.write(from_plots(PLOTS, 10, 8, 3, seed=3)[0].tobytes())"
    )
    digests = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert len(done.stdout) == 10 * 8 * 4
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1


def test_too_few_plots_for_word2vec() -> None:
    with pytest.raises(UserError) as caught:
        from_plots([[1, 2]] * 19 + [[1]] * 5, num_ids=3, dimensions=4, epochs=1, seed=1)
    assert str(caught.value) == (
        "The train split has 19 plots with at least two known words; Word2Vec needs 20. "
        "Give more films, or set word_vectors.source to glove."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"source": "fasttext"},
            "word_vectors.source must be one of glove, word2vec. Received: 'fasttext'",
        ),
        ({"dimensions": 0}, "word_vectors.dimensions must be at least 1. Received: 0"),
        ({"epochs": 0}, "word_vectors.epochs must be at least 1. Received: 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is compared whole)
        WordVectors(
            transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
            examples=types.Channel(type=standard_artifacts.Examples),
            **settings,
        )
    assert str(caught.value) == message


def record_base_model(fn_args: tfx.components.FnArgs) -> None:
    """A run_fn that notes what it finds in `base_model`."""
    vectors, info = load(fn_args.base_model)
    folder = Path(fn_args.serving_model_dir)
    folder.mkdir(parents=True)
    (folder / "seen.json").write_text(json.dumps({"shape": vectors.shape, "info": info}))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of a real run up to a stock Trainer with the vectors as its base model."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "movies").mkdir()
    write_csv(folder / "movies" / "movies-00000-of-00001.csv", movies(200))
    examples = tfx.components.CsvExampleGen(input_base=str(folder / "movies"))
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
            pipeline_root=str(folder / "artifacts"),
            components=[examples, schema, transform, vectors, trainer],
            metadata_connection_config=(
                tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    str(folder / "metadata.sqlite")
                )
            ),
            beam_pipeline_args=["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        )
    )
    return folder / "artifacts"


def only(folder: Path) -> str:
    """The one artifact in an output's folder."""
    (found,) = folder.iterdir()
    return str(found)


@pytest.mark.slow
def test_the_trainer_finds_the_vectors_as_its_base_model(run: Path) -> None:
    tft_output = tft.TFTransformOutput(only(run / "Transform" / "transform_graph"))
    words = [word.decode() for word in tft_output.vocabulary_by_name(xf.PLOT_WORDS)]
    folder = Path(path_utils.serving_model_path(only(run / "WordVectors" / "model")))
    seen = json.loads(
        (Path(only(run / "Trainer" / "model")) / "Format-Serving" / "seen.json").read_text()
    )

    assert {path.name for path in folder.iterdir()} == {VECTORS_FILE, INFO_FILE}
    assert seen["shape"] == [len(words) + 1, 50]
    np.testing.assert_array_equal(load(str(folder))[0][words.index("the"), :4], GLOVE_THE)
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
    graph.uri = only(run / "Transform" / "transform_graph")
    examples = standard_artifacts.Examples()
    examples.uri = only(run / "Transform" / "transformed_examples")
    examples.split_names = '["train", "eval"]'
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        model = standard_artifacts.Model()
        model.uri = str(folder)
        node = WordVectors(
            transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
            examples=types.Channel(type=standard_artifacts.Examples),
            source="word2vec",
            dimensions=12,
            epochs=2,
            seed=5,
        )
        Executor().Do(
            {"transform_graph": [graph], "examples": [examples]},
            {"model": [model]},
            node.exec_properties,
        )
        serving = folder / path_utils.path_constants.SERVING_MODEL_DIR
        contents.append((serving / VECTORS_FILE).read_bytes())
    vectors, info = load(str(serving))

    assert contents[0] == contents[1]
    assert vectors.shape == (26, 12)
    assert (info["source"], info["dimensions"], info["seed"]) == ("word2vec", 12, 5)
    assert info["coverage"] == {"vocabulary": 1.0, "running_words": 1.0}
    train = example_files.id_lists(examples, SPLIT, xf.PLOT_WORDS)
    expected, _ = from_plots(train.to_list(), 26, 12, 2, 5)
    np.testing.assert_array_equal(vectors, expected)
