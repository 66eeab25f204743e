"""The words of a text and the text without one of them, for explanations by occlusion.

Occlusion leaves out one part of a movie and asks the model again. The report and the web page both
explain predictions this way, and both find the words with these functions.
"""

import re
from collections.abc import Iterable
from typing import Final

from schema.text_rules import COMBINING_MARKS

Span = tuple[int, int]
"""Start and end of a word in its text, in Unicode code points; the end is exclusive."""

_CHARACTERS: Final = rf"(?:(?!_)[\w{COMBINING_MARKS}])+"
_WORD: Final = re.compile(f"{_CHARACTERS}(?:['’`´]{_CHARACTERS})*")
"""Letters, their marks and digits. An apostrophe between letters belongs to the word."""


def word_spans(text: str) -> dict[str, list[Span]]:
    """Return the spans of each distinct word of a text.

    >>> word_spans("War, warlord: WAR")
    {'war': [(0, 3), (14, 17)], 'warlord': [(5, 12)]}

    Args:
        text: Text of any length.

    Returns:
        Spans in ascending order by the word in lower case. The words are ordered by their first
        occurrence.
    """
    spans: dict[str, list[Span]] = {}
    for word in _WORD.finditer(text):
        spans.setdefault(word[0].lower(), []).append(word.span())
    return spans


def without_spans(text: str, spans: Iterable[Span]) -> str:
    """Return a text without the characters of some spans.

    >>> without_spans("War, warlord: WAR", [(0, 3), (14, 17)])
    ', warlord: '

    Args:
        text: Text of any length.
        spans: Spans of the text in ascending order that do not overlap.
    """
    kept, end = [], 0
    for start, next_end in spans:
        kept.append(text[end:start])
        end = next_end
    return "".join([*kept, text[end:]])
