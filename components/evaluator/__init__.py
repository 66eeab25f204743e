"""Evaluates a model and blesses it if each genre's F1 meets the requirements."""

__all__ = ["component", "decision", "measurement", "metrics", "verdict"]
