"""Comparison of the pipeline's model with baselines.

python -m benchmarks.quality --data imdb --output runs/imdb
"""

import os

from pipeline.console import import_tensorflow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Importing TensorFlow here suppresses the messages that it prints at import.
import_tensorflow()
