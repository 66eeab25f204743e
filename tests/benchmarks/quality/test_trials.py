"""The table of a search's trials."""

from pathlib import Path

import pytest

from benchmarks.quality import trials

TRIALS = [
    {"trial_id": "00", "score": 0.5, "optimizer": "adamw", "dropout": 0.6000000000000001},
    {"trial_id": "01", "score": 0.625, "optimizer": "nadam", "dropout": 0.3},
]


def test_trials_are_sorted_by_score() -> None:
    assert trials.trials_table(TRIALS).splitlines()[2:] == [
        "| trial | mAP on the eval split | `optimizer` | `dropout` |",
        "| --- | ---: | ---: | ---: |",
        "| 1 | 0.6250 | nadam | 0.3 |",
        "| 0 | 0.5000 | adamw | 0.6 |",
    ]


def test_a_directory_without_a_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trials.main(["--output", str(tmp_path)]) == 2
    assert "Run the pipeline with --tune" in capsys.readouterr().err
