"""Features that are fitted on the training split before any gradient step, and their masking.

- `fields`: names of the features, and masking of the fields of a movie.
- `extractor`: `fit`, `build` and `compute`, from ids to features.
- `texts`: regressions on the words of plot and title.
- `people`: target encoding of people.
- `vocabulary`: vocabularies of hashed tokens.
"""
