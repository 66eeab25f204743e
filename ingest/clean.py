"""Clean text: Unicode, whitespace and remnants of web pages."""

import html
import re
import unicodedata
from typing import Final

_INVISIBLE: Final = re.compile("[\u00ad\u200b\u2060\ufeff]|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_TAGS: Final = re.compile(
    r"</?(?:a|b|blockquote|br|div|em|font|h[1-6]|hr|i|li|ol|p|small|span|strong|sub|sup|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_TEMPLATES: Final = re.compile(r"\{\{[^{}]*\}\}")
_FOOTNOTES: Final = re.compile(r"\s?\[(?:\d{1,3}|citation needed)\]", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(
    r"""(?:
        add\ a\ plot | n/?a | none | null | nan | \\n | tba | to\ be\ announced
        | (?:no|unknown)\ (?:plot|overview|description|synopsis|summary)
          (?:\ (?:yet|found|available|known|outline))*
        | (?:the\ )?plot\ (?:is\ |details\ (?:are\ )?)?(?:kept\ |currently\ )*
          (?:unknown|unavailable|under\ wraps|not\ available)
    )\W*""",
    re.IGNORECASE | re.VERBOSE,
)
_CUT_OFF: Final = re.compile(
    r"""(?:
        (?:\s*(?:\.{2,}|…))*\s*\bsee\ full\ (?:summary|synopsis|plot)
        | \s*(?:\.{3}|…)\s*(?:read\ (?:all|more)|see\ more)
        | \s*add\ a\ plot
    )[\s»>.]*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_CUT_OFF_CHARACTERS: Final = 80
"""Number of characters at the end of a plot in which a cut-off marker is searched."""

_SIGNATURE: Final = re.compile(
    r"""(?<=[.!?…"”')])
    (?:
        (?:\s+(?:[—–]|-{1,3})|—|--)\s*(?:[A-Z@][\w.'@&-]*(?:\s[A-Z\d@&][\w.'@&-]*){0,5}|[\w.'-]+@[\w.'-]+)
        | \s*(?:—|--\s?)[\w.'@-]+
        | \s+Written\s+by:?\s+[A-Z@][\w.'@&-]*(?:\s(?:and|&|[A-Z\d@][\w.'@&-]*)){0,6}
    )\s*\Z""",
    re.VERBOSE,
)
_NON_WORD: Final = re.compile(r"[\W_]+")


def normalize(text: str) -> str:
    r"""Convert text to Unicode NFC, remove invisible characters and collapse whitespace.

    >>> normalize("  two\t words\u200b ")
    'two words'
    """
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def clean_plot(text: str) -> str:
    """Return a plot as one line, without HTML, wiki markup, cut-off marker and signature.

    The result is empty for a placeholder such as "Add a Plot" and for text without letters.

    >>> clean_plot("<p>A ship sinks.[2]</p> Written by Anonymous")
    'A ship sinks.'
    """
    text = _TAGS.sub(" ", html.unescape(text))
    text = normalize(_FOOTNOTES.sub("", _TEMPLATES.sub(" ", text)))
    text = text[:-_CUT_OFF_CHARACTERS] + _CUT_OFF.sub("", text[-_CUT_OFF_CHARACTERS:])
    if _PLACEHOLDER.fullmatch(text):
        return ""
    text = _SIGNATURE.sub("", text)
    return text if any(map(str.isalpha, text)) else ""


def normalized_words(text: str) -> str:
    """Return the words of a text for comparisons: lower case, no accents, no punctuation.

    >>> normalized_words("Amélie -- of Montmartre!")
    'amelie of montmartre'
    """
    folded = text.casefold()
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        folded = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _NON_WORD.sub(" ", folded).strip()
