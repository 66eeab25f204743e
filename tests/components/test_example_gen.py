"""The cache key of MoviesExampleGen has the contents of the movies, not their sizes and times."""

import os
from pathlib import Path

from ml_metadata.proto import Execution
from tfx import v1 as tfx
from tfx.orchestration import metadata

from components.example_gen import MoviesExampleGen, movies_digest
from schema.names import MOVIES_PATTERN, MOVIES_SHARD, MOVIES_SPLIT


def test_only_another_content_is_read_again(tmp_path: Path) -> None:
    movies = tmp_path / "movies"
    movies.mkdir()
    shard = movies / MOVIES_SHARD.format(0, 1)
    rows = "".join(f"Lighthouse {number},1956\n" for number in range(20))
    shard.write_text(f"title,year\n{rows}")
    (movies / "summary.json").write_text("{}")
    split = tfx.proto.Input(
        splits=[tfx.proto.Input.Split(name=MOVIES_SPLIT, pattern=MOVIES_PATTERN)]
    )
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.sqlite")
    )

    def run() -> str:
        """Run the node and return the state of its execution."""
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                "read",
                str(tmp_path / "artifacts"),
                components=[MoviesExampleGen(input_base=str(movies), input_config=split)],
                enable_cache=True,
                metadata_connection_config=connection,
            )
        )
        with metadata.Metadata(connection) as handle:
            newest = max(handle.store.get_executions(), key=lambda execution: execution.id)
            [examples] = handle.store.get_artifacts_by_type("Examples")[-1:]
        fingerprint = examples.custom_properties["input_fingerprint"].string_value
        assert fingerprint == movies_digest(movies)
        return Execution.State.Name(newest.last_known_state)

    assert run() == "COMPLETE"
    os.utime(shard, (1, 1))
    (movies / "summary.json").write_text('{"other": 1}')
    assert run() == "CACHED"
    # The size and the modification time stay.
    shard.write_text(f"title,year\n{rows}".replace("1956", "1957"))
    os.utime(shard, (1, 1))
    assert run() == "COMPLETE"
