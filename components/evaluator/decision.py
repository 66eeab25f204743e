"""The gate: decides from figures, genre by genre, whether a candidate model may be pushed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Final

from pydantic import AfterValidator

from schema.config import Config, Fraction, PositiveInt
from schema.genres import GENRES
from schema.verdict import GenreScores, GenreVerdict, Judgement, Verdict

_ROUNDING: Final = 1e-9
"""Differences below this come from floating-point arithmetic and decide nothing."""


def _genre(name: str) -> str:
    if name not in GENRES:
        raise ValueError(f"is not a genre. Known: {', '.join(GENRES)}")
    return name


class GateConfig(Config):
    """What a model must reach.

    Attributes:
        floor: lowest F1 of a genre. The default stops what is broken and not what is merely worse:
            the lowest F1 measured on 56,503 real movies is .42 (docs/benchmarks.md).
        genre_floors: floors of single genres, in place of `floor`.
        min_support: test examples that a genre must have to be judged.
        max_drop: by how much a genre's F1 may be below that of the last blessed model.
        simple_baseline_tolerance: by how much the macro-F1 may be below that of the simple
            baseline.
    """

    floor: Fraction = 0.3
    genre_floors: dict[Annotated[str, AfterValidator(_genre)], Fraction] = {}
    min_support: PositiveInt = 20
    max_drop: Fraction = 0.1
    simple_baseline_tolerance: Fraction = 0.0


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


def judge(
    candidate: Scores,
    last_blessed: Scores | None,
    simple_baseline: Mapping[str, float] | None,
    config: GateConfig,
    *,
    ignore_blessed_model: bool = False,
) -> Verdict:
    """Decide whether a candidate may go out.

    All figures are from the same examples; those of the simple baseline are its F1 by genre. The
    last blessed model is left out of the comparison with `ignore_blessed_model`.

    Raises:
        KeyError: figures of a genre are missing.
    """
    if ignore_blessed_model:
        last_blessed = None
    before = None if last_blessed is None else _f1(last_blessed)
    rows, reasons = [], []
    for genre in GENRES:
        row, failures = _judge_genre(
            genre,
            candidate.genres[genre],
            None if before is None else before[genre],
            None if simple_baseline is None else simple_baseline[genre],
            config,
        )
        rows.append(row)
        reasons += failures

    present = [row.genre for row in rows if row.support]
    macro_f1 = _mean(_f1(candidate), present)
    simple_macro = None if simple_baseline is None else _mean(simple_baseline, present)
    allowed = config.simple_baseline_tolerance
    if simple_macro is not None and macro_f1 < simple_macro - allowed - _ROUNDING:
        reasons.append(
            f"macro-F1: {macro_f1:.3f} is below the simple baseline's {simple_macro:.3f} "
            f"by more than the {allowed:.3f} allowed"
        )
    few = [f"{row.genre} {row.support}" for row in rows if row.judgement is Judgement.NOT_JUDGED]
    if len(few) == len(rows):
        reasons.append(
            f"nothing could be judged: no genre has {config.min_support} test movies. Bring more "
            "data or set gate.min_support lower"
        )
    notes = []
    if ignore_blessed_model:
        notes.append(
            "the last blessed model was left out of the comparison (--ignore-blessed-model)"
        )
    elif before is None:
        notes.append(
            "no other model has been blessed yet: the floors and the simple baseline decide alone"
        )
    if simple_baseline is None:
        notes.append("there is no simple baseline: macro-F1 was compared with nothing")
    if few:
        notes.append(
            f"not judged, with fewer than {config.min_support} test movies: {', '.join(few)}"
        )
    return Verdict(
        blessed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        examples=candidate.examples,
        genres=tuple(rows),
        macro_f1=macro_f1,
        last_blessed_macro_f1=None if before is None else _mean(before, present),
        simple_baseline_macro_f1=simple_macro,
        aggregates=candidate.aggregates,
        ignore_blessed_model=ignore_blessed_model,
        config=config.model_dump(),
    )


def _judge_genre(
    genre: str,
    scores: GenreScores,
    last_blessed: float | None,
    simple_baseline: float | None,
    config: GateConfig,
) -> tuple[GenreVerdict, list[str]]:
    """One genre's row, and in words each demand that it fails."""
    floor = config.genre_floors.get(genre, config.floor)
    movies = f"({scores.support} test movies)"
    failed: dict[Judgement, str] = {}
    if scores.f1 < floor - _ROUNDING:
        failed[Judgement.BELOW_FLOOR] = (
            f"{genre}: F1 {scores.f1:.3f} is below its floor {floor:.3f} {movies}"
        )
    if last_blessed is not None and last_blessed - scores.f1 > config.max_drop + _ROUNDING:
        failed[Judgement.WORSE] = (
            f"{genre}: F1 {scores.f1:.3f} is below the last blessed model's {last_blessed:.3f} "
            f"by more than the {config.max_drop:.3f} allowed {movies}"
        )
    judgement = next(iter(failed), Judgement.PASS)
    if scores.support < config.min_support:
        failed, judgement = {}, Judgement.NOT_JUDGED
    row = GenreVerdict(
        genre=genre,
        floor=floor,
        last_blessed=last_blessed,
        simple_baseline=simple_baseline,
        judgement=judgement,
        **asdict(scores),
    )
    return row, list(failed.values())


def _f1(scores: Scores) -> dict[str, float]:
    return {genre: one.f1 for genre, one in scores.genres.items()}


def _mean(f1: Mapping[str, float], genres: Sequence[str]) -> float:
    """Mean F1 over genres; 0.0 over none."""
    return math.fsum(f1[genre] for genre in genres) / max(len(genres), 1)
