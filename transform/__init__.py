"""Transformation of raw features to model inputs, as one TensorFlow graph for training and serving.

Import from the modules. This file imports none of them, because `features` works without
TensorFlow.

- `features`: names of the transformed features, and `TransformConfig`.
- `preprocessing`: `preprocessing_fn` of the Transform component.
- `text`: cleaning, words, n-grams, names and language of texts.
- `minilm`: files of the MiniLM encoder.
- `wordpiece`: ids of a text's word pieces.
"""
