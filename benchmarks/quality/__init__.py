"""How good the model is, beside the baselines that somebody would try first.

python -m benchmarks.quality --data imdb --output runs/imdb
"""

import os

from pipeline.console import import_tensorflow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The modules import TensorFlow, whose own lines would stand before an error message.
import_tensorflow()
