"""The comparison of two builds; tests/end_to_end/test_runs.py compares its splits with TFX's."""

from benchmarks.movies import compare
from schema.names import Split


def test_compare() -> None:
    before = {"tt1": Split.TRAIN, "tt2": Split.TRAIN, "tt3": Split.EVAL, "tt4": Split.TEST}
    after = {"tt2": Split.TRAIN, "tt3": Split.TEST, "tt4": Split.TEST, "tt5": Split.EVAL}
    assert compare(before, after) == [
        ["before", "2", "1", "1", "4"],
        ["gained", "0", "1", "0", "1"],
        ["lost", "1", "0", "0", "1"],
        ["moved here from another split", "0", "0", "1", "1"],
        ["after", "1", "1", "2", "4"],
    ]
