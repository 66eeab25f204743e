"""The page says what it was given, and loads nothing."""

import base64
import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import plotly.offline
import pytest

from report import page
from report.facts import Ended, Facts, Finding, Outcome
from tests.data.made_up_report import NASTY, facts


class Reader(HTMLParser):
    """Text, and addresses that would be loaded, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.opened: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = name
        self.opened.append(name)
        given = dict(attributes)
        for key in ("src", "srcset", "data", "poster", "action"):
            self.loaded += [str(given[key])] if key in given else []
        if name == "link" and "href" in given:
            self.loaded.append(str(given["href"]))

    def handle_endtag(self, name: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return "\n".join(filter(None, self.words))


@pytest.fixture(scope="module")
def rendered() -> str:
    return page.render(facts())


def first_words(text: str) -> str:
    """What stands before the list of the sections."""
    return Reader(text.partition("<nav>")[0].partition("</head>")[2]).text


def test_it_begins_with_what_became_of_the_model(rendered: str) -> None:
    assert "Blessed, and pushed as version 1700000000" in first_words(rendered)


def of_two_genres() -> Facts:
    """Facts with test movies of two genres alone: the charts of the others take most of the
    time."""
    given = facts(last_training=None, recipe=None, timings=())
    rows = given.verdict.genres
    few = (*rows[:2], *(replace(row, support=0, hits=0, predicted=0, f1=0.0) for row in rows[2:]))
    return replace(given, verdict=replace(given.verdict, genres=few))


def test_a_refusal_begins_with_why() -> None:
    given = of_two_genres()
    reasons = ("Drama: F1 0.1 is below its floor", "macro-F1: too low")
    refused = replace(
        given,
        verdict=replace(given.verdict, blessed=False, reasons=reasons),
        outcome=Outcome(reasons=("the Evaluator did not bless the model",)),
    )
    begin = first_words(page.render(refused))
    assert "Not pushed: the gate refused the model" in begin
    assert all(reason in begin for reason in reasons)
    canary = first_words(page.render(replace(given, outcome=Outcome(reasons=("no answer",)))))
    assert "Not pushed, though the gate let the model through\nno answer" in canary


def test_everything_is_told(rendered: str) -> None:
    text = Reader(rendered).text
    for part in (
        "not judged, with fewer than 5 test movies: Music 3",
        "split:movies,num_files:1",
        "50 of 650 titles dropped: no plot",
        "title.basics.tsv: 2 lines rejected: wrong number of fields",
        "listed under News, which is none of the genres: 1",
        "12,345 parameters, trained in 61 s, after 754 s in which an earlier training fine-tuned "
        "MPNet.",
        "A deep network stacked with boosted trees, with 12,345 parameters in all; "
        "word encoder cnn, sentence encoder mpnet.",
        "hyperparameter epochs\n2\n3",
        "version of tfx\n1.20.0\n1.21.0",
        "code of Trainer\ncccc\naaaa",
        "the model of 2026-02-01 10:00 UTC: output/artifacts/Trainer/model/3",
        "f" * 64,
        "<b>ranch</b> +1.25",
        "cast -0.50",
    ):
        assert part in text, part
    for part in (
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ):
        assert f"<h3>{part}</h3>" in rendered


def test_text_from_data_is_never_markup(rendered: str) -> None:
    reader = Reader(rendered)
    assert " ".join(NASTY.split()) in reader.text
    assert "img" not in reader.opened
    assert "b" in reader.opened  # the cards' own
    assert "<b>ranch" not in rendered


def test_nothing_is_loaded_and_the_size_is_bounded(rendered: str) -> None:
    assert Reader(rendered).loaded == []
    assert "default-src 'none'" in rendered
    assert not re.search(r"url\(|@import", rendered.partition("</style>")[0])
    assert len(rendered.encode()) < 5_000_000


def test_the_library_and_the_charts_are_in_it(rendered: str) -> None:
    def embedded(name: str) -> str:
        found = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', rendered)
        assert found
        return found[1]

    library = gzip.decompress(base64.b64decode(embedded("library"))).decode()
    assert library == plotly.offline.get_plotlyjs()
    figures = json.loads(embedded("figures"))
    places = re.findall(r'data-figure="([^"]+)"', rendered)
    assert sorted(figures) == sorted(places)
    assert len(figures) == 2 * 22 + 10
    assert all("template" not in one["layout"] for one in figures.values())
    assert {"light", "dark"} == set(json.loads(embedded("templates")))


def test_a_first_model_has_nothing_to_be_compared_with() -> None:
    text = Reader(page.render(of_two_genres())).text
    assert "No other model has been blessed, or the comparison was left out." in text
    assert "ML Metadata was not at hand." in text


def test_a_run_that_its_data_stopped() -> None:
    finding = Finding(
        ("train", "eval"), "average_rating", f"values above 10 {NASTY}", "Correct them"
    )
    text = page.render_refused(
        "movie_genres",
        datetime(2026, 3, 1, tzinfo=UTC),
        [finding],
        [Ended("StatisticsGen", "done", 3.25), Ended("AnomalyGate", "failed", 0.5)],
        {"movies": 12, "titles": 14},
    )
    reader = Reader(text)
    assert "Stopped: the data have anomalies\naverage_rating: values above 10" in reader.text
    assert "train, eval\naverage_rating" in reader.text
    assert "12 movies of 14 titles." in reader.text
    assert "StatisticsGen\ndone\n3.2\nAnomalyGate\nfailed\n0.5" in reader.text
    assert reader.loaded == []
    assert "script" not in reader.opened
    assert len(text) < 20_000


def test_a_run_that_a_node_ended() -> None:
    text = page.render_failed(
        "movie_genres",
        datetime(2026, 3, 1, tzinfo=UTC),
        [f"MemoryError: {NASTY}"],
        [Ended("Transform", "cached", 0.25), Ended("Trainer", "failed", 0.5)],
        {"movies": 12, "titles": 14},
    )
    reader = Reader(text)
    assert "Failed: Trainer ended with an error\nMemoryError: " in reader.text
    assert "12 movies of 14 titles." in reader.text
    assert "Transform\ncached\n0.2\nTrainer\nfailed\n0.5" in reader.text
    assert reader.loaded == []


def test_a_model_whose_run_a_node_ended() -> None:
    told = replace(of_two_genres(), outcome=Outcome(reasons=("no space left",), failed="Pusher"))
    text = Reader(page.render(told)).text
    assert "Failed: Pusher ended with an error\nno space left\nIn short" in text


def test_zero_hits_keep_their_predictions_in_the_interval() -> None:
    given = of_two_genres()
    rows = (
        replace(given.verdict.genres[0], hits=0, predicted=40, f1=0.0, precision=0.0, recall=0.0),
    )
    missed = replace(given.verdict, genres=(*rows, *given.verdict.genres[1:]))
    # Wilson's interval of J, 0 successes in 50 trials, ends at z²/(50 + z²) = .0713.
    assert rows[0].interval == pytest.approx((0.0, 0.1332), abs=1e-4)
    text = Reader(page.render(replace(given, verdict=missed))).text
    assert "Action\npass\n10\n0.000\n0.00–0.13\n" in text


@pytest.mark.parametrize(
    ("hparams", "encoders", "finetuned"),
    [
        (
            {"word_encoder": "none", "sentence_encoder": "minilm"},
            "word encoder none, sentence encoder minilm",
            "MiniLM",
        ),
        ({"text_encoder": "cnn_rnn_mpnet"}, "text encoder cnn_rnn_mpnet", "the sentence encoder"),
    ],
)
def test_encoders_are_those_of_the_training_record(
    hparams: dict[str, str], encoders: str, finetuned: str
) -> None:
    training = replace(facts().training, hparams=hparams)
    assert (training.encoders, training.finetuned) == (encoders, finetuned)
