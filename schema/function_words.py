"""English function words: words that hold a sentence together but say little about its genre.

The upper layers of the sentence encoder do not read them, and explanations leave them out together.
"""

import re
from typing import Final

_WORDS: Final = (
    # Articles, conjunctions and prepositions
    "a an the and or but nor so yet of in on at by for from to into onto upon with without within "
    "about above across after against along among around as before behind below beneath beside "
    "between beyond during except inside near off out outside over past since through throughout "
    "till toward towards under until up via while when where whether than then though although "
    "because if unless here there "
    # Pronouns and determiners
    "i me my we us our you your he him his she her hers it its they them their theirs himself "
    "herself itself themselves myself yourself who whom whose which what that this these those any "
    "each every both all few more most other another some such same own one two how "
    # Auxiliaries and adverbs of degree
    "am is are was were be been being has have had having do does did doing done will would can "
    "could may might must shall should not no also just very too only however "
    # Remainders of words that are split at an apostrophe
    "s t"
)
FUNCTION_WORDS: Final = frozenset(_WORDS.split())


def is_function_word(word: str) -> bool:
    """Return whether a word in lower case, with its apostrophes, is a function word.

    >>> is_function_word("he's"), is_function_word("ship's")
    (True, False)
    """
    return all(part in FUNCTION_WORDS for part in re.split("['’`´]", word))
