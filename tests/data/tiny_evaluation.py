"""TFMA's evaluation of made-up predictions of three classes; no example has the third class."""

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_model_analysis.proto import config_pb2

CLASS_NAMES = ("cat", "dog", "emu")
ROWS = 300
HTML_SLICE = "<img src=x onerror=document.title='owned'>"
SLICES = ("a", "b", HTML_SLICE)

CONFIG = """
model_specs { label_key: "label" prediction_key: "prediction" }
slicing_specs {}
slicing_specs { feature_keys: "group" }
metrics_specs { metrics { class_name: "ExampleCount" } }
metrics_specs {
  binarize { class_ids { values: [0, 1, 2] } }
  metrics { class_name: "BinaryAccuracy" config: '"threshold": 0.5' }
  metrics { class_name: "CalibrationPlot" config: '"num_buckets": 50' }
  metrics { class_name: "ConfusionMatrixPlot" config: '"num_thresholds": 50' }
}
metrics_specs { metrics { class_name: "MultiLabelConfusionMatrixPlot" } }
"""


def labels_and_predictions() -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities, float64 [rows, classes]."""
    random = np.random.default_rng(7)
    labels = (random.random((ROWS, 3)) < [0.3, 0.5, 0.0]).astype(np.float64)
    noise = random.normal(0, 0.15, (ROWS, 3))
    return labels, np.clip(0.25 + 0.5 * labels + noise, 0.001, 0.999)


def evaluate(directory: Path) -> tfma.EvalResult:
    """Evaluate the predictions, with TFMA's files in a directory."""
    labels, predictions = labels_and_predictions()
    rows = pd.DataFrame(
        {
            "label": list(labels),
            "prediction": list(predictions),
            "group": [SLICES[i % 3] for i in range(ROWS)],
        }
    )
    config = text_format.Parse(CONFIG, config_pb2.EvalConfig())
    return tfma.analyze_raw_data(rows, config, output_path=str(directory))
