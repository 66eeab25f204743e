"""Languages of plots."""

import pytest
import tensorflow as tf

from transform import text
from transform.language import Language, language


def find_language(plot: str) -> str:
    """Return the language of a plot by the functions that Transform calls."""
    clean = text.clean_plot(text.clean_text(tf.constant([plot]), 20_000))
    [found] = language(text.tokenize(clean)).numpy()
    return str(found.decode())


@pytest.mark.parametrize(
    ("plot", "expected"),
    [
        ("Two brothers meet at <b>the</b> fair.", Language.ENGLISH),
        ("Brothers meet again", Language.ENGLISH),
        ("Two brothers meet in La Paz, Los Angeles and Las Vegas.", Language.ENGLISH),
        ("Dos hermanos se encuentran en la feria.", Language.OTHER_LATIN),
        ("Dwaj bracia spotykają się na jarmarku.", Language.OTHER_LATIN),
        ("Terzi belediye başkanı için bir palto diker.", Language.OTHER_LATIN),
        ("Jahitan " * 20, Language.OTHER_LATIN),
        ("Jahitan " * 19, Language.ENGLISH),
        ("Два брата встречаются на ярмарке, в городе X.", Language.CYRILLIC),
        ("दो भाई मेले में मिलते हैं।", Language.OTHER_SCRIPT),
        ("兩兄弟在市集相遇 (Fair)", Language.OTHER_SCRIPT),
        ("The Coat: 裁縫師傅為市長縫製最後一件外套", Language.OTHER_SCRIPT),
        ("Ο ράφτης ράβει ένα παλτό.", Language.OTHER_SCRIPT),
        ("the " * 100 + "и " * 1000, Language.ENGLISH),
        ("12 + 7", Language.NONE),
        ("No overview found.", Language.NONE),
        ("", Language.NONE),
    ],
)
def test_language(plot: str, expected: Language) -> None:
    assert find_language(plot) == expected
