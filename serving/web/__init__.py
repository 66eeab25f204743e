"""The web page: people type a movie, and see its genres and what in the movie speaks for them."""
