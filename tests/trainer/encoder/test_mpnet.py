"""MPNet's weights: read from the packages, converted to BERT's names."""

import io
import zipfile

import numpy as np
import pytest

from schema.errors import UserError
from trainer.encoder import mpnet
from transform import minilm


def test_weights_have_the_names_and_word_pieces_of_bert() -> None:
    pieces = minilm.vocabulary()
    words = np.repeat(np.arange(len(pieces) + 5, dtype=np.float32)[:, np.newaxis], 2, axis=1)
    weights = {
        "embeddings.word_embeddings.weight": words,
        "embeddings.position_embeddings.weight": words[:10],
        "encoder.relative_attention_bias.weight": words[:32],
        "encoder.layer.0.attention.attn.o.bias": words[0],
        "encoder.layer.11.attention.LayerNorm.weight": words[1],
        "encoder.layer.0.output.dense.bias": words[2],
    }
    converted = mpnet.to_bert_weights(weights)
    table = converted["embeddings.word_embeddings.weight"][:, 0]
    assert len(table) == len(pieces)
    assert [table[pieces.index(piece)] for piece in ("[CLS]", "[SEP]")] == [0, 2]
    assert table[pieces.index("the")] == pieces.index("the") + 4
    assert converted["embeddings.position_embeddings.weight"][:, 0].tolist() == [*range(2, 10)]
    assert not converted["embeddings.token_type_embeddings.weight"].any()
    assert (
        converted[mpnet.RELATIVE_ATTENTION_BIAS]
        is weights["encoder.relative_attention_bias.weight"]
    )
    assert {name for name in converted if "layer" in name} == {
        "encoder.layer.0.attention.output.dense.bias",
        "encoder.layer.11.attention.output.LayerNorm.weight",
        "encoder.layer.0.output.dense.bias",
    }


@pytest.mark.parametrize("member", ["all-mpnet-base-v2/model.safetensors", "other", None])
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, member: str | None) -> None:
    archive = io.BytesIO(b"no archive")
    if member:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(member, b"other weights")
    content = archive.getvalue()
    parts = {"one": content[:9], "two": content[9:]}
    monkeypatch.setattr(mpnet, "PACKAGES", tuple(parts))
    monkeypatch.setattr(mpnet, "_read_part", parts.__getitem__)
    with pytest.raises(UserError, match=r"expected SHA-256\. Run `make setup-mpnet`"):
        mpnet.read_weights_file()
