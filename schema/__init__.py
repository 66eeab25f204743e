"""Definitions that all packages share: feature names, genres, the curated schema and errors."""
