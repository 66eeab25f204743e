"""Train one model for each fold of the movies, so that all movies can be judged by a model that
was not fitted on them.

A fold has whole split groups, like the splits: remakes and copies of a movie are in its fold. Each
model is trained by the pipeline's own nodes in an output directory of its own, on the movies of all
other folds. These are divided into the usual splits again, so a model is fitted on 8 of 10 parts of
them. An interrupted training continues from the cache of its output directory.
"""

import csv
import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tfx.utils import path_utils

from components.example_gen import movies_digest
from components.labeller.inference import Model, Source
from pipeline import runner
from pipeline.config import RunConfig
from pipeline.pipeline import create_training_pipeline
from pipeline.runner import NodeResult
from schema import features as raw
from schema.files import durable_rename
from schema.names import LABEL_DIRECTORY, MOVIES_DIRECTORY, MOVIES_PATTERN, MOVIES_SHARD, Node


def fold_of(split_key: str, folds: int) -> int:
    """Return the fold of a movie, from 0, by the hash of its split key."""
    return int(hashlib.sha256(split_key.encode()).hexdigest(), 16) % folds


def write_folds(movies: Path, folds: int, directory: Path) -> list[Path]:
    """Divide the movies CSV shards into one CSV file for each fold, row by row.

    Args:
        movies: Directory with the shards.
        folds: Number of folds.
        directory: Existing directory for the files.
    """
    paths = [directory / f"fold-{fold}.csv" for fold in range(folds)]
    csv.field_size_limit(1 << 24)
    with ExitStack() as stack:
        writers = []
        for path in paths:
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            writers.append(csv.DictWriter(file, raw.CSV_COLUMNS, lineterminator="\n"))
        for writer in writers:
            writer.writeheader()
        for shard in sorted(movies.glob(MOVIES_PATTERN)):
            with shard.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    writers[fold_of(row[raw.SPLIT_KEY], folds)].writerow(row)
    return paths


def train_folds(
    config: RunConfig, movies: Path, folds: int, on_start: Callable[[int, str], None]
) -> list[Source]:
    """Train a model for each fold.

    Args:
        config: Configuration of the run that trained the model, with its hyperparameters.
        movies: Directory with the movies CSV shards.
        folds: Number of folds, at least 2.
        on_start: Function that is called with the fold and the node that starts.

    Returns:
        The movies of each fold, with the model that was trained on the others.

    Raises:
        UserError: A training failed because of its data.
    """
    paths = prepare_folds(movies, folds, folds_directory(config))
    tuner = config.tuner.model_copy(update={"enabled": False})
    same = {"tuner": tuner, "ignore_search": True, "search_overrides": {}}
    sources = []
    for fold, path in enumerate(paths):
        output = path.with_suffix("")
        if not (output / MOVIES_DIRECTORY).exists():
            _link_movies([other for other in paths if other != path], output / MOVIES_DIRECTORY)
        # Encoded texts are the same in all trainings, and their store identifies them by content.
        store = output / config.sentence_store.name
        if not store.exists():
            config.sentence_store.mkdir(exist_ok=True)
            store.symlink_to(config.sentence_store.resolve())
        config_of_fold = config.model_copy(update=same | {"output": output})
        model = _train(config_of_fold, partial(on_start, fold))
        name = f"fold {fold + 1} of {folds}"
        sources.append(Source(path, Model(model, name), name))
    return sources


def folds_directory(config: RunConfig) -> Path:
    """Return the directory of the folds and trainings, which can be deleted after them."""
    return config.output / LABEL_DIRECTORY / "folds"


def prepare_folds(movies: Path, folds: int, directory: Path) -> list[Path]:
    """Write the folds, unless an interrupted command did, and delete those of other movies.

    TFX identifies its input files by size and time, so files of unchanged movies must stay.

    Args:
        movies: Directory with the movies CSV shards.
        folds: Number of folds.
        directory: Directory of the folds. It is created, and everything else in it is deleted.

    Returns:
        Files of the folds, in order.
    """
    digest = hashlib.sha256(f"{folds} {movies_digest(movies)}".encode())
    current = directory / digest.hexdigest()[:16]
    if not current.exists():
        shutil.rmtree(directory, ignore_errors=True)
        unfinished = directory / "unfinished"
        unfinished.mkdir(parents=True)
        write_folds(movies, folds, unfinished)
        durable_rename(unfinished, current)
    return sorted(current.glob("fold-*.csv"), key=lambda path: int(path.stem.split("-")[1]))


def _link_movies(shards: Sequence[Path], directory: Path) -> None:
    """Create a directory of movies CSV shards that are links to other files."""
    unfinished = directory.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number, shard in enumerate(shards):
        (unfinished / MOVIES_SHARD.format(number, len(shards))).hardlink_to(shard)
    unfinished.rename(directory)


def _train(config: RunConfig, on_start: Callable[[str], None]) -> Path:
    """Train a model, or take it from the cache, and return the path of its SavedModel."""
    models: list[Path] = []

    def on_end(result: NodeResult) -> None:
        if result.node == Node.TRAINER and "model" in result.outputs:
            models.append(Path(path_utils.serving_model_path(str(result.outputs["model"]))))

    config.copy_schema()
    runner.run(create_training_pipeline(config), on_start, on_end)
    return models[0]
