"""What the data is: feature names, genres, the curated schema, and how errors are told."""
