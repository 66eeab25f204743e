"""Evaluate a model and bless it if each genre's F1 meets the requirements."""

__all__ = ["component", "decision", "measurement", "metrics", "verdict"]
