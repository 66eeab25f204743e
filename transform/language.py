"""The language of a plot, as far as scripts and frequent words tell it."""

from enum import StrEnum
from typing import Final

import tensorflow as tf


class Language(StrEnum):
    """Groups of languages."""

    ENGLISH = "English"
    OTHER_LATIN = "other Latin"
    CYRILLIC = "Cyrillic"
    OTHER_SCRIPT = "other script"
    NONE = "none"
    """No letters."""


_MAX_WORDS: Final = 100
"""Number of words at the start of a text that are looked at."""

_LATIN: Final = "a-z\u00aa\u00ba\u00df-\u02b8\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\ufb00-\ufb06"
_CYRILLIC: Final = "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f"
"""Insides of character classes of lower-case letters."""

_ENGLISH_WORDS: Final = (
    "about|after|an|and|are|as|at|be|been|before|but|by|for|from|had|has|have|he|her|him|his|how"
    "|in|into|is|it|its|of|off|she|that|the|their|them|they|this|through|to|was|were|what|when|where"
    "|which|while|who|whose|will|with"
)
"""Pattern of frequent English words."""

_OTHER_LATIN_WORDS: Final = (
    "aber|ale|alla|als|ang|au|aux|av|avec|az|bir|ca|como|con|cu|da|dan|dans|das|de|degli|dei|del"
    "|della|dem|den|dengan|der|des|det|di|die|din|do|dos|du|e|een|egy|ei|ein|eine|einem|einen|einer"
    "|el|elle|en|er|est|et|ett|för|gli|han|het|hij|hogy|hän|ihr|il|ile|için|ist|ja|je|jego|jest|joka"
    "|la|las|le|les|lo|los|mit|mga|nel|nella|nem|ng|nicht|nie|não|och|og|olan|om|op|os|par|per|pe|pero|pour|på"
    "|que|qui|sa|se|sich|się|sin|som|son|su|sua|suo|sur|til|tot|um|uma|un|una|und|une|untuk|van|ve|voor"
    "|von|với|và|w|wird|y|yang|z|za|ze|zijn|zu|à|é|és|în|của|một|các|că|și|že"
)
"""Pattern of frequent words of other languages in Latin script."""

_ENGLISH_WEIGHT: Final = 2
"""Number of frequent words of other languages that one English word outweighs.

Names of people and places bring such words into English plots.
"""

_LONG_TEXT_WORDS: Final = 20
"""Number of words from which a text without any frequent English word is not English."""


def language(words: tf.RaggedTensor) -> tf.Tensor:
    """Return the `Language` of each plot.

    Args:
        words: string [N, (words)]. Normalized words of clean plots.

    Returns:
        string [N].

    >>> from transform.text import tokenize
    >>> language(tokenize(tf.constant(["Das Haus am See", "The house"]))).numpy()
    array([b'other Latin', b'English'], dtype=object)
    """
    words = words[:, :_MAX_WORDS]
    distinct, index = tf.unique(words.flat_values)
    num_characters = tf.strings.length(distinct, unit="UTF8_CHAR")

    def matches(pattern: str) -> tf.Tensor:
        return tf.cast(tf.strings.regex_full_match(distinct, pattern), tf.int32)

    is_latin, is_cyrillic = matches(f"[{_LATIN}].*"), matches(f"[{_CYRILLIC}].*")
    is_other_script = matches(r"\pL.*") - is_latin - is_cyrillic
    scripts = [is_latin, is_cyrillic, is_other_script]
    frequent = [matches(_ENGLISH_WORDS), matches(_OTHER_LATIN_WORDS)]
    counts = tf.stack([*(num_characters * group for group in scripts), is_latin, *frequent], axis=1)
    totals = tf.reduce_sum(words.with_flat_values(tf.gather(counts, index)), axis=1)
    characters, (num_latin, english, other) = totals[:, :3], tf.unstack(totals[:, 3:], 3, axis=1)
    names = [Language.OTHER_LATIN, Language.CYRILLIC, Language.OTHER_SCRIPT]
    script = tf.gather(names, tf.argmax(characters, axis=1))
    is_long = num_latin >= _LONG_TEXT_WORDS
    is_english = (_ENGLISH_WEIGHT * english >= other) & ((english > 0) | ~is_long)
    script = tf.where((script == Language.OTHER_LATIN) & is_english, Language.ENGLISH, script)
    return tf.where(tf.reduce_sum(characters, axis=1) > 0, script, Language.NONE)
