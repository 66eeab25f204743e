"""Verdict of the gate: written by the Evaluator, shown by the console and the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter


class Judgement(StrEnum):
    """Judgement of the gate on one genre."""

    PASS = "pass"
    BELOW_FLOOR = "below floor"
    WORSE = "worse than last blessed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class GenreScores:
    """Metrics of one genre on the test split, at the genre's decision threshold.

    `support` is the number of test examples that have the genre.
    """

    support: int
    f1: float
    precision: float
    recall: float
    auc_pr: float


@dataclass(frozen=True)
class GenreVerdict(GenreScores):
    """Row of the verdict: metrics of the candidate model for one genre, and the judgement.

    Attributes:
        genre: Name of the genre.
        floor: Lowest accepted F1, from 0 to 1.
        last_blessed: F1 of the last blessed model on the same examples; None without such a model,
            or if it does not have the genre.
        simple_baseline: F1 of the simple baseline; None without a baseline.
        judgement: Judgement on the genre. If a genre is below its floor and also worse than the
            last blessed model, this is `BELOW_FLOOR` and `Verdict.reasons` names both.
    """

    genre: str
    floor: float
    last_blessed: float | None
    simple_baseline: float | None
    judgement: Judgement


@dataclass(frozen=True)
class CorrectedMetrics:
    """Metrics of the candidate on all test movies, those with corrected genres included.

    Corrections that were chosen from a model's own doubts favour the model, so that the gate judges
    by the other test movies only.

    Attributes:
        movies: Number of test movies with corrected genres.
        macro_f1: Mean F1 over the genres that have a test example.
        aggregates: Other metrics over all genres, by name.
    """

    movies: int
    macro_f1: float
    aggregates: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """Decision of the gate on a candidate model, with the metrics it was based on.

    Attributes:
        blessed: Whether the candidate may be pushed.
        reasons: Sentences that say why the candidate was not blessed; empty if it was.
        notes: Sentences that name a comparison that was left out, and why.
        examples: Number of test examples, without those whose genres were corrected.
        genres: One row per genre, in the order of the model's outputs.
        macro_f1: Mean F1 over the genres that have a test example.
        last_blessed_macro_f1: Macro-F1 of the last blessed model, over the genres that both models
            have; None without such a model.
        simple_baseline_macro_f1: Macro-F1 of the simple baseline; None without a baseline.
        aggregates: Other metrics of the candidate over all genres, by name.
        ignore_blessed_model: Whether the user asked to skip the last blessed model.
        config: Settings of the section `gate` by which the candidate was judged.
        with_corrected: Metrics of the candidate with the corrected movies; None if there are none.
        model_digest: Digest of the candidate's manifest (see `schema.manifest`).
    """

    blessed: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    examples: int
    genres: tuple[GenreVerdict, ...]
    macro_f1: float
    last_blessed_macro_f1: float | None
    simple_baseline_macro_f1: float | None
    aggregates: Mapping[str, float]
    ignore_blessed_model: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    with_corrected: CorrectedMetrics | None = None
    model_digest: str = ""

    @property
    def genre_names(self) -> tuple[str, ...]:
        """Names of the genres."""
        return tuple(row.genre for row in self.genres)

    def to_json(self) -> str:
        """Return the verdict as indented JSON."""
        return TypeAdapter(Verdict).dump_json(self, indent=2).decode() + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """Create a verdict from the text that `to_json` returned.

        Raises:
            ValueError: The text is not a verdict.
        """
        return TypeAdapter(Verdict).validate_json(text)
