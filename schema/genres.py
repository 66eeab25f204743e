"""The genres, in the one order that labels, probabilities and reports share."""

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
"""IMDb's names for the genres of feature films, without News (59 movies in 56,503)."""

NUM_GENRES: Final[int] = len(GENRES)
