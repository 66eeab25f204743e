"""Settings of earlier versions that were renamed or removed."""

import re
from typing import Any, Final

_TEXT_ENCODER: Final = re.compile("(cnn_rnn|cnn|rnn)?_?(minilm|mpnet)?")
"""Pattern of the former `text_encoder`: a word encoder, a sentence encoder, or both."""

_REMOVED: Final = (
    "was removed, since it did not improve the model (docs/experiments.md). Delete it."
)

_CHANGES: Final = {
    "hparams.text_encoder": "was replaced by word_encoder and sentence_encoder",
    "hparams.people_folds": "was renamed to hparams.folds",
    "hparams.people_prior": "was renamed to hparams.people_smoothing",
    "hparams.finetuning_rate": "was renamed to hparams.finetuning_learning_rate",
    **{
        f"hparams.{name}": _REMOVED
        for name in (
            "ngram_factors",
            "title_factors",
            "people_factors",
            "towers",
            "id_dropout",
            "loss",
            "focusing",
        )
    },
    **{
        f"transform.{name}": "was removed, since only plots have a vocabulary now. Delete it."
        for name in (
            "max_ngrams",
            "max_title_words",
            "max_people",
            "min_ngram_count",
            "min_people_count",
        )
    },
    "gate.baseline_tolerance": "was renamed to gate.simple_baseline_tolerance",
}


def upgrade_hint(name: str, value: Any) -> str | None:
    """Return how to replace a setting of an earlier version.

    Args:
        name: Section and name of the setting, such as `hparams.towers`.
        value: Value that the configuration file sets.

    Returns:
        String. Text to append to the name; None if no earlier version had this setting.
    """
    hint = _CHANGES.get(name)
    if name == "hparams.text_encoder" and (match := _TEXT_ENCODER.fullmatch(str(value))):
        word, sentence = match.groups("none")
        hint = f"{hint}. Write `word_encoder: {word}` and `sentence_encoder: {sentence}`."
    return hint
