"""The model to label with is found, and its training record is read."""

from pathlib import Path

import pytest

from pipeline.served_model import find_model, trained_hparams, training_seconds
from schema.errors import UserError
from trainer.hparams import HParams


def test_a_model_is_found(tmp_path: Path) -> None:
    served = tmp_path / "serving"
    with pytest.raises(UserError, match=r"serving holds no model. Push one first with `ordained"):
        find_model(served, None)
    for version in ("7", "20"):
        (served / version).mkdir(parents=True)
        (served / version / "saved_model.pb").touch()
    assert find_model(served, None) == served / "20"
    assert find_model(tmp_path / "none", served) == served / "20"
    assert find_model(tmp_path / "none", served / "7") == served / "7"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"--model .*empty: expected a SavedModel, or a directory"):
        find_model(served, tmp_path / "empty")


def write_record(model: Path, text: str) -> None:
    (model / "assets.extra").mkdir(parents=True, exist_ok=True)
    (model / "assets.extra" / "training.json").write_text(text)


def test_the_training_record(tmp_path: Path) -> None:
    hparams = HParams(epochs=3, seed=8)
    write_record(tmp_path, f'{{"seconds": 12.5, "hparams": {hparams.to_json()}}}')
    assert training_seconds(tmp_path) == 12.5
    assert trained_hparams(tmp_path) == hparams
    write_record(tmp_path, '{"seconds": 12.5, "cached_finetuning_seconds": 30}')
    assert training_seconds(tmp_path) == 42.5


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seconds": "x", "hparams": {"towers": 3}}'])
def test_an_unusable_training_record_is_named(tmp_path: Path, text: str) -> None:
    write_record(tmp_path, text)
    for read in (training_seconds, trained_hparams):
        with pytest.raises(UserError, match=r"training.json: no usable training record. Train the"):
            read(tmp_path)
