"""Facets' overview of statistics that TFDV computes."""

import base64
import importlib.util
import re

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
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


def test_missing_statistics_are_an_error() -> None:
    with pytest.raises(ValueError, match="there are no statistics to show"):
        dashboards.statistics({})
    with pytest.raises(ValueError, match="the data set 'test' has no examples"):
        dashboards.statistics({"test": statistics_pb2.DatasetFeatureStatisticsList()})


def test_witwidget_is_installed_but_not_imported() -> None:
    import sys

    assert importlib.util.find_spec("witwidget") is not None
    assert not any(name.split(".")[0] == "witwidget" for name in sys.modules)
