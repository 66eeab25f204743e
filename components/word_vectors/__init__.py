"""Vectors of the words in plots, from GloVe or trained with Word2Vec."""

__all__ = ["component", "vectors"]
