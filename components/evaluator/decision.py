"""The gate: decides from figures, genre by genre, whether a candidate model may be pushed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from schema.genres import GENRES
from schema.settings import Count, Settings, Share

_ROUNDING: Final = 1e-9
"""Differences below this come from floating-point arithmetic and decide nothing."""


def _genre(name: str) -> str:
    if name not in GENRES:
        raise ValueError(f"is not a genre. Known: {', '.join(GENRES)}")
    return name


class GateConfig(Settings):
    """What a model must reach.

    Attributes:
        floor: lowest F1 of a genre. The default stops what is broken and not what is merely worse:
            the lowest F1 measured on 56,503 real films is .42 (docs/benchmarks.md).
        genre_floors: floors of single genres, in place of `floor`.
        min_support: test examples that a genre must have to be judged.
        max_drop: by how much a genre's F1 may be below that of the last blessed model.
        simple_baseline_tolerance: by how much the macro-F1 may be below that of the simple
            baseline.
    """

    floor: Share = 0.3
    genre_floors: dict[Annotated[str, AfterValidator(_genre)], Share] = {}
    min_support: Count = 20
    max_drop: Share = 0.1
    simple_baseline_tolerance: Share = 0.0

    def floor_of(self, genre: str) -> float:
        """The lowest F1 that a genre may have."""
        return self.genre_floors.get(genre, self.floor)


@dataclass(frozen=True)
class GenreScores:
    """One genre's figures on the test split, at its own decision threshold."""

    support: int
    f1: float
    precision: float
    recall: float
    auc_pr: float


@dataclass(frozen=True)
class Scores:
    """One model's figures on the test split.

    Attributes:
        examples: how many the split has.
        genres: by name, all of `GENRES`.
        aggregates: micro and samples F1, subset and Hamming accuracy, macro AUC-PR, by name.
    """

    examples: int
    genres: Mapping[str, GenreScores]
    aggregates: Mapping[str, float]


class Judgement(StrEnum):
    """What the gate says of one genre."""

    PASS = "pass"
    BELOW_FLOOR = "below floor"
    WORSE = "worse than last blessed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class GenreVerdict:
    """One row of the verdict.

    Attributes:
        genre: its name.
        support: test examples of the genre.
        f1: F1 of the candidate, as `precision`, `recall` and `auc_pr`.
        floor: lowest F1 allowed.
        last_blessed: F1 of the last blessed model on the same examples; None where there is none.
        simple_baseline: F1 of the simple baseline; None where there is none.
        judgement: what follows. A genre below its floor may also be worse than the last blessed
            model: `Verdict.reasons` has both.
    """

    genre: str
    support: int
    f1: float
    precision: float
    recall: float
    auc_pr: float
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
        notes: what was not compared, and why.
        examples: how many the test split has.
        genres: one row a genre, in the order of `GENRES`.
        macro_f1: mean F1 over the genres that have a test example.
        last_blessed_macro_f1: the same of the last blessed model; None where there is none.
        simple_baseline_macro_f1: the same of the simple baseline; None where there is none.
        aggregates: the candidate's other figures over all genres, by name.
        ignore_blessed_model: whether the last blessed model was left out on the user's demand.
        config: what was demanded.
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
    ignore_blessed_model: bool
    config: GateConfig

    def to_json(self) -> str:
        """Indented JSON."""
        return json.dumps(asdict(self) | {"config": self.config.model_dump()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """The inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        values["genres"] = tuple(
            GenreVerdict(**{**row, "judgement": Judgement(row["judgement"])})
            for row in values["genres"]
        )
        values["config"] = GateConfig(**values["config"])
        for name in ("reasons", "notes"):
            values[name] = tuple(values[name])
        return cls(**values)


def judge(
    candidate: Scores,
    last_blessed: Scores | None,
    simple_baseline: Mapping[str, float] | None,
    config: GateConfig,
    *,
    ignore_blessed_model: bool = False,
) -> Verdict:
    """Decide whether a model may go out.

    Args:
        candidate: its figures.
        last_blessed: figures of the last blessed model on the same examples, if there is one.
        simple_baseline: F1 of the simple baseline on the same examples by genre, if there is one.
        config: what is demanded.
        ignore_blessed_model: leave the last blessed model out, once.

    Raises:
        KeyError: figures of a genre are missing.
    """
    if ignore_blessed_model:
        last_blessed = None

    rows, reasons = [], []
    for genre in GENRES:
        row, failures = _judge_genre(
            genre,
            candidate.genres[genre],
            last_blessed.genres[genre].f1 if last_blessed else None,
            simple_baseline[genre] if simple_baseline is not None else None,
            config,
        )
        rows.append(row)
        reasons.extend(failures)

    supports = {row.genre: row.support for row in rows}
    macro_f1 = _macro({row.genre: row.f1 for row in rows}, supports)
    last_macro = (
        _macro({name: scores.f1 for name, scores in last_blessed.genres.items()}, supports)
        if last_blessed
        else None
    )
    simple_macro = _macro(simple_baseline, supports) if simple_baseline is not None else None
    if (
        simple_macro is not None
        and macro_f1 < simple_macro - config.simple_baseline_tolerance - _ROUNDING
    ):
        reasons.append(
            f"macro-F1: {macro_f1:.3f} is below the simple baseline's {simple_macro:.3f} "
            f"by more than the {config.simple_baseline_tolerance:.3f} allowed"
        )
    if all(row.judgement is Judgement.NOT_JUDGED for row in rows):
        reasons.append(
            f"nothing could be judged: no genre has {config.min_support} test films. Bring more "
            "data or set gate.min_support lower"
        )
    return Verdict(
        blessed=not reasons,
        reasons=tuple(reasons),
        notes=_notes(
            rows, last_blessed, simple_baseline, config, ignore_blessed_model=ignore_blessed_model
        ),
        examples=candidate.examples,
        genres=tuple(rows),
        macro_f1=macro_f1,
        last_blessed_macro_f1=last_macro,
        simple_baseline_macro_f1=simple_macro,
        aggregates=dict(candidate.aggregates),
        ignore_blessed_model=ignore_blessed_model,
        config=config,
    )


def _judge_genre(
    genre: str,
    scores: GenreScores,
    last_blessed: float | None,
    simple_baseline: float | None,
    config: GateConfig,
) -> tuple[GenreVerdict, list[str]]:
    """One genre's row, and in words each demand that it fails."""
    floor = config.floor_of(genre)
    failed: dict[Judgement, str] = {}
    if scores.support >= config.min_support:
        films = f"({scores.support} test films)"
        if scores.f1 < floor - _ROUNDING:
            failed[Judgement.BELOW_FLOOR] = (
                f"{genre}: F1 {scores.f1:.3f} is below its floor {floor:.3f} {films}"
            )
        drop = 0.0 if last_blessed is None else last_blessed - scores.f1
        if drop > config.max_drop + _ROUNDING:
            failed[Judgement.WORSE] = (
                f"{genre}: F1 {scores.f1:.3f} is below the last blessed model's {last_blessed:.3f} "
                f"by more than the {config.max_drop:.3f} allowed {films}"
            )
        judgement = next(iter(failed), Judgement.PASS)
    else:
        judgement = Judgement.NOT_JUDGED
    row = GenreVerdict(
        genre=genre,
        floor=floor,
        last_blessed=last_blessed,
        simple_baseline=simple_baseline,
        judgement=judgement,
        **asdict(scores),
    )
    return row, list(failed.values())


def _notes(
    rows: list[GenreVerdict],
    last_blessed: Scores | None,
    simple_baseline: Mapping[str, float] | None,
    config: GateConfig,
    *,
    ignore_blessed_model: bool,
) -> tuple[str, ...]:
    notes = []
    if ignore_blessed_model:
        notes.append(
            "the last blessed model was left out of the comparison (--ignore-blessed-model)"
        )
    elif last_blessed is None:
        notes.append(
            "no other model has been blessed yet: the floors and the simple baseline decide alone"
        )
    if simple_baseline is None:
        notes.append("there is no simple baseline: macro-F1 was compared with nothing")
    few = [f"{row.genre} {row.support}" for row in rows if row.judgement is Judgement.NOT_JUDGED]
    if few:
        notes.append(
            f"not judged, with fewer than {config.min_support} test films: {', '.join(few)}"
        )
    return tuple(notes)


def _macro(f1: Mapping[str, float], supports: Mapping[str, int]) -> float:
    """Mean F1 over the genres that have a test example; 0.0 where none has."""
    present = [f1[genre] for genre, support in supports.items() if support]
    return math.fsum(present) / len(present) if present else 0.0
