"""The transformed features: their names, and the settings that size them."""

from typing import Final

from schema import features as raw
from schema.config import Config, PositiveInt

PLOT_WORDS: Final = "plot_words"
"""Word ids of the plot in reading order, cut to `max_plot_words`; int64, varying length."""

PLOT_TEXT: Final = "plot_text"
TITLE_TEXT: Final = "title_text"
TEXTS: Final = (PLOT_TEXT, TITLE_TEXT)
"""Plot and title as they are, valid UTF-8, for encoders with words of their own; string [N]."""

PLOT_NGRAMS: Final = "plot_ngrams"
"""Hashes of the plot's distinct one- and two-word n-grams; int64, varying length."""

TITLE_WORDS: Final = "title_words"
"""Hashes of the title's distinct words; int64, varying length."""

PEOPLE_IDS: Final[dict[str, str]] = {name: f"{name}_ids" for name in raw.PEOPLE}
"""Hashes of the names in each people field, in billing order; int64, varying length."""

HASHED_FEATURES: Final[tuple[str, ...]] = (PLOT_NGRAMS, TITLE_WORDS, *PEOPLE_IDS.values())
"""Features that are lists of hashes. The trainer decides which hashes it uses, so Transform needs
no pass over the data for them."""

ID_FEATURES: Final[tuple[str, ...]] = (PLOT_WORDS, *HASHED_FEATURES)
"""Every feature that is a list of ids."""

HASHES: Final = 2**31 - 2
"""Number of hash values: int32 holds each of them plus one. Of two million n-grams about a thousand
share their hash with another one."""

SPLIT_GROUP: Final = "split_group"
"""Hash of the movie's split key. Movies that belong together, such as sequels, share it; int64 [N].
Only training reads it."""

NUMBERS: Final = "numbers"
"""The numbers scaled to mean 0 and variance 1 (log votes), 0 where missing; float32 [4]."""

NUMBERS_MISSING: Final = "numbers_missing"
"""1.0 where the number of the same position is missing; float32 [4]."""

LABEL: Final = "genres_multi_hot"
"""1.0 for each genre of the movie, in the order of `schema.genres.GENRES`; float32 [22]."""

DECADE: Final = "decade"
PLOT_LENGTH: Final = "plot_length"
METADATA: Final = "metadata"

SLICES: Final[tuple[str, ...]] = (DECADE, PLOT_LENGTH, METADATA)
"""What the evaluation is sliced by, a string a movie: such as `1990s`, `short`, `no credits`."""

OOV_BUCKETS: Final = 1
"""Ids behind each vocabulary's last, for whatever is not in it."""


class TransformConfig(Config):
    """Sizes of the vocabularies and lengths.

    Attributes:
        max_plot_words: number of a plot's words that the word encoder reads.
        max_plot_characters: number of a text's characters that are read at all, which bounds the
            cost of one request.
        max_cast: number of names of the cast that are read, in billing order.
        max_words: size of the plots' vocabulary, which has the most frequent words.
        min_word_count: number of occurrences that a word must have to be in the vocabulary.
    """

    max_plot_words: PositiveInt = 64
    max_plot_characters: PositiveInt = 20_000
    max_cast: PositiveInt = 12
    max_words: PositiveInt = 30_000
    min_word_count: PositiveInt = 3
