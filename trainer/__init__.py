"""The hybrid model: its data, its layers, how it is trained, tuned, calibrated and exported.

Import from the modules; `hparams` and `precision` need no TensorFlow, so nothing is imported here.

- `hparams`: `HParams`; `precision`: the fastest number type.
- `run` and `tune`: `run_fn` and `tuner_fn`, which TFX's Trainer and Tuner call.
- `data`: `Rows`, a split in memory, and `model_inputs`.
- `encoder`, `features`, `ensemble`, `export`: the rooms whose work these join.
"""
