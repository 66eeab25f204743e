"""The model card, in the form of Mitchell et al. 2019 (arXiv:1810.03993)."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from report.facts import Facts
from report.markup import Html, bullets, joined, tag
from schema import features as raw
from schema.genres import GENRES


def render(facts: Facts) -> Html:
    """The nine parts of a model card, with the figures of this model in them."""
    parts: Mapping[str, list[str]] = {
        "Model details": _details(facts),
        "Intended use": _USE,
        "Factors": _FACTORS,
        "Metrics": _METRICS,
        "Evaluation data": _evaluation(facts),
        "Training data": _training(facts),
        "Quantitative analyses": _analyses(facts),
        "Ethical considerations": _ETHICS,
        "Caveats and recommendations": _caveats(facts),
    }
    return joined(
        [
            tag(
                "p",
                "In the form of Mitchell et al., Model Cards for Model Reporting, 2019.",
                class_="soft",
            ),
            *(joined([tag("h3", name), bullets(lines)]) for name, lines in parts.items()),
        ]
    )


def _details(facts: Facts) -> list[str]:
    made = f", trained {facts.recipe.made:%Y-%m-%d}" if facts.recipe else ""
    versions = ", ".join(f"{name} {version}" for name, version in facts.training.versions.items())
    return [
        f"{facts.name}"
        + (f", version {facts.outcome.version}" if facts.outcome.version else ", not pushed")
        + f"{made}; SHA-256 {facts.fingerprint}.",
        f"A multi-label classifier of films into {len(GENRES)} genres: {', '.join(GENRES)}.",
        "A deep network stacked with boosted trees, with "
        f"{facts.training.parameters:,} parameters in all; word encoder "
        f"{facts.training.hparams.get('word_encoder')}, sentence encoder "
        f"{facts.training.hparams.get('sentence_encoder')}.",
        "Probabilities are calibrated by genre, and decided by one threshold a genre, for each "
        "pattern of known fields.",
        f"Made with {versions}. Licence of the code: Apache 2.0.",
    ]


_USE: Final[list[str]] = [
    "Meant for genres of feature films in a catalogue, to fill gaps and to find entries to look at "
    f"again. It reads {', '.join(raw.MODEL_INPUTS).replace('_', ' ')}; any of these may be "
    "unknown.",
    "Meant for people who run a catalogue, and who can look at what it is unsure of.",
    "Not meant for series, short films or adult films, for plots in other languages than those it "
    "was trained on, or for any judgement about people.",
]

_FACTORS: Final[list[str]] = [
    "Figures differ by genre, decade, length of the plot and by which fields are known: each is a "
    "slice of the evaluation.",
    "Language and country of a film are not in the data and were not looked at.",
]

_METRICS: Final[list[str]] = [
    "F1 by genre at the model's own thresholds, their mean over the genres (macro-F1), micro and "
    "samples F1, subset and Hamming accuracy, and the area under the precision-recall curve.",
    "Intervals of 95%: Wilson's, of the Jaccard index and turned into F1 for F1, of a share for "
    "calibration.",
    "A genre with few test films is not judged by the gate; its figures are mostly chance.",
]


def _evaluation(facts: Facts) -> list[str]:
    few = [
        f"{row.genre} ({row.support})"
        for row in facts.verdict.genres
        if row.judgement == "not judged"
    ]
    return [
        f"{facts.verdict.examples:,} films of the split test, which neither training nor the "
        "choice of thresholds has seen. Remakes, sequels and films that share a plot text are in "
        "one split.",
        f"Not judged, for too few films: {', '.join(few) or 'none'}.",
    ]


def _training(facts: Facts) -> list[str]:
    films = facts.data.films
    counts = ", ".join(f"{count:,} {split}" for split, count in films.items())
    lines = [f"IMDb's titles, ratings and credits joined with plots: {counts}."]
    if "train" in facts.data.genres and films.get("train"):
        shares = np.asarray(facts.data.genres["train"]) / films["train"]
        most, least = int(shares.argmax()), int(shares.argmin())
        lines.append(
            f"Genres are uneven: {GENRES[most]} has {shares[most]:.0%} of the training films, "
            f"{GENRES[least]} {shares[least]:.1%}."
        )
    return [*lines, f"Fingerprint of the files: {facts.data.fingerprint or 'not known'}."]


def _analyses(facts: Facts) -> list[str]:
    verdict = facts.verdict
    rivals = {
        "the last blessed model": verdict.last_blessed_macro_f1,
        "the simple baseline": verdict.simple_baseline_macro_f1,
    }
    beside = ", ".join(f"{name} {value:.3f}" for name, value in rivals.items() if value is not None)
    lines = [f"Macro-F1 {verdict.macro_f1:.3f}" + (f" ({beside})." if beside else ".")]
    measured = [row for row in verdict.genres if row.support]
    if measured:
        best, worst = (pick(measured, key=lambda row: row.f1) for pick in (max, min))
        lines.append(
            f"From {worst.f1:.3f} for {worst.genre} ({worst.support:,} films) to {best.f1:.3f} for "
            f"{best.genre} ({best.support:,} films)."
        )
    return [*lines, "By genre, slice and threshold: in the sections above."]


_ETHICS: Final[list[str]] = [
    "People count: directors, writers and cast are evidence for genres. Someone who is known for "
    "one genre pulls the next film towards it.",
    "Labels are those of IMDb's contributors, with their habits: what is called Drama, say, "
    "changes from decade to decade and from country to country.",
    "Facts from IMDb are under IMDb's terms: personal and non-commercial use.",
]


def _caveats(facts: Facts) -> list[str]:
    count = facts.verdict.examples
    lines = [
        "Sparse films are harder: see the slices by what is known.",
        "A prediction always names at least one genre, also for a text that is no plot.",
        "Look at the labels in doubt before you trust the figures: some of them are mistakes of "
        "the data.",
    ]
    if count < 1000:
        lines.insert(
            0,
            f"{count:,} test films are few: the figures show that the pipeline works, not how good "
            "the model is.",
        )
    return lines
