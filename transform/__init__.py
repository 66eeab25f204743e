"""From raw features to what the model reads, as one TensorFlow graph for training and serving.

Import from the modules; `features` needs no TensorFlow, so nothing is imported here.

- `features`: names of the transformed features, and `TransformConfig`.
- `preprocessing`: `preprocessing_fn` of the Transform component.
- `minilm`: MiniLM's files; `wordpiece`: texts to the ids of its word pieces.
"""
