"""The sentence encoder.

- `pretrained`: the encoders and their weights.
- `sentence`: `SentenceEncoder`, the Keras layer.
- `finetuning`: `finetuned`, the weights after training on the genres.
- `sentence_store`: `SentenceStore`, the cache of vectors.
"""
