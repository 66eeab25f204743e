import pytest

from ingest.clean import clean_plot, normalize, normalized_words, plot_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Café—at Noon!", "the cafe at noon"),
        ("STRASSE / Straße_2", "strasse strasse 2"),
        ("七人の侍", "七人の侍"),
        ("?!…", ""),
        ("दिन", "दिन"),
        ("दीन_दान!", "दीन दान"),
        ("Ёлки Ἀθῆναι İzmir", "елки αθηναι izmir"),
        ("ガラス からす", "ガラス からす"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("Bonnie &amp; Clyde\u200b", "bonnie clyde"),
    ],
)
def test_normalized_words(text, expected):
    assert normalized_words(text) == expected


def test_the_csv_file_carries_texts_as_they_are():
    title, plot = " Cafe\u0301\u00a0&amp;\r\nbar\x07", "<i>He goes.</i>\n— Ola Norman"
    assert normalize(title) == "Cafe\u0301\u00a0&amp; bar"
    assert clean_plot(plot) == "<i>He goes.</i> — Ola Norman"
    assert clean_plot("<b>No&nbsp;plot available</b>.") == ""


def test_plots_are_compared_after_cleaning():
    assert plot_words("<i>He&nbsp;goes</i> home. — Ola Norman") == "he goes home"
    assert plot_words("No plot available.") == ""
