"""The words of a text and the text without some of them, for explanations by occlusion.

Occlusion leaves out one part of a movie and asks the model again. A change of punctuation, which
means nothing, changes the answer as well: the largest such change is the noise of an explanation.
The report and the web page both explain predictions with these functions.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from schema.function_words import is_function_word
from schema.text_rules import COMBINING_MARKS

Span = tuple[int, int]
"""Start and end of a word in its text, in Unicode code points; the end is exclusive."""

_CHARACTERS: Final = rf"(?:(?!_)[\w{COMBINING_MARKS}])+"
_WORD: Final = re.compile(f"{_CHARACTERS}(?:['’`´]{_CHARACTERS})*")
"""Letters, their marks and digits. An apostrophe between letters belongs to the word."""


_CLOSING_PUNCTUATION: Final = re.compile(r"[\s.!?…]*\Z")


class TextPart(NamedTuple):
    """A part of a text that is left out: one word, or all function words together.

    Attributes:
        words: Words in lower case.
        spans: Their spans in ascending order.
        is_group: Whether these are the function words.
    """

    words: tuple[str, ...]
    spans: list[Span]
    is_group: bool


def text_parts(text: str, max_words: int) -> Iterator[TextPart]:
    """Iterate over the parts of a text that are left out: its function words, then each other word.

    A text of one word has no parts, and one of function words only has each of them.

    >>> [part.words for part in text_parts("The sheriff of the town", 80)]
    [('the', 'of'), ('sheriff',), ('town',)]

    Args:
        text: Text of any length.
        max_words: Largest number of words that are parts of their own, from the beginning.
    """
    words = word_spans(text)
    if len(words) < 2:
        return
    content = [word for word in words if not is_function_word(word)] or list(words)
    others = tuple(word for word in words if word not in content)
    if others:
        yield TextPart(others, sorted(span for word in others for span in words[word]), True)
    for word in content[:max_words]:
        yield TextPart((word,), words[word], False)


def punctuation_variants(text: str) -> list[str]:
    """Return a text with another end, in quotes and in brackets.

    >>> punctuation_variants("A ship sinks.")
    ['A ship sinks', '"A ship sinks."', '(A ship sinks.)']
    """
    open_end = _CLOSING_PUNCTUATION.sub("", text)
    other_end = f"{text}." if open_end in ("", text) else open_end
    return [other_end, f'"{text}"', f"({text})"]


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
