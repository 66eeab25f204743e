"""A sentence encoder in float32 beside bfloat16, as it is served, on plots without titles.

    python -m benchmarks.encoder
    python -m benchmarks.encoder --data imdb --plots 640 --encoder mpnet
    ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI python -m benchmarks.encoder   # as on an older processor

Both are measured in turns in one process, so that other work on the machine meets them alike.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from benchmarks.origin import PROJECT, origin
from pipeline.console import hush
from trainer.encoder.pretrained import ENCODERS

BATCH = 64
ROUNDS = 3


def main() -> int:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description="A sentence encoder in two types.")
    parser.add_argument("--data", type=Path, default=PROJECT / "data" / "sample", metavar="DIR")
    parser.add_argument("--plots", type=int, default=640, help="(default: %(default)s)")
    parser.add_argument("--encoder", choices=ENCODERS, default="minilm")
    options = parser.parse_args()

    hush()
    import numpy as np
    import tensorflow as tf

    from ingest.plots import Plot, find_plots, read_plots
    from trainer.data import TextPieces
    from trainer.encoder.sentence import SentenceEncoder
    from trainer.hparams import HParams

    heading = origin("benchmarks.encoder")
    read = read_plots(find_plots(options.data), lambda _: None)
    texts = [plot.text for plot in islice((p for p in read if isinstance(p, Plot)), options.plots)]
    pieces = TextPieces()
    batches = [
        pieces(tf.fill([len(some)], ""), tf.constant(some))
        for some in (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
    ]
    layers = ENCODERS[options.encoder].layers
    hparams = HParams(sentence_encoder=options.encoder, encoder_layers=layers)
    signature = [tf.TensorSpec([None, None], tf.int32)]
    encoders: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
        dtype: tf.function(
            SentenceEncoder.of(hparams.changed({"precision": dtype})).call,
            input_signature=signature,
        )
        for dtype in ("float32", "bfloat16")
    }
    vectors = {
        name: np.concatenate([encode(batch).numpy() for batch in batches])
        for name, encode in encoders.items()
    }
    whole: dict[str, list[float]] = {name: [] for name in encoders}
    single: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(ROUNDS):
        for name, encode in encoders.items():
            whole[name].append(sum(_seconds(encode, batch) for batch in batches))
            single[name] += [
                _seconds(encode, batch[:1, : int(tf.math.count_nonzero(batch[0]))])
                for batch in batches
            ]
    exact, rough = (
        found / np.linalg.norm(found, axis=1, keepdims=True) for found in vectors.values()
    )
    print(f"{heading}, {len(texts)} plots:\n")
    print("| products in | plots a second in batches of 64 | one plot: ms | least cosine |")
    print("|---|---:|---:|---:|")
    for name, cosine in (("float32", 1.0), ("bfloat16", float((exact * rough).sum(1).min()))):
        rate = len(texts) / statistics.median(whole[name])
        print(
            f"| {name} | {rate:.0f} | {1000 * statistics.median(single[name]):.1f} | {cosine:.5f} |"
        )
    return 0


def _seconds(encode: Callable[..., object], ids: object) -> float:
    started = time.perf_counter()
    encode(ids)
    return time.perf_counter() - started


if __name__ == "__main__":
    raise SystemExit(main())
