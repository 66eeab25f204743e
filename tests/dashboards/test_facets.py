"""Facets' overview: data sets side by side, out of what TFDV computes."""

import base64
import importlib.util
import re

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

import dashboards


def of_numbers(*numbers: float) -> statistics_pb2.DatasetFeatureStatisticsList:
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame({"year": numbers}))


def test_data_sets_stand_side_by_side_by_name() -> None:
    view = dashboards.statistics({"train": of_numbers(1, 2, 3), "test": of_numbers(4)})
    encoded = re.search(r'<facets-overview proto-input="([^"]*)">', view.page)
    assert encoded
    shown = statistics_pb2.DatasetFeatureStatisticsList.FromString(base64.b64decode(encoded[1]))
    assert [(one.name, one.num_examples) for one in shown.datasets] == [("train", 3), ("test", 1)]
    assert "@font-face" not in view.page
    assert "<wit-dashboard" not in view.page


def test_nothing_to_show_is_told() -> None:
    with pytest.raises(ValueError, match="there are no statistics to show"):
        dashboards.statistics({})
    with pytest.raises(ValueError, match="the statistics 'test' are of no example"):
        dashboards.statistics({"test": statistics_pb2.DatasetFeatureStatisticsList()})


def test_the_components_come_from_a_file_that_is_never_imported() -> None:
    import sys

    assert importlib.util.find_spec("witwidget") is not None
    assert not any(name.split(".")[0] == "witwidget" for name in sys.modules)
