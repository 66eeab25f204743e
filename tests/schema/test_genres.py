"""Names of genres, and the genres of an exported model."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from schema.errors import UserError
from schema.genres import GENRES, GenreSet, read_genres


@pytest.mark.parametrize(
    "names", [GENRES, ("Космос", "Rock 'n' Roll"), tuple(f"g{number}" for number in range(200))]
)
def test_sets_of_genres(names: tuple[str, ...]) -> None:
    assert TypeAdapter(GenreSet).validate_python(names) == names


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Heist",), "2 to 200 genres"),
        (tuple(f"g{number}" for number in range(201)), "2 to 200 genres"),
        (("Heist", "Noir", "Heist"), "twice"),
        (("Heist", "Noir", "heist"), "twice"),
        (("Heist", ""), "should be a name"),
        (("Heist", "Noir "), "should be a name"),
        (("Heist", "Noir|War"), "should be a name"),
        (("Heist", "Noir\u2028War"), "should be a name"),
    ],
)
def test_invalid_sets_of_genres(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(GenreSet).validate_python(names)


def test_a_damaged_training_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "training.json").write_text('{"genres": [')
    with pytest.raises(UserError, match=r"training\.json is damaged\. .* \(--from Trainer\)"):
        read_genres(tmp_path)


def test_the_genres_of_a_model_are_in_its_training_record(tmp_path: Path) -> None:
    assert read_genres(tmp_path) == GENRES
    record = tmp_path / "assets.extra" / "training.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"genres": ["Heist", "Космос"]}))
    assert read_genres(tmp_path) == ("Heist", "Космос")
    # Models of earlier versions have a record without genres.
    record.write_text(json.dumps({"hparams": {}}))
    assert read_genres(tmp_path) == GENRES
