"""The HTML page of the report: its texts, and that it loads nothing."""

import base64
import gzip
import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import plotly.offline
import pytest

from report import page
from report.content import Anomaly, NodeResult, PushResult, ReportContent
from schema.genres import GENRES, NUM_GENRES
from schema.verdict import CorrectedMetrics
from tests.data.made_up_report import HTML_TITLE, make_report_content


class Reader(HTMLParser):
    """Parser that collects the text, the elements and the loaded URLs of a page."""

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
        values = dict(attributes)
        for key in ("src", "srcset", "data", "poster", "action"):
            self.loaded += [str(values[key])] if key in values else []
        if name == "link" and "href" in values:
            self.loaded.append(str(values["href"]))

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
    return page.render_report(make_report_content())


def text_before_sections(text: str) -> str:
    """Return the text before the list of sections."""
    return Reader(text.partition("<nav>")[0].partition("</head>")[2]).text


def test_the_page_begins_with_the_result(rendered: str) -> None:
    assert "Blessed and pushed as version 1700000000" in text_before_sections(rendered)


def make_two_genre_content() -> ReportContent:
    """Return a content with two genres, because drawing all charts takes most of the time."""
    content = make_report_content(last_training=None, lineage=None, timings=())
    rows = content.verdict.genres
    few = (
        *rows[:2],
        *(
            replace(row, support=0, true_positives=0, predicted_positives=0, f1=0.0)
            for row in rows[2:]
        ),
    )
    return replace(content, verdict=replace(content.verdict, genres=few))


def test_the_terms_of_the_result_are_explained_before_it(rendered: str) -> None:
    text = text_before_sections(rendered)
    assert text.index("A model that passes it is blessed;") < text.index("Blessed and pushed as")


def test_a_refusal_begins_with_its_reasons() -> None:
    content = make_two_genre_content()
    reasons = ("Drama: F1 0.1 is below its floor", "macro-F1 too low")
    refused = replace(
        content,
        verdict=replace(content.verdict, blessed=False, reasons=reasons),
        push=PushResult(reasons=("the Evaluator did not bless the model",)),
    )
    begin = text_before_sections(page.render_report(refused))
    assert "Not blessed by the gate and not pushed" in begin
    assert all(reason in begin for reason in reasons)
    not_pushed = text_before_sections(
        page.render_report(replace(content, push=PushResult(reasons=("no answer",))))
    )
    assert "Blessed by the gate, but not pushed\nno answer" in not_pushed


def test_genres_without_movies_have_no_scores_and_no_share() -> None:
    content = make_two_genre_content()
    first = replace(
        content.verdict.genres[0], support=1, true_positives=1, predicted_positives=1, f1=1.0
    )
    rows = (first, *content.verdict.genres[1:])
    trained = np.zeros(NUM_GENRES, int)
    trained[:3] = 240, 120, 1
    data = replace(content.data, movies={"train": 4800}, genres={"train": trained})
    verdict = replace(content.verdict, genres=rows)
    text = Reader(page.render_report(replace(content, verdict=verdict, data=data))).text
    assert "Western\npass\n0\n–\n–\n0.300\n–\n–\n–\n–\n–" in text
    assert f"and less than 0.1% have the genre {GENRES[2]}. No training movie has" in text
    assert f"for {GENRES[0]} (1 movie)" in text


def test_corrected_movies_are_counted_and_shown_with_their_metrics() -> None:
    content = make_two_genre_content()
    assert page.with_corrected(content.verdict) == ""
    metrics = CorrectedMetrics(7, 0.7123, {"micro_f1_score": 0.75, "subset_accuracy": 0.25})
    counts = {"applied": 61, "unchanged": 2, "rejected: unknown genre": 1}
    corrected = replace(
        content,
        verdict=replace(content.verdict, with_corrected=metrics),
        data=replace(content.data, ingest=content.data.ingest | {"corrections": counts}),
    )
    sentence = (
        "7 movies of the test split with corrected genres are left out. With them: macro-F1 0.712, "
        "micro-F1 0.750, subset accuracy 0.250."
    )
    rendered = page.render_report(corrected)
    for section in ("summary", "gate", "model_card"):
        text = rendered.partition(f'<section id="{section}">')[2].partition("</section>")[0]
        assert sentence in text, section
    data = Reader(rendered.partition('<section id="data">')[2].partition("</section>")[0]).text
    assert "corrections applied: 61\ncorrections unchanged: 2\n" in data
    assert "corrections rejected: unknown genre: 1" in data
    without = Reader(page.render_report(content)).text
    assert "corrected genres" not in without
    assert "Corrections" not in without


def figures_of(rendered: str) -> dict[str, Any]:
    """Return the charts of a page, and assert that it has a place for each."""
    found = re.search(r'<script type="text/plain" id="figures">(.*?)</script>', rendered)
    assert found
    figures: dict[str, Any] = json.loads(found[1])
    places = re.findall(r'data-figure="([^"]+)"', rendered)
    assert sorted(figures) == sorted(map(html.unescape, places))
    return figures


def test_the_genres_are_those_of_the_model() -> None:
    genres = ("Heist & Co.", "Children's", "Космос")
    rendered = page.render_report(make_report_content(genres))
    assert "movies into 3 genres: Heist & Co., Children's, Космос." in Reader(rendered).text
    figures = figures_of(rendered)
    assert len(figures) == 2 * 3 + 11
    assert figures["confusion"]["data"][0]["x"] == list(genres)
    assert "Action" not in Reader(rendered).text
    assert "the charts show" not in rendered


def test_charts_of_many_genres_show_the_most_frequent() -> None:
    genres = tuple(f"Genre {number}" for number in range(200))
    content = make_report_content(genres)
    support = [5 + (number % 5 == 0) for number in range(200)]
    rows = tuple(
        replace(row, support=count)
        for row, count in zip(content.verdict.genres, support, strict=True)
    )
    rendered = page.render_report(replace(content, verdict=replace(content.verdict, genres=rows)))
    figures = figures_of(rendered)
    assert len(figures) == 2 * page.MAX_CHARTED_GENRES + 11
    assert len(figures["f1-by-genre"]["data"][-1]["y"]) == 200
    shown = list(genres[::5])
    assert figures["confusion"]["data"][0]["x"] == shown
    assert figures["f1-by-slice"]["data"][0]["x"] == ["all genres (micro)", *shown]
    assert {f"threshold-{name}" for name in shown} < set(figures)
    text = "Of the 200 genres, the charts show the 40 with the most test movies."
    assert rendered.count(text) == 3
    assert len(rendered.encode()) < 5_000_000


def test_all_sections_have_their_contents(rendered: str) -> None:
    text = Reader(rendered).text
    for part in (
        "not judged, with fewer than 5 test movies: Music 3",
        "split:movies,num_files:1",
        "The inputs are plot, title, year, running time, rating, votes, directors, writers, cast;",
        "ordained lineage --output /srv/out",
        "50 of 650 titles dropped: no plot",
        "title.basics.tsv: 2 lines rejected: wrong number of fields",
        "column Release year: 7 cells were not understood",
        "records of plots\nnumber\njoined by id\n590\njoined by title, one year off\n10",
        "titles with the genre News, which the model does not predict: 1",
        "12,345 parameters and was trained in 1 min 1 s. Before that, an earlier training "
        "fine-tuned MPNet in 12 min 34 s.",
        "with 12,345 parameters; word encoder cnn, sentence encoder mpnet.",
        "hyperparameter epochs\n2\n3",
        "version of tfx\n1.20.0\n1.21.0",
        "code of Trainer\ncccc\naaaa",
        "the model of 2026-02-01 10:00 UTC: output/artifacts/Trainer/model/3",
        "f" * 64,
        "<b>ranch</b> → 71%",
        "function words → 90%",
        "cast → 95%",
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


def section(text: str, name: str) -> str:
    """Return the HTML of a section."""
    return text.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_paths_of_the_machine_are_only_in_a_folded_part(rendered: str) -> None:
    folded = re.findall(r"<details>.*?</details>", rendered, re.DOTALL)
    assert "/srv/out" in "".join(folded)
    for part in folded:
        rendered = rendered.replace(part, "")
    assert "/srv/out" not in rendered
    assert "artifacts/Trainer/model/12" in section(rendered, "lineage")


def test_the_commit_and_the_command_of_the_run(rendered: str) -> None:
    lineage = Reader(section(rendered, "lineage")).text
    assert "git commit\n0123abc, with changes that are not committed" in lineage
    assert "command line\nordained run --data imdb" in lineage
    content = make_two_genre_content()
    before = replace(make_report_content(), verdict=content.verdict)
    assert before.lineage
    unknown = replace(before, lineage=replace(before.lineage, commit="", command=""))
    lineage = Reader(section(page.render_report(unknown), "lineage")).text
    assert "git commit\nnot recorded" in lineage
    assert "command line\nnot recorded" in lineage


def test_every_chart_has_a_text_alternative(rendered: str) -> None:
    texts = re.findall(r'<div class="plot" role="img" aria-label="([^"]+)"', rendered)
    assert len(texts) == rendered.count('class="plot"') == 2 * 22 + 11
    assert rendered.count("<main>") == rendered.count("</main>") == 1
    assert any(
        "missed genre (number of test movies) by wrongly predicted genre" in text for text in texts
    )


def test_the_model_card_speaks_of_the_table_of_the_user() -> None:
    content = make_two_genre_content()
    of_imdb = Reader(section(page.render_report(content), "model_card")).text
    assert "Titles, ratings and credits of IMDb joined with plots" in of_imdb
    ingest = {**content.data.ingest, "source": "my films.csv", "columns": {"title": "Name"}}
    mine = replace(content, data=replace(content.data, ingest=ingest))
    of_table = Reader(section(page.render_report(mine), "model_card")).text
    assert "The rows of my films.csv that have a plot and genres" in of_table
    assert "The genres are those of my films.csv." in of_table
    assert "IMDb" not in of_table


def test_data_never_become_html(rendered: str) -> None:
    reader = Reader(rendered)
    assert " ".join(HTML_TITLE.split()) in reader.text
    assert "img" not in reader.opened
    assert "b" in reader.opened  # The numbers of the summary.
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
    assert len(figures) == 2 * 22 + 11
    assert all("template" not in figure["layout"] for figure in figures.values())
    assert {"light", "dark"} == set(json.loads(embedded("templates")))


def test_a_first_model_without_ml_metadata() -> None:
    text = Reader(page.render_report(make_two_genre_content())).text
    assert "There is no last blessed model" in text
    assert "ML Metadata was not read" in text


def test_a_run_stopped_by_anomalies() -> None:
    anomaly = Anomaly(
        ("train", "eval"), "average_rating", f"values above 10 {HTML_TITLE}", "Correct them"
    )
    text = page.render_anomalies(
        "movie_genres",
        datetime(2026, 3, 1, tzinfo=UTC),
        [anomaly],
        [NodeResult("StatisticsGen", "done", 3.25), NodeResult("AnomalyGate", "failed", 0.5)],
        {"movies": 12, "titles": 14, "plots": {"joined by id": 13}},
    )
    reader = Reader(text)
    assert "joined by id\n13" in reader.text
    assert "Stopped: the data have anomalies\naverage_rating: values above 10" in reader.text
    assert "train, eval\naverage_rating" in reader.text
    assert "12 movies from 14 titles." in reader.text
    assert "StatisticsGen\ndone\n3.2 s\nAnomalyGate\nfailed\n0.5 s" in reader.text
    assert reader.loaded == []
    assert "script" not in reader.opened
    assert len(text) < 20_000


def test_a_run_with_a_failed_node() -> None:
    text = page.render_failure(
        "movie_genres",
        datetime(2026, 3, 1, tzinfo=UTC),
        [f"MemoryError: {HTML_TITLE}"],
        [NodeResult("Transform", "cached", 0.25), NodeResult("Trainer", "failed", 0.5)],
        {"movies": 12, "titles": 14},
    )
    reader = Reader(text)
    assert "Failed: Trainer ended with an error\nMemoryError: " in reader.text
    assert "12 movies from 14 titles." in reader.text
    assert "Transform\ncached\n0.2 s\nTrainer\nfailed\n0.5 s" in reader.text
    assert reader.loaded == []


def test_a_model_whose_run_failed() -> None:
    failed = replace(
        make_two_genre_content(), push=PushResult(reasons=("no space left",), failed_node="Pusher")
    )
    text = Reader(page.render_report(failed)).text
    assert "Failed: Pusher ended with an error\nno space left\nSummary" in text


def test_predicted_positives_narrow_the_interval_of_a_zero_f1() -> None:
    content = make_two_genre_content()
    rows = (
        replace(
            content.verdict.genres[0],
            true_positives=0,
            predicted_positives=40,
            f1=0.0,
            precision=0.0,
            recall=0.0,
        ),
    )
    missed = replace(content.verdict, genres=(*rows, *content.verdict.genres[1:]))
    # Wilson's interval of J, 0 successes in 50 trials, ends at z²/(50 + z²) = .0713.
    assert rows[0].interval == pytest.approx((0.0, 0.1332), abs=1e-4)
    text = Reader(page.render_report(replace(content, verdict=missed))).text
    assert "Action\npass\n10\n0.000\n0.00–0.13\n" in text


@pytest.mark.parametrize(
    ("hparams", "encoders", "sentence_encoder"),
    [
        (
            {"word_encoder": "none", "sentence_encoder": "minilm"},
            "word encoder none, sentence encoder minilm",
            "MiniLM",
        ),
        ({"text_encoder": "cnn_rnn_mpnet"}, "text encoder cnn_rnn_mpnet", "the sentence encoder"),
    ],
)
def test_encoders_of_the_training_record(
    hparams: dict[str, str], encoders: str, sentence_encoder: str
) -> None:
    training = replace(make_report_content().training, hparams=hparams)
    assert (training.encoders, training.sentence_encoder) == (encoders, sentence_encoder)
