"""Stop the run if the data violate the schema or differ too much from earlier data."""

__all__ = ["component", "decision", "tfdv_adapter"]
