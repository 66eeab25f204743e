"""The web page: a form for a movie, its predicted genres and what moved them."""
