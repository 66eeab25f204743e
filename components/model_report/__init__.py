"""Writes the report of a run."""
