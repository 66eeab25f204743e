"""The pretrained encoders."""

from dataclasses import replace

import pytest

from schema.errors import UserError
from trainer.encoder.pretrained import MINILM


def test_a_missing_package_is_reported_with_the_install_command() -> None:
    MINILM.check_installed()
    other = replace(
        MINILM, name="Other", packages=("no-such-package",), install_command="make other"
    )
    with pytest.raises(UserError, match=r"Other is not installed: .* no-such-package .*make other"):
        other.check_installed()
    with pytest.raises(UserError, match="Other is not installed"):
        other.load_weights()
