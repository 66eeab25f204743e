"""Publishes a blessed model as a version that appears whole or not at all."""

__all__ = ["component", "decision", "versions"]
