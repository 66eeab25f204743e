"""Cleaning in plain Python; `tests/transform/test_text.py` compares it with the graph's."""

import time
import unicodedata

import pytest

from schema.text import clean_plot, clean_text, csv_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\r\n two\tthree\u2028four", "one  two three four"),
        ("bell\x07 and null\x00", "bell and null"),
        (" two\u00a0 words\u200b &amp; cafe\u0301\n", "two\u00a0 words\u200b &amp; cafe\u0301"),
    ],
)
def test_csv_text_changes_only_what_a_line_cannot_carry(text, expected):
    assert csv_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  one\t two\r\n three\u00a0four\u2003", "one two three four"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"),
        ("tie\u0302\u0301ng vie\u0323\u0302t, vi\u00ea\u0323t", "ti\u1ebfng vi\u1ec7t, vi\u1ec7t"),
        ("zero\u200bwidth soft\u00adhyphen \ufeffmark", "zerowidth softhyphen mark"),
        ("bell\x07 and null\x00", "bell and null"),
        ("jo\u200din", "join"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Bonnie&nbsp;&amp; Clyde", "Bonnie & Clyde"),
        ("5 &amp;lt; 6 &#38;amp; 7", "5 < 6 & 7"),
        ("it&#146;s a caf&#xE9; &#x110000;", "it’s a café \ufffd"),
        ("R&D &unknown; &#; &copy", "R&D &unknown; &#; &copy"),
        ("Add a Plot", "Add a Plot"),
        ("", ""),
    ],
)
def test_clean_text(text, expected):
    assert clean_text(text) == expected


@pytest.mark.parametrize(
    "block", [range(0xC0, 0x530), range(0x1E00, 0x2000), range(0x3040, 0x3100)]
)
def test_letters_with_marks_are_composed_as_in_nfc(block):
    # U+0344 is a mark on its own, and U+034F is invisible.
    letters = [chr(code) for code in block if code not in (0x344, 0x34F)]
    decomposed = "-".join(unicodedata.normalize("NFD", letter) for letter in letters)
    assert clean_text(decomposed) == unicodedata.normalize("NFC", decomposed)


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
        ("\\N", ""),
        ("(To be announced)", ""),
        ("Synopsis not available.", ""),
        ("It looks like we don't have a synopsis for this title yet.", ""),
        ("Unknown to her, the well is dry.", "Unknown to her, the well is dry."),
        ("&lt;p&gt;Two &amp;amp;amp; three&#8230;&lt;/p&gt;", "Two & three…"),
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
        ("He goes home. — Or Die", "He goes home. — Or Die"),
        ("He goes home. -- never again.", "He goes home. -- never again."),
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
    "part",
    ["'--", "&", "&#", "<b ", "{{", ".", "…", ". — A", "e\u0301", "[1", "-", "\u00a0 ", "or "],
)
def test_the_time_grows_with_the_length_only(part):
    started = time.process_time()
    clean_plot(part * (300_000 // len(part)) + "end")
    assert time.process_time() - started < 1
