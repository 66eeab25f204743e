"""Facets' overview of statistics that TFDV computes."""

import base64
import importlib.util
import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import statistics_pb2

import dashboards


def statistics_of(*numbers: float) -> statistics_pb2.DatasetFeatureStatisticsList:
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame({"year": numbers}))


def test_data_sets_are_shown_by_name() -> None:
    view = dashboards.statistics({"train": statistics_of(1, 2, 3), "test": statistics_of(4)})
    encoded = re.search(r'<facets-overview proto-input="([^"]*)">', view.page)
    assert encoded
    shown = statistics_pb2.DatasetFeatureStatisticsList.FromString(base64.b64decode(encoded[1]))
    assert [(data.name, data.num_examples) for data in shown.datasets] == [
        ("train", 3),
        ("test", 1),
    ]
    assert "@font-face" not in view.page
    assert "<wit-dashboard" not in view.page


def shown_statistics(**options: Any) -> dict[str, dict[str, Any]]:
    """Show 300 examples with lists, of which every third has no rating; return the features."""
    rows = 300
    lists = ["Drama|War", "Drama", "Comedy"]
    columns = {
        "id": [[f"tt{row}".encode()] for row in range(rows)],
        "genres": [[lists[row % 3].encode()] for row in range(rows)],
        "rating": [[] if row % 3 == 0 else [5.0] for row in range(rows)],
    }
    batch = pa.RecordBatch.from_pydict(
        {
            name: pa.array(values, pa.list_(pa.float32() if name == "rating" else pa.binary()))
            for name, values in columns.items()
        }
    )
    statistics = generate_statistics_in_memory(batch)
    view = dashboards.statistics({"train": statistics}, **options)
    encoded = re.search(r'<facets-overview proto-input="([^"]*)">', view.page)
    assert encoded
    shown = statistics_pb2.DatasetFeatureStatisticsList.FromString(base64.b64decode(encoded[1]))
    # What the anomalies are searched in is not changed.
    assert statistics.datasets[0].features[2].num_stats.common_stats.num_missing == 0
    return {feature.path.step[0]: feature for feature in shown.datasets[0].features}


def test_examples_without_a_value_are_missing() -> None:
    common = shown_statistics()["rating"].num_stats.common_stats
    assert (common.num_missing, common.num_non_missing) == (100, 200)


def test_lists_are_counted_item_by_item() -> None:
    texts = shown_statistics(separators={"genres": "|"})["genres"].string_stats
    expected = [("Drama", 200), ("War", 100), ("Comedy", 100)]
    assert [(top.value, top.frequency) for top in texts.top_values] == expected
    buckets = texts.rank_histogram.buckets
    assert [(bucket.label, bucket.sample_count) for bucket in buckets] == expected
    assert (texts.unique, texts.common_stats.tot_num_values) == (3, 400)
    whole = shown_statistics()["genres"].string_stats
    assert {top.value for top in whole.top_values} == {"Drama|War", "Drama", "Comedy"}


def test_the_name_says_that_rare_lists_are_not_counted() -> None:
    lists = pd.DataFrame({"genres": [f"{row % 1100}|War" for row in range(4000)]})
    statistics = tfdv.generate_statistics_from_dataframe(lists)
    assert statistics.datasets[0].features[0].string_stats.unique == 1100
    view = dashboards.statistics({"a": statistics}, separators={"genres": "|"})
    encoded = re.search(r'<facets-overview proto-input="([^"]*)">', view.page)
    assert encoded
    assert b"genres (in the 1,000 most frequent lists)" in base64.b64decode(encoded[1])


def test_ids_have_no_frequencies() -> None:
    ids = shown_statistics()["id"].string_stats
    assert (ids.unique, len(ids.top_values), len(ids.rank_histogram.buckets)) == (300, 0, 0)


def test_missing_statistics_are_an_error() -> None:
    with pytest.raises(ValueError, match="there are no statistics to show"):
        dashboards.statistics({})
    with pytest.raises(ValueError, match="the data set 'test' has no examples"):
        dashboards.statistics({"test": statistics_pb2.DatasetFeatureStatisticsList()})


def test_witwidget_is_installed_but_not_imported() -> None:
    import sys

    assert importlib.util.find_spec("witwidget") is not None
    assert not any(name.split(".")[0] == "witwidget" for name in sys.modules)
