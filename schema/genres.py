"""Genres that the model predicts, in the order of labels, probabilities and reports."""

from typing import Final

GENRES: Final[tuple[str, ...]] = (
    "Action",
    "Adventure",
    "Animation",
    "Biography",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "Film-Noir",
    "History",
    "Horror",
    "Music",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Sport",
    "Thriller",
    "War",
    "Western",
)
"""IMDb's genres of feature films, except News (59 of 56,503 movies)."""

NUM_GENRES: Final[int] = len(GENRES)
