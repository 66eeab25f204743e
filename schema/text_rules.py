r"""Rules that clean text, as data.

`schema.text` applies them in Python, and `transform.text` in TensorFlow.

Every pattern means the same to Python's `re` and to RE2: characters are listed, not named by
classes such as `\s`, and there is no lookaround. No pattern takes time that grows faster than the
text; those that search the end of a text only see its last `TAIL_CHARACTERS`.
"""

import html.entities
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple


class Rule(NamedTuple):
    r"""Replacement of all matches of a pattern.

    Attributes:
        pattern: Regular expression.
        replacement: Text in which `\1` stands for a group; or a table from matched text to its
            replacement, in which a match that it lacks stays as it is.
        matches_ascii: Whether ASCII text can have a match.
    """

    pattern: str
    replacement: str | Mapping[str, str]
    matches_ascii: bool = True


def _character_class(characters: Iterable[str]) -> str:
    """Return the inside of a regular expression's character class, with ranges."""
    codes = sorted(set(map(ord, characters)))
    runs = itertools.groupby(enumerate(codes), lambda pair: pair[1] - pair[0])
    bounds = [(run[0][1], run[-1][1]) for run in (list(group) for _, group in runs)]
    return "".join(
        re.escape(chr(a)) + (f"-{re.escape(chr(b))}" if b > a else "") for a, b in bounds
    )


def _any_case(pattern: str) -> str:
    """Return a pattern whose ASCII letters match in both cases; it has no letters in `[]`."""
    return re.sub("[A-Za-z]", lambda letter: f"[{letter[0].upper()}{letter[0].lower()}]", pattern)


def _compositions() -> dict[str, str]:
    """Map what Unicode writes as one character in NFC: letters with their marks in any order."""
    table = {}
    for code in (*range(0xC0, 0xAC00), *range(0xF900, 0x11A00), *range(0x2F800, 0x2FA1E)):
        character = chr(code)
        letter, *marks = list(unicodedata.normalize("NFD", character))
        composed = unicodedata.normalize("NFC", character)
        if composed != character:
            table[character] = composed
        for count in range(len(marks)):
            for order in itertools.permutations(marks):
                first = unicodedata.normalize("NFC", letter + "".join(order[:count]))
                key = first + "".join(order[count:])
                if unicodedata.normalize("NFC", key) == character:
                    table[key] = character
    return table


COMBINING_MARKS: Final = _character_class(
    character
    for character in map(chr, (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0)))
    if unicodedata.category(character).startswith("M")
)
"""Inside of a character class of all combining marks, such as the vowel signs of Indic scripts.

Python's word characters lack them, but they belong to words.
"""

COMPOSITIONS: Final = _compositions()
"""NFC of letters with combining marks, and of characters that NFC replaces.

Not in the table are the single letters of Korean syllables.
"""

_LETTERS: Final = _character_class(key[0] for key in COMPOSITIONS if len(key) > 1)
_MARKS: Final = _character_class("".join(key[1:] for key in COMPOSITIONS))
_REPLACED: Final = _character_class(key for key in COMPOSITIONS if len(key) == 1)

ENTITIES: Final[dict[str, str]] = {
    f"&{name}": text for name, text in html.entities.html5.items() if name.endswith(";")
}
"""Characters by named HTML entity."""

NUMBER_ENTITY: Final = "&#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});"

REPLACEMENT: Final = 0xFFFD
"""Code point of numeric entities that are no character."""

WINDOWS_1252: Final[tuple[int, ...]] = tuple(
    ord(bytes([byte]).decode("cp1252", "replace")) for byte in range(0x80, 0xA0)
)
"""Code points that browsers show for the numeric entities 128 to 159."""

_LINE_BREAKS: Final = "\t-\r\x85\u2028\u2029"
_CONTROLS: Final = "\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe0e\ufe0f\ufeff"
)
_SPACES: Final = f"{_LINE_BREAKS}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"

CSV_RULES: Final[tuple[Rule, ...]] = (
    Rule(f"[{_LINE_BREAKS}]+", " "),
    Rule(f"[{_CONTROLS}]", ""),
)
"""Remove what a line of a CSV file cannot carry: line breaks and control characters."""

TEXT_RULES: Final[tuple[Rule, ...]] = (
    # Text that was escaped twice.
    Rule("&(?:amp;|#0*38;|#[xX]0*26;)+", "&"),
    Rule(f"&[A-Za-z][0-9A-Za-z]{{1,31}};|{NUMBER_ENTITY}", ENTITIES),
    Rule(f"[{_CONTROLS}{_INVISIBLE}]", ""),
    # Other scripts than Latin need the joiners.
    Rule("([ -\u024f])[\u200c\u200d]+", r"\1", matches_ascii=False),
    Rule(f"[{_REPLACED}]|[{_LETTERS}][{_MARKS}]+", COMPOSITIONS, matches_ascii=False),
    # Not a pattern of one or more spaces, because most spaces need no replacement.
    Rule(f"[{_SPACES}][ {_SPACES}]*| [ {_SPACES}]+", " "),
)
"""Decode HTML entities, remove invisible characters, and write spaces and letters in one way.

The forms also decode matches of `NUMBER_ENTITY`.
"""

PLAIN: Final = "(?:[!-%'-~]+(?: [!-%'-~]+)*)?"
"""Pattern of texts that `CSV_RULES` and `TEXT_RULES` do not change."""

_TAG_NAMES: Final = (
    "a|b|blockquote|br|div|em|font|h[1-6]|hr|i|li|ol|p|small|span|strong|sub|sup|u|ul"
)
MARKUP_RULES: Final[tuple[Rule, ...]] = (
    Rule(_any_case(f"</?(?:{_TAG_NAMES})") + "(?:[ /][^<>]*)?>", " "),
    Rule(r"\{\{[^{}]*\}\}", " "),
    Rule(r" ?\[(?:[0-9]{1,3}|" + _any_case("citation needed") + r")\]", ""),
    Rule("  +", " "),
)
"""Remove tags, wiki templates and footnote marks from a text after `TEXT_RULES`."""

TAIL_CHARACTERS: Final = 120
"""Number of characters at the end of a text in which a cut-off marker or signature is searched."""

_NAME: Final = "[A-Z@\u00c0-\u00de][0-9A-Za-z_.'@&\u00c0-\u024f-]*"
_NEXT_NAME: Final = "[0-9A-Z@&\u00c0-\u00de][0-9A-Za-z_.'@&\u00c0-\u024f-]*"
_NICKNAME: Final = "[0-9A-Za-z_.'@\u00c0-\u024f-]+"
_NOT_IN_NAMES: Final = _any_case(
    "and|are|because|but|else|he|how|i|if|in|is|it|never|no|nor|not|now|or|she|so|than|that|then"
    "|they|this|to|until|unless|was|we|what|when|who|why|with|without|yet|you"
)
_SENTENCE_END: Final = "([.!?…\"”')])"
_END: Final = "\x01"
"""Keeps a text's end from being taken for a signature. No text has it after `TEXT_RULES`."""

TAIL_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        r"(?:(?:\.\.|…)[ .…]*| +|^)" + _any_case("see full (?:summary|synopsis|plot)") + "[ »>.]*$",
        "",
    ),
    Rule(r" *(?:\.\.\.|…) *" + _any_case("(?:read (?:all|more)|see more)") + "[ »>.]*$", ""),
    Rule(" *" + _any_case("add a plot") + "[ »>.]*$", ""),
    Rule(f"([—–-] ?(?:[^ ]+ ){{0,5}}(?:{_NOT_IN_NAMES})(?: [^ ]+){{0,5}}[ .!?…]*)$", rf"\1{_END}"),
    Rule(
        f"{_SENTENCE_END}(?:(?: (?:[—–]|-{{1,3}})|—|--) ?{_NAME}(?: {_NEXT_NAME}){{0,5}}"
        f"| ?(?:—|--) ?{_NICKNAME}"
        f"| Written by:? {_NAME}(?: (?:and|{_NEXT_NAME})){{0,6}})$",
        r"\1",
    ),
    Rule(_END, ""),
)
"""Remove a cut-off marker and the author's signature from the end of a text.

A signature follows a sentence. An ending with a word that no name has, as in "— Or Die", stays.
"""

_PLACEHOLDERS: Final = (
    "add a plot",
    "n/?a",
    "none|null|nan|undefined|unknown|untitled",
    r"\\n",
    "tba|tbd|coming soon|to be (?:announced|determined)",
    "(?:no|unknown) (?:plot|overview|description|synopsis|summary|storyline|information)"
    "(?: (?:yet|found|available|known|outline|summary|synopsis|provided|given))*",
    "(?:the )?(?:plot|overview|description|synopsis|summary|storyline)(?: summary)?"
    " (?:is |details (?:are )?)?(?:kept |currently |to be )*"
    "(?:unknown|unavailable|under wraps|not (?:yet )?(?:available|known|found)|announced)",
    "not available",
    "be the first (?:one )?to add a plot|know what this is about. be the first one to add a plot",
    "it looks like we don['’]t have (?:a|any) (?:plot|overview|synopsis).*",
    "we don['’]t have an overview translated in english.*",
)
PLACEHOLDER: Final = (
    "^[ \"'“(*\\[-]*(?:" + "|".join(map(_any_case, _PLACEHOLDERS)) + ")[ \"'”.,…!?»>)*\\]-]*$"
)
"""Pattern of a whole text that says that there is no plot."""
