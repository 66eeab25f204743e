"""The hybrid model: its inputs, layers, training, hyperparameter search and export.

Import from the modules; nothing is imported here, because `hparams` and `precision` must stay
importable without TensorFlow.

- `hparams`: `HParams`, the hyperparameters.
- `precision`: the number type of the sentence encoder's matrix products.
- `data`: `Rows`, a split in memory, and `model_inputs`.
- `encoder`: the pretrained sentence encoder and its fine-tuning.
- `features`: features that are fitted before the training, and the masking of fields.
- `ensemble`: the deep network, the boosted trees and the decision rule.
- `export`: the SavedModel.
- `run` and `tune`: `run_fn` and `tuner_fn`, which TFX's Trainer and Tuner call.
"""
