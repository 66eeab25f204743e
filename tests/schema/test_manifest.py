"""A manifest names each file of a model, and shows each difference."""

from pathlib import Path

import pytest

from schema import manifest
from schema.errors import UserError
from schema.names import MANIFEST_FILE


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"abc")
    (directory / "variables" / "index").write_bytes(b"")
    return directory


def test_the_manifest_has_size_and_checksum_of_each_other_file(model: Path) -> None:
    written = manifest.write(model)
    assert written == manifest.describe(model) == manifest.check(model)
    assert (model / MANIFEST_FILE).read_text() == (
        '{\n "files": {\n'
        '  "saved_model.pb": {\n   "size": 3,\n   "sha256": '
        '"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"\n  },\n'
        '  "variables/index": {\n   "size": 0,\n   "sha256": '
        '"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n  }\n }\n}\n'
    )


def test_each_difference_is_described(model: Path) -> None:
    written = manifest.write(model)
    (model / "saved_model.pb").write_bytes(b"abd")
    (model / "variables" / "index").rename(model / "index")
    assert manifest.damage(model) == [
        "variables/index is missing",
        "saved_model.pb has changed",
        "index has been added",
    ]
    assert manifest.digest(model) == written.digest != manifest.describe(model).digest
    with pytest.raises(UserError) as error:
        manifest.check(model)
    assert str(error.value) == (
        f"{model}: the model is not the one that was exported: variables/index is missing, "
        "saved_model.pb has changed, index has been added. Train it again (--from Trainer)"
    )


def test_a_model_without_manifest(model: Path) -> None:
    assert manifest.damage(model) is None
    assert manifest.digest(model) == manifest.describe(model).digest
    with pytest.raises(UserError, match=r"was judged: assets\.extra/manifest\.json is missing"):
        manifest.check(model, model_digest=manifest.digest(model))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {"a": {"size": "b"}}}'])
def test_a_manifest_that_is_damaged(text: str, model: Path) -> None:
    manifest.write(model)
    (model / MANIFEST_FILE).write_text(text)
    assert manifest.damage(model) == ["assets.extra/manifest.json is damaged"]


def test_a_model_that_was_replaced_with_its_manifest(model: Path) -> None:
    judged = manifest.write(model).digest
    (model / "saved_model.pb").write_bytes(b"another model")
    manifest.write(model)
    with pytest.raises(UserError, match="the verdict is on a model with another"):
        manifest.check(model, judged)
