"""Function words: word pieces that hold a sentence together but say little about its genre.

About two fifths of a plot's word pieces are function words or punctuation. After MiniLM's lower
layers, the other tokens have taken up their meaning, so the upper layers work without them. Goyal
et al. 2020 (arXiv:2001.08950) remove tokens from layer to layer by a learned score; a fixed list
needs no computation and is the same for all movies.
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
    # Remainders of words that are split at an apostrophe
    "s t"
)
FUNCTION_WORDS: Final = frozenset(_WORDS.split())

_PUNCTUATION: Final = re.compile(r"(##)?[^\w\[]+")


@cache
def content_mask() -> np.ndarray:
    """Return which of MiniLM's word pieces are content words; bool [pieces], by id.

    Everything except function words and punctuation is content, special tokens such as `[PAD]`,
    `[CLS]` and `[UNK]` included.
    """
    return np.array(
        [
            piece not in FUNCTION_WORDS and not _PUNCTUATION.fullmatch(piece)
            for piece in minilm.vocabulary()
        ]
    )
