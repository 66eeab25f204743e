"""Reasons and notes of the gate's verdict."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from components.evaluator.decision import GateConfig, ModelScores, apply_gate
from schema.config import setting_name, validation_message
from schema.genres import GENRES
from schema.verdict import CorrectedMetrics, GenreScores, Judgement, Verdict

CONFIG = GateConfig(floor=0.3, min_support=10, max_drop=0.05)
FIRST_RUN = (
    "no other model has been blessed yet: only the floors and the simple baseline were checked"
)
NO_SIMPLE_BASELINE = "there is no simple baseline: macro-F1 was not compared"


def scores(
    f1: Mapping[str, float] | None = None, support: Mapping[str, int] | None = None
) -> ModelScores:
    """Return scores of a model: F1 0.5 and support 40 for genres that the arguments do not name."""
    genres = {
        genre: GenreScores(
            support=(support or {}).get(genre, 40),
            f1=(f1 or {}).get(genre, 0.5),
            precision=0.6,
            recall=0.4,
            auc_pr=0.55,
        )
        for genre in GENRES
    }
    return ModelScores(880, genres, {"micro_f1_score": 0.52})


def baseline_f1(f1: float) -> dict[str, float]:
    return dict.fromkeys(GENRES, f1)


def failed_genres(verdict: Verdict) -> dict[str, Judgement]:
    """Return the genres that did not pass."""
    return {
        row.genre: row.judgement for row in verdict.genres if row.judgement is not Judgement.PASS
    }


def test_a_good_model_is_blessed() -> None:
    verdict = apply_gate(scores(), scores({"War": 0.55}), baseline_f1(0.45), CONFIG)
    assert verdict.blessed
    assert verdict.reasons == ()
    assert verdict.notes == ()
    assert failed_genres(verdict) == {}
    assert [row.genre for row in verdict.genres] == list(GENRES)
    assert verdict.macro_f1 == pytest.approx(0.5)
    assert verdict.last_blessed_macro_f1 == pytest.approx(0.5 + 0.05 / 22)
    assert verdict.simple_baseline_macro_f1 == pytest.approx(0.45)
    war = verdict.genres[GENRES.index("War")]
    assert (war.support, war.f1, war.precision, war.recall, war.auc_pr) == (40, 0.5, 0.6, 0.4, 0.55)
    assert (war.floor, war.last_blessed, war.simple_baseline) == (0.3, 0.55, 0.45)
    assert verdict.aggregates == {"micro_f1_score": 0.52}
    assert verdict.examples == 880


def test_corrected_movies_are_reported_but_not_judged() -> None:
    flattered = ModelScores(912, scores(dict.fromkeys(GENRES, 0.9)).genres, {"micro_f1_score": 0.9})
    weak = scores({"War": 0.2})
    alone = apply_gate(weak, None, None, CONFIG)
    assert alone.with_corrected is None
    verdict = apply_gate(weak, None, None, CONFIG, all_movies=flattered)
    assert verdict.reasons == ("War: F1 0.200 is below its floor 0.300 (40 test movies)",)
    assert verdict.with_corrected == CorrectedMetrics(
        movies=32, macro_f1=pytest.approx(0.9), aggregates={"micro_f1_score": 0.9}
    )
    assert replace(verdict, with_corrected=None) == alone
    assert Verdict.from_json(verdict.to_json()).with_corrected == verdict.with_corrected


def test_verdicts_of_earlier_versions_have_no_corrected_movies() -> None:
    earlier = json.loads(apply_gate(scores(), None, None, CONFIG).to_json())
    del earlier["with_corrected"]
    assert Verdict.from_json(json.dumps(earlier)).with_corrected is None


def own_scores(f1: Mapping[str, float], other_genres: Sequence[str] = ()) -> ModelScores:
    """Return scores of a model with genres of its own, each with 40 test movies."""
    genres = {name: GenreScores(40, value, 0.6, 0.4, 0.55) for name, value in f1.items()}
    return ModelScores(120, genres, {}, other_genres)


def test_models_with_other_genres_are_compared_on_those_that_both_have() -> None:
    candidate = own_scores({"Heist": 0.5, "Noir": 0.6, "Space": 0.7})
    last = own_scores({"Noir": 0.68, "Space": 0.71}, ["Music", "Opera"])
    verdict = apply_gate(candidate, last, {"Heist": 0.1, "Noir": 0.2, "Space": 0.3}, CONFIG)
    assert verdict.genre_names == ("Heist", "Noir", "Space")
    assert [row.last_blessed for row in verdict.genres] == [None, 0.68, 0.71]
    assert failed_genres(verdict) == {"Noir": Judgement.WORSE}
    assert verdict.macro_f1 == pytest.approx(0.6)
    assert verdict.last_blessed_macro_f1 == pytest.approx((0.68 + 0.71) / 2)
    assert verdict.notes == (
        "not compared with the last blessed model, which has other genres: Heist (new); Music, "
        "Opera (no longer predicted)",
    )


def test_a_last_blessed_model_without_a_common_genre_is_left_out() -> None:
    candidate = own_scores({"Heist": 0.5, "Noir": 0.6})
    last = ModelScores(0, {}, {}, ["Music", "Opera"])
    verdict = apply_gate(candidate, last, {"Heist": 0.1, "Noir": 0.2}, CONFIG)
    assert verdict.blessed
    assert verdict.last_blessed_macro_f1 is None
    assert verdict.notes == (
        "the last blessed model predicts none of these genres: it was not compared",
    )


def test_a_genre_that_got_worse_is_a_reason_to_refuse() -> None:
    better_elsewhere = dict.fromkeys(GENRES, 0.7) | {"Horror": 0.449}
    verdict = apply_gate(scores(better_elsewhere), scores(), baseline_f1(0.45), CONFIG)
    assert not verdict.blessed
    assert failed_genres(verdict) == {"Horror": Judgement.WORSE}
    assert verdict.reasons == (
        "Horror: F1 0.449 is below the last blessed model's 0.500 (allowed difference: 0.05; "
        "40 test movies)",
    )


def test_without_a_floor_a_genre_must_exceed_the_constant_prediction() -> None:
    # Of 120 test movies, each genre has 40, so predicting it for all has the F1 2 * 40 / 160.
    candidate = own_scores({"Heist": 0.5, "Noir": 0.501, "Space": 0.3})
    config = GateConfig(floor=None, genre_floors={"Space": 0.2})
    verdict = apply_gate(candidate, None, None, config)
    assert failed_genres(verdict) == {"Heist": Judgement.BELOW_FLOOR}
    assert [row.floor for row in verdict.genres] == [0.5, 0.5, 0.2]
    assert verdict.reasons == (
        "Heist: F1 0.500 does not exceed 0.500, that of predicting it for every movie (40 test "
        "movies)",
    )
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_a_genre_below_its_floor_is_a_reason_to_refuse() -> None:
    config = GateConfig(floor=0.3, genre_floors={"Drama": 0.51}, min_support=10)
    verdict = apply_gate(scores(), scores(), baseline_f1(0.45), config)
    assert not verdict.blessed
    assert failed_genres(verdict) == {"Drama": Judgement.BELOW_FLOOR}
    assert verdict.reasons == ("Drama: F1 0.500 is below its floor 0.510 (40 test movies)",)


def test_a_genre_that_fails_twice_gives_both_reasons() -> None:
    verdict = apply_gate(scores({"Sport": 0.2}), scores(), baseline_f1(0.3), CONFIG)
    assert failed_genres(verdict) == {"Sport": Judgement.BELOW_FLOOR}
    assert [reason.split(" is below ")[1].split(" ")[0] for reason in verdict.reasons] == [
        "its",
        "the",
    ]


def test_a_model_below_the_simple_baseline_is_refused() -> None:
    config = GateConfig(floor=0.3, simple_baseline_tolerance=0.02)
    verdict = apply_gate(scores(), None, baseline_f1(0.53), config)
    assert verdict.reasons == (
        "macro-F1 0.500 is below the simple baseline's 0.530 (allowed difference: 0.02)",
    )
    assert failed_genres(verdict) == {}
    assert apply_gate(scores(), None, baseline_f1(0.52), config).blessed


@pytest.mark.parametrize(
    ("f1", "config"),
    [
        (0.3, GateConfig(floor=0.3, max_drop=1)),
        (0.3, GateConfig(floor=0.1 + 0.2, max_drop=1)),
        (0.7 - 0.1, GateConfig(floor=0.6)),
        (0.45, GateConfig(max_drop=0.05)),
        (0.4, GateConfig(max_drop=0.1)),
    ],
)
def test_scores_equal_to_a_limit_pass(f1: float, config: GateConfig) -> None:
    assert apply_gate(scores(dict.fromkeys(GENRES, f1)), scores(), None, config).blessed


def test_genres_with_too_few_movies_are_named_and_not_judged() -> None:
    candidate = scores({"War": 0.0, "Music": 0.0}, {"War": 9, "Music": 0, "Sport": 10})
    verdict = apply_gate(candidate, scores(), baseline_f1(0.4), CONFIG)
    assert verdict.blessed
    assert failed_genres(verdict) == {"Music": Judgement.NOT_JUDGED, "War": Judgement.NOT_JUDGED}
    assert verdict.notes == ("not judged, with fewer than 10 test movies: Music 0, War 9",)


def test_macro_f1_includes_only_genres_that_have_a_movie() -> None:
    candidate = scores({"War": 0.0, "Music": 0.1}, {"War": 0, "Music": 1})
    baseline = baseline_f1(0.45) | {"War": 0.0}
    verdict = apply_gate(candidate, scores({"War": 0.0}), baseline, CONFIG)
    assert verdict.macro_f1 == pytest.approx((20 * 0.5 + 0.1) / 21)
    assert verdict.last_blessed_macro_f1 == pytest.approx(0.5)
    assert verdict.simple_baseline_macro_f1 == pytest.approx(0.45)


def test_no_judged_genre_is_a_reason_to_refuse() -> None:
    verdict = apply_gate(scores(support=dict.fromkeys(GENRES, 9)), None, baseline_f1(0.1), CONFIG)
    assert not verdict.blessed
    assert verdict.reasons == (
        "no genre could be judged: each has fewer than 10 test movies. Add more movies or lower "
        "gate.min_support",
    )


def test_the_first_run_is_compared_with_floors_and_simple_baseline_only() -> None:
    verdict = apply_gate(scores(), None, baseline_f1(0.4), CONFIG)
    assert verdict.blessed
    assert verdict.notes == (FIRST_RUN,)
    assert verdict.last_blessed_macro_f1 is None
    assert {row.last_blessed for row in verdict.genres} == {None}

    refused = apply_gate(scores({"War": 0.1}), None, baseline_f1(0.4), CONFIG)
    assert not refused.blessed
    assert refused.notes == (FIRST_RUN,)


def test_a_missing_simple_baseline_is_noted() -> None:
    verdict = apply_gate(scores(), scores(), None, CONFIG)
    assert verdict.blessed
    assert verdict.notes == (NO_SIMPLE_BASELINE,)
    assert verdict.simple_baseline_macro_f1 is None


def test_ignoring_the_last_blessed_model_is_recorded() -> None:
    last_blessed = scores(dict.fromkeys(GENRES, 0.9))
    assert not apply_gate(scores(), last_blessed, baseline_f1(0.4), CONFIG).blessed
    verdict = apply_gate(
        scores(), last_blessed, baseline_f1(0.4), CONFIG, ignore_blessed_model=True
    )
    assert verdict.blessed
    assert verdict.ignore_blessed_model
    assert verdict.notes == (
        "the last blessed model was left out of the comparison (--ignore-blessed-model)",
    )
    assert {row.last_blessed for row in verdict.genres} == {None}
    assert not apply_gate(
        scores({"War": 0.1}), None, None, CONFIG, ignore_blessed_model=True
    ).blessed


def test_missing_scores_are_an_error() -> None:
    few = {genre: 0.4 for genre in GENRES if genre not in ("War", "Western")}
    with pytest.raises(KeyError, match="War"):
        apply_gate(scores(), None, few, CONFIG)


def test_a_verdict_survives_its_json() -> None:
    candidate = scores({"War": 0.1, "Horror": 0.2}, {"Music": 3})
    config = GateConfig(floor=0.15, genre_floors={"Drama": 0.4}, min_support=5)
    verdict = apply_gate(candidate, scores(), None, config)
    assert Verdict.from_json(verdict.to_json()) == verdict
    plain = json.loads(verdict.to_json())
    assert plain["genres"][GENRES.index("War")]["judgement"] == "below floor"
    assert plain["config"]["genre_floors"] == {"Drama": 0.4}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"floor": 1.2}, "floor should be at most 1. Received: 1.2"),
        ({"floor": "high"}, 'floor should be a number. Received: "high"'),
        ({"floor": float("nan")}, "floor should be a finite number. Received: NaN"),
        ({"max_drop": -0.1}, "max_drop should be at least 0. Received: -0.1"),
        (
            {"simple_baseline_tolerance": True},
            "simple_baseline_tolerance should be a number. Received: true",
        ),
        ({"genre_floors": {"War": 2}}, "genre_floors.War should be at most 1. Received: 2"),
        ({"min_support": 0}, "min_support should be at least 1. Received: 0"),
    ],
)
def test_invalid_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        GateConfig.model_validate(values)
    [error] = caught.value.errors()
    assert validation_message(error, setting_name(error["loc"])) == message


def test_equal_settings_give_equal_json() -> None:
    first = GateConfig(genre_floors={"War": 0.2, "Drama": 0.5})
    second = GateConfig(genre_floors={"Drama": 0.5, "War": 0.2})
    assert first.to_json() == second.to_json()
    assert GateConfig.from_json(first.to_json()) == first
