"""The web page: people type a film, and see its genres and what in the film speaks for them."""
