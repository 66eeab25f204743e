"""Languages; `tests/transform/test_text.py` compares them with those of the graph."""

import time

import pytest

from schema.language import Language, is_unfamiliar, language


@pytest.mark.parametrize(
    ("plot", "expected"),
    [
        ("Two brothers meet at <b>the</b> fair.", Language.ENGLISH),
        ("Brothers meet again", Language.ENGLISH),
        ("Two brothers meet in La Paz, Los Angeles and Las Vegas.", Language.ENGLISH),
        ("Dos hermanos se encuentran en la feria.", Language.OTHER_LATIN),
        ("Dwaj bracia spotykają się na jarmarku.", Language.OTHER_LATIN),
        ("Два брата встречаются на ярмарке, в городе X.", Language.CYRILLIC),
        ("दो भाई मेले में मिलते हैं।", Language.OTHER_SCRIPT),
        ("兩兄弟在市集相遇 (Fair)", Language.OTHER_SCRIPT),
        ("12 + 7", Language.NONE),
        ("No overview found.", Language.NONE),
    ],
)
def test_language(plot: str, expected: Language) -> None:
    assert language(plot) is expected
    assert is_unfamiliar(plot) is (expected not in (Language.ENGLISH, Language.NONE))


def test_a_long_plot_takes_no_time() -> None:
    plot = "Der Bruder sucht das Haus. " * 400_000
    started = time.process_time()
    assert is_unfamiliar(plot)
    assert time.process_time() - started < 0.1
