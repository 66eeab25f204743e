import pytest

from ingest.clean import clean_plot, normalize, normalized_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  one\t two\r\n three\u00a0four\u2003", "one two three four"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("zero\u200bwidth soft\u00adhyphen \ufeffmark", "zerowidth softhyphen mark"),
        ("bell\x07 and null\x00", "bell and null"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("", ""),
    ],
)
def test_normalize(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She <b>leaves</b>.<br/>He stays &amp; waits.", "She leaves . He stays & waits."),
        ("Weight < 3 and > 1.", "Weight < 3 and > 1."),
        ("Add a Plot", ""),
        ("Add a Plot »", ""),
        ("No overview found.", ""),
        ("Plot kept under wraps.", ""),
        ("The plot is unknown.", ""),
        ("N/A", ""),
        ("...", ""),
        ("1914 - 1918", ""),
        ("The plot to kill a king.", "The plot to kill a king."),
        ("A miner digs for water.... See full summary »", "A miner digs for water"),
        ("A miner digs for water. See full synopsis »", "A miner digs for water."),
        ("A miner digs for … Read all", "A miner digs for"),
        ("A miner digs for water... Read more", "A miner digs for water"),
        ("Children whom nobody taught to read all", "Children whom nobody taught to read all"),
        ("A miner digs for water. Add a Plot", "A miner digs for water."),
        ("He goes home. —Ola Norman", "He goes home."),
        ("He goes home.—Ola Norman", "He goes home."),
        ("He goes home. - Ola Norman 1921.", "He goes home."),
        ("He goes home. -- moviefan77", "He goes home."),
        ("He goes home! — ola@example.com", "He goes home!"),
        ("He goes home. Written by Ola Norman and Kari Berg", "He goes home."),
        ("The script was written by Ola Norman.", "The script was written by Ola Norman."),
        ("Two brothers, one horse - and no road.", "Two brothers, one horse - and no road."),
        ("The culprit is - at last - Ola Norman", "The culprit is - at last - Ola Norman"),
        ("Is there a way out for Jean-Pierre?", "Is there a way out for Jean-Pierre?"),
        ('A man they call "Robin"-Hood', 'A man they call "Robin"-Hood'),
        (
            "The king falls.[1] The queen{{citation}} reigns.[2]",
            "The king falls. The queen reigns.",
        ),
    ],
)
def test_clean_plot(text, expected):
    assert clean_plot(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Café—at Noon!", "the cafe at noon"),
        ("STRASSE / Straße_2", "strasse strasse 2"),
        ("七人の侍", "七人の侍"),
        ("?!…", ""),
    ],
)
def test_normalized_words(text, expected):
    assert normalized_words(text) == expected
