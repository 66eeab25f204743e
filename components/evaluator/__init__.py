"""Measures a model and blesses it if it meets the demands on each genre's F1."""

__all__ = ["component", "decision", "measurement", "metrics", "verdict"]
