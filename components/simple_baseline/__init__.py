"""TF-IDF and logistic regression, the simple baseline that the gate compares models with."""

__all__ = ["component", "model"]
