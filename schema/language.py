"""The language of a text, as far as scripts and frequent words tell it.

The data are shared by the plain form below and by `transform.text.language` in the model's graph.
"""

import itertools
import re
from enum import StrEnum
from functools import cache
from typing import Final

from schema.text import clean_plot
from schema.text_rules import COMBINING_MARKS


class Language(StrEnum):
    """Groups of languages."""

    ENGLISH = "English"
    OTHER_LATIN = "other Latin"
    CYRILLIC = "Cyrillic"
    OTHER_SCRIPT = "other script"
    NONE = "none"
    """No letters."""


UNFAMILIAR_WARNING: Final = (
    "The plot is not in English. The model has learned from English plots, so its genres are less "
    "reliable."
)

_SCRIPTS: Final = (Language.OTHER_LATIN, Language.CYRILLIC, Language.OTHER_SCRIPT)

MAX_WORDS: Final = 100
"""Number of words at the start of a text that are looked at."""

LATIN: Final = "a-z\u00aa\u00ba\u00df-\u02b8\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\ufb00-\ufb06"
CYRILLIC: Final = "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f"
"""Insides of character classes of lower-case letters."""

ENGLISH_WORDS: Final = (
    "about|after|an|and|are|as|at|be|been|before|but|by|for|from|had|has|have|he|her|him|his|how"
    "|in|into|is|it|its|of|off|she|that|the|their|them|they|this|through|to|was|were|what|when|where"
    "|which|while|who|whose|will|with"
)
"""Pattern of frequent English words."""

OTHER_LATIN_WORDS: Final = (
    "aber|ale|alla|als|ang|au|aux|av|avec|az|bir|ca|como|con|cu|da|dan|dans|das|de|degli|dei|del"
    "|della|dem|den|dengan|der|des|det|di|die|din|do|dos|du|e|een|egy|ei|ein|eine|einem|einen|einer"
    "|el|elle|en|er|est|et|ett|för|gli|han|het|hij|hogy|hän|ihr|il|ile|için|ist|ja|je|jego|jest|joka"
    "|la|las|le|les|lo|los|mit|mga|nel|nella|nem|ng|nicht|nie|não|och|og|olan|om|op|os|par|per|pe|pero|pour|på"
    "|que|qui|sa|se|sich|się|sin|som|son|su|sua|suo|sur|til|tot|um|uma|un|una|und|une|untuk|van|ve|voor"
    "|von|với|và|w|wird|y|yang|z|za|ze|zijn|zu|à|é|és|în|của|một|các|că|și|že"
)
"""Pattern of frequent words of other languages in Latin script."""

ENGLISH_WEIGHT: Final = 2
"""Number of frequent words of other languages that one English word outweighs.

Names of people and places bring such words into English plots.
"""

LONG_TEXT_WORDS: Final = 20
"""Number of words from which a text without any frequent English word is not English."""

_WORD: Final = re.compile(rf"(?:(?!_)[\w{COMBINING_MARKS}])+")
_ASCII_WORD: Final = re.compile("[0-9a-z]+")
"""The words of lower-case ASCII text, found in a third of the time."""

_ENGLISH: Final = frozenset(ENGLISH_WORDS.split("|"))
_OTHER_LATIN: Final = frozenset(OTHER_LATIN_WORDS.split("|"))


def language(plot: str) -> Language:
    """Return the language of a plot.

    >>> language("Un soldat rentre de la guerre et retrouve sa maison.").value
    'other Latin'
    """
    text = re.sub("['’`´]", "", clean_plot(plot).lower())
    matches = (_ASCII_WORD if text.isascii() else _WORD).finditer(text)
    by_script: dict[Language, list[str]] = {}
    for match in itertools.islice(matches, MAX_WORDS):
        by_script.setdefault(_script(match[0][0]), []).append(match[0])
    by_script.pop(Language.NONE, None)
    if not by_script:
        return Language.NONE
    script = max(_SCRIPTS, key=lambda script: sum(map(len, by_script.get(script, ()))))
    latin = by_script.get(Language.OTHER_LATIN, [])
    english = sum(map(_ENGLISH.__contains__, latin))
    other = sum(map(_OTHER_LATIN.__contains__, latin))
    is_long = len(latin) >= LONG_TEXT_WORDS
    is_english = ENGLISH_WEIGHT * english >= other and (english > 0 or not is_long)
    return Language.ENGLISH if script is Language.OTHER_LATIN and is_english else script


def is_unfamiliar(plot: str) -> bool:
    """Return whether the beginning of a plot is in a language that the model has hardly seen.

    The model has learned from English plots.
    """
    return language(plot[: 20 * MAX_WORDS]) not in (Language.ENGLISH, Language.NONE)


@cache
def _script(letter: str) -> Language:
    """Return the group of a word's first letter, `NONE` for digits; `OTHER_LATIN` for all Latin."""
    if re.match(f"[{LATIN}]", letter):
        return Language.OTHER_LATIN
    if re.match(f"[{CYRILLIC}]", letter):
        return Language.CYRILLIC
    return Language.OTHER_SCRIPT if letter.isalpha() else Language.NONE
