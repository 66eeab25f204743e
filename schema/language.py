"""The language of a text, as far as scripts and frequent words tell it.

The data are shared by the plain form below and by `transform.text.language` in the model's graph.
"""

import re
from enum import StrEnum
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
    "|la|las|le|les|lo|los|mit|mga|nel|nem|ng|nicht|nie|não|och|og|olan|om|op|os|par|pe|pero|pour|på"
    "|que|qui|sa|se|sich|się|sin|som|son|su|sua|sur|til|tot|um|uma|un|una|und|une|untuk|van|ve|voor"
    "|von|với|và|w|wird|y|yang|z|za|ze|zu|à|é|és|în|của|một|các|că|și|že"
)
"""Pattern of frequent words of other languages in Latin script."""

LONG_TEXT_WORDS: Final = 20
"""Number of words from which a text without any frequent English word is not English."""

_WORD: Final = re.compile(rf"(?:(?!_)[\w{COMBINING_MARKS}])+")


def language(text: str) -> Language:
    """Return the language of a plot.

    >>> language("Un soldat rentre de la guerre et retrouve sa maison.").value
    'other Latin'
    """
    words = _WORD.findall(re.sub("['’`´]", "", clean_plot(text).lower()))[:MAX_WORDS]
    latin = [word for word in words if re.match(f"[{LATIN}]", word)]
    cyrillic = [word for word in words if re.match(f"[{CYRILLIC}]", word)]
    letters = sum(len(word) for word in words if word[0].isalpha())
    counts = {
        Language.OTHER_LATIN: sum(map(len, latin)),
        Language.CYRILLIC: sum(map(len, cyrillic)),
    }
    counts[Language.OTHER_SCRIPT] = letters - sum(counts.values())
    if not letters:
        return Language.NONE
    script = max(counts, key=lambda group: counts[group])
    english = sum(1 for word in latin if re.fullmatch(ENGLISH_WORDS, word))
    other = sum(1 for word in latin if re.fullmatch(OTHER_LATIN_WORDS, word))
    is_english = english >= other and (english > 0 or len(latin) < LONG_TEXT_WORDS)
    is_latin = script is Language.OTHER_LATIN
    return Language.ENGLISH if is_latin and is_english else script
