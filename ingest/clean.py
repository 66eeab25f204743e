"""Making text clean: Unicode, white space, marks of the web page it came from."""

import html
import re
import unicodedata
from typing import Final

_UNSEEN: Final = re.compile("[\u00ad\u200b\u2060\ufeff]|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
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
_TAIL: Final = 80
"""Characters at the end in which a cut-off marker is looked for."""

_SIGNED: Final = re.compile(
    r"""(?<=[.!?…"”')])
    (?:
        (?:\s+(?:[—–]|-{1,3})|—|--)\s*(?:[A-Z@][\w.'@&-]*(?:\s[A-Z\d@&][\w.'@&-]*){0,5}|[\w.'-]+@[\w.'-]+)
        | \s*(?:—|--\s?)[\w.'@-]+
        | \s+Written\s+by:?\s+[A-Z@][\w.'@&-]*(?:\s(?:and|&|[A-Z\d@][\w.'@&-]*)){0,6}
    )\s*\Z""",
    re.VERBOSE,
)
_NO_WORD: Final = re.compile(r"[\W_]+")


def tidy(text: str) -> str:
    r"""NFC, unseen characters gone, each run of white space one space, none at the ends.

    >>> tidy("  two\t words\u200b ")
    'two words'
    """
    return " ".join(_UNSEEN.sub("", unicodedata.normalize("NFC", text)).split())


def clean_plot(text: str) -> str:
    """The story alone, as one line: no HTML, placeholder, cut-off marker or signature.

    It is empty if no letter is left.

    >>> clean_plot("<p>A ship sinks.[2]</p> Written by Anonymous")
    'A ship sinks.'
    """
    text = _TAGS.sub(" ", html.unescape(text))
    text = tidy(_FOOTNOTES.sub("", _TEMPLATES.sub(" ", text)))
    text = text[:-_TAIL] + _CUT_OFF.sub("", text[-_TAIL:])
    if _PLACEHOLDER.fullmatch(text):
        return ""
    text = _SIGNED.sub("", text)
    return text if any(map(str.isalpha, text)) else ""


def words(text: str) -> str:
    """The words alone, for comparison: case and accents folded, one space between them.

    >>> words("Amélie -- of Montmartre!")
    'amelie of montmartre'
    """
    folded = text.casefold()
    if not folded.isascii():
        parts = unicodedata.normalize("NFKD", folded)
        folded = "".join(part for part in parts if not unicodedata.combining(part))
    return _NO_WORD.sub(" ", folded).strip()
