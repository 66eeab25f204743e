"""Push a blessed model as a new version, atomically."""

__all__ = ["component", "decision", "state", "versions"]
