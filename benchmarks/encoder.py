"""Speed of a sentence encoder in float32 and in bfloat16, on plots without titles.

    python -m benchmarks.encoder
    python -m benchmarks.encoder --data imdb --plots 640 --encoder mpnet
    ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI python -m benchmarks.encoder   # like an older processor

Both types are measured alternately in one process, so that other load on the machine affects both.
"""

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from benchmarks.provenance import PROJECT, provenance
from benchmarks.tables import table
from pipeline.console import silence_libraries
from schema import command
from trainer.encoder.pretrained import ENCODERS

BATCH_SIZE = 64
MEASUREMENT_ROUNDS = 3


def main() -> int:
    """Measure and print one table; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Measure a sentence encoder in float32 and bfloat16."
    )
    parser.add_argument("--data", type=Path, default=PROJECT / "data" / "sample", metavar="DIR")
    parser.add_argument(
        "--plots", type=int, default=640, help="number of plots (default: %(default)s)"
    )
    parser.add_argument("--encoder", choices=ENCODERS, default="minilm")
    options = parser.parse_args()
    silence_libraries()
    return command.run(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    import numpy as np
    import tensorflow as tf

    from ingest.plots import Plot, find_plots, read_plots
    from trainer.data import TitlePlotTokenizer
    from trainer.encoder.sentence import SentenceEncoder
    from trainer.hparams import HParams

    heading = provenance("benchmarks.encoder")
    read = read_plots(find_plots(options.data), lambda _: None)
    texts = [plot.text for plot in islice((p for p in read if isinstance(p, Plot)), options.plots)]
    pieces = TitlePlotTokenizer()
    batches = [
        pieces(tf.fill([len(plots)], ""), tf.constant(plots))
        for plots in (
            texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)
        )
    ]
    layers = ENCODERS[options.encoder].num_layers
    hparams = HParams(sentence_encoder=options.encoder, encoder_layers=layers)
    signature = [tf.TensorSpec([None, None], tf.int32)]
    encoders, vectors = {}, {}
    for dtype in ("float32", "bfloat16"):
        encoder = SentenceEncoder.from_hparams(hparams.updated({"precision": dtype}))
        encoders[dtype] = tf.function(encoder.call, input_signature=signature)
        outputs = np.concatenate([encoders[dtype](batch).numpy() for batch in batches])
        vectors[dtype] = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    all_batches_seconds: dict[str, list[float]] = defaultdict(list)
    single_plot_seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(MEASUREMENT_ROUNDS):
        for dtype, encode in encoders.items():
            all_batches_seconds[dtype].append(sum(_seconds(encode, batch) for batch in batches))
            single_plot_seconds[dtype] += [
                _seconds(encode, batch[:1, : int(tf.math.count_nonzero(batch[0]))])
                for batch in batches
            ]
    rows = [
        [
            dtype,
            f"{len(texts) / statistics.median(all_batches_seconds[dtype]):.0f}",
            f"{1000 * statistics.median(single_plot_seconds[dtype]):.1f}",
            f"{(vectors['float32'] * vectors[dtype]).sum(1).min():.5f}",
        ]
        for dtype in encoders
    ]
    head = ["type", f"plots/s in batches of {BATCH_SIZE}", "ms for one plot", "smallest cosine"]
    print(f"{heading}, {len(texts)} plots:\n\n{table(head, rows)}")


def _seconds(encode: Callable[..., object], ids: object) -> float:
    started = time.perf_counter()
    encode(ids)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
