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

from schema.function_words import FUNCTION_WORDS
from transform import minilm

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
