"""Stops the run when the data are not what the schema expects or are unlike the data before."""

__all__ = ["component", "decision", "figures"]
