"""Label the movies that have no genres, and list the given genres that the model doubts."""

__all__ = ["component"]
