import pytest

from ingest.clean import normalized_words, plot_words


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


def test_plots_are_compared_after_cleaning():
    assert plot_words("<i>He&nbsp;goes</i> home. — Ola Norman") == "he goes home"
    assert plot_words("No plot available.") == ""
