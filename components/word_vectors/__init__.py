"""Vectors for the words of the plots, from GloVe or trained by Word2Vec."""

__all__ = ["component", "vectors"]
