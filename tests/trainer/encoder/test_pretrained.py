"""Which pretrained encoders are here."""

from dataclasses import replace

import pytest

from schema.errors import UserError
from trainer.encoder.pretrained import MINILM


def test_what_is_missing_is_named_with_the_command_that_brings_it() -> None:
    MINILM.require()
    other = replace(MINILM, name="Other", packages=("no-such-package",), installed_by="make other")
    with pytest.raises(UserError, match=r"Other is not installed: .* no-such-package .*make other"):
        other.require()
    with pytest.raises(UserError, match="Other is not installed"):
        other.weights()
