"""The sentence encoder.

- `pretrained`: the pretrained encoders and their weights.
- `sentence`: `SentenceEncoder`, the encoder as a Keras layer.
- `fine_tuning`: `load_or_fine_tune`, the weights after training on the genres.
- `sentence_vectors`: `SentenceVectorStore`, the cache of sentence vectors.
"""
