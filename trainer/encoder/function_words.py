"""Word pieces that hold a sentence together and say next to nothing about a genre.

They are two fifths of a plot. Once MiniLM's lower layers have read them, the words beside them
carry what they had to say, and the layers above can do without: Goyal et al. 2020
(arXiv:2001.08950) drop tokens from layer to layer by a learnt score; a fixed list costs nothing and
is the same for all movies.
"""

import re
from functools import cache
from typing import Final

import numpy as np

from transform import minilm

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
    # What an apostrophe leaves
    "s t"
)
FUNCTION_WORDS: Final = frozenset(_WORDS.split())

_PUNCTUATION: Final = re.compile(r"(##)?[^\w\[]+")


@cache
def content() -> np.ndarray:
    """Whether each of MiniLM's word pieces is neither a function word nor punctuation.

    Bool [pieces], by id. Padding, the marks of begin and end and unknown pieces count as content.
    """
    pieces = minilm.vocabulary()
    return np.array(
        [one not in FUNCTION_WORDS and not _PUNCTUATION.fullmatch(one) for one in pieces]
    )
