"""What is fitted on the training split before any gradient, and the masking of fields.

- `fields`: names of the features, and how the fields of a movie are hidden.
- `network`: `fit`, `build` and `compute`, from ids to features.
"""
