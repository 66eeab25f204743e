"""Tables of movies as people have them: formats, encodings, and malformed records."""
