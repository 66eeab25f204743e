"""Write the report of a run."""

__all__ = ["collect", "component"]
