"""Decide from a model's scores, genre by genre, whether it passes the gate."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from schema.config import Config, Fraction, PositiveInt
from schema.verdict import CorrectedMetrics, GenreScores, GenreVerdict, Judgement, Verdict
from schema.wording import count

_ROUNDING: Final = 1e-9
"""Tolerance for rounding errors in comparisons of scores."""


class GateConfig(Config):
    """Requirements that a model must meet.

    Attributes:
        floor: Lowest allowed F1 of a genre. The default refuses broken models, not slightly worse
            ones: the lowest F1 of a genre, measured on 5,582 real test movies, is .466
            (docs/benchmarks.md). Without a floor (`null`), which is the default for a single table,
            the F1 must exceed that of predicting the genre for every movie.
        genre_floors: Floors of single genres, which replace `floor`.
        min_support: Number of test movies that a genre must have to be judged.
        max_drop: Largest allowed drop of a genre's F1 below that of the last blessed model.
        simple_baseline_tolerance: Largest allowed drop of the macro-F1 below that of the simple
            baseline.
    """

    floor: Fraction | None = 0.3
    genre_floors: dict[str, Fraction] = {}
    min_support: PositiveInt = 20
    max_drop: Fraction = 0.1
    simple_baseline_tolerance: Fraction = 0.0


@dataclass(frozen=True)
class ModelScores:
    """Scores of one model on the test split.

    Attributes:
        examples: Number of examples in the split.
        genres: Scores of each genre, by name. For the last blessed model, only those of the
            candidate's genres that it has.
        aggregates: Micro-F1, samples F1, subset accuracy, Hamming accuracy and macro AUC-PR, by
            name.
        other_genres: Genres of the last blessed model that the candidate does not have.
    """

    examples: int
    genres: Mapping[str, GenreScores]
    aggregates: Mapping[str, float]
    other_genres: Sequence[str] = ()


def apply_gate(
    candidate: ModelScores,
    last_blessed: ModelScores | None,
    simple_baseline: Mapping[str, float] | None,
    config: GateConfig,
    *,
    all_movies: ModelScores | None = None,
    ignore_blessed_model: bool = False,
) -> Verdict:
    """Decide whether a candidate may be pushed.

    All scores but `all_movies` must come from the same examples. The candidate is compared with the
    last blessed model on the genres that both have.

    Args:
        candidate: Scores of the candidate.
        last_blessed: Scores of the last blessed model; None if there is none.
        simple_baseline: F1 of the simple baseline, by genre; None if there is no simple baseline.
        config: Requirements that the candidate must meet.
        all_movies: Scores of the candidate on all test movies, if some of them have corrected
            genres, which the other scores leave out. The decision does not depend on them.
        ignore_blessed_model: Whether to leave the last blessed model out of the comparison.

    Raises:
        KeyError: Scores of a genre are missing.
    """
    if ignore_blessed_model:
        last_blessed = None
    last_f1 = {} if last_blessed is None else _f1(last_blessed)
    rows, reasons = [], []
    for genre, scores in candidate.genres.items():
        row, failures = _apply_gate_to_genre(
            genre,
            scores,
            candidate.examples,
            last_f1.get(genre),
            None if simple_baseline is None else simple_baseline[genre],
            config,
        )
        rows.append(row)
        reasons += failures

    present = [row.genre for row in rows if row.support]
    macro_f1 = _mean(_f1(candidate), present)
    simple_macro = None if simple_baseline is None else _mean(simple_baseline, present)
    tolerance = config.simple_baseline_tolerance
    if simple_macro is not None and macro_f1 < simple_macro - tolerance - _ROUNDING:
        reasons.append(
            f"macro-F1 {macro_f1:.3f} is below the simple baseline's {simple_macro:.3f} "
            f"(allowed difference: {tolerance:g})"
        )
    min_support = count(config.min_support, "test movie")
    not_judged = [
        f"{row.genre} {row.support}" for row in rows if row.judgement is Judgement.NOT_JUDGED
    ]
    if len(not_judged) == len(rows):
        reasons.append(
            f"no genre could be judged: each has fewer than {min_support}. Add "
            "more movies or lower gate.min_support"
        )
    notes = []
    if ignore_blessed_model:
        notes.append(
            "the last blessed model was left out of the comparison (--ignore-blessed-model)"
        )
    elif last_blessed is not None:
        notes += _differing_genres(candidate, last_blessed)
    else:
        notes.append(
            "no other model has been blessed yet: only the floors and the simple baseline were "
            "checked"
        )
    if simple_baseline is None:
        notes.append("there is no simple baseline: macro-F1 was not compared")
    if not_judged:
        notes.append(f"not judged, with fewer than {min_support}: {', '.join(not_judged)}")
    return Verdict(
        blessed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        examples=candidate.examples,
        genres=tuple(rows),
        macro_f1=macro_f1,
        last_blessed_macro_f1=_mean(last_f1, [genre for genre in present if genre in last_f1])
        if last_f1
        else None,
        simple_baseline_macro_f1=simple_macro,
        aggregates=candidate.aggregates,
        ignore_blessed_model=ignore_blessed_model,
        config=config.model_dump(),
        with_corrected=None if all_movies is None else _with_corrected(candidate, all_movies),
    )


def _with_corrected(candidate: ModelScores, all_movies: ModelScores) -> CorrectedMetrics:
    present = [genre for genre, scores in all_movies.genres.items() if scores.support]
    return CorrectedMetrics(
        movies=all_movies.examples - candidate.examples,
        macro_f1=_mean(_f1(all_movies), present),
        aggregates=all_movies.aggregates,
    )


def _apply_gate_to_genre(
    genre: str,
    scores: GenreScores,
    examples: int,
    last_blessed: float | None,
    simple_baseline: float | None,
    config: GateConfig,
) -> tuple[GenreVerdict, list[str]]:
    """Return the row of one genre, and a sentence for each requirement that it does not meet."""
    floor = config.genre_floors.get(genre, config.floor)
    movies = count(scores.support, "test movie")
    failures: dict[Judgement, str] = {}
    if floor is None:
        # Recall is 1 and precision is the share of movies with the genre.
        floor = 2 * scores.support / (scores.support + examples)
        if scores.f1 <= floor + _ROUNDING:
            failures[Judgement.BELOW_FLOOR] = (
                f"{genre}: F1 {scores.f1:.3f} does not exceed {floor:.3f}, that of predicting it "
                f"for every movie ({movies})"
            )
    elif scores.f1 < floor - _ROUNDING:
        failures[Judgement.BELOW_FLOOR] = (
            f"{genre}: F1 {scores.f1:.3f} is below its floor {floor:.3f} ({movies})"
        )
    if last_blessed is not None and last_blessed - scores.f1 > config.max_drop + _ROUNDING:
        failures[Judgement.WORSE] = (
            f"{genre}: F1 {scores.f1:.3f} is below the last blessed model's {last_blessed:.3f} "
            f"(allowed difference: {config.max_drop:g}; {movies})"
        )
    judgement = next(iter(failures), Judgement.PASS)
    if scores.support < config.min_support:
        failures, judgement = {}, Judgement.NOT_JUDGED
    row = GenreVerdict(
        genre=genre,
        floor=floor,
        last_blessed=last_blessed,
        simple_baseline=simple_baseline,
        judgement=judgement,
        **asdict(scores),
    )
    return row, list(failures.values())


def _differing_genres(candidate: ModelScores, last_blessed: ModelScores) -> list[str]:
    """Return a note if the two models do not have the same genres."""
    if not last_blessed.genres:
        return ["the last blessed model predicts none of these genres: it was not compared"]
    new = [genre for genre in candidate.genres if genre not in last_blessed.genres]
    kinds = {"new": new, "no longer predicted": last_blessed.other_genres}
    listed = "; ".join(f"{', '.join(names)} ({kind})" for kind, names in kinds.items() if names)
    if not listed:
        return []
    return [f"not compared with the last blessed model, which has other genres: {listed}"]


def _f1(scores: ModelScores) -> dict[str, float]:
    return {genre: genre_scores.f1 for genre, genre_scores in scores.genres.items()}


def _mean(f1: Mapping[str, float], genres: Sequence[str]) -> float:
    """Return the mean F1 over some genres; 0.0 if there are none."""
    return math.fsum(f1[genre] for genre in genres) / max(len(genres), 1)
