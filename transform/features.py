"""Names of the transformed features, and the settings that determine their sizes."""

from typing import Final

from schema import features as raw
from schema.config import Config, PositiveInt

PLOT_WORDS: Final = "plot_words"
"""Vocabulary ids of the plot's first `max_plot_words` words, in reading order; int64, varying
length."""

PLOT_TEXT: Final = "plot_text"
TITLE_TEXT: Final = "title_text"
TEXT_FEATURES: Final = (PLOT_TEXT, TITLE_TEXT)
"""Text of plot and title as valid UTF-8, for encoders with their own tokenizer; string [N]."""

PLOT_NGRAMS: Final = "plot_ngrams"
"""Hashes of the plot's distinct words and pairs of neighbouring words; int64, varying length."""

TITLE_WORDS: Final = "title_words"
"""Hashes of the title's distinct words; int64, varying length."""

PEOPLE_IDS: Final[dict[str, str]] = {name: f"{name}_ids" for name in raw.PEOPLE}
"""Names of the features with the hashes of people's names, by raw people feature. The hashes are in
billing order; int64, varying length."""

HASHED_FEATURES: Final[tuple[str, ...]] = (PLOT_NGRAMS, TITLE_WORDS, *PEOPLE_IDS.values())
"""Features that are lists of hashes. Transform needs no analysis of the data for them, because the
trainer selects the hashes that it uses."""

ID_FEATURES: Final[tuple[str, ...]] = (PLOT_WORDS, *HASHED_FEATURES)
"""All features that are lists of ids."""

NUM_HASHES: Final = 2**31 - 2
"""Number of hash values; each hash plus one fits in int32. Among two million n-grams, about a
thousand share their hash with another one."""

SPLIT_GROUP: Final = "split_group"
"""Hash of the movie's split key; int64 [N]. Related movies, such as sequels, have the same hash.
Only training reads this feature."""

NUMBERS: Final = "numbers"
"""Numbers scaled to mean 0 and variance 1, 0 where missing; float32 [4]. Of votes, the logarithm is
scaled."""

NUMBERS_MISSING: Final = "numbers_missing"
"""1.0 where the number at the same position of `NUMBERS` is missing, else 0.0; float32 [4]."""

LABEL: Final = "genres_multi_hot"
"""1.0 for each genre of the movie, in the order of the run's genres; float32 [genres]."""

DECADE: Final = "decade"
PLOT_LENGTH: Final = "plot_length"
METADATA: Final = "metadata"

SLICE_KEYS: Final[tuple[str, ...]] = (DECADE, PLOT_LENGTH, METADATA)
"""Features by which the evaluation is sliced; one string per movie, such as `1990s`, `short` or
`no credits`."""

NUM_OOV_BUCKETS: Final = 1
"""Number of ids after the last one of a vocabulary, for words that are not in the vocabulary."""


class TransformConfig(Config):
    """Sizes of the vocabulary and of the features.

    Attributes:
        max_plot_words: Number of words of a plot that the word encoder reads.
        max_plot_characters: Number of characters that are read of a text, which limits the cost of
            a request.
        max_cast: Number of cast members that are read, in billing order.
        max_words: Size of the plot vocabulary, which contains the most frequent words.
        min_word_count: Number of occurrences that a word needs to enter the vocabulary.
    """

    max_plot_words: PositiveInt = 64
    max_plot_characters: PositiveInt = 20_000
    max_cast: PositiveInt = 12
    max_words: PositiveInt = 30_000
    min_word_count: PositiveInt = 3
