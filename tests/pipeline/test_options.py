"""Options that several commands have in common."""

import argparse
from pathlib import Path

from pipeline import options


def test_files_of_settings_come_in_the_order_given() -> None:
    parser = argparse.ArgumentParser()
    options.add_config(parser)
    assert parser.parse_args([]).config == []
    found = parser.parse_args(["--config", "a.yaml", "--config", "b/c.yaml"]).config
    assert found == [Path("a.yaml"), Path("b/c.yaml")]
    assert parser.parse_args([]).config == []
