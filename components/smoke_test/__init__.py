"""Asks the exported model real questions in a fresh process before it is pushed."""

__all__ = ["component"]
