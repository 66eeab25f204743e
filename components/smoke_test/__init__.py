"""Test an exported model in a separate process before it is pushed."""

__all__ = ["component"]
