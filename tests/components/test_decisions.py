"""Modules named `decision` import neither TFX nor TensorFlow, which keeps their tests fast."""

import subprocess
import sys

import pytest

from schema.fingerprint import PROJECT_ROOT

DECISIONS = sorted(
    ".".join(file.relative_to(PROJECT_ROOT).with_suffix("").parts)
    for file in PROJECT_ROOT.glob("components/*/decision.py")
)


def test_all_decision_modules_are_found() -> None:
    assert len(DECISIONS) == 5


@pytest.mark.parametrize("module", DECISIONS)
def test_a_decision_module_imports_no_heavy_library(module: str) -> None:
    script = (
        f"import sys, {module}; names = {{name.split('.')[0] for name in sys.modules}}; "
        "print(sorted(names & {'tfx', 'tensorflow', 'tensorflow_data_validation', "
        "'tensorflow_metadata', 'tensorflow_model_analysis', 'ml_metadata', 'rich'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
