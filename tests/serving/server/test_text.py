"""Answers of a served model to texts that are the same after cleaning."""

from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import given, settings

from serving.server import Server, ServerConfig
from tests.data.model_server import post, run_server
from transform import text

SPACES = "\u00a0", "\u2009", "\u202f", "\u3000", "  ", "\t", "\r\n", "\u2028", "&nbsp;", "&#8201;"
INVISIBLE = "\u200b", "\u00ad", "\ufeff", "\u2060", "\u200d", "\x07", "&shy;", "&ZeroWidthSpace;"
WORDS = {
    "hôtel": ("ho\u0302tel", "h&ocirc;tel", "h&#xF4;tel", "h&amp;ocirc;tel"),
    "Łódź": ("Ło\u0301dz\u0301", "Łódz\u0301", "&Lstrok;ódź"),
    "việt": ("vie\u0323\u0302t", "vi\u1eb9\u0302t", "vie\u0302\u0323t"),
    "ёлка": ("е\u0308лка", "&#1105;лка"),
    "R&B": ("R&amp;B", "R&amp;amp;B", "R&#38;B"),
    "it’s": ("it&#146;s", "it&rsquo;s"),
    "guest": ("<b>guest</b>", "guest[3]", "guest{{who}}"),
}
"""Words, each with other ways to write it."""
ENDINGS = "", " —Kari Berg", " Written by Kari Berg", "... See full summary\u00a0»"
PLACEHOLDERS = "", " ", "n/a", "NONE", "(Plot unknown)", "No synopsis available.", "TBA", "&nbsp;"


class TextModel(tf.Module):
    """A model that returns the hashes of the words that Transform would make of a plot."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "plot")])
    def predict(self, plot: Any) -> dict[str, tf.Tensor]:
        clean = text.clean_plot(text.clean_text(plot, 20_000))
        hashes = tf.strings.to_hash_bucket_fast(text.tokenize(clean).to_tensor(), 1_000_000)
        return {"hashes": tf.pad(hashes, [[0, 0], [0, 40]])[:, :40]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("text")
    model = TextModel()
    tf.saved_model.save(model, str(base / "1"), {"serving_default": model.predict})
    config = ServerConfig(model_name="text", model_base_path=base, port=0, rest_api_port=0)
    with run_server(config) as running:
        yield running


def predictions(server: Server, *plots: str) -> list[list[int]]:
    body = {"instances": [{"plot": plot} for plot in plots]}
    rows: list[list[int]] = post(server, "/v1/models/text:predict", body).json()["predictions"]
    return rows


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data(), words=st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=8))
def test_answers_to_equal_texts_are_equal(
    server: Server, data: st.DataObject, words: list[str]
) -> None:
    def draw(*choices: str) -> str:
        return data.draw(st.sampled_from(choices))

    written = [draw(word, *WORDS[word]) for word in words]
    variant = "".join(word + draw("", *INVISIBLE) + draw(" ", *SPACES) for word in written)
    ending = draw(*ENDINGS)
    plain, other = predictions(
        server, " ".join([*words, "leave."]), f"{draw('', *SPACES)}{variant}leave.{ending}"
    )
    assert other == plain
    assert any(plain)


def test_answers_to_placeholders_are_those_to_an_empty_text(server: Server) -> None:
    assert predictions(server, *PLACEHOLDERS) == [[0] * 40] * len(PLACEHOLDERS)


def test_other_texts_have_other_answers(server: Server) -> None:
    plots = "hotel", "hôtels", "दिन", "दीन", "No plot to kill.", "He goes. — Or Die", "He goes."
    assert len({tuple(row) for row in predictions(server, *plots)}) == len(plots)
