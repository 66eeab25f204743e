"""TF-IDF and logistic regression: the simple model that a served one has to beat."""

__all__ = ["component", "model"]
