"""Settings of earlier versions that have another name now, or that are gone."""

import re
from typing import Any, Final

_TEXT_ENCODER: Final = re.compile("(cnn_rnn|cnn|rnn)?_?(minilm|mpnet)?")
"""A value of `text_encoder`: one of `word_encoder`, one of `sentence_encoder`, or both."""

_NO_GAIN: Final = "is gone: measured without it, the model was no worse (docs/experiments.md)"

_CHANGES: Final = {
    "hparams.text_encoder": "is now word_encoder and sentence_encoder",
    "hparams.people_folds": "is now called hparams.folds",
    "hparams.people_prior": "is now called hparams.people_smoothing",
    "hparams.finetuning_rate": "is now called hparams.finetuning_learning_rate",
    **{
        f"hparams.{name}": _NO_GAIN
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
        f"transform.{name}": "is gone: titles, n-grams and people have no vocabulary any more"
        for name in (
            "max_ngrams",
            "max_title_words",
            "max_people",
            "min_ngram_count",
            "min_people_count",
        )
    },
    "gate.baseline_tolerance": "is now called gate.simple_baseline_tolerance",
}


def change(name: str, value: Any) -> str | None:
    """What became of a setting.

    Args:
        name: section and setting, such as `hparams.towers`.
        value: that was given.

    Returns:
        The end of a sentence that begins with the name; None for a name that never was a setting.
    """
    words = _CHANGES.get(name)
    if name == "hparams.text_encoder" and (match := _TEXT_ENCODER.fullmatch(str(value))):
        word, sentence = match.groups("none")
        words = f"{words}: write `word_encoder: {word}` and `sentence_encoder: {sentence}`"
    return words
