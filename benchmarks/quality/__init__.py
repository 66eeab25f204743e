"""Comparison of the pipeline's model with baselines.

python -m benchmarks.quality --data imdb --output runs/imdb
"""

from schema.streams import import_tensorflow

# Importing TensorFlow here suppresses the messages that it prints at import.
import_tensorflow()
