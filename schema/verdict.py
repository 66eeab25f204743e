"""The verdict of the gate, as the Evaluator writes it and as the console and the report show it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter


class Judgement(StrEnum):
    """What the gate says of one genre."""

    PASS = "pass"
    BELOW_FLOOR = "below floor"
    WORSE = "worse than last blessed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class GenreScores:
    """One genre's figures on the test split, at its own decision threshold.

    `support` is the number of test examples that have the genre.
    """

    support: int
    f1: float
    precision: float
    recall: float
    auc_pr: float


@dataclass(frozen=True)
class GenreVerdict(GenreScores):
    """One row of the verdict: the candidate's figures and what follows from them.

    Attributes:
        genre: Name of the genre.
        floor: Lowest F1 allowed, from 0 to 1.
        last_blessed: F1 of the last blessed model on the same examples; None where there is none.
        simple_baseline: F1 of the simple baseline; None where there is none.
        judgement: Result for the genre. A genre below its floor may also be worse than the last
            blessed model: `Verdict.reasons` names both.
    """

    genre: str
    floor: float
    last_blessed: float | None
    simple_baseline: float | None
    judgement: Judgement


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, on what and why.

    Attributes:
        blessed: whether the candidate may go out.
        reasons: why it may not, one sentence each; empty if it may.
        notes: Sentences that name what was not compared, and why.
        examples: Number of test examples.
        genres: One row for each genre, in the order of `schema.genres.GENRES`.
        macro_f1: mean F1 over the genres that have a test example.
        last_blessed_macro_f1: the same of the last blessed model; None where there is none.
        simple_baseline_macro_f1: the same of the simple baseline; None where there is none.
        aggregates: the candidate's other figures over all genres, by name.
        ignore_blessed_model: whether the last blessed model was left out on the user's demand.
        config: Settings of the section `gate` by which the candidate was judged.
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

    def to_json(self) -> str:
        """Indented JSON."""
        return TypeAdapter(Verdict).dump_json(self, indent=2).decode() + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """The inverse of `to_json`.

        Raises:
            ValueError: the text is not a verdict.
        """
        return TypeAdapter(Verdict).validate_json(text)
